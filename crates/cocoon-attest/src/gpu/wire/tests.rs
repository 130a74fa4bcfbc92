use super::*;

fn gpu(number: u8, mode: GpuMode) -> GpuEvidence {
    GpuEvidence {
        report: vec![number; 4117],
        chain: vec![
            vec![number; 700],
            vec![number ^ 0x80; 700],
            b"family".to_vec(),
            b"root".to_vec(),
        ],
        revocation_lists: vec![b"list".to_vec()],
        mode,
    }
}

#[test]
fn eight_gpus_fit_and_come_back() {
    let modes = [
        GpuMode::Unknown,
        GpuMode::Off,
        GpuMode::DevTools,
        GpuMode::Confidential,
    ];
    let gpus: Vec<GpuEvidence> = (0..8)
        .map(|number| gpu(number, modes[usize::from(number) % 4]))
        .collect();
    let bytes = encode_evidence(&gpus).unwrap();
    assert!(bytes.len() < 8 * 5600, "shared parts stand once: {}", bytes.len());
    assert_eq!(decode_evidence(&bytes), Ok(gpus));
}

/// Byte for byte, as docs/attestation.md has it.
#[test]
fn the_bytes_are_these() {
    let evidence = GpuEvidence {
        report: vec![0xaa, 0xbb],
        chain: vec![vec![1], vec![2], vec![1]],
        revocation_lists: Vec::new(),
        mode: GpuMode::Confidential,
    };
    let bytes = encode_evidence(&[evidence]).unwrap();
    assert_eq!(hex::encode(&bytes), "01020001010001020001030002aabb0300010000");
    assert_ne!(evidence_digest(&bytes), evidence_digest(&bytes[1..]));
}

#[test]
fn what_is_over_a_limit_is_not_written() {
    let refused = |gpus: &[GpuEvidence]| assert!(encode_evidence(gpus).is_err());
    refused(&[]);
    refused(&vec![gpu(1, GpuMode::Off); MAX_GPUS + 1]);
    let mut long = gpu(1, GpuMode::Off);
    long.report = vec![0; MAX_GPU_REPORT_BYTES + 1];
    refused(&[long]);
    let mut long = gpu(1, GpuMode::Off);
    long.chain = vec![vec![0; MAX_X509_BYTES + 1]];
    refused(&[long]);
    let mut many = gpu(1, GpuMode::Off);
    many.chain = vec![Vec::new(); MAX_CERTIFICATES + 1];
    refused(&[many]);
    let many: Vec<GpuEvidence> = (0..16).map(|number| gpu(number, GpuMode::Off)).collect();
    refused(&many);
}

/// What is not the one encoding of its value is refused: cut, longer, renumbered, with a part too many.
#[test]
fn there_is_one_encoding() {
    let gpus = [gpu(1, GpuMode::Confidential), gpu(2, GpuMode::Confidential)];
    let good = encode_evidence(&gpus).unwrap();
    for end in 0..good.len() {
        assert!(decode_evidence(&good[..end]).is_err(), "cut at {end}");
    }
    assert!(decode_evidence(&[&good[..], &[0]].concat()).is_err());
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        // Content may be other content; nothing may be the same evidence in other bytes.
        if let Ok(found) = decode_evidence(&bad) {
            assert_ne!(found, gpus, "byte {at}");
            assert_eq!(encode_evidence(&found).as_ref(), Ok(&bad), "byte {at}");
        }
    }
    let unused = "010200010100010200010300000100";
    assert!(decode_evidence(&hex::decode(unused).unwrap()).is_err());
    assert!(decode_evidence(&vec![0; MAX_GPU_EVIDENCE_BYTES + 1]).is_err());
}
