//! Receipts, batches and bundles.

use bytes::Bytes;
use cocoon_seal::*;
use cocoon_types::{Coefficient, Tier, Usage};

use crate::support::*;

/// Takes the statements of `support`: the words "statement of", then the sealing key.
struct Trusting;

impl Appraiser for Trusting {
    fn appraise(&self, statement: &[u8], evidence: &[EvidenceItem], at: u64) -> Result<Appraised, String> {
        let sealing_key = statement
            .strip_prefix(b"statement of ")
            .ok_or("not a statement")?;
        assert_eq!((evidence.len(), at), (2, NOW + 1));
        Ok(Appraised {
            sealing_key: Bytes::copy_from_slice(sealing_key),
            tier: Tier::Confidential,
            model: digest_of("weights"),
            engine: digest_of("engine"),
            engine_place: EnginePlace::Measured,
            accelerators: Accelerators::None,
            vouched_by: "the test".into(),
            unjudged: None,
        })
    }
}

type Lie = fn(&mut Receipt);

/// Says what it was told to.
struct Saying(Result<Appraised, String>);

impl Appraiser for Saying {
    fn appraise(&self, _: &[u8], _: &[EvidenceItem], _: u64) -> Result<Appraised, String> {
        self.0.clone()
    }
}

fn bundle() -> (World, Ended, Bundle) {
    let mut world = world();
    let ended = exchange(&mut world);
    let bundle = bundle_of(&world, &ended);
    (world, ended, bundle)
}

fn checks(world: &World) -> Checks<'static> {
    Checks {
        proxy: Some(*world.proxy.public()),
        appraiser: Some(&Trusting),
        request: Some(BODY),
        answer: Some(b"Hello, world"),
    }
}

fn verified(bundle: &Bundle, checks: &Checks<'_>) -> Report {
    verify_bundle(&bundle.encode().unwrap().into(), checks)
}

/// Why a bundle is worthless; fails when it is not.
fn failure(report: &Report) -> (Subject, String) {
    let failed = |finding: &&Finding| matches!(finding.standing, Standing::Failed { .. });
    let finding = report.findings.iter().find(failed).expect("something failed");
    assert!(!report.is_valid());
    (finding.subject, finding.standing.detail().to_owned())
}

#[test]
fn everything_proven_that_can_be() {
    let (world, ended, bundle) = bundle();
    let report = verified(&bundle, &checks(&world));
    assert!(report.is_valid(), "{:#?}", report.findings);
    assert_eq!(report.receipt.as_ref(), Some(&ended.receipt));
    assert_eq!(report.proven_tier(), Some(Tier::Confidential));
    for finding in &report.findings {
        let expected = if finding.subject == Subject::Time {
            "claimed"
        } else {
            "proven"
        };
        assert_eq!(finding.standing.word(), expected, "{finding:?}");
    }
    assert_eq!(report.findings.len(), 13);
}

#[test]
fn what_nobody_checked_is_not_proven() {
    let (_, _, mut bundle) = bundle();
    bundle.charge = None;
    bundle.salts = None;
    let report = verified(&bundle, &Checks::default());
    assert!(report.is_valid(), "{:#?}", report.findings);
    let word = |subject| report.standing(subject).map(Standing::word);
    assert_eq!(word(Subject::Exchange), Some("proven"));
    assert_eq!(word(Subject::WorkerSignature), Some("proven"));
    for subject in [
        Subject::Offer,
        Subject::Tier,
        Subject::Model,
        Subject::Engine,
        Subject::Usage,
    ] {
        assert_eq!(word(subject), Some("claimed"), "{subject:?}");
    }
    for subject in [
        Subject::Hardware,
        Subject::Price,
        Subject::Request,
        Subject::Answer,
    ] {
        assert_eq!(word(subject), Some("not shown"), "{subject:?}");
    }
    assert_eq!(report.proven_tier(), None);
}

