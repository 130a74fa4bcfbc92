use cocoon_types::{Address, Nanoton};

use super::kit::{NOW, Relay, TON, external, internal, test_ledger};
use crate::{
    chain::{At, Status, Transaction},
    ledger::{Ledger, SubmitError},
};

fn log(ledger: &mut Ledger, address: Address) -> Vec<Transaction> {
    let newest = ledger.account(address, At::Latest).unwrap().last.unwrap();
    ledger.transactions(address, newest, 0, 100).unwrap()
}

#[test]
fn a_contract_is_deployed_by_a_message_and_runs() {
    let mut ledger = test_ledger();
    let giver = Relay::new(&mut ledger, 1, 10 * TON);
    let taker = Relay::undeployed(2);
    giver.send(
        &mut ledger,
        internal(taker.address(), TON, false, Some(taker.init()), None),
    );
    let block = ledger.block(NOW).unwrap();
    assert_eq!(
        block.transactions, 2,
        "the external and what it caused, in one block"
    );
    let account = ledger.account(taker.address(), At::Latest).unwrap();
    assert_eq!(account.status, Status::Active);
    assert_eq!(account.code, taker.init().code);

    let caused = &log(&mut ledger, taker.address())[0];
    assert!(caused.success);
    assert_eq!(caused.exit_code, Some(0));
    assert_eq!(caused.inbound.as_ref().unwrap().source, Some(giver.address()));
    let cause = &log(&mut ledger, giver.address())[0];
    assert!(cause.inbound.as_ref().unwrap().external);
    assert_eq!(cause.outbound[0].destination, Some(taker.address()));
    assert_eq!(cause.outbound[0].value, caused.inbound.as_ref().unwrap().value);
}

#[test]
fn a_state_that_is_not_the_addresss_own_deploys_nothing() {
    let mut ledger = test_ledger();
    let giver = Relay::new(&mut ledger, 1, 10 * TON);
    let (taker, other) = (Relay::undeployed(2), Relay::undeployed(3));
    giver.send(
        &mut ledger,
        internal(taker.address(), TON, false, Some(other.init()), None),
    );
    ledger.block(NOW).unwrap();
    assert_eq!(
        ledger.account(taker.address(), At::Latest).unwrap().status,
        Status::Uninit
    );
}

#[test]
fn a_refused_message_bounces_with_what_is_left_of_its_coins() {
    let mut ledger = test_ledger();
    let giver = Relay::new(&mut ledger, 1, 10 * TON);
    // THROW 42
    let refuser = Relay::with_code(&mut ledger, "F22A");
    let before = ledger.account(giver.address(), At::Latest).unwrap().balance;
    giver.send(&mut ledger, internal(refuser.address(), TON, true, None, None));
    assert_eq!(ledger.block(NOW).unwrap().transactions, 3);

    let refused = &log(&mut ledger, refuser.address())[0];
    assert_eq!(
        (refused.exit_code, refused.aborted, refused.success),
        (Some(42), true, false)
    );
    let back = &log(&mut ledger, giver.address())[0];
    let message = back.inbound.as_ref().unwrap();
    assert!(message.bounced);
    assert_eq!(message.source, Some(refuser.address()));
    let lost = before
        .checked_sub(ledger.account(giver.address(), At::Latest).unwrap().balance)
        .unwrap();
    assert!(lost < Nanoton::new(TON / 50), "{lost} for gas and carriage");
    assert_eq!(refused.outbound[0].value, message.value);
}

#[test]
fn coins_that_are_not_there_are_not_sent() {
    let mut ledger = test_ledger();
    let giver = Relay::new(&mut ledger, 1, 2 * TON);
    let to = Address::new([9; 32]);
    giver.send(&mut ledger, internal(to, 50 * TON, false, None, None));
    assert_eq!(ledger.block(NOW).unwrap().transactions, 1);
    let tried = &log(&mut ledger, giver.address())[0];
    assert_eq!((tried.exit_code, tried.action_code), (Some(0), Some(37)));
    assert!(tried.aborted && !tried.success && tried.outbound.is_empty());
    assert_eq!(ledger.account(to, At::Latest).unwrap().status, Status::Missing);
    // The coins of gas are gone, the rest is there.
    let left = ledger.account(giver.address(), At::Latest).unwrap().balance;
    assert!(
        left < Nanoton::new(2 * TON) && left > Nanoton::new(2 * TON - TON / 50),
        "{left}"
    );
}

