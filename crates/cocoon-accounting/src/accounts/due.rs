//! What is due: commits, charges, payouts, refunds, withdrawals.

use cocoon_types::{Address, Nanoton};

use super::{
    Accounts, closing,
    state::{Client, Generation, InFlight, Settling, Worker},
};
use crate::{
    policy::{Policy, When},
    record::{Kind, Record, Settlement},
    terms::{Party, Status},
};

/// Something to do outside, once its record is durable. Doing it twice does no harm beyond its gas: the contracts refuse
/// a count that does not grow, and a commit that was seen before means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a state commit from the own wallet to the own contract (spec/ton.md 4.3).
    Commit {
        /// The contract.
        contract: Address,
        /// The number.
        seqno: u32,
        /// The session.
        session: [u8; 32],
    },
    /// Sign and send a message that settles something. Its end shows in the target's state; then
    /// [`Accounts::client_seen`], [`Accounts::worker_seen`], [`Accounts::contract_seen`] or
    /// [`Accounts::settlement_ended`] tells it.
    Settle(Settlement),
}

/// A record, and what to do once it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// To be applied.
    pub record: Record,
    /// To be done after.
    pub effect: Option<Effect>,
}

impl Accounts {
    /// What is due now. To be asked about once a second, and after what may have made something due. The records are to be
    /// applied in this order before anything else is.
    pub fn due(&self, policy: &Policy, now: u64) -> Vec<Step> {
        if self.halted.is_some() {
            return Vec::new();
        }
        let mut steps = Vec::new();
        self.commit_due(policy, now, &mut steps);
        if let Some(current) = self.current.as_ref()
            && self.commits.ready
        {
            settlements_due(current, policy, now, &mut steps);
        }
        for old in &self.old {
            if self.commits.confirmed > old.after_commit {
                closing::due(old, policy, now, &mut steps);
            }
        }
        steps
    }

    /// What is under way for a party.
    pub(super) fn in_flight(&self, contract: Address, party: Party) -> Option<InFlight> {
        let current = self
            .current
            .as_ref()
            .filter(|current| current.terms.contract == contract);
        let settling = match (current, party) {
            (Some(current), Party::Client { owner }) => &current.clients.get(&owner)?.settling,
            (Some(current), Party::Worker { owner }) => &current.workers.get(&owner)?.settling,
            (Some(current), Party::Proxy) => &current.proxy,
            (None, party) => {
                let old = self.old.iter().find(|old| old.terms.contract == contract)?;
                match party {
                    Party::Client { owner } => &old.clients.get(&owner)?.settling,
                    Party::Worker { owner } => &old.workers.get(&owner)?.settling,
                    Party::Proxy => &old.proxy,
                }
            }
        };
        settling.in_flight
    }

    fn commit_due(&self, policy: &Policy, now: u64, steps: &mut Vec<Step>) {
        let (Some(current), commits) = (&self.current, &self.commits) else {
            return;
        };
        let contract = current.terms.contract;
        if let Some(outstanding) = commits.outstanding {
            if now.saturating_sub(outstanding.sent_at) >= policy.commit_retry {
                steps.push(Step {
                    record: Record::CommitResent { at: now },
                    effect: Some(Effect::Commit {
                        contract,
                        seqno: outstanding.seqno,
                        session: commits.session,
                    }),
                });
            }
            return;
        }
        if !commits.ready || commits.dirty.is_empty() {
            return;
        }
        let sum = self.price_of(commits.unsecured).unwrap_or(Nanoton::new(u64::MAX));
        let age = commits
            .unsecured_since
            .map_or(0, |since| now.saturating_sub(since));
        let is_due = policy.settle == When::Each
            || sum >= policy.commit_sum
            || age >= policy.commit_age
            || current.stopped
            || commits.dirty.iter().any(|party| current.waits_for_commit(*party));
        if let (true, Some(seqno)) = (is_due, self.next_commit()) {
            steps.push(Step {
                record: Record::CommitPlanned { seqno, at: now },
                effect: Some(Effect::Commit {
                    contract,
                    seqno,
                    session: commits.session,
                }),
            });
        }
    }
}

impl Generation {
    /// Whether an account that changed cannot go on before a commit.
    fn waits_for_commit(&self, party: Party) -> bool {
        match party {
            Party::Client { owner } => self
                .clients
                .get(&owner)
                .is_some_and(|client| client.is_leaving() || client.settling.asked.is_some()),
            Party::Worker { owner } => self
                .workers
                .get(&owner)
                .is_some_and(|worker| worker.settling.asked.is_some()),
            Party::Proxy => false,
        }
    }
}

impl Client {
    fn is_leaving(&self) -> bool {
        self.open == 0
            && self.state.status != Status::Closed
            && (self.refund_asked || self.state.status == Status::Closing)
    }

    fn due(&self, prices: &crate::pricing::Prices, policy: &Policy, is_forced: bool) -> Option<(Kind, u64)> {
        if self.state.status == Status::Closed || self.quarantine.is_some() {
            return None;
        }
        if self.is_leaving() {
            return (self.levels.chain == self.levels.memory)
                .then_some((Kind::GrantRefund, self.levels.chain));
        }
        let tokens = self.levels.chain.checked_sub(self.state.tokens)?;
        if tokens == 0 {
            return None;
        }
        let sum = prices.cost(tokens).unwrap_or(Nanoton::new(u64::MAX));
        let half = Nanoton::new(self.state.stake.nano() / 2);
        let is_due = is_forced
            || self.settling.asked.is_some()
            || match policy.settle {
                When::Each => true,
                When::Threshold => sum >= policy.charge_at.min(half),
                // A client at its limit cannot go on before it is charged.
                When::Every(_) | When::Manual => sum >= half && half > Nanoton::ZERO,
            };
        is_due.then_some((Kind::Charge, self.levels.chain))
    }
}

