//! Evidence of a made-up NVIDIA: what is good is attested, and each way to be bad has its own refusal or verdict.

mod support;

use cocoon_attest::gpu::{
    GpuFeature, GpuLink, GpuMode, GpuPolicy, GpuRefusal as Refusal, GpuRevocation, GpuShortfall as Shortfall,
    GpuVerdict, NVIDIA_DEVICE_ROOT, accelerators, verify,
};
use cocoon_attest::{Accelerators, CertificateFault as Fault};
use support::gpu::{self as gpu, GpuDraft, GpuKeys};
use support::x509::{BASIC_CONSTRAINTS, Signer};

/// A way to be bad and what is said of it.
type Bad = (fn(&mut GpuDraft), Refusal);
type Short = (fn(&mut GpuDraft, &mut GpuPolicy), Shortfall);

const fn at(number: usize, fault: Fault) -> Refusal {
    Refusal::Certificate {
        of: GpuLink::Certificate(number),
        fault,
    }
}

const fn of_list(fault: Fault) -> Refusal {
    Refusal::Certificate {
        of: GpuLink::RevocationList(0),
        fault,
    }
}

const REPORT: &[Bad] = &[
    (|draft| draft.trailer = vec![0; 17_000], Refusal::ReportTooLarge),
    (
        |draft| draft.trailer = vec![0],
        Refusal::Report("length of the vendor's fields"),
    ),
    (|draft| draft.request[0] = 0x12, Refusal::SpdmVersion),
    (|draft| draft.request[1] = 0xe1, Refusal::Report("request")),
    // No signature asked for; one measurement asked for.
    (|draft| draft.request[2] = 0, Refusal::Request),
    (|draft| draft.request[3] = 1, Refusal::Request),
    (|draft| draft.response_head[0] = 0x12, Refusal::SpdmVersion),
    (|draft| draft.response_head[1] = 0x7f, Refusal::Report("response")),
    (
        |draft| draft.block_count = Some(63),
        Refusal::Report("length of the measurement blocks"),
    ),
    (
        |draft| draft.block_count = Some(65),
        Refusal::Report("measurement block"),
    ),
    (
        |draft| draft.blocks.clear(),
        Refusal::Report("length of the measurement blocks"),
    ),
    (
        |draft| draft.blocks[3].1 = 2,
        Refusal::Report("measurement block"),
    ),
    (
        |draft| draft.blocks[3].0 = 3,
        Refusal::Twice("a measurement block"),
    ),
    (
        |draft| draft.blocks.swap(3, 4),
        Refusal::Twice("a measurement block"),
    ),
    (
        |draft| draft.fields.push((3, b"1.0".to_vec())),
        Refusal::Twice("a vendor's field"),
    ),
    (
        |draft| draft.fields.extend((1000..1064).map(|kind| (kind, Vec::new()))),
        Refusal::Report("vendor's field"),
    ),
    (|draft| draft.field(3).clear(), Refusal::Report("driver version")),
    (
        |draft| *draft.field(3) = b"580\n".to_vec(),
        Refusal::Report("driver version"),
    ),
    (
        |draft| draft.field(6).truncate(4),
        Refusal::Report("VBIOS version"),
    ),
    (
        |draft| draft.fields.push((36, vec![0; 9])),
        Refusal::Report("feature flag"),
    ),
    (|draft| draft.request[4] ^= 1, Refusal::Nonce),
    (|draft| draft.field(20)[0] ^= 1, Refusal::FirmwareId),
    (|draft| draft.field(20).truncate(47), Refusal::FirmwareId),
    (
        |draft| draft.chain[0].extensions.retain(|(name, ..)| name.len() != 6),
        Refusal::FirmwareIdForm,
    ),
];