/// Genuine hardware with an image that nobody said is allowed proves no tier.
#[test]
fn an_image_that_nobody_judged_is_claimed() {
    let (world, _, bundle) = bundle();
    let statement = bundle.statement.clone();
    let appraised = Trusting.appraise(&statement, &bundle.evidence, NOW + 1).unwrap();
    let saying = Saying(Ok(Appraised {
        unjudged: Some("image 1234".into()),
        ..appraised
    }));
    let report = verified(
        &bundle,
        &Checks {
            appraiser: Some(&saying),
            ..checks(&world)
        },
    );
    assert!(report.is_valid() && report.proven_tier().is_none());
    let word = |subject| report.standing(subject).map(Standing::word);
    assert_eq!(word(Subject::Hardware), Some("proven"));
    for subject in [Subject::Tier, Subject::Model, Subject::Engine, Subject::Usage] {
        assert_eq!(word(subject), Some("claimed"), "{subject:?}");
    }
}

/// No byte can be changed, also not by somebody who makes the digest at the end fit again, and with nobody judging evidence.
#[test]
fn flip_each_byte() {
    flip(0);
}

/// The same, shared out: each takes seconds.
#[test]
fn flip_each_byte_between() {
    flip(1);
}

fn flip(first: usize) {
    let (world, _, bundle) = bundle();
    let file = bundle.encode().unwrap();
    let nothing = Checks {
        proxy: Some(*world.proxy.public()),
        ..Checks::default()
    };
    assert!(verify_bundle(&file.clone().into(), &nothing).is_valid());
    let text = file.len() - 32;
    let damaged = Malformed("bundle: damaged");
    for at in (first..file.len()).step_by(2) {
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        assert_eq!(
            Bundle::decode(&Bytes::copy_from_slice(&changed)),
            Err(damaged),
            "byte {at}"
        );
        if at < text {
            let end = end_of(&changed[..text]);
            changed[text..].copy_from_slice(&end);
            let forged = verify_bundle(&changed.into(), &nothing);
            assert!(!forged.is_valid(), "byte {at}");
        }
    }
    for length in (0..file.len()).step_by(11) {
        assert!(!verify_bundle(&file[..length].to_vec().into(), &nothing).is_valid());
    }
}

/// The digest at the end of a bundle, from the specification.
fn end_of(text: &[u8]) -> [u8; 32] {
    let all = [b"cocoon seal v1: bundle end\0", text].concat();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &all);
    digest.as_ref().try_into().unwrap()
}

#[test]
fn another_text_is_another_text() {
    let (world, _, mut bundle) = bundle();
    let right = checks(&world);
    let other = Checks {
        request: Some(b"other"),
        ..right
    };
    assert_eq!(failure(&verified(&bundle, &other)).0, Subject::Request);
    let other = Checks {
        answer: Some(b"Hello, world!"),
        ..right
    };
    assert_eq!(failure(&verified(&bundle, &other)).0, Subject::Answer);
    bundle.salts = None;
    assert_eq!(failure(&verified(&bundle, &right)).0, Subject::Request);
}

#[test]
fn a_worker_that_signs_something_else() {
    let (world, ended, _) = bundle();
    let cases: [(Lie, Subject); 12] = [
        (
            |receipt| receipt.closing.model = digest_of("other"),
            Subject::Model,
        ),
        (
            |receipt| receipt.closing.engine = digest_of("other"),
            Subject::Engine,
        ),
        (
            |receipt| receipt.closing.engine_place = EnginePlace::Outside,
            Subject::Model,
        ),
        (
            |receipt| receipt.closing.accelerators = Accelerators::Attested,
            Subject::Hardware,
        ),
        (
            |receipt| receipt.closing.statement = digest_of("other"),
            Subject::Offer,
        ),
        (
            |receipt| receipt.closing.evidence = digest_of("other"),
            Subject::Hardware,
        ),
        (
            |receipt| receipt.closing.usage = Usage::new(1, 0, 65, 0).unwrap(),
            Subject::Exchange,
        ),
        (|receipt| receipt.closing.started = NOW + 600, Subject::Time),
        (|receipt| receipt.closing.started = NOW - 1, Subject::Time),
        (
            |receipt| receipt.coefficient = Coefficient::new(1001).unwrap(),
            Subject::Exchange,
        ),
        (|receipt| receipt.tier = Tier::Attested, Subject::Exchange),
        (|receipt| receipt.key_id = digest_of("other"), Subject::Exchange),
    ];
    for (change, subject) in cases {
        let mut lying = Ended {
            receipt: ended.receipt.clone(),
            opening: ended.opening.clone(),
        };
        change(&mut lying.receipt);
        let bundle = bundle_of(&world, &lying);
        let mut check = checks(&world);
        if lying.receipt.closing.started != NOW + 1 {
            check.appraiser = None;
        }
        assert_eq!(failure(&verified(&bundle, &check)).0, subject);
    }
}