impl Worker {
    /// The count to pay up to and what that takes at the client's price.
    fn due(&self, prices: &crate::pricing::Prices, policy: &Policy) -> Option<(u64, Nanoton)> {
        if self.state.status == Status::Closed || self.quarantine.is_some() {
            return None;
        }
        let tokens = self.levels.chain.checked_sub(self.state.tokens)?;
        if tokens == 0 {
            return None;
        }
        let sum = prices.earnings(tokens).unwrap_or(Nanoton::new(u64::MAX));
        let is_due = self.settling.asked.is_some()
            || match policy.settle {
                When::Each => true,
                When::Threshold => sum >= policy.payout_at,
                When::Every(_) | When::Manual => false,
            };
        let takes = prices.cost(tokens).unwrap_or(Nanoton::new(u64::MAX));
        is_due.then_some((self.levels.chain, takes))
    }
}

/// Settlements of the current contract.
fn settlements_due(current: &Generation, policy: &Policy, now: u64, steps: &mut Vec<Step>) {
    let (contract, prices) = (current.terms.contract, &current.terms.prices);
    if let When::Every(seconds) = policy.settle
        && now.saturating_sub(current.settled_at) >= seconds.max(1)
    {
        steps.push(Step {
            record: Record::SettleAsked { at: now },
            effect: None,
        });
        return;
    }
    let mut room = Room::new(policy, now, contract);
    room.count(current.clients.values().map(|client| &client.settling));
    room.count(current.workers.values().map(|worker| &worker.settling));
    room.count([&current.proxy]);
    // 1. Payouts, as far as the contract lets them: settled charges and stake less what was paid (H6, H7).
    let in_flight = current.workers.values().filter_map(|worker| {
        let sent = worker.settling.in_flight?;
        prices.cost(sent.tokens.checked_sub(worker.state.tokens)?).ok()
    });
    let in_flight = in_flight.fold(0u64, |sum, cost| sum.saturating_add(cost.nano()));
    let mut payable = current
        .state
        .payable
        .map(|payable| payable.nano().saturating_sub(in_flight));
    let mut needs_charges = false;
    for (owner, worker) in &current.workers {
        let party = Party::worker(*owner);
        if room.timed_out(party, &worker.settling, steps) || !worker.settling.is_free(now) {
            continue;
        }
        let Some((tokens, takes)) = worker.due(prices, policy) else {
            continue;
        };
        if payable.is_some_and(|payable| payable < takes.nano()) {
            needs_charges = true;
            continue;
        }
        payable = payable.map(|payable| payable.saturating_sub(takes.nano()));
        room.start(party, Kind::Payout, (tokens, 0), steps);
    }
    // 2. Charges and refunds; every one of them when a payout waits for charges.
    for (owner, client) in &current.clients {
        let party = Party::client(*owner);
        if room.timed_out(party, &client.settling, steps) || !client.settling.is_free(now) {
            continue;
        }
        if let Some((kind, tokens)) = client.due(prices, policy, needs_charges) {
            room.start(party, kind, (tokens, client.generation), steps);
        }
    }
    // 3. The owner's share.
    let share = current.state.balance;
    let wanted =
        current.proxy.asked.is_some() || (share >= policy.withdraw_at && policy.settle != When::Manual);
    if !room.timed_out(Party::Proxy, &current.proxy, steps)
        && current.proxy.is_free(now)
        && share > Nanoton::ZERO
        && current.state.status == Status::Open
        && wanted
    {
        room.start(Party::Proxy, Kind::Withdraw, (share.nano(), 0), steps);
    }
}

/// How many more settlements may be under way.
pub(super) struct Room {
    left: usize,
    timeout: u64,
    now: u64,
    contract: Address,
}

impl Room {
    pub(super) fn new(policy: &Policy, now: u64, contract: Address) -> Self {
        Self {
            left: policy.in_flight,
            timeout: policy.settlement_timeout,
            now,
            contract,
        }
    }

    pub(super) fn count<'a>(&mut self, all: impl IntoIterator<Item = &'a Settling>) {
        let under_way = all.into_iter().filter(|settling| settling.in_flight.is_some());
        self.left = self.left.saturating_sub(under_way.count());
    }

    /// Ends what has waited too long for its target. A late success is harmless: the chain tells it all the same.
    pub(super) fn timed_out(&self, party: Party, settling: &Settling, steps: &mut Vec<Step>) -> bool {
        let late = |sent: InFlight| self.now.saturating_sub(sent.since) >= self.timeout;
        let is_late = settling.in_flight.is_some_and(late);
        if is_late {
            steps.push(Step {
                record: Record::SettlementEnded {
                    contract: self.contract,
                    party,
                    done: false,
                    at: self.now,
                },
                effect: None,
            });
        }
        is_late
    }

    /// Starts a message for a count and, for a refund, a generation.
    pub(super) fn start(
        &mut self,
        party: Party,
        kind: Kind,
        (tokens, generation): (u64, u32),
        steps: &mut Vec<Step>,
    ) {
        let Some(left) = self.left.checked_sub(1) else {
            return;
        };
        self.left = left;
        let settlement = Settlement {
            contract: self.contract,
            party,
            kind,
            tokens,
            generation,
        };
        steps.push(Step {
            record: Record::SettlementStarted {
                settlement,
                at: self.now,
            },
            effect: Some(Effect::Settle(settlement)),
        });
    }
}
