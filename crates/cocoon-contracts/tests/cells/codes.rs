//! The programs are the ones that `contracts/` says were compiled.

use cocoon_contracts::{Cell, code, hash, wallet};
use serde_json::Value;

#[test]
fn the_contracts_are_those_of_the_recorded_hashes() {
    let recorded: Value =
        serde_json::from_str(include_str!("../../../../contracts/build/hashes.json")).unwrap();
    let codes = code::codes();
    let cases = [
        ("root", Some(code::root())),
        ("proxy", codes.proxy),
        ("worker", codes.worker),
        ("client", codes.client),
    ];
    for (name, code) in cases {
        let code = code.unwrap();
        let recorded = &recorded[name];
        assert_eq!(
            recorded["hash"].as_str(),
            Some(hex::encode(hash(&code)).as_str()),
            "{name}"
        );
        assert_eq!(
            recorded["depth"].as_u64(),
            Some(u64::from(code.repr_depth())),
            "{name}"
        );
    }
}

#[test]
fn the_wallet_is_the_published_one() {
    let wallet = wallet::Wallet::new(crate::setup::key(2), wallet::Network::Main);
    let code: &Cell = &wallet.state_init().code;
    let published = "20834b7b72b112147e1b2fb457b84e74d1a30f04f737d4f62a668e9552d2b72f";
    assert_eq!(
        (hex::encode(hash(code)).as_str(), code.repr_depth()),
        (published, 6)
    );
    assert_eq!(hash(code), wallet::CODE_HASH);
}
