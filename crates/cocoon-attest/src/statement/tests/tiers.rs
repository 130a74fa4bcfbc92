//! What statements earn.

use super::*;

#[test]
fn a_link_alone_is_attested_and_a_statement_without_accelerators_makes_it_confidential() {
    let machine = Machine::new();
    assert_eq!(machine.peer.tier(), Tier::Attested);
    assert_eq!(machine.peer.image_hash(), &image().image_hash());
    assert_eq!(machine.peer.snp().unwrap().measurement, MEASUREMENT);
    let verified = machine.verify(&machine.send(&statement())).unwrap();
    assert_eq!(verified.tier(), Tier::Confidential);
    assert_eq!(verified.peer().key(), machine.peer.key());
    assert_eq!(verified.peer().image_hash(), machine.peer.image_hash());
    assert_eq!(verified.expires_at(), ENDS, "the statement ends first");
    assert_eq!(verified.statement(), &statement());
}

#[test]
fn accelerators_without_evidence_leave_it_attested() {
    let machine = Machine::new();
    let stated = Statement {
        accelerators: 2,
        ..statement()
    };
    let verified = machine.verify(&machine.send(&stated)).unwrap();
    assert_eq!(verified.tier(), Tier::Attested);
}

#[test]
fn an_attested_gpu_makes_it_confidential() {
    let machine = Machine::new();
    let sent = machine.send_with_gpu(statement(), |_| {});
    let verified = machine.verify(&sent).unwrap();
    assert_eq!(verified.tier(), Tier::Confidential);
    assert_eq!(verified.gpus()[0].verdict, GpuVerdict::Attested);
    // Nobody listed the driver: genuine, and not enough.
    let policy = Policy {
        gpu: GpuPolicy::default(),
        ..machine.policy.clone()
    };
    let verified = machine.verify_under(&sent, &policy, &VIEW, NOW).unwrap();
    assert_eq!(verified.tier(), Tier::Attested);
    assert_eq!(
        verified.gpus()[0].verdict,
        GpuVerdict::NotAttested(GpuShortfall::Driver)
    );
}

#[test]
fn a_gpu_out_of_confidential_mode_leaves_it_attested() {
    let machine = Machine::new();
    for mode in [GpuMode::Unknown, GpuMode::Off, GpuMode::DevTools] {
        let sent = machine.send_with_gpu(statement(), |draft| draft.mode = mode);
        assert_eq!(machine.verify(&sent).unwrap().tier(), Tier::Attested, "{mode:?}");
    }
}

/// One GPU shown twice is not two.
#[test]
fn a_gpu_counts_once() {
    let machine = Machine::new();
    let mut stated = statement();
    let made = machine.gpu(&stated.gpu_nonce(), |_| {});
    let gpu_evidence = gpu::encode_evidence(&[made.evidence.clone(), made.evidence]).unwrap();
    stated.accelerators = 2;
    stated.gpu_evidence = Some(gpu::evidence_digest(&gpu_evidence));
    let sent = Sent {
        gpu_evidence,
        ..machine.send(&stated)
    };
    assert_eq!(machine.verify(&sent).unwrap().tier(), Tier::Attested);
}

#[test]
fn an_engine_from_outside_is_open() {
    let machine = Machine::new();
    let stated = Statement {
        engine: StatedEngine::Outside,
        ..statement()
    };
    assert_eq!(machine.verify(&machine.send(&stated)).unwrap().tier(), Tier::Open);
    let none = Statement {
        engine: StatedEngine::None,
        ..statement()
    };
    let verified = machine.verify(&machine.send(&none)).unwrap();
    assert_eq!(verified.tier(), Tier::Confidential, "a client or a proxy");
}

