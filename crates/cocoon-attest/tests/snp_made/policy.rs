//! Genuine evidence that the policy does not allow.

use cocoon_attest::snp::{
    SnpCpu, SnpFirmware, SnpProduct, SnpRefusal as Refusal, SnpTcb, SnpTcbKind, SnpTcbPart,
};

use crate::Case;
use crate::support::snp::{SnpDraft, offset};

const fn tcb(kind: SnpTcbKind, part: SnpTcbPart, got: u8, least: u8) -> Refusal {
    Refusal::Tcb {
        kind,
        part,
        got,
        least,
    }
}

pub(crate) const MACHINE: &[Case] = &[
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

pub(crate) const SETTINGS: &[Case] = &[
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

/// Turns a bit of a little-endian field over.
fn bit(draft: &mut SnpDraft, at: usize, bit: usize) {
    draft.report[at + bit / 8] ^= 1 << (bit % 8);
}
