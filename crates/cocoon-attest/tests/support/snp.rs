//! SEV-SNP reports of a machine that does not exist.

use cocoon_attest::snp::{SNP_REPORT_BYTES, SnpChain};

use super::der::{IA5_STRING, number, tlv};
use super::x509::{CertificateDraft, ListDraft, Signer};

/// Where the fields of a report lie (56860, table "ATTESTATION_REPORT").
pub mod offset {
    pub const VERSION: usize = 0x000;
    pub const GUEST_SVN: usize = 0x004;
    pub const POLICY: usize = 0x008;
    pub const VMPL: usize = 0x030;
    pub const SIGNATURE_ALGO: usize = 0x034;
    pub const CURRENT_TCB: usize = 0x038;
    pub const PLATFORM_INFO: usize = 0x040;
    pub const KEY_INFO: usize = 0x048;
    pub const REPORT_DATA: usize = 0x050;
    pub const MEASUREMENT: usize = 0x090;
    pub const HOST_DATA: usize = 0x0c0;
    pub const ID_KEY_DIGEST: usize = 0x0e0;
    pub const AUTHOR_KEY_DIGEST: usize = 0x110;
    pub const REPORTED_TCB: usize = 0x180;
    pub const CPUID: usize = 0x188;
    pub const CHIP_ID: usize = 0x1a0;
    pub const COMMITTED_TCB: usize = 0x1e0;
    pub const CURRENT_VERSION: usize = 0x1e8;
    pub const COMMITTED_VERSION: usize = 0x1ec;
    pub const LAUNCH_TCB: usize = 0x1f0;
    pub const SIGNATURE: usize = 0x2a0;
}

/// First and last second of every certificate; the list lives a month.
pub const VALIDITY: std::ops::Range<u64> = 1_700_000_000..1_900_000_000;
pub const NOW: u64 = 1_795_000_000;
pub const LIST_VALIDITY: std::ops::Range<u64> = 1_794_000_000..1_796_600_000;

/// Boot loader 10, TEE 0, SNP 0x19, microcode 0x55, in Genoa's order.
pub const TCB: [u8; 8] = [10, 0, 0, 0, 0, 0, 0x19, 0x55];
pub const MEASUREMENT: [u8; 48] = [0x4d; 48];
pub const REPORT_DATA: [u8; 64] = [0x44; 64];

/// The keys of a made-up AMD and of one of its chips. The first two are worth nothing: they are public, here.
pub struct SnpKeys {
    pub root: Signer,
    pub intermediate: Signer,
    pub chip: Signer,
}

/// Everything that goes into a report and its chain, before it is signed.
#[derive(Clone)]
pub struct SnpDraft {
    pub root: CertificateDraft,
    pub intermediate: CertificateDraft,
    pub leaf: CertificateDraft,
    pub list: Option<ListDraft>,
    /// The report; its signature is filled in by `make`.
    pub report: Vec<u8>,
}

/// Finished evidence.
pub struct SnpMade {
    pub report: Vec<u8>,
    pub chain: SnpChain,
    pub root: Vec<u8>,
}

impl SnpKeys {
    pub fn new() -> Self {
        Self {
            root: Signer::rsa(include_bytes!("keys/snp-root.pk8")),
            intermediate: Signer::rsa(include_bytes!("keys/snp-intermediate.pk8")),
            chip: Signer::device(),
        }
    }
}

impl SnpDraft {
    /// A Genoa machine with nothing wrong, under the default policy but for its measurement.
    pub fn good(keys: &SnpKeys) -> Self {
        let root = CertificateDraft::new("ARK-Genoa", &keys.root, VALIDITY).authority(None);
        let mut intermediate = CertificateDraft::new("SEV-Genoa", &keys.intermediate, VALIDITY)
            .issued_by(&root)
            .authority(Some(0));
        intermediate.serial = vec![2, 0, 2];
        let mut leaf = CertificateDraft::new("SEV-VCEK", &keys.chip, VALIDITY).issued_by(&intermediate);
        leaf.serial = vec![0];
        leaf.extensions = vcek_extensions();
        Self {
            list: Some(ListDraft::new(&root.subject, LIST_VALIDITY)),
            root,
            intermediate,
            leaf,
            report: good_report(),
        }
    }

    /// Puts bytes into the report.
    pub fn put(&mut self, offset: usize, bytes: &[u8]) -> &mut Self {
        self.report[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub fn make(&self, keys: &SnpKeys) -> SnpMade {
        let mut report = self.report.clone();
        let signature = keys.chip.sign(&report[..offset::SIGNATURE]);
        for (scalar, at) in signature
            .chunks(48)
            .zip([offset::SIGNATURE, offset::SIGNATURE + 72])
        {
            let little: Vec<u8> = scalar.iter().rev().copied().collect();
            report[at..at + 48].copy_from_slice(&little);
        }
        SnpMade {
            report,
            chain: SnpChain {
                leaf: self.leaf.sign(&keys.intermediate),
                intermediate: self.intermediate.sign(&keys.root),
                revocation_lists: self.list.iter().map(|list| list.sign(&keys.root)).collect(),
            },
            root: self.root.sign(&keys.root),
        }
    }
}

/// 1.3.6.1.4.1.3704.1 and what follows.
pub fn amd(rest: &[u8]) -> Vec<u8> {
    [&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01], rest].concat()
}

pub fn chip_id() -> [u8; 64] {
    std::array::from_fn(|at| u8::try_from(at).expect("small") ^ 0xa5)
}

fn vcek_extensions() -> Vec<(Vec<u8>, bool, Vec<u8>)> {
    let mut list = vec![
        (amd(&[1]), false, number(1)),
        (amd(&[2]), false, tlv(IA5_STRING, &[b"Genoa-B0"])),
        (amd(&[4]), false, chip_id().to_vec()),
    ];
    // Numbers of the levels in the order of the report's bytes.
    for (level, value) in [1, 2, 4, 5, 6, 7, 3, 8].into_iter().zip(TCB) {
        list.push((amd(&[3, level]), false, number(u64::from(value))));
    }
    list
}

fn good_report() -> Vec<u8> {
    let mut report = vec![0; SNP_REPORT_BYTES];
    let mut put = |at: usize, bytes: &[u8]| report[at..at + bytes.len()].copy_from_slice(bytes);
    put(offset::VERSION, &5_u32.to_le_bytes());
    // SMT allowed, the reserved one, ABI 1.51.
    put(offset::POLICY, &0x3_0133_u64.to_le_bytes());
    put(offset::SIGNATURE_ALGO, &1_u32.to_le_bytes());
    // SMT, ECC, alias check done.
    put(offset::PLATFORM_INFO, &0b10_0101_u64.to_le_bytes());
    put(offset::REPORT_DATA, &REPORT_DATA);
    put(offset::MEASUREMENT, &MEASUREMENT);
    for tcb in [
        offset::CURRENT_TCB,
        offset::REPORTED_TCB,
        offset::COMMITTED_TCB,
        offset::LAUNCH_TCB,
    ] {
        put(tcb, &TCB);
    }
    put(offset::CPUID, &[0x19, 0x11, 0x01]);
    put(offset::CHIP_ID, &chip_id());
    // Build 29, minor 55, major 1.
    put(offset::CURRENT_VERSION, &[29, 55, 1]);
    put(offset::COMMITTED_VERSION, &[29, 55, 1]);
    report
}