const CHAIN: &[Bad] = &[
    (|draft| draft.chain.truncate(1), Refusal::ChainLength { got: 1 }),
    // A loop: the same authority over and over, down from the root.
    (
        |draft| draft.chain[2].issuer = draft.chain[2].subject.clone(),
        Refusal::Loop(2),
    ),
    (
        |draft| draft.chain[1].issuer = "somebody".into(),
        at(1, Fault::IssuerName),
    ),
    (|draft| draft.chain[0].version = 0, at(0, Fault::Version)),
    (
        |draft| draft.chain[1].not_after = gpu::NOW - 1,
        at(
            1,
            Fault::Expired {
                not_after: gpu::NOW - 1,
            },
        ),
    ),
    (
        |draft| draft.chain[4].not_before = gpu::NOW + 1,
        at(
            4,
            Fault::NotYetValid {
                not_before: gpu::NOW + 1,
            },
        ),
    ),
    (
        |draft| draft.chain[1].extensions.clear(),
        at(1, Fault::NotAnAuthority),
    ),
    (
        |draft| *draft.chain[3].extension(BASIC_CONSTRAINTS) = vec![0x30, 6, 1, 1, 0xff, 2, 1, 1],
        at(3, Fault::PathLength),
    ),
    (
        |draft| {
            draft.chain[0].extensions.remove(0);
            draft.chain[0] = draft.chain[0].clone().authority(None);
        },
        at(0, Fault::IsAnAuthority),
    ),
    (
        |draft| draft.chain[2].extensions.push((vec![0x2a, 3], true, vec![5, 0])),
        at(2, Fault::UnknownCriticalExtension),
    ),
    (
        |draft| {
            draft.chain[2]
                .extensions
                .push((vec![0x2a, 3], false, vec![0; 4096]))
        },
        at(2, Fault::TooLarge),
    ),
    (
        |draft| draft.chain[1].outer_algorithm = Some(vec![0x30, 3, 0x06, 1, 0x2a]),
        at(1, Fault::Algorithm),
    ),
    (
        |draft| draft.chain[1].key = Signer::ecdsa().public(),
        at(0, Fault::Signature),
    ),
    (
        |draft| draft.chain[0].key = Signer::device().public(),
        Refusal::ReportSignature,
    ),
];

const LISTS: &[Bad] = &[
    (
        |draft| draft.lists[0].1.serials = vec![vec![0x13]],
        of_list(Fault::Revoked),
    ),
    (
        |draft| draft.lists[0].1.next_update = Some(gpu::NOW - 1),
        of_list(Fault::Expired {
            not_after: gpu::NOW - 1,
        }),
    ),
    (
        |draft| draft.lists[0].1.issuer = "somebody".into(),
        of_list(Fault::IssuerName),
    ),
    (|draft| draft.lists[0].0 = 2, of_list(Fault::Signature)),
    (
        |draft| draft.lists = vec![draft.lists[0].clone(); 5],
        Refusal::RevocationLists,
    ),
];

const SHORT: &[Short] = &[
    (|_, policy| policy.drivers.clear(), Shortfall::Driver),
    (
        |draft, _| *draft.field(3) = b"580.95.06".to_vec(),
        Shortfall::Driver,
    ),
    (|draft, _| draft.field(6)[4] = 2, Shortfall::Firmware),
    (
        |_, policy| policy.drivers[0].measurements.clear(),
        Shortfall::NoReferenceValues,
    ),
    (
        |_, policy| policy.firmwares[0].measurements.clear(),
        Shortfall::NoReferenceValues,
    ),
    (
        |_, policy| policy.firmwares[0].measurements[1].index = 7,
        Shortfall::Conflict(7),
    ),
    (|draft, _| *draft.field(11) = vec![0], Shortfall::Decoder),
    (|draft, _| draft.blocks[1].2[0] ^= 1, Shortfall::Measurement(1)),
    (
        |draft, _| draft.blocks[2].2.truncate(32),
        Shortfall::Measurement(2),
    ),
    (|draft, _| draft.blocks[35].2[0] ^= 1, Shortfall::Measurement(35)),
    (
        |_, policy| policy.firmwares[0].measurements[1].index = 64,
        Shortfall::Measurement(64),
    ),
    (
        |_, policy| policy.firmwares[0].measurements[1].allowed.clear(),
        Shortfall::Measurement(2),
    ),
    (|draft, _| *draft.field(21) = vec![0xaa], Shortfall::ProtectedPcie),
    (
        |draft, _| draft.fields.push((36, vec![2])),
        Shortfall::ProtectedPcie,
    ),
    (|draft, _| draft.fields.push((36, vec![9])), Shortfall::Feature),
    (|draft, _| draft.mode = GpuMode::Unknown, Shortfall::ModeUnknown),
    (|draft, _| draft.mode = GpuMode::Off, Shortfall::ModeOff),
    (|draft, _| draft.mode = GpuMode::DevTools, Shortfall::DevTools),
    (
        |draft, policy| {
            draft.lists.pop();
            policy.require_revocation = true;
        },
        Shortfall::Revocation,
    ),
];

#[test]
fn every_way_to_be_bad_has_its_refusal() {
    let keys = GpuKeys::generate();
    for (number, (change, refusal)) in [REPORT, CHAIN, LISTS].into_iter().flatten().enumerate() {
        let mut draft = GpuDraft::good(&keys);
        change(&mut draft);
        let made = draft.make(&keys);
        assert_eq!(
            verify(&made.evidence, &gpu::NONCE, &made.root, &gpu::policy(), gpu::NOW),
            Err(*refusal),
            "case {number}"
        );
    }
}

