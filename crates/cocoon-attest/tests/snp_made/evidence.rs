//! Ways in which evidence itself is bad.

use cocoon_attest::CertificateFault as Fault;
use cocoon_attest::snp::{SnpLink, SnpRefusal as Refusal, SnpTcbKind};

use crate::support::der::{IA5_STRING, number, tlv};
use crate::support::snp::{self as snp, SnpDraft, offset};
use crate::support::x509::{BASIC_CONSTRAINTS, KEY_USAGE, ListDraft, Signer};
use crate::{Case, at};

pub(crate) const FORM: &[Case] = &[
    (
        |draft, _| draft.report.truncate(1183),
        Refusal::ReportSize { got: 1183 },
    ),
    (|draft, _| draft.report.push(0), Refusal::ReportSize { got: 1185 }),
    (
        |draft, _| _ = draft.put(offset::VERSION, &[1]),
        Refusal::ReportVersion { got: 1 },
    ),
    (
        |draft, _| _ = draft.put(offset::VERSION, &[6]),
        Refusal::ReportVersion { got: 6 },
    ),
    (
        |draft, _| _ = draft.put(offset::SIGNATURE_ALGO, &[2]),
        Refusal::SignatureAlgorithm { got: 2 },
    ),
    (
        |draft, _| _ = draft.put(offset::VMPL, &[0xff; 4]),
        Refusal::AskedByHost,
    ),
    (
        |draft, _| _ = draft.put(offset::KEY_INFO, &[0b10]),
        Refusal::Unsigned,
    ),
    (
        |draft, _| _ = draft.put(offset::KEY_INFO, &[0b1_1100]),
        Refusal::Unsigned,
    ),
    (
        |draft, _| _ = draft.put(offset::KEY_INFO, &[0b1000]),
        Refusal::SigningKey { got: 2 },
    ),
    (
        |draft, _| _ = draft.put(offset::SIGNATURE + 144, &[1]),
        Refusal::SignatureForm,
    ),
    (
        |draft, _| _ = draft.put(offset::SIGNATURE + 71, &[1]),
        Refusal::SignatureForm,
    ),
];

pub(crate) const CHAIN: &[Case] = &[
    (
        |draft, _| draft.leaf.version = 1,
        at(SnpLink::Leaf, Fault::Version),
    ),
    (
        |draft, _| draft.intermediate.subject = "SEV-Rome".into(),
        Refusal::ProductLine,
    ),
    // A VCEK report under the authority for loaded keys.
    (
        |draft, _| draft.intermediate.subject = "SEV-VLEK-Genoa".into(),
        Refusal::KeyKind,
    ),
    // A report that says VLEK under the authority for chips.
    (
        |draft, _| _ = draft.put(offset::KEY_INFO, &[0b100]),
        Refusal::KeyKind,
    ),
    (
        |draft, _| draft.leaf.subject = "SEV-VLEK".into(),
        Refusal::KeyKind,
    ),
    (
        |draft, _| draft.intermediate.issuer = "ARK-Milan".into(),
        Refusal::UnknownRoot,
    ),
    (
        |draft, _| draft.leaf.issuer = "SEV-Milan".into(),
        at(SnpLink::Leaf, Fault::IssuerName),
    ),
    // A loop: the intermediate issues itself.
    (
        |draft, _| draft.intermediate.issuer = draft.intermediate.subject.clone(),
        Refusal::UnknownRoot,
    ),
    (
        |draft, _| draft.root.not_after = snp::NOW - 1,
        at(
            SnpLink::Root,
            Fault::Expired {
                not_after: snp::NOW - 1,
            },
        ),
    ),
    (
        |draft, _| draft.intermediate.not_before = snp::NOW + 1,
        at(
            SnpLink::Intermediate,
            Fault::NotYetValid {
                not_before: snp::NOW + 1,
            },
        ),
    ),
    (
        |draft, _| draft.leaf.not_after = snp::NOW - 1,
        at(
            SnpLink::Leaf,
            Fault::Expired {
                not_after: snp::NOW - 1,
            },
        ),
    ),
    (
        |draft, _| draft.intermediate.extensions.clear(),
        at(SnpLink::Intermediate, Fault::NotAnAuthority),
    ),
    (
        |draft, _| *draft.intermediate.extension(BASIC_CONSTRAINTS) = vec![0x30, 0],
        at(SnpLink::Intermediate, Fault::NotAnAuthority),
    ),
    (
        |draft, _| *draft.intermediate.extension(KEY_USAGE) = vec![0x03, 0x02, 0x07, 0x80],
        at(SnpLink::Intermediate, Fault::KeyUsage),
    ),
    (
        |draft, _| {
            draft.root.extensions.clear();
            draft.root = draft.root.clone().authority(Some(0));
        },
        at(SnpLink::Root, Fault::PathLength),
    ),
    (
        |draft, _| draft.leaf = draft.leaf.clone().authority(None),
        at(SnpLink::Leaf, Fault::IsAnAuthority),
    ),
    (
        |draft, _| draft.leaf.extensions.push((vec![0x2a, 3], true, vec![5, 0])),
        at(SnpLink::Leaf, Fault::UnknownCriticalExtension),
    ),
    (
        |draft, _| {
            let twice = draft.leaf.extensions[0].clone();
            draft.leaf.extensions.push(twice);
        },
        at(SnpLink::Leaf, Fault::Malformed("extensions")),
    ),
    (
        |draft, _| draft.leaf.extensions.push((vec![0x2a, 3], false, vec![0; 4096])),
        at(SnpLink::Leaf, Fault::TooLarge),
    ),
    // The algorithm inside is not the one outside; then an unknown one in both places.
    (
        |draft, _| draft.leaf.outer_algorithm = Some(vec![0x30, 3, 0x06, 1, 0x2a]),
        at(SnpLink::Leaf, Fault::Algorithm),
    ),
    (
        |draft, _| {
            draft.leaf.inner_algorithm = Some(vec![0x30, 3, 0x06, 1, 0x2a]);
            draft.leaf.outer_algorithm = draft.leaf.inner_algorithm.clone();
        },
        at(SnpLink::Leaf, Fault::Algorithm),
    ),
    // Keys of the wrong kind for their place.
    (
        |draft, _| draft.intermediate.key = Signer::device().public(),
        at(SnpLink::Intermediate, Fault::Key),
    ),
    (
        |draft, _| draft.leaf.key = draft.root.key.clone(),
        at(SnpLink::Leaf, Fault::Key),
    ),
    // A key that has not signed what stands under it.
    (
        |draft, _| draft.intermediate.key = draft.root.key.clone(),
        at(SnpLink::Leaf, Fault::Signature),
    ),
    (
        |draft, _| draft.root.key = draft.intermediate.key.clone(),
        at(SnpLink::Intermediate, Fault::Signature),
    ),
];

