use std::sync::Arc;

use cocoon_types::{Fault, Nanoton};
use cocoon_web::keys::{Holder, KeyFile, KeyLimits};

use super::{Allowance, Allowances};

fn holder(dir: &std::path::Path, daily: u64) -> Holder {
    let limits = KeyLimits {
        daily: Some(Nanoton::new(daily)),
        total: None,
        min_tier: None,
    };
    let record = KeyFile::in_dir(dir).create("app", limits, 0).unwrap().record;
    Holder {
        id: record.id,
        limits: record.limits,
    }
}

fn open(dir: &std::path::Path, holder: &Holder) -> (Arc<Allowances>, Allowance) {
    let all = Allowances::open(dir).unwrap();
    let one = all.of(holder);
    (all, one)
}

#[tokio::test]
async fn a_key_spends_what_it_may_and_a_restart_forgets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let holder = holder(dir.path(), 100);
    let (all, key) = open(dir.path(), &holder);
    let ton = Nanoton::new;
    let one = key.hold(ton(60)).unwrap();
    let refusal = key.hold(ton(41)).unwrap_err();
    assert_eq!(refusal.fault, Fault::PaymentRequired);
    assert!(refusal.message.contains("hint:"), "{refusal}");
    let two = key.hold(ton(40)).unwrap();
    // One cost less than was feared, one nothing.
    one.spend(ton(25));
    drop(two);
    assert_eq!(key.left(), Some(ton(75)));
    all.write().await;

    let (_, key) = open(dir.path(), &holder);
    assert_eq!(key.left(), Some(ton(75)));
    key.hold(ton(76)).unwrap_err();
    key.hold(ton(75)).unwrap();
}

#[tokio::test]
async fn keys_do_not_spend_each_others_money() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (holder(dir.path(), 10), holder(dir.path(), 10));
    let all = Allowances::open(dir.path()).unwrap();
    all.of(&one)
        .hold(Nanoton::new(10))
        .unwrap()
        .spend(Nanoton::new(10));
    assert_eq!(all.of(&one).left(), Some(Nanoton::ZERO));
    assert_eq!(all.of(&two).left(), Some(Nanoton::new(10)));
}

#[test]
fn what_is_damaged_does_not_begin_anew() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("api-key-spending.toml"), "version = 1\nkeys = 7").unwrap();
    Allowances::open(dir.path()).unwrap_err();
}
