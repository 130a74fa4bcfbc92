//! The encoding.

use super::*;

/// Byte for byte, as docs/attestation.md has it.
#[test]
fn the_bytes_are_these() {
    let one = Statement {
        key: [0x11; 32],
        block: Block {
            seqno: 0x0102_0304,
            id: [0x22; 32],
            time: 0x0506_0708_090a_0b0c,
        },
        accelerators: 8,
        gpu_evidence: Some([0x33; 32]),
        engine: StatedEngine::OfImage,
        model: Some([0x44; 32]),
        engine_digest: None,
        valid_from: 0x0d0e,
        valid_until: 0x0f10,
        sealing_key: vec![0xaa, 0xbb],
    };
    let expected = [
        "01".to_owned(),
        "11".repeat(32),
        "01020304".to_owned(),
        "22".repeat(32),
        "05060708090a0b0c".to_owned(),
        "08".to_owned(),
        "33".repeat(32),
        "01".to_owned(),
        "44".repeat(32),
        "00".repeat(32),
        "0000000000000d0e".to_owned(),
        "0000000000000f10".to_owned(),
        "0002aabb".to_owned(),
    ];
    let bytes = one.encode().unwrap();
    assert_eq!(hex::encode(&bytes), expected.concat());
    assert_eq!(Statement::decode(&bytes), Ok(one));
    let mut hashed = STATEMENT_DOMAIN.to_vec();
    hashed.extend(&bytes);
    let expected = aws_lc_rs::digest::digest(&SHA512, &hashed);
    assert_eq!(Statement::report_data(&bytes), expected.as_ref());
    let expected = aws_lc_rs::digest::digest(&SHA256, &hashed);
    assert_eq!(Statement::digest(&bytes), expected.as_ref());
}

#[test]
fn there_is_one_encoding() {
    let good = Statement {
        sealing_key: vec![1, 2, 3],
        ..statement()
    };
    let bytes = good.encode().unwrap();
    for end in 0..bytes.len() {
        assert!(Statement::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(
        Statement::decode(&longer),
        Err(StatementRefusal::Malformed("end"))
    );
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            if let Ok(found) = Statement::decode(&bad) {
                assert_ne!(found, good);
                assert_eq!(found.encode().as_ref(), Ok(&bad));
            }
        }
    }
}

#[test]
fn limits_hold_on_both_sides() {
    let table: &[(Alter, StatementRefusal)] = &[
        (|one| one.sealing_key = vec![0; 2049], StatementRefusal::TooLong),
        (
            |one| one.accelerators = 17,
            StatementRefusal::Malformed("accelerators"),
        ),
        (
            |one| one.model = Some([0; 32]),
            StatementRefusal::Malformed("digest"),
        ),
    ];
    for (alter, refusal) in table {
        let mut one = statement();
        alter(&mut one);
        assert_eq!(one.encode(), Err(*refusal));
    }
    let longest = Statement {
        sealing_key: vec![0; MAX_SEALING_KEY_BYTES],
        ..statement()
    };
    let bytes = longest.encode().unwrap();
    assert_eq!(bytes.len(), MAX_STATEMENT_BYTES);
    assert_eq!(Statement::decode(&bytes), Ok(longest));
    assert_eq!(
        Statement::decode(&vec![1; MAX_STATEMENT_BYTES + 1]),
        Err(StatementRefusal::TooLong)
    );
    let put = |at: usize, value: u8| {
        let mut bytes = statement().encode().unwrap();
        bytes[at] = value;
        Statement::decode(&bytes)
    };
    assert_eq!(put(0, 2), Err(StatementRefusal::Version(2)));
    assert_eq!(put(77, 17), Err(StatementRefusal::Malformed("accelerators")));
    assert_eq!(put(110, 3), Err(StatementRefusal::Malformed("engine")));
    assert_eq!(put(191, 0xff), Err(StatementRefusal::Malformed("sealing key")));
}