pub(crate) const REVOCATION: &[Case] = &[
    (|draft, _| draft.list = None, Refusal::RevocationListMissing),
    (
        |draft, _| list(draft).serials = vec![vec![9], vec![2, 0, 2]],
        at(SnpLink::RevocationList, Fault::Revoked),
    ),
    (
        |draft, _| list(draft).next_update = Some(snp::NOW - 1),
        at(
            SnpLink::RevocationList,
            Fault::Expired {
                not_after: snp::NOW - 1,
            },
        ),
    ),
    (
        |draft, _| list(draft).this_update = snp::NOW + 1,
        at(
            SnpLink::RevocationList,
            Fault::NotYetValid {
                not_before: snp::NOW + 1,
            },
        ),
    ),
    (
        |draft, _| list(draft).next_update = None,
        at(SnpLink::RevocationList, Fault::Malformed("revocation list")),
    ),
    (
        |draft, _| list(draft).issuer = "ARK-Milan".into(),
        at(SnpLink::RevocationList, Fault::IssuerName),
    ),
    // Named like the intermediate's, signed by the root.
    (
        |draft, _| list(draft).issuer = "SEV-Genoa".into(),
        at(SnpLink::RevocationList, Fault::Signature),
    ),
    (
        |draft, _| list(draft).extensions.push((vec![0x2a, 3], true, vec![5, 0])),
        at(SnpLink::RevocationList, Fault::UnknownCriticalExtension),
    ),
    (
        |draft, _| {
            list(draft)
                .extensions
                .push((vec![0x2a, 3], false, vec![0; 62_000]))
        },
        at(SnpLink::RevocationList, Fault::TooLarge),
    ),
];

pub(crate) const CERTIFIED: &[Case] = &[
    (
        |draft, _| *draft.leaf.extension(&snp::amd(&[2])) = tlv(IA5_STRING, &[b"Milan-B0"]),
        Refusal::ProductName,
    ),
    (
        |draft, _| draft.leaf.extension(&snp::amd(&[4]))[63] ^= 1,
        Refusal::HardwareId,
    ),
    (
        |draft, _| draft.leaf.extensions.retain(|(name, ..)| *name != snp::amd(&[4])),
        Refusal::HardwareId,
    ),
    (
        |draft, _| _ = draft.put(offset::CHIP_ID, &[0; 64]),
        Refusal::ChipIdMasked,
    ),
    (
        |draft, _| *draft.leaf.extension(&snp::amd(&[3, 8])) = number(0x54),
        Refusal::CertifiedTcb,
    ),
    (
        |draft, _| *draft.leaf.extension(&snp::amd(&[3, 4])) = number(1),
        Refusal::CertifiedTcb,
    ),
    (
        |draft, _| *draft.leaf.extension(&snp::amd(&[3, 8])) = number(0x155),
        Refusal::CertifiedTcb,
    ),
    (
        |draft, _| draft.leaf.key = Signer::device().public(),
        Refusal::ReportSignature,
    ),
];

pub(crate) const CONSISTENCY: &[Case] = &[
    (
        |draft, _| _ = draft.put(offset::CPUID, &[0x19, 0x01]),
        Refusal::Processor,
    ),
    (
        |draft, _| _ = draft.put(offset::CURRENT_TCB, &[9]),
        Refusal::Inconsistent(SnpTcbKind::Reported),
    ),
    (
        |draft, _| _ = draft.put(offset::COMMITTED_TCB, &[11]),
        Refusal::Inconsistent(SnpTcbKind::Committed),
    ),
    (
        |draft, _| _ = draft.put(offset::COMMITTED_VERSION, &[30]),
        Refusal::Inconsistent(SnpTcbKind::Committed),
    ),
    (
        |draft, _| _ = draft.put(offset::POLICY, &0x1_0133_u64.to_le_bytes()),
        Refusal::Reserved("bit 17 of the guest policy is zero"),
    ),
    (
        |draft, _| _ = draft.put(offset::AUTHOR_KEY_DIGEST, &[1]),
        Refusal::Reserved("an author key without AUTHOR_KEY_EN"),
    ),
];

fn list(draft: &mut SnpDraft) -> &mut ListDraft {
    draft.list.as_mut().expect("a good draft has one")
}
