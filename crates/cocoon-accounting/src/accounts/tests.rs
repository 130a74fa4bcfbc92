//! Every refusal by its name, one by one. That nothing is lost or doubled whatever happens is `tests/histories.rs`'.

use cocoon_types::{Address, Multipliers, Nanoton, RequestId};

use super::{
    Accounts, CommandRefused, CompareRefused, EventRefused, Outcome, ReserveRefused, Seen, SettleRefused,
};
use crate::{
    levels::Levels,
    policy::Policy,
    pricing::Prices,
    record::{Cause, Halt, Record},
    terms::{ClientState, Party, Status, Terms, Tx},
};

const CONTRACT: Address = Address::new([1; 32]);
const CLIENT: Address = Address::new([2; 32]);
const CLIENTS_CONTRACT: Address = Address::new([3; 32]);
const WORKER: Address = Address::new([4; 32]);
const SESSION: [u8; 32] = [5; 32];
const PRICE: u64 = 20;
/// What the client of [`ready`] can spend.
const FUNDS: u64 = 500;

fn terms(contract: Address) -> Terms {
    Terms {
        contract,
        params_version: 1,
        prices: Prices::new(Nanoton::new(PRICE), Nanoton::new(19), Multipliers::ONE).unwrap(),
        proxy_delay: 1000,
        client_delay: 100,
    }
}

fn id(number: u8) -> RequestId {
    RequestId([number; 32])
}

fn tx(lt: u64) -> Tx {
    Tx { lt, hash: [9; 32] }
}

fn apply(accounts: &mut Accounts, record: &Record) {
    accounts.apply(record).unwrap();
}

fn opened() -> Accounts {
    let mut accounts = Accounts::new();
    let record = accounts.open(terms(CONTRACT), 0).unwrap();
    apply(&mut accounts, &record);
    accounts
}

/// Open, and its first commit was seen.
fn started() -> Accounts {
    let mut accounts = opened();
    let (record, _) = accounts.start_session(SESSION, 0).unwrap();
    apply(&mut accounts, &record);
    for record in accounts
        .commit_seen(CONTRACT, tx(1), true, (1, SESSION), 1)
        .records
    {
        apply(&mut accounts, &record);
    }
    accounts
}

fn seen(lt: u64, state: ClientState) -> Seen<ClientState> {
    Seen {
        contract: CONTRACT,
        tx: tx(lt),
        sender: CLIENTS_CONTRACT,
        owner: CLIENT,
        derived: CLIENTS_CONTRACT,
        state,
    }
}

fn funded() -> ClientState {
    ClientState {
        balance: Nanoton::new(FUNDS * PRICE),
        stake: Nanoton::new(FUNDS * PRICE),
        ..ClientState::default()
    }
}

/// Started, with a client that has coins.
fn ready() -> Accounts {
    let mut accounts = started();
    for record in accounts.client_seen(seen(2, funded()), 2).records {
        apply(&mut accounts, &record);
    }
    accounts
}

fn reserve(accounts: &Accounts, number: u8, tokens: u64) -> Result<Record, ReserveRefused> {
    accounts.reserve(CLIENT, id(number), tokens, &Policy::default(), 3)
}

fn settle(accounts: &Accounts, number: u8, tokens: u64) -> Result<Outcome, SettleRefused> {
    accounts.settle(CLIENT, id(number), WORKER, tokens, 4)
}

fn served(tokens: u64) -> Accounts {
    let mut accounts = ready();
    let record = reserve(&accounts, 1, tokens).unwrap();
    apply(&mut accounts, &record);
    let Outcome::Charge { record, .. } = settle(&accounts, 1, tokens).unwrap() else {
        panic!("it was not settled before");
    };
    apply(&mut accounts, &record);
    accounts
}

#[test]
fn nothing_is_reserved_before_the_start_was_seen_on_the_chain() {
    assert_eq!(reserve(&Accounts::new(), 1, 1), Err(ReserveRefused::NotReady));
    assert_eq!(reserve(&opened(), 1, 1), Err(ReserveRefused::NotReady));
    assert_eq!(reserve(&started(), 1, 1), Err(ReserveRefused::UnknownClient));
}