#[test]
fn an_external_works_once() {
    let mut ledger = test_ledger();
    let giver = Relay::new(&mut ledger, 1, 10 * TON);
    let seqno = giver.seqno(&mut ledger);
    let to = Address::new([9; 32]);
    let external = giver.external(seqno, Some(internal(to, TON, false, None, None)));
    ledger.submit(&external, NOW).unwrap();
    ledger.submit(&external, NOW).unwrap();
    assert_eq!(
        ledger.block(NOW).unwrap().transactions,
        2,
        "given twice, taken once"
    );
    assert!(matches!(
        ledger.submit(&external, NOW),
        Err(SubmitError::NotAccepted { exit_code: Some(33) })
    ));
    assert_eq!(ledger.block(NOW).unwrap().transactions, 0);
    assert_eq!(log(&mut ledger, to).len(), 1);
}

#[test]
fn an_account_without_coins_cannot_import() {
    let mut ledger = test_ledger();
    let relay = Relay::undeployed(1);
    let deploy = external(relay.address(), Some(relay.init()), super::kit::body(0, None));
    assert!(matches!(
        ledger.submit(&deploy, NOW),
        Err(SubmitError::NotAccepted { exit_code: None })
    ));
}

#[test]
fn storage_costs_with_time_and_an_account_in_debt_freezes() {
    let mut ledger = test_ledger();
    let rich = Relay::new(&mut ledger, 1, 10 * TON);
    let poor = Relay::new(&mut ledger, 2, TON / 100);
    let before = ledger.account(rich.address(), At::Latest).unwrap().balance;
    const YEAR: u64 = 365 * 86_400;
    ledger.warp(YEAR).unwrap();
    ledger.faucet(rich.address(), Nanoton::new(1)).unwrap();
    ledger.block(NOW).unwrap();
    let account = ledger.account(rich.address(), At::Latest).unwrap();
    let paid = before.checked_sub(account.balance).unwrap();
    // Four cells or so and a thousand bits, at 500 and 1 per second and 65536.
    assert!(
        paid > Nanoton::new(500_000) && paid < Nanoton::new(5_000_000),
        "{paid}"
    );

    ledger.warp(100 * YEAR / 2).unwrap();
    ledger.faucet(poor.address(), Nanoton::new(1)).unwrap();
    ledger.block(NOW).unwrap();
    let account = ledger.account(poor.address(), At::Latest).unwrap();
    assert_eq!(account.balance, Nanoton::ZERO);
    assert!(
        matches!(account.status, Status::Active | Status::Frozen),
        "{:?}",
        account.status
    );
}

#[test]
fn no_coin_appears_or_disappears() {
    let mut ledger = test_ledger();
    let giver = Relay::new(&mut ledger, 1, 100 * TON);
    let refuser = Relay::with_code(&mut ledger, "F22A");
    let taker = Relay::new(&mut ledger, 2, TON);
    for round in 0..20_u64 {
        let message = match round % 4 {
            0 => internal(refuser.address(), TON, true, None, None),
            1 => internal(taker.address(), TON / 10, true, None, None),
            2 => internal(giver.address(), TON, false, None, None),
            _ => internal(Address::new([9; 32]), TON / 7, true, None, None),
        };
        ledger.warp(3600 * round).unwrap();
        giver.send(&mut ledger, message);
        ledger.block(NOW).unwrap();
    }
    let giver_of_code = Relay::undeployed(200);
    let accounts = [
        giver.address(),
        refuser.address(),
        taker.address(),
        giver_of_code.address(),
        Address::new([9; 32]),
    ];
    let (mut held, mut burnt) = (0_u64, 0_u64);
    for address in accounts {
        held += ledger.account(address, At::Latest).unwrap().balance.nano();
        for transaction in log(&mut ledger, address) {
            burnt += transaction.fees.nano();
            burnt += transaction
                .outbound
                .iter()
                .map(|sent| sent.forward_fee.nano())
                .sum::<u64>();
        }
    }
    assert_eq!(held + burnt, ledger.minted().nano());
}
