//! A simple model of the contracts: who paid in, who was paid, and what the proxy's contract was told.

use std::collections::BTreeMap;

use cocoon_accounting::{ClientState, ContractState, Kind, Party, Settlement, Status, Tx, WorkerState};
use cocoon_types::{Address, Nanoton};

/// What the proxy's contract received.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Commit {
        seqno: u32,
        session: [u8; 32],
        own: bool,
    },
    Client {
        owner: Address,
        sender: Address,
        state: ClientState,
    },
    Worker {
        owner: Address,
        state: WorkerState,
    },
    Noise,
}

/// What a node sends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sent {
    Commit {
        contract: Address,
        seqno: u32,
        session: [u8; 32],
    },
    Settle(Settlement),
}

#[derive(Clone, Debug, Default)]
pub(super) struct ClientContract {
    pub(super) state: ClientState,
    pub(super) unlock_at: u64,
    pub(super) paid_in: u64,
    pub(super) returned: u64,
    /// It took its money by force, before it was charged.
    pub(super) forced: bool,
    pub(super) generation: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct WorkerContract {
    pub(super) state: WorkerState,
    pub(super) received: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Contract {
    pub(super) address: Address,
    pub(super) price: u64,
    pub(super) fee: u64,
    pub(super) delay: u64,
    pub(super) stake: u64,
    pub(super) status: Status,
    pub(super) unlock_at: u64,
    pub(super) prepaid: u64,
    pub(super) payable: u64,
    pub(super) balance: u64,
    pub(super) owner_received: u64,
    pub(super) clients: BTreeMap<Address, ClientContract>,
    pub(super) workers: BTreeMap<Address, WorkerContract>,
    pub(super) log: Vec<(Tx, Told)>,
}

pub(super) fn derived(owner: Address) -> Address {
    let mut id = *owner.as_bytes();
    id[31] ^= 0xff;
    Address::new(id)
}

impl Contract {
    pub(super) fn new(number: u8, price: u64, fee: u64) -> Self {
        Self {
            address: Address::new([number; 32]),
            price,
            fee,
            delay: 100,
            stake: 1000,
            status: Status::Open,
            unlock_at: 0,
            prepaid: 0,
            payable: 0,
            balance: 0,
            owner_received: 0,
            clients: BTreeMap::new(),
            workers: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    pub(super) fn state(&self) -> ContractState {
        ContractState {
            status: self.status,
            balance: Nanoton::new(self.balance),
            stake: Nanoton::ZERO,
            unlock_at: u32::try_from(self.unlock_at).expect("the model holds"),
            payable: Some(Nanoton::new(self.payable)),
        }
    }

    pub(super) fn log(&mut self, told: Told) {
        let lt = self.log.len() as u64 * 10 + 10;
        self.log.push((Tx { lt, hash: [0; 32] }, told));
    }

    fn tell_client(&mut self, owner: Address) {
        let state = self.clients[&owner].state;
        let sender = derived(owner);
        self.log(Told::Client { owner, sender, state });
    }

    pub(super) fn top_up(&mut self, owner: Address, amount: u64) {
        let stake = self.stake;
        let client = self.clients.entry(owner).or_insert_with(|| ClientContract {
            state: ClientState {
                stake: Nanoton::new(stake),
                ..ClientState::default()
            },
            ..ClientContract::default()
        });
        if self.status != Status::Open {
            return;
        }
        if client.state.status != Status::Open {
            // Opened again: refunds that were granted before are for another generation.
            client.generation += 1;
        }
        client.state.status = Status::Open;
        client.state.balance = Nanoton::new(client.state.balance.nano() + amount);
        client.paid_in += amount;
        self.prepaid += amount;
        self.tell_client(owner);
    }

    /// The owner takes out what is above the stake.
    pub(super) fn withdraw(&mut self, owner: Address) {
        let Some(client) = self.clients.get_mut(&owner) else {
            return;
        };
        let (balance, stake) = (client.state.balance.nano(), client.state.stake.nano());
        if client.state.status == Status::Open && balance > stake {
            client.state.balance = Nanoton::new(stake);
            client.returned += balance - stake;
            self.prepaid -= balance - stake;
            self.tell_client(owner);
        }
    }

    /// The owner asks the contract for its refund; the second time, after the delay, it is forced.
    pub(super) fn request_refund(&mut self, owner: Address, now: u64) {
        let Some(client) = self.clients.get_mut(&owner) else {
            return;
        };
        let (balance, stake) = (client.state.balance.nano(), client.state.stake.nano());
        match client.state.status {
            Status::Open => {
                client.state.status = Status::Closing;
                client.unlock_at = now + self.delay;
                let back = balance.saturating_sub(stake);
                client.state.balance = Nanoton::new(balance - back);
                client.returned += back;
                self.prepaid -= back;
            }
            Status::Closing if now > client.unlock_at => {
                client.state.status = Status::Closed;
                client.state.balance = Nanoton::ZERO;
                client.returned += balance;
                client.forced = true;
                self.prepaid -= balance;
            }
            _ => return,
        }
        self.tell_client(owner);
    }

    /// A signed charge: refused unless the count grows. The balance must cover it: reservations see to that.
    fn charge(&mut self, owner: Address, tokens: u64) -> bool {
        let Some(client) = self.clients.get_mut(&owner) else {
            return false;
        };
        let Some(grown) = tokens.checked_sub(client.state.tokens) else {
            return false;
        };
        let cost = grown * self.price;
        let taken = cost.min(client.state.balance.nano());
        assert!(
            taken == cost || client.forced,
            "{owner}: charged {cost} with {taken} there"
        );
        client.state.balance = Nanoton::new(client.state.balance.nano() - taken);
        client.state.tokens = tokens;
        self.prepaid -= taken;
        self.payable += taken;
        true
    }

    pub(super) fn take(&mut self, settlement: Settlement, now: u64) {
        let tokens = settlement.tokens;
        match (settlement.kind, settlement.party) {
            (Kind::Charge, Party::Client { owner }) => {
                let client = self.clients.get(&owner).map(|client| client.state);
                let open = client.is_some_and(|it| it.status != Status::Closed && it.tokens < tokens);
                if self.status != Status::Closed && open && self.charge(owner, tokens) {
                    self.tell_client(owner);
                }
            }
            (Kind::GrantRefund, Party::Client { owner }) => {
                let client = self.clients.get(&owner);
                let open = client.is_some_and(|it| {
                    it.state.status != Status::Closed && it.generation == settlement.generation
                });
                if self.status != Status::Closed && open && self.charge(owner, tokens) {
                    let client = self.clients.get_mut(&owner).expect("the model holds");
                    let back = client.state.balance.nano();
                    client.state.balance = Nanoton::ZERO;
                    client.state.status = Status::Closed;
                    client.returned += back;
                    self.prepaid -= back;
                    self.tell_client(owner);
                }
            }
            (Kind::Payout | Kind::LastPayout, Party::Worker { owner }) => {
                let is_last = settlement.kind == Kind::LastPayout;
                let worker = self.workers.entry(owner).or_default();
                let Some(grown) = tokens.checked_sub(worker.state.tokens) else {
                    return;
                };
                let cost = grown * self.price;
                let is_dead = self.status == Status::Closed || worker.state.status == Status::Closed;
                if is_dead || (grown == 0 && !is_last) || cost > self.payable {
                    return;
                }
                worker.state.tokens = tokens;
                worker.received += grown * self.fee;
                if is_last {
                    worker.state.status = Status::Closed;
                }
                let state = worker.state;
                self.payable -= cost;
                self.balance += grown * (self.price - self.fee);
                self.log(Told::Worker { owner, state });
            }
            (Kind::Withdraw, Party::Proxy) if self.status != Status::Closed => {
                self.owner_received += std::mem::take(&mut self.balance);
            }
            (Kind::CloseRequest, Party::Proxy) if self.status == Status::Open => {
                self.status = Status::Closing;
                self.unlock_at = now + 500;
            }
            (Kind::CloseComplete, Party::Proxy)
                if self.status == Status::Closing && now >= self.unlock_at =>
            {
                self.status = Status::Closed;
                self.owner_received += std::mem::take(&mut self.balance);
            }
            _ => {}
        }
    }

    /// Every nanoTON that went in is somewhere.
    pub(super) fn conserves(&self) {
        let clients = self.clients.values();
        let held: u64 = clients.clone().map(|client| client.state.balance.nano()).sum();
        assert_eq!(held, self.prepaid, "what clients are owed is in the pool");
        let paid_in: u64 = clients.clone().map(|client| client.paid_in).sum();
        let returned: u64 = clients.map(|client| client.returned).sum();
        let received: u64 = self.workers.values().map(|worker| worker.received).sum();
        let inside = self.prepaid + self.payable + self.balance;
        assert_eq!(paid_in, returned + received + self.owner_received + inside);
    }
}
