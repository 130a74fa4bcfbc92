//! Random histories of a proxy's accounts against a simple model of the contracts.
//!
//! A node applies records, writes them to a journal of which a part is on disk, sends what is due once its record is on
//! disk, and follows its contract. Messages are lost, doubled and delayed; the node crashes at any moment and goes on with
//! what was on disk. What must hold is checked after every step, and at the end everything is settled and closed.
//!
//! `COCOON_HISTORIES=100000 cargo test --release -p cocoon-accounting --test histories` runs as many as it says.

#[path = "histories/world.rs"]
mod world;

use std::collections::{BTreeMap, VecDeque};

use cocoon_accounting::{
    Accounts, Effect, Outcome, Party, Policy, Prices, Record, Seen, SettleRefused, Status, Step, Terms, When,
};
use cocoon_types::{Address, Multipliers, Nanoton, RequestId};
use proptest::{prelude::*, test_runner::TestRunner};
use world::{Contract, Sent, Told, derived};

#[derive(Clone, Debug)]
enum Op {
    TopUp { client: u8, amount: u16 },
    Withdraw { client: u8 },
    RequestRefund { client: u8 },
    AskRefund { client: u8 },
    Reserve { client: u8, tokens: u8 },
    Again { request: u8 },
    Settle { request: u8, worker: u8, tokens: u8 },
    Release { request: u8 },
    Flush { all_but: u8 },
    Tick { seconds: u8 },
    Deliver { count: u8, fate: u8 },
    Follow { count: u8 },
    Crash { lost: u8 },
    SettleAll,
    Fake { client: u8 },
    Noise,
    NewTerms,
    Rollback { to: u8 },
}

fn op() -> impl Strategy<Value = Op> {
    let client = 0u8..3;
    prop_oneof![
        3 => (client.clone(), 1u16..4000).prop_map(|(client, amount)| Op::TopUp { client, amount }),
        1 => client.clone().prop_map(|client| Op::Withdraw { client }),
        1 => client.clone().prop_map(|client| Op::RequestRefund { client }),
        1 => client.clone().prop_map(|client| Op::AskRefund { client }),
        8 => (client.clone(), 0u8..60).prop_map(|(client, tokens)| Op::Reserve { client, tokens }),
        1 => any::<u8>().prop_map(|request| Op::Again { request }),
        8 => (any::<u8>(), 0u8..2, 0u8..80)
            .prop_map(|(request, worker, tokens)| Op::Settle { request, worker, tokens }),
        2 => any::<u8>().prop_map(|request| Op::Release { request }),
        6 => (0u8..4).prop_map(|all_but| Op::Flush { all_but }),
        6 => (0u8..120).prop_map(|seconds| Op::Tick { seconds }),
        6 => (1u8..6, any::<u8>()).prop_map(|(count, fate)| Op::Deliver { count, fate }),
        6 => (1u8..12).prop_map(|count| Op::Follow { count }),
        2 => (0u8..8).prop_map(|lost| Op::Crash { lost }),
        1 => Just(Op::SettleAll),
        1 => client.prop_map(|client| Op::Fake { client }),
        1 => Just(Op::Noise),
        1 => Just(Op::NewTerms),
        1 => any::<u8>().prop_map(|to| Op::Rollback { to }),
    ]
}

#[derive(Clone, Debug)]
struct Request {
    client: Address,
    id: RequestId,
    reserved: u64,
    /// What the worker's receipt says, once it served.
    receipt: Option<u64>,
    /// The answer's end has left: the charge must survive.
    acknowledged: bool,
}

struct Node {
    accounts: Accounts,
    journal: Vec<Record>,
    on_disk: usize,
    /// To be sent once so many records are on disk.
    waiting: VecDeque<(usize, Sent)>,
    outbox: VecDeque<Sent>,
    contracts: Vec<Contract>,
    requests: Vec<Request>,
    /// Settled, and to be acknowledged once so many records are on disk.
    answering: Vec<(usize, usize)>,
    signed: BTreeMap<(Address, Party), u64>,
    policy: Policy,
    sessions: u8,
    now: u64,
}

