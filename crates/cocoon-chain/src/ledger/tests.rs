mod blocks;
mod crash;
mod differential;
mod faults;
pub(crate) mod kit;
mod messages;
mod queue;

use cocoon_types::{Address, Nanoton};

use self::kit::{Relay, TON, test_ledger};
use super::{Ledger, LedgerError, LedgerOptions, StackItem, SubmitError};
use crate::chain::{At, ChainError, Status, TxId};

const NOW: u64 = 1_765_000_000;

#[test]
fn the_faucet_credits_and_the_log_shows_it() {
    let mut ledger = test_ledger();
    let to = Address::new([7; 32]);
    ledger.faucet(to, Nanoton::new(5 * TON)).unwrap();
    assert_eq!(ledger.account(to, At::Latest).unwrap().status, Status::Missing);
    let block = ledger.block(NOW + 1).unwrap();
    assert_eq!((block.seqno, block.transactions), (1, 1));

    let account = ledger.account(to, At::Latest).unwrap();
    assert_eq!(account.balance, Nanoton::new(5 * TON));
    assert_eq!(account.status, Status::Uninit);
    assert_eq!(ledger.account(to, At::Block(0)).unwrap().status, Status::Missing);
    let log = ledger.transactions(to, account.last.unwrap(), 0, 10).unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].time, NOW + 1);
    assert_eq!(log[0].inbound.as_ref().unwrap().value, Nanoton::new(5 * TON));
    assert_eq!(log[0].fees, Nanoton::ZERO);
    assert_eq!(log[0].exit_code, None, "there is no code to run");
}

#[test]
fn a_ledger_that_is_not_for_tests_has_no_faucet_warp_or_faults() {
    let mut ledger = Ledger::in_memory(LedgerOptions::default(), NOW).unwrap();
    let refused = |result: Result<(), LedgerError>| matches!(result, Err(LedgerError::NotATestNetwork));
    assert!(refused(ledger.faucet(Address::new([7; 32]), Nanoton::new(1))));
    assert!(refused(ledger.warp(1)));
    assert!(refused(ledger.set_faults(super::Faults::default())));
}

#[test]
fn the_faucet_runs_dry_before_any_sum_overflows() {
    let mut ledger = test_ledger();
    let to = Address::new([7; 32]);
    ledger.faucet(to, super::MAX_SUPPLY).unwrap();
    assert!(matches!(
        ledger.faucet(to, Nanoton::new(1)),
        Err(LedgerError::FaucetEmpty)
    ));
    assert!(matches!(
        ledger.faucet(to, Nanoton::new(u64::MAX)),
        Err(LedgerError::FaucetEmpty)
    ));
    ledger.block(NOW).unwrap();
    assert_eq!(ledger.account(to, At::Latest).unwrap().balance, super::MAX_SUPPLY);
}

#[test]
fn the_faucet_waits_for_blocks() {
    let mut ledger = test_ledger();
    let to = Address::new([7; 32]);
    let refused = (0..100_000).find_map(|_| ledger.faucet(to, Nanoton::new(1)).err());
    assert!(matches!(refused, Some(LedgerError::Busy)), "{refused:?}");
}

#[test]
fn the_clock_only_goes_forward_and_ends_without_a_panic() {
    let mut ledger = test_ledger();
    assert!(matches!(ledger.warp(u64::MAX), Err(LedgerError::Clock)));
    ledger.block(NOW + 10).unwrap();
    ledger.block(NOW).unwrap();
    assert_eq!(ledger.head().time, NOW + 10);
    ledger.warp(86_400).unwrap();
    ledger.block(NOW + 10).unwrap();
    assert_eq!(ledger.head().time, NOW + 10 + 86_400);
    assert!(matches!(ledger.warp(u64::MAX), Err(LedgerError::Clock)));
    assert!(matches!(ledger.warp(5_000_000_000), Err(LedgerError::Clock)));
    assert!(matches!(ledger.block(u64::MAX), Err(LedgerError::Clock)));
    ledger.block(NOW + 11).unwrap();
    assert_eq!(
        ledger.head().time,
        NOW + 11 + 86_400,
        "it goes on after a bad clock"
    );
}

