//! Each thing that can be wrong, by itself, and the one refusal that must come.

use super::*;

#[test]
fn another_peers_statement_is_refused() {
    let machine = Machine::new();
    // Genuine, fresh, of the same image, and another peer's: recorded on its link, sent on ours.
    let replayed = machine.send(&Statement {
        key: key(2).1,
        ..statement()
    });
    assert_eq!(machine.verify(&replayed), Err(StatementRefusal::Key));
}

/// Every byte of the statement is covered by the quote: whatever is changed, the quote is about something else.
#[test]
fn no_byte_of_a_statement_can_be_changed() {
    let machine = Machine::new();
    let good = machine.send(&Statement {
        sealing_key: vec![0x5e; 16],
        ..statement()
    });
    machine.verify(&good).unwrap();
    for at in 0..good.statement.len() {
        let mut bad = good.clone();
        bad.statement[at] ^= 1;
        assert!(machine.verify(&bad).is_err(), "byte {at}");
    }
}

/// Field by field, with a quote that was made for the altered statement: what remains is what the chain, the link and the
/// evidence say.
#[test]
fn a_field_that_is_not_true_has_its_refusal() {
    let machine = Machine::new();
    let table: &[(&str, Alter, StatementRefusal)] = &[
        ("another key", |one| one.key = [7; 32], StatementRefusal::Key),
        (
            "a block's number that is not its own",
            |one| one.block.seqno -= 1,
            StatementRefusal::UnknownBlock,
        ),
        (
            "a block's id that is not its own",
            |one| one.block.id = [0xb2; 32],
            StatementRefusal::UnknownBlock,
        ),
        (
            "a younger time for an old block",
            |one| {
                one.block.time += 50;
                one.valid_from += 50;
            },
            StatementRefusal::UnknownBlock,
        ),
        (
            "a number after the head's",
            |one| one.block.seqno = HEAD.seqno + 1,
            StatementRefusal::FutureBlock,
        ),
        (
            "a time after the head's",
            |one| {
                one.block.time = HEAD.time + 1;
                one.valid_from = HEAD.time + 1;
            },
            StatementRefusal::FutureBlock,
        ),
        (
            "begun before its block",
            |one| one.valid_from = BLOCK.time - 1,
            StatementRefusal::Window,
        ),
        (
            "over before it begins",
            |one| one.valid_until = one.valid_from - 1,
            StatementRefusal::Window,
        ),
        (
            "longer than an hour",
            |one| one.valid_until = one.valid_from + MAX_AGE + 1,
            StatementRefusal::Window,
        ),
        (
            "not begun",
            |one| {
                one.valid_from = NOW + CLOCK_TOLERANCE + 1;
                one.valid_until = NOW + CLOCK_TOLERANCE + 2;
            },
            StatementRefusal::NotYetValid {
                from: NOW + CLOCK_TOLERANCE + 1,
            },
        ),
        (
            "over",
            |one| one.valid_until = NOW - 1,
            StatementRefusal::Expired { until: NOW - 1 },
        ),
        (
            "GPU evidence that did not come",
            |one| one.gpu_evidence = Some([1; 32]),
            StatementRefusal::GpuEvidence,
        ),
    ];
    for (name, alter, refusal) in table {
        let mut stated = statement();
        alter(&mut stated);
        assert_eq!(machine.verify(&machine.send(&stated)), Err(*refusal), "{name}");
    }
}

#[test]
fn a_statement_ages() {
    let machine = Machine::new();
    let long = Statement {
        valid_from: BLOCK.time + 50,
        valid_until: BLOCK.time + 50 + MAX_AGE,
        ..statement()
    };
    let sent = machine.send(&long);
    let at = |head: u64, now: u64| {
        let head = Block { time: head, ..HEAD };
        let view = ChainView { head, ..VIEW };
        machine.verify_in(&sent, &view, now)
    };
    let hour = BLOCK.time + MAX_AGE;
    assert!(at(hour, hour).is_ok());
    let stale = Err(StatementRefusal::StaleBlock { age: MAX_AGE + 1 });
    assert_eq!(at(hour + 1, hour + 1), stale);
    // Neither a clock that was held back nor an old head makes it younger.
    assert_eq!(at(hour + 1, NOW), stale);
    assert_eq!(at(HEAD.time, hour + 1), stale);
}

#[test]
fn a_block_that_the_verifiers_chain_does_not_have_is_unknown() {
    let machine = Machine::new();
    let sent = machine.send(&statement());
    for named in [
        None,
        Some(HEAD),
        Some(Block {
            id: [0xb3; 32],
            ..BLOCK
        }),
        Some(Block {
            time: BLOCK.time + 1,
            ..BLOCK
        }),
    ] {
        let view = ChainView { named, ..VIEW };
        assert_eq!(
            machine.verify_in(&sent, &view, NOW),
            Err(StatementRefusal::UnknownBlock),
            "{named:?}"
        );
    }
}

