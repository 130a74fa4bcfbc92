//! Bags of cells that a peer or a file might hold.

use cocoon_contracts::{
    BocError, Cell, Signed, boc,
    signed::{Kind, Rejected, SignedError},
};
use tycho_types::cell::CellBuilder;

use crate::setup::{PROXY, at, contracts, key, launch};

fn chain(depth: u16) -> Cell {
    let mut cell = Cell::default();
    for _ in 0..depth {
        let mut builder = CellBuilder::new();
        builder.store_reference(cell).unwrap();
        cell = builder.build().unwrap();
    }
    cell
}

#[test]
fn there_and_back() {
    for cell in [
        Cell::default(),
        chain(512),
        contracts().client.data.reference_cloned(0).unwrap(),
    ] {
        assert_eq!(boc::decode(&boc::encode(&cell)), Ok(cell));
    }
}

#[test]
fn too_large_and_too_deep() {
    let large = vec![0; boc::MAX_BYTES + 1];
    assert_eq!(boc::decode(&large), Err(BocError::TooLarge(large.len())));
    assert_eq!(
        boc::decode(&boc::encode(&chain(513))),
        Err(BocError::TooDeep(513))
    );
}

#[test]
fn pruned_parts() {
    let pruned = launch(PROXY);
    assert_eq!(boc::decode(&boc::encode(&pruned)), Err(BocError::Pruned));
    let mut holder = CellBuilder::new();
    holder.store_reference(pruned).unwrap();
    assert_eq!(
        boc::decode(&boc::encode(&holder.build().unwrap())),
        Err(BocError::Pruned)
    );
}

#[test]
fn damage_anywhere() {
    let charge = Signed::sign(&key(1), Kind::Charge, 1, 2, at(3), at(4));
    let sound = charge.to_boc();
    for length in 0..sound.len() {
        assert_eq!(
            boc::decode(&sound[..length]),
            Err(BocError::Damaged),
            "cut to {length}"
        );
    }
    for index in 0..sound.len() {
        for bit in 0..8 {
            let mut bytes = sound.clone();
            bytes[index] ^= 1 << bit;
            // What still is a bag is the same message (a header bit that nobody reads), goes elsewhere with what is left
            // of the coins (which is not signed), or is one that nobody signed.
            if let Ok(changed) = Signed::from_boc(&bytes) {
                let same = Signed {
                    excesses: charge.excesses,
                    ..changed.clone()
                } == charge;
                let verdict = changed.verify(&key(1).public(), Kind::Charge, &at(3));
                assert_eq!(verdict.is_ok(), same, "byte {index}, bit {bit}");
            }
        }
    }
}

/// Written by hand: magic, one byte per index, two bytes of offset; two cells.
fn two_cells(roots: &[u8], first_reference: u8) -> Vec<u8> {
    let mut bytes = hex::decode("b5ee9c7201").unwrap();
    let cells = [1, 0, first_reference, 0, 0];
    bytes.extend([1, 2, u8::try_from(roots.len()).unwrap(), 0, 5]);
    bytes.extend(roots);
    bytes.extend(cells);
    bytes
}

#[test]
fn loops_and_roots() {
    assert_eq!(boc::decode(&two_cells(&[0], 1)), Ok(chain(1)));
    assert_eq!(
        boc::decode(&two_cells(&[0], 0)),
        Err(BocError::Damaged),
        "a cell in itself"
    );
    assert_eq!(
        boc::decode(&two_cells(&[0], 2)),
        Err(BocError::Damaged),
        "a cell that is not there"
    );
    assert_eq!(
        boc::decode(&two_cells(&[2], 1)),
        Err(BocError::Damaged),
        "a root that is not there"
    );
    assert_eq!(boc::decode(&two_cells(&[0, 1], 1)), Err(BocError::Roots));
    assert_eq!(boc::decode(&two_cells(&[], 1)), Err(BocError::Damaged), "no root");
}

#[test]
fn what_is_rejected() {
    let charge = Signed::sign(&key(1), Kind::Charge, 1, 2, at(3), at(4));
    let key = key(1).public();
    assert_eq!(charge.verify(&key, Kind::Charge, &at(3)), Ok(()));
    assert_eq!(
        charge.verify(&key, Kind::GrantRefund, &at(3)),
        Err(Rejected::Kind)
    );
    assert_eq!(charge.verify(&key, Kind::Charge, &at(5)), Err(Rejected::Contract));
    assert_eq!(
        charge.verify(&crate::setup::key(2).public(), Kind::Charge, &at(3)),
        Err(Rejected::Signature)
    );
    let more = Signed {
        tokens: 3,
        ..charge.clone()
    };
    assert_eq!(more.verify(&key, Kind::Charge, &at(3)), Err(Rejected::Signature));
    // Kinds share nothing: a charge's signature is none for a payout of the same numbers.
    let payout = Signed {
        kind: Kind::Payout,
        ..charge.clone()
    };
    assert_eq!(
        payout.verify(&key, Kind::Payout, &at(3)),
        Err(Rejected::Signature)
    );
    let repacked = Signed::parse(&charge.repack(at(9))).unwrap();
    assert_eq!(
        (repacked.excesses, repacked.verify(&key, Kind::Charge, &at(3))),
        (at(9), Ok(()))
    );
    assert_eq!(Signed::from_boc(&[]), Err(SignedError::Boc(BocError::Damaged)));
}

#[test]
fn a_refund_is_for_one_life_of_the_account() {
    let key = key(1);
    let refund = |kind| Signed::sign(&key, kind, 1, 2, at(3), at(4));
    let second = Kind::GrantRefundOf { generation: 1 };
    let signed = Signed::from_boc(&refund(second).to_boc()).unwrap();
    assert_eq!(signed.verify(&key.public(), second, &at(3)), Ok(()));
    for other in [Kind::GrantRefund, Kind::GrantRefundOf { generation: 2 }] {
        assert_eq!(signed.verify(&key.public(), other, &at(3)), Err(Rejected::Kind));
        let forged = Signed {
            kind: other,
            ..signed.clone()
        };
        assert_eq!(
            forged.verify(&key.public(), other, &at(3)),
            Err(Rejected::Signature)
        );
    }
}

/// The closes state no count.
#[test]
fn closes() {
    for kind in [Kind::CloseRequest, Kind::CloseComplete] {
        let signed = Signed::sign(&key(1), kind, 1, 77, at(3), at(4));
        assert_eq!((signed.tokens, signed.payload().bit_len()), (0, 363));
        assert_eq!(Signed::from_boc(&signed.to_boc()), Ok(signed));
    }
}