#[test]
fn transactions_are_read_without_gaps_and_only_from_a_genuine_one() {
    let mut ledger = test_ledger();
    let to = Address::new([7; 32]);
    for amount in 1..=10 {
        ledger.faucet(to, Nanoton::new(amount)).unwrap();
        ledger.block(NOW + amount).unwrap();
    }
    let newest = ledger.account(to, At::Latest).unwrap().last.unwrap();
    let all = ledger.transactions(to, newest, 0, 100).unwrap();
    assert_eq!(all.len(), 10);
    for pair in all.windows(2) {
        assert_eq!(pair[0].prev, Some(pair[1].id));
    }
    assert_eq!(all[9].prev, None);
    let some = ledger.transactions(to, newest, all[4].id.lt, 100).unwrap();
    assert_eq!(some, all[..4]);
    assert_eq!(ledger.transactions(to, newest, 0, 3).unwrap(), all[..3]);
    assert_eq!(ledger.transactions(to, newest, newest.lt, 3).unwrap(), []);

    for bad in [
        TxId {
            hash: [1; 32],
            ..newest
        },
        TxId {
            lt: newest.lt - 1,
            ..newest
        },
        TxId {
            lt: u64::MAX,
            ..newest
        },
    ] {
        let answer = ledger.transactions(to, bad, 0, 3);
        assert!(matches!(answer, Err(ChainError::NotFound(_))), "{answer:?}");
    }
    let answer = ledger.transactions(Address::new([8; 32]), newest, 0, 3);
    assert!(matches!(answer, Err(ChainError::NotFound(_))));
    assert!(matches!(
        ledger.account(to, At::Block(11)),
        Err(ChainError::NotFound(_))
    ));
    let at_five = ledger.account(to, At::Block(5)).unwrap();
    let fees: u64 = all[5..].iter().map(|one| one.fees.nano()).sum();
    assert_eq!(at_five.balance, Nanoton::new(1 + 2 + 3 + 4 + 5 - fees));
    assert_eq!((at_five.block, at_five.last), (5, Some(all[5].id)));
}

#[test]
fn a_get_method_runs_and_a_hostile_one_is_bounded() {
    let mut ledger = test_ledger();
    // Leaves its arguments and the method's number.
    let echo = Relay::with_code(&mut ledger, "");
    let name = Ledger::method_id("seqno");
    assert_eq!(name, 85_143);
    let arguments = [
        StackItem::Int((-5).into()),
        StackItem::Null,
        StackItem::Tuple(vec![StackItem::Int(1.into()), StackItem::Null]),
        StackItem::Cell(Default::default()),
    ];
    let output = ledger.get_method(echo.address(), name, &arguments).unwrap();
    assert_eq!(output.exit_code, 0);
    assert_eq!(output.stack[..4], arguments);
    assert_eq!(output.stack[4], StackItem::Int(name.into()));

    // PUSHINT 1, then for ever: DUP, PAIR: a tuple that doubles with each level.
    let bomb = Relay::with_code(&mut ledger, "71916F6F02E8");
    let bomb = ledger.get_method(bomb.address(), name, &[]);
    assert!(!matches!(&bomb, Ok(output) if output.exit_code == 0), "{bomb:?}");
    // DUP PAIR 200 times: within the gas, far beyond what can be written down.
    let doubling = Relay::with_code(&mut ledger, &"206F02".repeat(40));
    let doubled = ledger.get_method(doubling.address(), name, &[]);
    assert!(
        matches!(doubled, Err(super::GetMethodError::Stack)),
        "{doubled:?}"
    );
    let missing = ledger.get_method(Address::new([1; 32]), name, &[]);
    assert!(matches!(missing, Err(super::GetMethodError::NoCode)));
    let wide = StackItem::Int(num_bigint::BigInt::from(1) << 300);
    let wide = ledger.get_method(echo.address(), name, &[wide]);
    assert!(matches!(wide, Err(super::GetMethodError::Stack)));
}

#[test]
fn an_external_that_is_none_is_refused_by_name() {
    let mut ledger = test_ledger();
    let relay = Relay::new(&mut ledger, 1, 10 * TON);
    let garbage = kit::cell_of(&[0xff; 20]);
    assert!(matches!(
        ledger.submit(&garbage, NOW),
        Err(SubmitError::NotExternal)
    ));
    let internal = kit::internal(relay.address(), TON, true, None, None);
    assert!(matches!(
        ledger.submit(&internal, NOW),
        Err(SubmitError::NotExternal)
    ));
    let deep = kit::deep(600);
    assert!(matches!(ledger.submit(&deep, NOW), Err(SubmitError::TooLarge)));
    let nobody = kit::external(Address::new([1; 32]), None, Default::default());
    assert!(matches!(
        ledger.submit(&nobody, NOW),
        Err(SubmitError::NotAccepted { exit_code: None })
    ));
    let wrong = relay.external(99, None);
    assert!(matches!(
        ledger.submit(&wrong, NOW),
        Err(SubmitError::NotAccepted { exit_code: Some(33) })
    ));
    assert_eq!(ledger.block(NOW).unwrap().transactions, 0);
}