#[test]
fn a_key_that_the_evidence_does_not_cover() {
    let (world, ended, right) = bundle();
    // Signed by the second worker's receipt key.
    let mut bundle = right.clone();
    let stranger = &world.workers[1];
    bundle.countersign = countersigned(ended.receipt.leaf(), Role::Worker, &stranger.signing)
        .encode()
        .into();
    assert_eq!(
        failure(&verified(&bundle, &checks(&world))).0,
        Subject::WorkerSignature
    );
    // A sealing key that names it: another key id than the receipt's.
    bundle.sealing_key = stranger.public.bytes().clone();
    assert_eq!(failure(&verified(&bundle, &checks(&world))).0, Subject::Exchange);
    // A statement that is genuine and of somebody else.
    let appraised = |change: &dyn Fn(&mut Appraised)| {
        let mut said = Trusting
            .appraise(&world.workers[0].statement, &evidence(), NOW + 1)
            .unwrap();
        change(&mut said);
        let saying = Saying(Ok(said));
        let check = Checks {
            appraiser: Some(&saying),
            ..checks(&world)
        };
        failure(&verified(&right, &check)).0
    };
    let other_key = stranger.public.bytes().clone();
    assert_eq!(
        appraised(&|said| said.sealing_key = other_key.clone()),
        Subject::Hardware
    );
    assert_eq!(appraised(&|said| said.tier = Tier::Open), Subject::Tier);
    assert_eq!(
        appraised(&|said| said.engine_place = EnginePlace::Outside),
        Subject::Model
    );
    let saying = Saying(Err("the quote is under no root".into()));
    let check = Checks {
        appraiser: Some(&saying),
        ..checks(&world)
    };
    let why = (Subject::Hardware, "the quote is under no root".to_owned());
    assert_eq!(failure(&verified(&right, &check)), why);
}

#[test]
fn an_engine_outside_is_only_claimed() {
    let mut world = world();
    let mut ended = exchange(&mut world);
    ended.receipt.closing.engine_place = EnginePlace::Outside;
    let bundle = bundle_of(&world, &ended);
    let mut said = Trusting
        .appraise(&world.workers[0].statement, &evidence(), NOW + 1)
        .unwrap();
    said.engine_place = EnginePlace::Outside;
    let saying = Saying(Ok(said));
    let report = verified(
        &bundle,
        &Checks {
            appraiser: Some(&saying),
            ..checks(&world)
        },
    );
    assert!(report.is_valid(), "{:#?}", report.findings);
    for subject in [Subject::Model, Subject::Engine, Subject::Usage] {
        assert_eq!(report.standing(subject).map(Standing::word), Some("claimed"));
    }
}

#[test]
fn a_proxy_that_charges_something_else() {
    let (world, ended, bundle) = bundle();
    let charged = |change: &dyn Fn(&mut Charge), role, key: &SigningKey| {
        let mut charge = charge(&ended.receipt);
        change(&mut charge);
        let signed = countersigned(charge.charge_leaf(), role, key);
        failure(&verified(
            &bundle.clone().with_charge(&charge, &signed),
            &checks(&world),
        ))
    };
    let subjects = [
        charged(
            &|charge| charge.leaf = digest_of("other"),
            Role::Proxy,
            &world.proxy,
        )
        .0,
        charged(
            &|charge| charge.offer = digest_of("other"),
            Role::Proxy,
            &world.proxy,
        )
        .0,
        charged(
            &|charge| charge.coefficient = Coefficient::DEFAULT_LIMIT,
            Role::Proxy,
            &world.proxy,
        )
        .0,
        charged(&|_| (), Role::Worker, &world.proxy).0,
        charged(&|_| (), Role::Proxy, &world.workers[0].signing).0,
    ];
    assert_eq!(subjects, [Subject::Price; 5]);
    let stranger = Checks {
        proxy: Some([1; 32]),
        ..checks(&world)
    };
    assert_eq!(failure(&verified(&bundle, &stranger)).0, Subject::Offer);
}