fn address(kind: u8, number: u8) -> Address {
    let mut id = [kind; 32];
    id[0] = number;
    Address::new(id)
}

fn client(number: u8) -> Address {
    address(0xc0, number)
}

fn worker(number: u8) -> Address {
    address(0xd0, number)
}

fn terms(contract: &Contract) -> Terms {
    Terms {
        contract: contract.address,
        params_version: 1,
        prices: Prices::new(
            Nanoton::new(contract.price),
            Nanoton::new(contract.fee),
            Multipliers::ONE,
        )
        .expect("the model holds"),
        proxy_delay: 500,
        client_delay: 100,
    }
}

impl Node {
    fn new(settle: When) -> Self {
        let mut node = Self {
            accounts: Accounts::new(),
            journal: Vec::new(),
            on_disk: 0,
            waiting: VecDeque::new(),
            outbox: VecDeque::new(),
            contracts: vec![Contract::new(1, 5, 4)],
            requests: Vec::new(),
            answering: Vec::new(),
            signed: BTreeMap::new(),
            policy: Policy {
                commit_sum: Nanoton::new(200),
                commit_age: 60,
                commit_retry: 100,
                unsecured_limit: Nanoton::new(2000),
                settle,
                charge_at: Nanoton::new(400),
                payout_at: Nanoton::new(300),
                withdraw_at: Nanoton::new(100),
                settlement_timeout: 150,
                in_flight: 3,
            },
            sessions: 0,
            now: 1_000_000,
        };
        let opened = node
            .accounts
            .open(terms(&node.contracts[0]), node.now)
            .expect("the model holds");
        node.apply(opened);
        node.flush(1);
        node.start();
        node
    }

    fn apply(&mut self, record: Record) {
        // What is written is what is read, and what applies here applies again.
        assert_eq!(Record::decode(&record.encode()), Ok(record));
        self.accounts
            .apply(&record)
            .unwrap_or_else(|error| panic!("{record:?}: {error}"));
        self.journal.push(record);
    }

    fn effect(&mut self, effect: Effect) {
        let sent = match effect {
            Effect::Commit {
                contract,
                seqno,
                session,
            } => Sent::Commit {
                contract,
                seqno,
                session,
            },
            Effect::Settle(settlement) => Sent::Settle(settlement),
        };
        self.waiting.push_back((self.journal.len(), sent));
    }

    fn start(&mut self) {
        self.sessions += 1;
        let (record, effect) = self
            .accounts
            .start_session([self.sessions; 32], self.now)
            .expect("the model holds");
        self.apply(record);
        self.effect(effect);
    }

    fn flush(&mut self, records: usize) {
        self.on_disk = self.on_disk.max(records);
        self.accounts.flushed(self.on_disk as u64);
        while let Some((needed, sent)) = self.waiting.front().copied() {
            if needed > self.on_disk {
                break;
            }
            self.waiting.pop_front();
            self.outbox.push_back(sent);
        }
        for (needed, request) in std::mem::take(&mut self.answering) {
            if needed <= self.on_disk {
                self.requests[request].acknowledged = true;
            } else {
                self.answering.push((needed, request));
            }
        }
    }

    fn tick(&mut self, seconds: u64) {
        self.now += seconds;
        for Step { record, effect } in self.accounts.due(&self.policy, self.now) {
            self.apply(record);
            if let Some(effect) = effect {
                self.effect(effect);
            }
        }
    }

    /// Externals reach the chain in the order of the wallet, or not at all, or the same thing comes twice.
    fn deliver(&mut self, count: u8, fate: u8) {
        for number in 0..count {
            let Some(sent) = self.outbox.pop_front() else {
                return;
            };
            match fate.wrapping_add(number.wrapping_mul(37)) % 8 {
                0 => {}
                1 => {
                    self.on_chain(sent);
                    self.on_chain(sent);
                }
                _ => self.on_chain(sent),
            }
        }
    }

