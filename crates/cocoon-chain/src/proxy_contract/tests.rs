use cocoon_contracts::Params;
use cocoon_types::{Address, Nanoton};

use super::{ProxyContract, TermsError, ToldError};
use crate::testing::params;

const ROOT: Address = Address::new([1; 32]);
const OWNER: Address = Address::new([2; 32]);
const KEY: [u8; 32] = [3; 32];

fn own() -> ProxyContract {
    ProxyContract::new(ROOT, params(), OWNER, KEY).unwrap()
}

fn told(owner: &str, key: [u8; 32], contract: &str) -> Result<ProxyContract, ToldError> {
    ProxyContract::told(ROOT, params(), owner, key, contract)
}

#[test]
fn a_proxy_that_tells_the_truth_is_believed_in_every_form_of_an_address() {
    let own = own();
    let address = own.address();
    for contract in [address.to_string(), address.non_bounceable().to_string()] {
        let believed = told(&OWNER.to_string(), KEY, &contract).unwrap();
        assert_eq!(believed.terms, own.terms);
        assert_eq!(believed.init().address(), address);
    }
}

#[test]
fn who_tells_of_another_contract_owner_or_key_is_not_believed() {
    let contract = own().address().to_string();
    let stranger = Address::new([9; 32]);
    for lie in [
        told(&OWNER.to_string(), KEY, &stranger.to_string()),
        told(&stranger.to_string(), KEY, &contract),
        told(&OWNER.to_string(), [4; 32], &contract),
        told(&OWNER.to_string(), KEY, "no address"),
    ] {
        assert!(matches!(lie, Err(ToldError::Contract { .. })), "{lie:?}");
    }
    assert_eq!(told("nobody", KEY, &contract).unwrap_err(), ToldError::Owner);
}

#[test]
fn our_own_contract_is_not_taken_from_the_proxy() {
    let own = own();
    let ours = own.client(&Address::new([5; 32]));
    let truth = ours.address().to_string();
    assert_eq!(own.confirm(&ours, &truth), Ok(ours.address()));
    let another = own.worker(&Address::new([5; 32])).address().to_string();
    for lie in [another.as_str(), "", "\u{fffd}"] {
        assert!(
            matches!(own.confirm(&ours, lie), Err(ToldError::Account { .. })),
            "{lie}"
        );
    }
}

#[test]
fn parameters_that_make_no_contract_are_named() {
    let without = Params {
        codes: cocoon_contracts::Codes::default(),
        ..params()
    };
    let refused = ProxyContract::new(ROOT, without, OWNER, KEY).unwrap_err();
    assert!(matches!(refused, TermsError::Code(_)), "{refused}");
    let dear = Params {
        worker_fee_per_token: Nanoton::new(21),
        ..params()
    };
    let refused = ProxyContract::new(ROOT, dear, OWNER, KEY).unwrap_err();
    assert!(matches!(refused, TermsError::Prices(_)), "{refused}");
}