#[test]
fn what_the_client_holds_the_worker_to() {
    let mut world = world();
    let ended = exchange(&mut world);
    let head = EncodedHead::decode(ended.opening.head.clone()).unwrap();
    let worker = &world.workers[0];
    let receipt = &ended.receipt;
    let right = Expected {
        statement: Digest::of_statement(&worker.statement),
        model: Some(digest_of("weights")),
        engine: Some(digest_of("engine")),
        evidence: Some(evidence_digest(&evidence())),
        coefficient: Coefficient::ONE,
        engine_place: Some(EnginePlace::Measured),
        finish: Some(Finish::Stop),
        completion: Some(7),
    };
    let other = Some(digest_of("other"));
    let disagrees = |expected: &Expected| receipt.disagrees(head.head(), &worker.public, expected);
    assert_eq!(disagrees(&right), None);
    let wrong = [
        (
            Expected {
                statement: digest_of("other"),
                ..right
            },
            "statement",
        ),
        (
            Expected {
                model: other,
                ..right
            },
            "model",
        ),
        (
            Expected {
                engine: other,
                ..right
            },
            "engine",
        ),
        (
            Expected {
                evidence: other,
                ..right
            },
            "evidence",
        ),
        (
            Expected {
                coefficient: Coefficient::DEFAULT_LIMIT,
                ..right
            },
            "price",
        ),
        (
            Expected {
                engine_place: Some(EnginePlace::Outside),
                ..right
            },
            "engine place",
        ),
        (
            Expected {
                finish: Some(Finish::Length),
                ..right
            },
            "finish reason",
        ),
        (
            Expected {
                completion: Some(8),
                ..right
            },
            "usage",
        ),
    ];
    for (expected, field) in wrong {
        assert_eq!(disagrees(&expected), Some(field));
    }
    let lies: [(Lie, &str); 4] = [
        (
            |receipt| receipt.closing.usage = Usage::new(0, 0, 65, 0).unwrap(),
            "usage",
        ),
        (|receipt| receipt.closing.outcome = Outcome::Cancelled, "outcome"),
        (
            |receipt| receipt.closing.started = NOW + 600,
            "life of the sealing key",
        ),
        (|receipt| receipt.closing.ended = NOW, "time"),
    ];
    for (lie, field) in lies {
        let mut receipt = receipt.clone();
        lie(&mut receipt);
        assert_eq!(
            receipt.disagrees(head.head(), &worker.public, &right),
            Some(field)
        );
    }
    let mut above = receipt.clone();
    above.closing.usage = Usage::new(0, 0, 65, 0).unwrap();
    let lenient = Expected {
        completion: None,
        ..right
    };
    assert_eq!(
        above.disagrees(head.head(), &worker.public, &lenient),
        Some("token limit")
    );
}

#[test]
fn one_signature_serves_a_batch() {
    let key = SigningKey::from_seed(&[3; 32]).unwrap();
    let mut batch = Batch::default();
    assert!(batch.sign(Role::Worker, &key, NOW).is_empty());
    for n in 0..Batch::MAX {
        assert_eq!(batch.push(digest_of(&n.to_string())), Ok(n));
    }
    assert_eq!(batch.push(digest_of("more")), Err(digest_of("more")));
    let signed = batch.sign(Role::Worker, &key, NOW);
    assert!(batch.is_empty());
    for (n, one) in signed.iter().enumerate() {
        let bytes = one.encode();
        assert!(bytes.len() <= Countersign::MAX_BYTES);
        let read = Countersign::decode(&bytes).unwrap();
        assert_eq!(&read, one);
        assert!(read.covers(digest_of(&n.to_string())) && read.same_batch(&signed[0]));
        assert!(!read.covers(digest_of("other")));
    }
    assert!(signed[0].is_signed());
    let mut other = batch_of_one(&key);
    assert!(!other.same_batch(&signed[0]));
    other.signed_at += 1;
    assert!(!other.is_signed());
}