#[test]
fn a_client_spends_what_it_has_and_no_more() {
    let mut accounts = ready();
    let needed = FUNDS + 1;
    let available = FUNDS;
    assert_eq!(
        reserve(&accounts, 1, needed),
        Err(ReserveRefused::Funds { needed, available })
    );
    let record = reserve(&accounts, 1, FUNDS - 1).unwrap();
    apply(&mut accounts, &record);
    let (needed, available) = (2, 1);
    assert_eq!(
        reserve(&accounts, 2, needed),
        Err(ReserveRefused::Funds { needed, available })
    );
    reserve(&accounts, 2, 1).unwrap();
}

#[test]
fn a_request_id_is_good_once() {
    let mut accounts = ready();
    let record = reserve(&accounts, 1, 10).unwrap();
    apply(&mut accounts, &record);
    assert_eq!(reserve(&accounts, 1, 10), Err(ReserveRefused::Duplicate));
    let accounts = served(10);
    assert_eq!(reserve(&accounts, 1, 10), Err(ReserveRefused::Duplicate));
    assert_eq!(settle(&accounts, 1, 99), Ok(Outcome::Already { tokens: 10 }));
}

#[test]
fn nothing_is_charged_without_a_reservation_or_beyond_it() {
    let mut accounts = ready();
    assert_eq!(settle(&accounts, 1, 1), Err(SettleRefused::NotReserved));
    let record = reserve(&accounts, 1, 10).unwrap();
    apply(&mut accounts, &record);
    let Ok(Outcome::Charge { tokens, cut, .. }) = settle(&accounts, 1, 25) else {
        panic!("it is reserved");
    };
    assert_eq!((tokens, cut), (10, 15));
    let record = accounts.release(CLIENT, id(1), 5).unwrap();
    apply(&mut accounts, &record);
    assert_eq!(settle(&accounts, 1, 1), Err(SettleRefused::NotReserved));
}

#[test]
fn a_client_that_closes_is_not_served() {
    for status in [Status::Closing, Status::Closed] {
        let mut accounts = started();
        let state = ClientState { status, ..funded() };
        for record in accounts.client_seen(seen(2, state), 2).records {
            apply(&mut accounts, &record);
        }
        assert_eq!(reserve(&accounts, 1, 1), Err(ReserveRefused::ClientClosing));
    }
    let mut accounts = ready();
    let record = accounts.ask_refund(CLIENT, 3).unwrap().unwrap();
    apply(&mut accounts, &record);
    assert_eq!(reserve(&accounts, 1, 1), Err(ReserveRefused::ClientClosing));
    assert_eq!(accounts.ask_refund(CLIENT, 4), Ok(None), "asked once");
    assert_eq!(accounts.ask_refund(WORKER, 4), Err(CommandRefused::NoAccount));
}

#[test]
fn a_stranger_cannot_speak_for_a_clients_contract() {
    let mut accounts = started();
    let told = accounts.client_seen(
        Seen {
            sender: WORKER,
            ..seen(2, funded())
        },
        2,
    );
    assert_eq!(
        told.refused,
        Some(EventRefused::FakeSender {
            sender: WORKER,
            owner: CLIENT,
            derived: CLIENTS_CONTRACT
        })
    );
    for record in told.records {
        apply(&mut accounts, &record);
    }
    assert_eq!(accounts.client(&CLIENT), None);
}

#[test]
fn a_contract_that_contradicts_the_books_puts_its_client_in_quarantine() {
    let mut accounts = served(10);
    let state = ClientState {
        tokens: 11,
        ..funded()
    };
    let told = accounts.client_seen(seen(3, state), 5);
    let cause = Cause::ChainAhead { chain: 11, ours: 10 };
    assert_eq!(told.refused, Some(EventRefused::Quarantined { cause }));
    for record in told.records {
        apply(&mut accounts, &record);
    }
    assert_eq!(reserve(&accounts, 2, 1), Err(ReserveRefused::Quarantined(cause)));
    assert_eq!(accounts.signable(Party::client(CLIENT)), None);
    let record = accounts.lift_quarantine(Party::client(CLIENT)).unwrap();
    apply(&mut accounts, &record);
    reserve(&accounts, 2, 1).unwrap();
}

