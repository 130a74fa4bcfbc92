//! SEV-SNP evidence of a made-up AMD: what is good verifies under the default policy, and each way to be bad has its own
//! refusal.

mod support;

use cocoon_attest::CertificateFault as Fault;
use cocoon_attest::snp::{
    AMD_ROOTS, SnpCpu, SnpFirmware, SnpGuestRules, SnpKeyKind, SnpLink, SnpMeasurements, SnpPlatformRules,
    SnpPolicy, SnpProduct, SnpRefusal as Refusal, SnpTcb, SnpTcbKind, SnpTcbPart, verify,
};
use support::der::{IA5_STRING, number, tlv};
use support::snp::{self as snp, SnpDraft, SnpKeys, offset};
use support::x509::{BASIC_CONSTRAINTS, KEY_USAGE, ListDraft, Signer};

/// A way to be bad and what is said of it.
type Case = (fn(&mut SnpDraft, &mut SnpPolicy), Refusal);

fn policy() -> SnpPolicy {
    SnpPolicy {
        measurements: SnpMeasurements::Listed(vec![snp::MEASUREMENT]),
        ..SnpPolicy::default()
    }
}

const fn at(of: SnpLink, fault: Fault) -> Refusal {
    Refusal::Certificate { of, fault }
}

const fn tcb(kind: SnpTcbKind, part: SnpTcbPart, got: u8, least: u8) -> Refusal {
    Refusal::Tcb {
        kind,
        part,
        got,
        least,
    }
}