fn batch_of_one(key: &SigningKey) -> Countersign {
    let mut batch = Batch::default();
    batch.push(digest_of("one")).unwrap();
    assert_eq!(batch.len(), 1);
    batch.sign(Role::Worker, key, NOW).remove(0)
}

#[test]
fn what_a_proxy_holds_the_worker_to() {
    let mut world = world();
    let ended = exchange(&mut world);
    let head = EncodedHead::decode(ended.opening.head.clone()).unwrap();
    let answer = AnswerHead::decode(&ended.opening.answer_head).unwrap();
    let offer = *world.offers.offer(ended.receipt.key_id).unwrap();
    assert_eq!(ended.receipt.exceeds(head.head(), &answer, &offer, 100), None);
    let lies: [(Lie, &str); 9] = [
        (|receipt| receipt.request_id.0[0] ^= 1, "request id"),
        (
            |receipt| receipt.request_hash = digest_of("other"),
            "request hash",
        ),
        (|receipt| receipt.key_id = digest_of("other"), "worker"),
        (|receipt| receipt.offer = digest_of("other"), "offer"),
        (
            |receipt| receipt.closing.statement = digest_of("other"),
            "statement",
        ),
        (|receipt| receipt.tier = Tier::Open, "tier"),
        (
            |receipt| receipt.coefficient = Coefficient::new(999).unwrap(),
            "price",
        ),
        (
            |receipt| receipt.closing.usage = Usage::new(1, 0, 65, 0).unwrap(),
            "token limit",
        ),
        (
            |receipt| receipt.closing.usage = Usage::new(357, 0, 1, 0).unwrap(),
            "prompt",
        ),
    ];
    for (lie, field) in lies {
        let mut receipt = ended.receipt.clone();
        lie(&mut receipt);
        assert_eq!(receipt.exceeds(head.head(), &answer, &offer, 100), Some(field));
    }
}

#[test]
fn a_countersign_is_checked_once_for_its_batch() {
    let world = world();
    let key = &world.workers[0].signing;
    let leaves = [digest_of("a"), digest_of("b"), digest_of("c")];
    let mut batch = Batch::default();
    leaves.iter().for_each(|leaf| assert!(batch.push(*leaf).is_ok()));
    let signed = batch.sign(Role::Worker, key, NOW);
    let mut check = CountersignCheck::new(Role::Worker, *key.public());
    for (leaf, one) in leaves.iter().zip(&signed) {
        assert_eq!(check.check(*leaf, one), Ok(()));
    }
    assert_eq!(check.check(leaves[0], &signed[1]), Err(CountersignError::Leaf));
    // The batch is known, and what was not signed with it is not.
    let mut other = signed[0].clone();
    other.signed_at += 1;
    assert_eq!(check.check(leaves[0], &other), Err(CountersignError::Signature));
    let mut proxy = CountersignCheck::new(Role::Proxy, *key.public());
    assert_eq!(proxy.check(leaves[0], &signed[0]), Err(CountersignError::Role));
    let mut stranger = CountersignCheck::new(Role::Worker, *world.proxy.public());
    assert_eq!(
        stranger.check(leaves[0], &signed[0]),
        Err(CountersignError::Signer)
    );
}

#[test]
fn the_evidence_of_a_worker_has_one_form() {
    let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
    let items = EvidenceItem::of_worker(bytes("c"), bytes("q"), Bytes::new(), bytes("g"));
    let labels: Vec<&str> = items.iter().map(|item| item.label.as_str()).collect();
    assert_eq!(labels, ["certificate", "quote", "gpu evidence"]);
    let others = EvidenceItem::of_worker(bytes("c"), bytes("q"), bytes("g"), Bytes::new());
    assert_ne!(evidence_digest(&items), evidence_digest(&others));
}