    fn on_chain(&mut self, sent: Sent) {
        let now = self.now;
        match sent {
            Sent::Commit {
                contract,
                seqno,
                session,
            } => {
                self.contract(contract).log(Told::Commit {
                    seqno,
                    session,
                    own: true,
                });
            }
            Sent::Settle(settlement) => self.contract(settlement.contract).take(settlement, now),
        }
    }

    fn contract(&mut self, address: Address) -> &mut Contract {
        let found = self
            .contracts
            .iter_mut()
            .find(|contract| contract.address == address);
        found.expect("a contract that exists")
    }

    fn current(&mut self) -> &mut Contract {
        self.contracts.last_mut().expect("the model holds")
    }

    fn read_log(&mut self, contract: Address, count: usize) {
        let cursor = self.accounts.cursor(&contract).map_or(0, |tx| tx.lt);
        let now = self.now;
        let log = self.contract(contract).log.clone();
        for (tx, told) in log.into_iter().filter(|(tx, _)| tx.lt > cursor).take(count) {
            let told = match told {
                Told::Commit { seqno, session, own } => {
                    self.accounts
                        .commit_seen(contract, tx, own, (seqno, session), now)
                }
                Told::Client { owner, sender, state } => {
                    let derived = derived(owner);
                    let seen = Seen {
                        contract,
                        tx,
                        sender,
                        owner,
                        derived,
                        state,
                    };
                    self.accounts.client_seen(seen, now)
                }
                Told::Worker { owner, state } => {
                    let derived = derived(owner);
                    let seen = Seen {
                        contract,
                        tx,
                        sender: derived,
                        owner,
                        derived,
                        state,
                    };
                    self.accounts.worker_seen(seen, now)
                }
                Told::Noise => self.accounts.passed(contract, tx),
            };
            told.records.into_iter().for_each(|record| self.apply(record));
            if self.accounts.halted().is_some() {
                return;
            }
        }
    }

    fn follow(&mut self, count: usize) {
        let now = self.now;
        let old = self.accounts.old_contracts().map(|(terms, _)| terms.contract);
        let followed: Vec<_> = old
            .chain(self.accounts.terms().map(|terms| terms.contract))
            .collect();
        for contract in followed {
            self.read_log(contract, count);
            if self.accounts.halted().is_some() {
                return;
            }
        }
        for contract in self.contracts.clone() {
            if let Some(record) = self
                .accounts
                .contract_seen(contract.address, contract.state(), now)
            {
                self.apply(record);
            }
        }
    }

    /// Goes on with a prefix of the journal.
    fn restart(&mut self, records: usize) {
        self.journal.truncate(records);
        self.on_disk = records;
        self.waiting.clear();
        self.answering.clear();
        // From a snapshot of somewhere and the records after it.
        let (before, after) = self.journal.split_at(records / 2);
        let mut accounts = Accounts::new();
        for (number, record) in before.iter().enumerate() {
            accounts.apply(record).expect("the model holds");
            accounts.flushed(number as u64 + 1);
        }
        let mut again = Accounts::decode(&accounts.encode()).expect("the model holds");
        assert_eq!(again, accounts, "a snapshot is the state");
        for record in after {
            again.apply(record).expect("the model holds");
            accounts.apply(record).expect("the model holds");
        }
        again.flushed(records as u64);
        accounts.flushed(records as u64);
        assert_eq!(again, accounts);
        self.accounts = again;
        self.start();
    }

    fn crash(&mut self, lost: usize) {
        let records = self.journal.len().saturating_sub(lost).max(self.on_disk);
        self.restart(records);
        // What was asked but never acknowledged is over for those who asked.
    }