const FORM: &[Case] = &[
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

const CHAIN: &[Case] = &[
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

const REVOCATION: &[Case] = &[
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

const CERTIFIED: &[Case] = &[
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

const CONSISTENCY: &[Case] = &[
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

const MACHINE: &[Case] = &[
    (
        |_, policy| policy.products.clear(),
        Refusal::Product(SnpProduct::Genoa),
    ),
    (
        |_, policy| policy.products[0].minimum.snp = 0x1a,
        tcb(SnpTcbKind::Reported, SnpTcbPart::Snp, 0x19, 0x1a),
    ),
    (
        |draft, policy| {
            policy.products[0].minimum = SnpTcb {
                bootloader: 10,
                ..SnpTcb::default()
            };
            draft.put(offset::COMMITTED_TCB, &[9]);
        },
        tcb(SnpTcbKind::Committed, SnpTcbPart::Bootloader, 9, 10),
    ),
    (
        |draft, _| _ = draft.put(offset::LAUNCH_TCB + 7, &[0x53]),
        tcb(SnpTcbKind::Launch, SnpTcbPart::Microcode, 0x53, 0x54),
    ),
    // A kind of Genoa that nobody listed; Bergamo, whose microcode counts on its own.
    (
        |draft, _| _ = draft.put(offset::CPUID, &[0x19, 0x12, 0]),
        Refusal::ProcessorNotListed(Some(SnpCpu {
            family: 0x19,
            model: 0x12,
            stepping: 0,
        })),
    ),
    (
        |draft, policy| {
            policy.products[0].microcode[3].least = 0x56;
            draft.put(offset::CPUID, &[0x19, 0xa0, 2]);
        },
        tcb(SnpTcbKind::Reported, SnpTcbPart::Microcode, 0x55, 0x56),
    ),
    (
        |draft, _| _ = draft.put(offset::COMMITTED_TCB + 7, &[0x54]),
        Refusal::ProvisionalFirmware,
    ),
    (
        |draft, _| _ = draft.put(offset::COMMITTED_VERSION, &[28]),
        Refusal::ProvisionalFirmware,
    ),
    (
        |_, policy| policy.minimum_firmware.minor = 56,
        Refusal::Firmware {
            got: SnpFirmware {
                major: 1,
                minor: 55,
                build: 29,
            },
            least: SnpFirmware {
                major: 1,
                minor: 56,
                build: 0,
            },
        },
    ),
];

const SETTINGS: &[Case] = &[
    (
        |draft, _| bit(draft, offset::POLICY, 19),
        Refusal::Guest("allows debugging"),
    ),
    (
        |draft, _| bit(draft, offset::POLICY, 18),
        Refusal::Guest("allows a migration agent"),
    ),
    (
        |draft, _| bit(draft, offset::POLICY, 21),
        Refusal::Guest("allows CXL"),
    ),
    (
        |_, policy| policy.guest.allow_smt = false,
        Refusal::Guest("allows SMT"),
    ),
    (
        |_, policy| policy.guest.require_single_socket = true,
        Refusal::Guest("allows more than one socket"),
    ),
    (
        |_, policy| policy.guest.require_aes_256 = true,
        Refusal::Guest("does not ask for AES-256"),
    ),
    (
        |_, policy| policy.guest.require_rapl_disabled = true,
        Refusal::Guest("does not ask for RAPL to be off"),
    ),
    (
        |_, policy| policy.guest.require_ciphertext_hiding = true,
        Refusal::Guest("does not ask for ciphertext hiding"),
    ),
    (
        |_, policy| policy.guest.require_page_swap_disabled = true,
        Refusal::Guest("allows pages to be swapped"),
    ),
    (
        |_, policy| policy.guest.minimum_abi = (1, 52),
        Refusal::Guest("asks for too old an ABI"),
    ),
    (
        |_, policy| policy.platform.allow_smt = false,
        Refusal::Platform("has SMT on"),
    ),
    (
        |_, policy| policy.platform.require_tsme = true,
        Refusal::Platform("does not encrypt all memory (TSME)"),
    ),
    (
        |draft, policy| {
            policy.platform.require_ecc = true;
            bit(draft, offset::PLATFORM_INFO, 2);
        },
        Refusal::Platform("has memory without ECC"),
    ),
    (
        |_, policy| policy.platform.require_rapl_disabled = true,
        Refusal::Platform("has RAPL on"),
    ),
    (
        |_, policy| policy.platform.require_ciphertext_hiding = true,
        Refusal::Platform("does not hide ciphertext"),
    ),
    (
        |draft, _| bit(draft, offset::PLATFORM_INFO, 5),
        Refusal::Platform("has not checked its memory for aliases"),
    ),
    (
        |draft, _| _ = draft.put(offset::VMPL, &[1]),
        Refusal::Vmpl { got: 1, most: 0 },
    ),
    (
        |_, policy| policy.minimum_guest_svn = 1,
        Refusal::GuestSvn { got: 0, least: 1 },
    ),
    (|_, policy| policy.id_keys = Some(vec![[1; 48]]), Refusal::IdKey),
    (
        |_, policy| policy.author_keys = Some(Vec::new()),
        Refusal::AuthorKey,
    ),
    (
        |draft, _| _ = draft.put(offset::MEASUREMENT, &[0]),
        Refusal::Measurement,
    ),
    (|_, policy| policy.host_data = Some([1; 32]), Refusal::HostData),
    (
        |_, policy| policy.report_data = Some([1; 64]),
        Refusal::ReportData,
    ),
];

fn list(draft: &mut SnpDraft) -> &mut ListDraft {
    draft.list.as_mut().expect("a good draft has one")
}

/// Turns a bit of a little-endian field over.
fn bit(draft: &mut SnpDraft, at: usize, bit: usize) {
    draft.report[at + bit / 8] ^= 1 << (bit % 8);
}

/// Each case of the tables must end in its refusal.
fn refuses(tables: &[&[Case]]) {
    let keys = SnpKeys::new();
    for (number, (change, refusal)) in tables.iter().copied().flatten().enumerate() {
        let (mut draft, mut policy) = (SnpDraft::good(&keys), policy());
        change(&mut draft, &mut policy);
        let made = draft.make(&keys);
        assert_eq!(
            verify(&made.report, &made.chain, &[&made.root], &policy, snp::NOW),
            Err(*refusal),
            "case {number}"
        );
    }
}

#[test]
fn bad_reports_have_their_refusals() {
    refuses(&[FORM, CONSISTENCY]);
}

#[test]
fn bad_chains_have_their_refusals() {
    refuses(&[CHAIN, CERTIFIED]);
}

#[test]
fn bad_revocation_lists_have_their_refusals() {
    refuses(&[REVOCATION]);
}

#[test]
fn what_the_policy_forbids_has_its_refusal() {
    refuses(&[MACHINE, SETTINGS]);
}

#[test]
fn what_is_good_is_accepted() {
    let keys = SnpKeys::new();
    let made = SnpDraft::good(&keys).make(&keys);
    let mut strict = policy();
    strict.report_data = Some(snp::REPORT_DATA);
    let claims = verify(&made.report, &made.chain, &[&made.root], &strict, snp::NOW).expect("good");
    assert_eq!(claims.key_kind, SnpKeyKind::Vcek);
    assert_eq!(
        claims.expires_at,
        snp::LIST_VALIDITY.end,
        "the list ends before the certificates"
    );
    assert!(claims.revocation_judged);
    // AMD's own roots do not know this AMD: its names are plain, AMD's have six parts.
    assert_eq!(
        verify(&made.report, &made.chain, &AMD_ROOTS, &strict, snp::NOW),
        Err(Refusal::UnknownRoot)
    );
}

/// A provider's key has no chip in it and is accepted only by name.
#[test]
fn loaded_keys_are_accepted_only_by_name() {
    let keys = &SnpKeys::new();
    let mut draft = SnpDraft::good(keys);
    draft.put(offset::KEY_INFO, &[0b100]);
    draft.intermediate.subject = "SEV-VLEK-Genoa".into();
    draft.leaf.issuer = "SEV-VLEK-Genoa".into();
    draft.leaf.subject = "SEV-VLEK".into();
    draft.leaf.extensions.retain(|(name, ..)| *name != snp::amd(&[4]));
    let made = draft.make(keys);
    let ask = |policy: &SnpPolicy| verify(&made.report, &made.chain, &[&made.root], policy, snp::NOW);
    assert_eq!(ask(&policy()), Err(Refusal::LoadedKey));
    let mut by_name = policy();
    by_name.allow_vlek = true;
    let claims = ask(&by_name).expect("allowed");
    assert_eq!((claims.key_kind, claims.chip_id), (SnpKeyKind::Vlek, None));
}

/// The intermediate's list counts too, but does not stand in for the root's.
#[test]
fn both_authorities_may_have_lists() {
    let keys = &SnpKeys::new();
    let draft = SnpDraft::good(keys);
    let mut of_intermediate = ListDraft::new("SEV-Genoa", snp::LIST_VALIDITY);
    let made = draft.make(keys);
    let ask = |lists: Vec<Vec<u8>>| {
        let mut chain = made.chain.clone();
        chain.revocation_lists = lists;
        verify(&made.report, &chain, &[&made.root], &policy(), snp::NOW).map(|claims| claims.expires_at)
    };
    let [of_root] = &made.chain.revocation_lists[..] else {
        panic!("one list");
    };
    of_intermediate.next_update = Some(snp::NOW + 5);
    let good = of_intermediate.sign(&keys.intermediate);
    assert_eq!(ask(vec![good.clone()]), Err(Refusal::RevocationListMissing));
    assert_eq!(ask(vec![of_root.clone(), good.clone()]), Ok(snp::NOW + 5));
    assert_eq!(
        ask(vec![of_root.clone(), good.clone(), good]),
        Err(Refusal::RevocationLists)
    );
    of_intermediate.serials = vec![vec![0]];
    let bad = of_intermediate.sign(&keys.intermediate);
    assert_eq!(
        ask(vec![of_root.clone(), bad]),
        Err(at(SnpLink::RevocationList, Fault::Revoked))
    );
}

#[test]
fn defaults_are_as_documented() {
    let policy = SnpPolicy::default();
    assert!(
        policy
            .products
            .iter()
            .all(|rule| rule.product != SnpProduct::Milan)
    );
    assert_eq!(policy.measurements, SnpMeasurements::Listed(Vec::new()));
    assert!(policy.require_revocation_list && !policy.allow_vlek);
    assert!(!SnpGuestRules::default().allow_debug && SnpPlatformRules::default().require_alias_check);
}