#[test]
fn the_quote_must_be_this_statements_and_good() {
    let machine = Machine::new();
    let good = machine.send(&statement());
    let with = |quote: Vec<u8>| {
        machine.verify(&Sent {
            quote,
            ..good.clone()
        })
    };
    // The certificate's own quote, on a statement that nobody quoted: relayed evidence.
    let relayed = machine.report(&report_data(&key(1).1));
    let refused = Err(StatementRefusal::Quote(Refusal::ReportData));
    assert_eq!(with(relayed), refused);
    // A quote over the statement without its domain.
    let bare = digest(&aws_lc_rs::digest::SHA512, &good.statement);
    assert_eq!(with(machine.report(&bare)), refused);
    assert_eq!(
        with(Vec::new()),
        Err(StatementRefusal::Quote(Refusal::HardwareEvidence))
    );
    assert_eq!(
        with(vec![0; crate::MAX_QUOTE_BYTES + 1]),
        Err(StatementRefusal::Quote(Refusal::QuoteTooLong))
    );
    let mut altered = good.quote.clone();
    altered[offset::MEASUREMENT] ^= 1;
    assert_eq!(
        with(altered),
        Err(StatementRefusal::Quote(Refusal::Snp(SnpRefusal::ReportSignature)))
    );
}

/// Both images are allowed, and the link's is still the one that must speak.
#[test]
fn another_images_statement_is_refused() {
    let mut machine = Machine::new();
    let encoded = statement().encode().unwrap();
    let mut draft = SnpDraft::good(&machine.snp);
    draft.put(offset::MEASUREMENT, &[0x77; 48]);
    draft.put(offset::REPORT_DATA, &Statement::report_data(&encoded));
    let sent = Sent {
        statement: encoded,
        quote: draft.make(&machine.snp).report,
        gpu_evidence: Vec::new(),
    };
    assert_eq!(
        machine.verify(&sent),
        Err(StatementRefusal::Quote(Refusal::ImageNotListed))
    );
    let other = SnpImage {
        measurement: [0x77; 48],
        ..image()
    };
    machine.policy.image_hashes = ImageRule::Listed(vec![image().image_hash(), other.image_hash()]);
    assert_eq!(machine.verify(&sent), Err(StatementRefusal::Image));
}

#[test]
fn gpu_evidence_must_be_this_statements() {
    let machine = Machine::new();
    let good = machine.send_with_gpu(statement(), |_| {});
    // Left away, or another one in its place.
    for gpu_evidence in [Vec::new(), good.gpu_evidence[1..].to_vec()] {
        let bad = Sent {
            gpu_evidence,
            ..good.clone()
        };
        assert_eq!(machine.verify(&bad), Err(StatementRefusal::GpuEvidence));
    }
    // Sent where none is named.
    let unasked = Sent {
        gpu_evidence: good.gpu_evidence.clone(),
        ..machine.send(&statement())
    };
    assert_eq!(machine.verify(&unasked), Err(StatementRefusal::GpuEvidence));
    // Genuine, and made for another block or another key: relayed from elsewhere.
    let nonces = [
        gpu::nonce(&key(1).1, &[0xb9; 32]),
        gpu::nonce(&key(2).1, &BLOCK.id),
    ];
    for nonce in nonces {
        let relayed = machine.send_with_gpu(statement(), |draft| {
            draft.request[4..36].copy_from_slice(&nonce);
        });
        assert_eq!(
            machine.verify(&relayed),
            Err(StatementRefusal::Gpu {
                number: 0,
                refusal: gpu::GpuRefusal::Nonce
            })
        );
    }
    // Fewer than are in use.
    let mut stated = statement();
    let made = machine.gpu(&stated.gpu_nonce(), |_| {});
    let gpu_evidence = gpu::encode_evidence(&[made.evidence]).unwrap();
    stated.accelerators = 2;
    stated.gpu_evidence = Some(gpu::evidence_digest(&gpu_evidence));
    let sent = Sent {
        gpu_evidence,
        ..machine.send(&stated)
    };
    assert_eq!(
        machine.verify(&sent),
        Err(StatementRefusal::GpuCount { used: 2, shown: 1 })
    );
    // Not its form, under its own digest.
    let mut stated = statement();
    stated.gpu_evidence = Some(gpu::evidence_digest(b"no evidence"));
    let sent = Sent {
        gpu_evidence: b"no evidence".to_vec(),
        ..machine.send(&stated)
    };
    assert!(matches!(
        machine.verify(&sent),
        Err(StatementRefusal::GpuEvidenceForm(_))
    ));
}

#[test]
fn without_endorsements_it_is_refused() {
    let machine = Machine::new();
    let sent = machine.send(&statement());
    let presented = Presented {
        statement: &sent.statement,
        quote: &sent.quote,
        gpu_evidence: &[],
        endorsements: None,
    };
    assert_eq!(
        verify_statement(
            presented,
            &machine.peer,
            &machine.policy,
            &machine.roots,
            &VIEW,
            NOW
        ),
        Err(StatementRefusal::Quote(Refusal::CollateralMissing))
    );
}

fn digest(algorithm: &'static aws_lc_rs::digest::Algorithm, bytes: &[u8]) -> [u8; 64] {
    aws_lc_rs::digest::digest(algorithm, bytes)
        .as_ref()
        .try_into()
        .unwrap()
}