    fn new_terms(&mut self) {
        if self.contracts.len() >= 3 || self.accounts.open_requests() > 0 || !self.accounts.is_ready() {
            return;
        }
        let number = u8::try_from(self.contracts.len()).expect("few") + 1;
        let price = 5 + u64::from(number);
        let contract = Contract::new(number, price, price - 2);
        let Ok(record) = self.accounts.open(terms(&contract), self.now) else {
            return;
        };
        self.contracts.push(contract);
        self.apply(record);
        self.start();
        // Deploying a contract takes a while: the terms are on disk by then.
        self.flush(self.journal.len());
    }

    fn run(&mut self, op: &Op) {
        let now = self.now;
        match *op {
            Op::TopUp {
                client: number,
                amount,
            } => self.current().top_up(client(number), u64::from(amount)),
            Op::Withdraw { client: number } => self.current().withdraw(client(number)),
            Op::RequestRefund { client: number } => self.current().request_refund(client(number), now),
            Op::AskRefund { client: number } => {
                if let Ok(Some(record)) = self.accounts.ask_refund(client(number), now) {
                    self.apply(record);
                }
            }
            Op::Reserve {
                client: number,
                tokens,
            } => {
                let mut id = [0; 32];
                id[..8].copy_from_slice(&(self.requests.len() as u64).to_be_bytes());
                self.reserve(client(number), RequestId(id), u64::from(tokens));
            }
            Op::Again { request } => {
                if let Some(request) = self.pick(request) {
                    let Request {
                        client, id, reserved, ..
                    } = self.requests[request].clone();
                    let before = self.accounts.clone();
                    let known = self.requests[request].acknowledged;
                    self.reserve(client, id, reserved);
                    if known {
                        assert_eq!(self.accounts, before, "an id that ended is not reserved again");
                    }
                }
            }
            Op::Settle {
                request,
                worker: number,
                tokens,
            } => {
                if let Some(request) = self.pick(request) {
                    self.settle(request, worker(number), u64::from(tokens));
                }
            }
            Op::Release { request } => {
                if let Some(request) = self.pick(request) {
                    let Request { client, id, .. } = self.requests[request];
                    let record = self.accounts.release(client, id, now);
                    record.into_iter().for_each(|record| self.apply(record));
                }
            }
            Op::Flush { all_but } => self.flush(self.journal.len().saturating_sub(usize::from(all_but))),
            Op::Tick { seconds } => self.tick(u64::from(seconds)),
            Op::Deliver { count, fate } => self.deliver(count, fate),
            Op::Follow { count } => self.follow(usize::from(count)),
            Op::Crash { lost } => self.crash(usize::from(lost)),
            Op::SettleAll => {
                let record = self.accounts.ask_settle(now).expect("the model holds");
                self.apply(record);
            }
            Op::Fake { client: number } => {
                let owner = client(number);
                let state = cocoon_accounting::ClientState {
                    balance: Nanoton::new(1_000_000),
                    stake: Nanoton::new(1_000_000),
                    ..Default::default()
                };
                self.current().log(Told::Client {
                    owner,
                    sender: address(9, 9),
                    state,
                });
                self.current().log(Told::Commit {
                    seqno: 77,
                    session: [0xee; 32],
                    own: false,
                });
            }
            Op::Noise => self.current().log(Told::Noise),
            Op::NewTerms => self.new_terms(),
            Op::Rollback { .. } => {}
        }
    }

    fn pick(&self, number: u8) -> Option<usize> {
        // Mostly the latest ones.
        let back = usize::from(number) % 12 + 1;
        self.requests.len().checked_sub(back)
    }

    fn reserve(&mut self, client: Address, id: RequestId, tokens: u64) {
        let record = self.accounts.reserve(client, id, tokens, &self.policy, self.now);
        if let Ok(record) = record {
            self.apply(record);
            self.requests.push(Request {
                client,
                id,
                reserved: tokens,
                receipt: None,
                acknowledged: false,
            });
        }
    }