#[test]
fn the_earliest_end_counts() {
    let machine = Machine::new();
    let long = Statement {
        valid_until: BLOCK.time + MAX_AGE,
        ..statement()
    };
    let verified = machine.verify(&machine.send(&long)).unwrap();
    assert_eq!(verified.expires_at(), BLOCK.time + MAX_AGE);
    // The block is an hour old before the statement ends.
    let late = Statement {
        valid_from: BLOCK.time + 50,
        valid_until: BLOCK.time + 50 + MAX_AGE,
        ..statement()
    };
    let verified = machine.verify(&machine.send(&late)).unwrap();
    assert_eq!(verified.expires_at(), BLOCK.time + MAX_AGE);
    // A GPU's revocation list ends first.
    let sent = machine.send_with_gpu(statement(), |draft| {
        draft.lists[0].1.next_update = Some(NOW + 60);
    });
    let verified = machine.verify(&sent).unwrap();
    assert!(verified.expires_at() <= NOW + 60);
    assert!(verified.expires_at() >= NOW);
}

/// The original's simulated quotes follow the same lines, and never leave `simulated`.
#[test]
fn simulated_stays_simulated() {
    let (pair, public) = key(1);
    let simulated = Policy {
        evidence: EvidenceRule::Required {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let certificate = certificate(&pair, &public, &report_data(&public));
    let peer = crate::appraise_certificate(&certificate, Side::Dialler, &simulated, NOW).unwrap();
    assert_eq!(peer.tier(), Tier::Simulated);
    let roots = Roots::makers();
    for engine in [StatedEngine::OfImage, StatedEngine::Outside] {
        let encoded = Statement {
            engine,
            ..statement()
        }
        .encode()
        .unwrap();
        let quote = Statement::report_data(&encoded);
        let presented = Presented {
            statement: &encoded,
            quote: &quote,
            gpu_evidence: &[],
            endorsements: None,
        };
        let verified = verify_statement(presented, &peer, &simulated, &roots, &VIEW, NOW).unwrap();
        assert_eq!(verified.tier(), Tier::Simulated);
        let production = Policy {
            evidence: EvidenceRule::Required {
                simulated: Simulated::Refuse,
            },
            ..simulated.clone()
        };
        assert_eq!(
            verify_statement(presented, &peer, &production, &roots, &VIEW, NOW),
            Err(StatementRefusal::Quote(Refusal::SimulatedEvidence))
        );
    }
    // A simulated quote on a link that a genuine machine opened.
    let machine = Machine::new();
    let mut sent = machine.send(&statement());
    sent.quote = Statement::report_data(&sent.statement).to_vec();
    let lax = Policy {
        evidence: simulated.evidence,
        image_hashes: ImageRule::Any,
        ..machine.policy.clone()
    };
    assert_eq!(
        machine.verify_under(&sent, &lax, &VIEW, NOW),
        Err(StatementRefusal::Image)
    );
}

/// A development GPU beside a genuine chip proves nothing, and a maker's root is none of development.
#[test]
fn a_development_gpu_does_not_count_beside_a_genuine_chip() {
    let mut machine = Machine::new();
    let other = GpuKeys::generate();
    let mut draft = GpuDraft::good(&other);
    let last = draft.chain.len() - 1;
    "DEVELOPMENT ONLY GPU root".clone_into(&mut draft.chain[last].subject);
    "DEVELOPMENT ONLY GPU root".clone_into(&mut draft.chain[last].issuer);
    "DEVELOPMENT ONLY GPU root".clone_into(&mut draft.chain[last - 1].issuer);
    draft.lists.clear();
    draft.request[4..36].copy_from_slice(&statement().gpu_nonce());
    let made = draft.make(&other);
    machine.roots = machine.roots.with_development_gpu(&made.root).unwrap();
    let gpu_evidence = gpu::encode_evidence(&[made.evidence]).unwrap();
    let stated = Statement {
        accelerators: 1,
        gpu_evidence: Some(gpu::evidence_digest(&gpu_evidence)),
        ..statement()
    };
    let sent = Sent {
        gpu_evidence,
        ..machine.send(&stated)
    };
    assert_eq!(
        machine.verify(&sent),
        Err(StatementRefusal::Gpu {
            number: 0,
            refusal: gpu::GpuRefusal::UnknownRoot
        })
    );
    let unmarked = GpuDraft::good(&other).make(&other).root;
    assert!(Roots::makers().with_development_gpu(&unmarked).is_err());
    assert!(Roots::makers().with_development_gpu(&[]).is_err());
}