#[test]
fn every_shortfall_has_its_name() {
    let keys = GpuKeys::generate();
    for (number, (change, shortfall)) in SHORT.iter().enumerate() {
        let (mut draft, mut policy) = (GpuDraft::good(&keys), gpu::policy());
        change(&mut draft, &mut policy);
        let made = draft.make(&keys);
        let claims = verify(&made.evidence, &gpu::NONCE, &made.root, &policy, gpu::NOW).expect("genuine");
        assert_eq!(
            claims.verdict,
            GpuVerdict::NotAttested(*shortfall),
            "case {number}"
        );
    }
}

#[test]
fn what_is_good_is_attested() {
    let keys = GpuKeys::generate();
    let mut strict = gpu::policy();
    strict.require_revocation = true;
    let good = GpuDraft::good(&keys);
    let judge = |draft: &GpuDraft, policy: &GpuPolicy| {
        let made = draft.make(&keys);
        verify(&made.evidence, &gpu::NONCE, &made.root, policy, gpu::NOW).expect("genuine")
    };
    let claims = judge(&good, &strict);
    assert_eq!(claims.verdict, GpuVerdict::Attested);
    assert_eq!(claims.revocation, GpuRevocation::Judged);
    assert_eq!(claims.expires_at, gpu::LIST_VALIDITY.end);
    assert_eq!(claims.model, "DEV GH100 BROM");
    // A decoder that is off measures nothing.
    let mut without_decoder = good.clone();
    *without_decoder.field(11) = vec![0x55];
    without_decoder.blocks[35].2[0] ^= 1;
    assert_eq!(judge(&without_decoder, &strict).verdict, GpuVerdict::Attested);
    // Blackwell's form of the firmware id, and its feature flag.
    let mut blackwell = good.clone();
    blackwell.with_tcb_info().fields.push((36, vec![1, 0, 0, 0]));
    let claims = judge(&blackwell, &strict);
    assert_eq!(claims.verdict, GpuVerdict::Attested);
    assert_eq!(claims.feature, Some(GpuFeature::MultiPassThrough));
    // Lists are optional by default, and the claims say how far they went.
    let mut partly = good.clone();
    partly.lists.pop();
    assert_eq!(judge(&partly, &gpu::policy()).revocation, GpuRevocation::Partly);
    partly.lists.clear();
    let claims = judge(&partly, &gpu::policy());
    assert_eq!(claims.verdict, GpuVerdict::Attested);
    assert_eq!(claims.revocation, GpuRevocation::NotJudged);
    assert_eq!(claims.expires_at, gpu::VALIDITY.end);
}

#[test]
fn gpus_of_one_machine_count_together() {
    let (one, other) = (GpuKeys::generate(), GpuKeys::generate());
    let claims = |keys: &GpuKeys, mode: GpuMode| {
        let mut draft = GpuDraft::good(keys);
        draft.mode = mode;
        let made = draft.make(keys);
        verify(&made.evidence, &gpu::NONCE, &made.root, &gpu::policy(), gpu::NOW).expect("genuine")
    };
    let good = [&one, &other].map(|keys| claims(keys, GpuMode::Confidential));
    assert_eq!(accelerators(&good), Accelerators::Attested);
    assert_eq!(accelerators(&[]), Accelerators::NotAttested);
    let twice = [good[0].clone(), good[0].clone()];
    assert_eq!(
        accelerators(&twice),
        Accelerators::NotAttested,
        "one GPU shown twice"
    );
    let mixed = [good[0].clone(), claims(&other, GpuMode::Off)];
    assert_eq!(accelerators(&mixed), Accelerators::NotAttested);
}

#[test]
fn a_development_root_is_not_nvidia() {
    let keys = GpuKeys::generate();
    let made = GpuDraft::good(&keys).make(&keys);
    assert_eq!(
        verify(
            &made.evidence,
            &gpu::NONCE,
            NVIDIA_DEVICE_ROOT,
            &gpu::policy(),
            gpu::NOW
        ),
        Err(Refusal::UnknownRoot)
    );
    // A made-up chain under the real root's bytes does not help.
    let mut forged = made.evidence.clone();
    *forged.chain.last_mut().expect("a chain") = NVIDIA_DEVICE_ROOT.to_vec();
    assert_eq!(
        verify(&forged, &gpu::NONCE, NVIDIA_DEVICE_ROOT, &gpu::policy(), gpu::NOW),
        Err(at(3, Fault::IssuerName))
    );
}