    fn settle(&mut self, request: usize, worker: Address, tokens: u64) {
        let Request {
            client, id, reserved, ..
        } = self.requests[request];
        match self.accounts.settle(client, id, worker, tokens, self.now) {
            Ok(Outcome::Charge {
                record,
                tokens: charged,
                cut,
            }) => {
                assert_eq!((charged, charged + cut), (tokens.min(reserved), tokens));
                self.apply(record);
                self.requests[request].receipt = Some(tokens);
                self.answering.push((self.journal.len(), request));
            }
            Ok(Outcome::Already { tokens: charged }) => {
                assert!(
                    self.requests
                        .iter()
                        .any(|it| it.id == id && it.receipt >= Some(charged))
                );
            }
            Err(SettleRefused::NotReserved) => {}
            Err(refused) => panic!("{refused}"),
        }
    }

    /// What must hold at any moment.
    fn check(&mut self) {
        self.contracts.iter().for_each(Contract::conserves);
        assert_eq!(self.accounts.halted(), None);
        // Signed amounts never fall, whatever crashes between.
        let contract = self.accounts.terms().expect("the model holds").contract;
        let parties = (0..3).map(|n| Party::client(client(n)));
        for party in parties.chain((0..2).map(|n| Party::worker(worker(n)))) {
            let Some(signed) = self.accounts.signable(party) else {
                continue;
            };
            let before = self.signed.entry((contract, party)).or_default();
            assert!(signed >= *before, "{party:?}: signed {before}, now {signed}");
            *before = signed;
        }
        // Charged once per request, never beyond the receipt; what was acknowledged is there; both sides count the same.
        let mut owed: BTreeMap<Address, u64> = BTreeMap::new();
        let mut earned: BTreeMap<Address, u64> = BTreeMap::new();
        let mut seen = std::collections::BTreeSet::new();
        for record in &self.journal {
            match *record {
                Record::Opened { .. } => {
                    owed.clear();
                    earned.clear();
                }
                Record::Settled {
                    request,
                    client,
                    worker,
                    tokens,
                    ..
                } => {
                    assert!(seen.insert(request), "{request} was charged twice");
                    let known = self
                        .requests
                        .iter()
                        .rev()
                        .find(|it| it.id == request && it.receipt.is_some());
                    assert!(
                        known.expect("the model holds").receipt.expect("the model holds") >= tokens,
                        "{request}: beyond its receipt"
                    );
                    *owed.entry(client).or_default() += tokens;
                    *earned.entry(worker).or_default() += tokens;
                }
                _ => {}
            }
        }
        assert!(
            self.requests
                .iter()
                .all(|it| !it.acknowledged || seen.contains(&it.id)),
            "a charge that was acknowledged is gone"
        );
        let mut reserved: BTreeMap<Address, u64> = BTreeMap::new();
        for (owner, account) in self.accounts.clients() {
            assert_eq!(account.levels.memory, owed.get(&owner).copied().unwrap_or(0));
            assert_eq!(account.quarantine, None);
            let levels = account.levels;
            assert!(levels.chain <= levels.journal && levels.journal <= levels.memory);
            assert!(
                account.state.tokens <= levels.chain,
                "charged beyond what is secured"
            );
            reserved.insert(owner, account.reserved);
        }
        for (owner, account) in self.accounts.workers() {
            assert_eq!(account.levels.memory, earned.get(&owner).copied().unwrap_or(0));
            assert!(account.paid <= account.levels.chain);
        }
    }