#[test]
fn a_worker_that_claims_more_than_it_earned_is_refused() {
    let accounts = served(10);
    let claims = |memory, journal, chain| {
        accounts.compare(
            &WORKER,
            Levels {
                memory,
                journal,
                chain,
            },
        )
    };
    assert!(
        claims(99, 0, 0).is_ok(),
        "a crash may have taken what was only heard"
    );
    let cause = Cause::ClaimsTooMuch { claimed: 1, ours: 0 };
    assert_eq!(claims(1, 0, 1), Err(CompareRefused::Above(cause)));
}

#[test]
fn a_commit_of_another_journal_stops_everything() {
    let mut accounts = ready();
    let (seqno, session) = (7, [0xee; 32]);
    let told = accounts.commit_seen(CONTRACT, tx(8), false, (seqno, session), 6);
    assert_eq!(told.refused, None, "anybody may send one");
    let told = accounts.commit_seen(CONTRACT, tx(8), true, (seqno, session), 6);
    let halt = Halt::UnknownCommit { seqno, session };
    assert_eq!(told.refused, Some(EventRefused::Halted { halt }));
    for record in told.records {
        apply(&mut accounts, &record);
    }
    assert_eq!(reserve(&accounts, 1, 1), Err(ReserveRefused::Halted(halt)));
    assert_eq!(accounts.retire(7), Err(CommandRefused::Halted(halt)));
    assert_eq!(accounts.signable(Party::client(CLIENT)), None);
}

#[test]
fn a_contract_is_closed_when_nothing_is_open_and_everything_secured() {
    assert_eq!(Accounts::new().retire(1), Err(CommandRefused::NoContract));
    assert_eq!(opened().retire(1), Err(CommandRefused::NotSecured));
    let mut accounts = ready();
    let record = reserve(&accounts, 1, 1).unwrap();
    apply(&mut accounts, &record);
    assert_eq!(accounts.retire(4), Err(CommandRefused::RequestsOpen(1)));
    assert_eq!(
        accounts.open(terms(WORKER), 4),
        Err(CommandRefused::RequestsOpen(1))
    );
    assert_eq!(served(10).retire(5), Err(CommandRefused::NotSecured));
    let mut accounts = ready();
    let record = accounts.retire(5).unwrap();
    apply(&mut accounts, &record);
    assert_eq!(reserve(&accounts, 1, 1), Err(ReserveRefused::NotReady));
    assert_eq!(
        accounts.open(terms(CONTRACT), 6),
        Err(CommandRefused::SameContract)
    );
}

#[test]
fn no_new_requests_after_the_stop() {
    let mut accounts = ready();
    let record = accounts.stop(5).unwrap();
    apply(&mut accounts, &record);
    assert_eq!(reserve(&accounts, 1, 1), Err(ReserveRefused::Closing));
}

/// What is started now, and applied.
fn start(accounts: &mut Accounts, at: u64) -> usize {
    let steps = accounts.due(&Policy::default(), at);
    let started = steps
        .iter()
        .filter(|step| matches!(step.record, Record::SettlementStarted { .. }));
    let count = started.count();
    for step in steps {
        apply(accounts, &step.record);
    }
    count
}

#[test]
fn what_the_last_process_may_not_have_sent_is_sent_again() {
    let mut accounts = served(100);
    accounts.flushed(u64::MAX);
    let asked = accounts.ask_settle(5).unwrap();
    apply(&mut accounts, &asked);
    start(&mut accounts, 6);
    for record in accounts
        .commit_seen(CONTRACT, tx(3), true, (2, SESSION), 7)
        .records
    {
        apply(&mut accounts, &record);
    }
    assert!(start(&mut accounts, 8) > 0, "charge or payout");
    assert_eq!(start(&mut accounts, 9), 0, "under way");
    // The process ends before its wallet has sent anything; nobody can tell.
    let (record, _) = accounts.start_session([6; 32], 10).unwrap();
    apply(&mut accounts, &record);
    let ended = accounts.interrupted(10);
    assert!(!ended.is_empty());
    for record in &ended {
        apply(&mut accounts, record);
    }
    assert!(accounts.interrupted(10).is_empty());
    for record in accounts
        .commit_seen(CONTRACT, tx(4), true, (3, [6; 32]), 11)
        .records
    {
        apply(&mut accounts, &record);
    }
    let asked = accounts.ask_settle(11).unwrap();
    apply(&mut accounts, &asked);
    assert!(
        start(&mut accounts, 12) > 0,
        "again, and not only after five minutes"
    );
}
