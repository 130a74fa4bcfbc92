use super::*;
use crate::OwnedEndorsements;

fn chain() -> SnpChain {
    SnpChain {
        leaf: include_bytes!("../../../tests/evidence/snp/milan-vcek.der").to_vec(),
        intermediate: include_bytes!("../../../tests/evidence/snp/milan-ask.der").to_vec(),
        revocation_lists: vec![vec![1, 2, 3]],
    }
}

#[test]
fn a_real_chain_comes_back() {
    let bytes = chain().to_compact().unwrap();
    assert_eq!(bytes.len(), 1 + 2 + 1360 + 2 + 1677 + 1 + 2 + 3);
    let read = OwnedEndorsements::from_compact(&bytes).unwrap();
    assert_eq!(read, OwnedEndorsements::Snp(chain()));
    assert_eq!(read.to_compact().unwrap(), bytes);
}

#[test]
fn there_is_one_encoding() {
    let bytes = chain().to_compact().unwrap();
    for end in 0..bytes.len() {
        assert!(SnpChain::from_compact(&bytes[..end]).is_err(), "cut at {end}");
    }
    assert!(SnpChain::from_compact(&[&bytes[..], &[0]].concat()).is_err());
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x81;
        if let Ok(found) = SnpChain::from_compact(&bad) {
            assert_eq!(found.to_compact().unwrap(), bad, "byte {at}");
        }
    }
}

#[test]
fn limits_hold() {
    let with = |lists: Vec<Vec<u8>>| SnpChain {
        revocation_lists: lists,
        ..chain()
    };
    assert!(with(vec![Vec::new(); 3]).to_compact().is_err());
    assert!(with(vec![vec![0; MAX_COMPACT_BYTES]]).to_compact().is_err());
    assert!(SnpChain::from_compact(&vec![2; MAX_COMPACT_BYTES + 1]).is_err());
    let long = [&[2, 0x10, 0x01][..], &[0; 0x1001], &[0, 0, 0]].concat();
    assert!(SnpChain::from_compact(&long).is_err());
}