    /// Everything is settled and closed, on a chain that works.
    fn finish(&mut self) {
        for request in self.requests.clone() {
            let record = self.accounts.release(request.client, request.id, self.now);
            record.into_iter().for_each(|record| self.apply(record));
        }
        let record = self.accounts.stop(self.now).expect("the model holds");
        self.apply(record);
        let mut retired = false;
        for _ in 0..400 {
            self.tick(40);
            if !retired && let Ok(record) = self.accounts.retire(self.now) {
                self.apply(record);
                retired = true;
            }
            self.flush(self.journal.len());
            self.deliver(99, 2);
            while let Some(sent) = self.outbox.pop_front() {
                self.on_chain(sent);
            }
            self.follow(1000);
            if retired {
                self.contracts.iter().for_each(Contract::conserves);
                if self.accounts.old_contracts().count() == 0 {
                    break;
                }
            } else {
                self.check();
            }
        }
        assert!(retired, "the last commit was never seen");
        for contract in &self.contracts {
            let forced = contract.clients.values().any(|client| client.forced);
            if forced {
                continue;
            }
            assert_eq!(
                contract.status,
                Status::Closed,
                "{:?}",
                self.accounts.old_contracts().collect::<Vec<_>>()
            );
            assert_eq!(
                (contract.prepaid, contract.payable),
                (0, 0),
                "nothing is left in the pool"
            );
            let lost: u64 = contract
                .clients
                .values()
                .map(|client| client.paid_in - client.returned)
                .sum();
            let gained: u64 = contract.workers.values().map(|worker| worker.received).sum();
            assert_eq!(lost, gained + contract.owner_received);
            let tokens = |sum: u64| sum * contract.price;
            assert_eq!(
                lost,
                tokens(contract.workers.values().map(|worker| worker.state.tokens).sum())
            );
        }
    }

    /// The disk is put back to an old copy: refused as soon as the chain shows a commit from after it.
    fn rolled_back(mut self, to: u8) {
        let records = self.journal.len() * usize::from(to) / 256;
        let Some(opened) = self
            .journal
            .iter()
            .rposition(|record| matches!(record, Record::Opened { .. }))
        else {
            return;
        };
        if records <= opened {
            return;
        }
        let contract = self.accounts.terms().expect("the model holds").contract;
        let mut session = [0; 32];
        let mut lost = Vec::new();
        for (number, record) in self.journal.iter().enumerate() {
            let seqno = match record {
                Record::SessionStarted {
                    session: new, seqno, ..
                } => {
                    session = *new;
                    *seqno
                }
                Record::CommitPlanned { seqno, .. } => *seqno,
                _ => continue,
            };
            if number >= records {
                lost.push((seqno, session));
            }
        }
        let on_chain = self.contract(contract).log.iter().any(|(_, told)| {
            matches!(told, Told::Commit { seqno, session, own: true } if lost.contains(&(*seqno, *session)))
        });
        self.sessions += 100;
        self.outbox.clear();
        self.restart(records);
        assert!(!self.accounts.is_ready());
        self.follow(usize::MAX);
        if on_chain {
            assert!(self.accounts.halted().is_some(), "an old copy went unnoticed");
            assert!(self.accounts.due(&self.policy, self.now + 10_000).is_empty());
            assert!((0..3).all(|n| self.accounts.signable(Party::client(client(n))).is_none()));
            // It stays so over restarts.
            let again = Accounts::decode(&self.accounts.encode()).expect("the model holds");
            assert!(again.halted().is_some() && again.start_session([1; 32], self.now).is_err());
        } else {
            assert_eq!(self.accounts.halted(), None);
        }
    }
}

fn history(settle: When, ops: &[Op]) {
    let mut node = Node::new(settle);
    for op in ops {
        if let Op::Rollback { to } = *op {
            return node.rolled_back(to);
        }
        node.run(op);
        node.check();
    }
    node.finish();
}

#[test]
fn whatever_happens_the_sums_are_right() {
    let cases = std::env::var_os("COCOON_HISTORIES")
        .and_then(|text| text.to_str()?.parse().ok())
        .unwrap_or(300);
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    };
    let settle = prop_oneof![
        Just(When::Threshold),
        Just(When::Each),
        Just(When::Every(90)),
        Just(When::Manual),
    ];
    let input = (settle, prop::collection::vec(op(), 1..120));
    let result = TestRunner::new(config).run(&input, |(settle, ops)| {
        history(settle, &ops);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
