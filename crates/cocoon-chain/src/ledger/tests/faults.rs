use cocoon_types::Address;

use super::kit::{NOW, Relay, TON, internal, test_ledger};
use crate::{chain::At, ledger::Faults};

const TO: Address = Address::new([9; 32]);

#[test]
fn externals_can_be_lost() {
    let mut ledger = test_ledger();
    let relay = Relay::new(&mut ledger, 1, 10 * TON);
    ledger
        .set_faults(Faults {
            drop_next: 2,
            ..Faults::default()
        })
        .unwrap();
    for _ in 0..2 {
        relay.send(&mut ledger, internal(TO, TON, false, None, None));
        assert_eq!(ledger.block(NOW).unwrap().transactions, 0);
    }
    relay.send(&mut ledger, internal(TO, TON, false, None, None));
    assert_eq!(ledger.block(NOW).unwrap().transactions, 2);
    assert_eq!(ledger.faults(), Faults::default(), "they are used up");
}

#[test]
fn externals_can_be_late() {
    let mut ledger = test_ledger();
    let relay = Relay::new(&mut ledger, 1, 10 * TON);
    let faults = Faults {
        delay_blocks: 3,
        ..Faults::default()
    };
    ledger.set_faults(faults).unwrap();
    relay.send(&mut ledger, internal(TO, TON, false, None, None));
    let per_block: Vec<_> = (0..5).map(|_| ledger.block(NOW).unwrap().transactions).collect();
    assert_eq!(per_block, [0, 0, 0, 2, 0]);
}

#[test]
fn externals_can_overtake_each_other() {
    for reorder in [false, true] {
        let mut ledger = test_ledger();
        let first = Relay::new(&mut ledger, 1, 10 * TON);
        let second = Relay::new(&mut ledger, 2, 10 * TON);
        let faults = Faults {
            reorder,
            ..Faults::default()
        };
        ledger.set_faults(faults).unwrap();
        first.send(&mut ledger, internal(TO, TON, false, None, None));
        second.send(&mut ledger, internal(TO, TON, false, None, None));
        ledger.block(NOW).unwrap();
        let newest = ledger.account(TO, At::Latest).unwrap().last.unwrap();
        let log = ledger.transactions(TO, newest, 0, 2).unwrap();
        let last = log[0].inbound.as_ref().unwrap().source.unwrap();
        assert_eq!(last == first.address(), reorder);
    }
}

#[test]
fn blocks_can_stall() {
    let mut ledger = test_ledger();
    let relay = Relay::new(&mut ledger, 1, 10 * TON);
    let faults = Faults {
        stall: true,
        ..Faults::default()
    };
    ledger.set_faults(faults).unwrap();
    relay.send(&mut ledger, internal(TO, TON, false, None, None));
    let head = ledger.head();
    assert_eq!(ledger.block(NOW + 100).unwrap().transactions, 0);
    assert_eq!(ledger.head(), head);
    ledger.set_faults(Faults::default()).unwrap();
    assert_eq!(ledger.block(NOW + 100).unwrap().transactions, 2);
}
