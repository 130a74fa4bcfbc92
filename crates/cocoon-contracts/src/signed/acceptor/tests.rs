use super::*;
use crate::SigningKey;

const CONTRACT: Address = Address::new([1; 32]);

fn signed(seed: u8, kind: Kind, tokens: u64, contract: Address) -> Vec<u8> {
    let key = SigningKey::from_seed([seed; 32]).unwrap();
    Signed::sign(&key, kind, 7, tokens, contract, CONTRACT).to_boc()
}

#[test]
fn what_was_verified_is_known_again_and_nothing_else_is() {
    let key = SigningKey::from_seed([1; 32]).unwrap().public();
    let mut acceptor = Acceptor::new(key, Kind::Charge, CONTRACT);
    let (first, second) = (
        signed(1, Kind::Charge, 10, CONTRACT),
        signed(1, Kind::Charge, 20, CONTRACT),
    );
    for (boc, tokens) in [(&first, 10), (&first, 10), (&second, 20), (&first, 10)] {
        assert_eq!(acceptor.accept(boc).unwrap().tokens, tokens);
    }
    for forged in [
        signed(2, Kind::Charge, 10, CONTRACT),
        signed(1, Kind::Payout, 10, CONTRACT),
        signed(1, Kind::Charge, 10, Address::new([2; 32])),
    ] {
        acceptor.accept(&forged).unwrap_err();
        acceptor.accept(&forged).unwrap_err();
    }
    for at in 0..first.len() {
        let mut changed = first.clone();
        changed[at] ^= 1;
        if let Ok(accepted) = acceptor.accept(&changed) {
            // A BoC has bytes that mean nothing, as in its header.
            assert_eq!(accepted.tokens, 10, "byte {at}");
        }
    }
    assert_eq!(acceptor.accept(&second).unwrap().tokens, 20);
}
