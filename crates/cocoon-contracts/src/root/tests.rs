use cocoon_types::{Multipliers, Nanoton};

use super::*;

fn config(is_test: bool, models: &[&str]) -> RootConfig {
    let hashes = models
        .iter()
        .map(|name| model_hash(&ModelName::new(*name).unwrap()));
    RootConfig {
        owner: Address::new([1; 32]),
        version: 1,
        proxies: Vec::new(),
        last_proxy_seqno: 0,
        proxy_hashes: BTreeSet::new(),
        worker_hashes: BTreeSet::new(),
        model_hashes: hashes.collect(),
        params: Params {
            struct_version: 3,
            params_version: 1,
            unique_id: 7,
            is_test,
            price_per_token: Nanoton::new(20),
            worker_fee_per_token: Nanoton::new(19),
            multipliers: Multipliers::ONE,
            proxy_delay_before_close: 3600,
            client_delay_before_close: 600,
            min_proxy_stake: Nanoton::ZERO,
            min_client_stake: Nanoton::ZERO,
            codes: code::codes(),
        },
        key_manager: None,
    }
}

#[test]
fn a_model_is_allowed_by_its_whole_name() {
    let allows = |config: &RootConfig, name: &str| config.allows_model(&ModelName::new(name).unwrap());
    for is_test in [true, false] {
        let listed = config(is_test, &["m@c0ffee:01"]);
        assert!(allows(&listed, "m@c0ffee:01"));
        assert!(
            !allows(&listed, "m@c0ffee:02") && !allows(&listed, "m"),
            "other weights"
        );
    }
    assert!(allows(&config(true, &[]), "m"), "a test network that lists none");
    assert!(!allows(&config(false, &[]), "m"), "an empty list refuses");
}
