//! Evidence of a GPU that does not exist.

use cocoon_attest::gpu::{GpuEvidence, GpuMode, GpuPolicy, GpuReference, GpuReferenceValue};

use super::der::{self, number, seq, tlv};
use super::x509::{CertificateDraft, KEY_USAGE, ListDraft, Signer};

pub const VALIDITY: std::ops::Range<u64> = 1_700_000_000..1_900_000_000;
pub const NOW: u64 = 1_795_000_000;
pub const LIST_VALIDITY: std::ops::Range<u64> = 1_794_000_000..1_796_600_000;
pub const NONCE: [u8; 32] = [0x4e; 32];
pub const DRIVER: &str = "580.95.05";
pub const FIRMWARE: &str = "96.00.9f.00.01";
pub const FIRMWARE_ID: [u8; 48] = [0xf1; 48];

/// Names of the chain, key first.
const NAMES: [&str; 5] = [
    "DEV GH100 FMC",
    "DEV GH100 BROM",
    "DEV GH100 Provisioner",
    "DEV GH100 Identity",
    "DEV Device Identity CA",
];
const DEVICE_ID: [u8; 6] = [0x67, 0x81, 0x05, 0x05, 0x04, 0x01];
const TCB_INFO: [u8; 7] = [0x67, 0x81, 0x05, 0x05, 0x04, 0x01, 0x01];
const DISTRIBUTION_POINTS: [u8; 3] = [0x55, 0x1d, 0x1f];

/// The keys of a made-up NVIDIA and of one of its GPUs, in the order of the chain.
pub struct GpuKeys(pub Vec<Signer>);

/// Everything that goes into evidence, before it is signed.
#[derive(Clone)]
pub struct GpuDraft {
    /// Key first, root last.
    pub chain: Vec<CertificateDraft>,
    pub request: Vec<u8>,
    /// Version, code, parameters.
    pub response_head: [u8; 4],
    /// Index, form, value.
    pub blocks: Vec<(u8, u8, Vec<u8>)>,
    /// How many blocks the head speaks of, when that is not the truth.
    pub block_count: Option<u8>,
    /// Type, value.
    pub fields: Vec<(u16, Vec<u8>)>,
    /// Bytes behind the fields that no length counts.
    pub trailer: Vec<u8>,
    /// Lists, each with the place of its signer in the chain.
    pub lists: Vec<(usize, ListDraft)>,
    pub mode: GpuMode,
}

/// Finished evidence.
pub struct GpuMade {
    pub evidence: GpuEvidence,
    pub root: Vec<u8>,
}

impl GpuKeys {
    pub fn generate() -> Self {
        let authorities = (1..NAMES.len()).map(|_| Signer::ecdsa());
        Self(std::iter::once(Signer::device()).chain(authorities).collect())
    }
}

impl GpuDraft {
    /// A Hopper GPU with nothing wrong.
    pub fn good(keys: &GpuKeys) -> Self {
        let mut chain: Vec<CertificateDraft> = NAMES
            .iter()
            .zip(&keys.0)
            .map(|(name, key)| CertificateDraft::new(name, key, VALIDITY))
            .collect();
        for at in 0..chain.len() {
            chain[at].serial = vec![0x10 + u8::try_from(at).expect("small")];
            let issuer = NAMES[(at + 1).min(NAMES.len() - 1)];
            chain[at].issuer = issuer.to_owned();
            if at > 0 {
                chain[at] = chain[at].clone().authority(None);
            }
        }
        // As NVIDIA does: the two that its services certified say where the lists are.
        for at in [2, 3] {
            let point = (DISTRIBUTION_POINTS.to_vec(), false, seq(&[]));
            chain[at].extensions.push(point);
        }
        let usage = (KEY_USAGE.to_vec(), true, vec![0x03, 0x02, 0x07, 0x80]);
        chain[0].extensions.push(usage);
        chain[0]
            .extensions
            .push((DEVICE_ID.to_vec(), false, device_id(&keys.0[0])));
        Self {
            chain,
            request: [&[0x11, 0xe0, 0x01, 0xff][..], &NONCE, &[0]].concat(),
            response_head: [0x11, 0x60, 0, 0],
            blocks: (1..=64)
                .map(|index| (index, 1, measurement(index - 1).to_vec()))
                .collect(),
            block_count: None,
            fields: vec![
                (6, vec![0x00, 0x9f, 0x00, 0x96, 0x01, 0, 0, 0]),
                (3, [DRIVER.as_bytes(), &[0]].concat()),
                (11, vec![0xaa]),
                (20, FIRMWARE_ID.to_vec()),
                (21, vec![0x55]),
                (250, vec![1, 2, 3]),
            ],
            trailer: Vec::new(),
            lists: vec![
                (4, ListDraft::new(NAMES[4], LIST_VALIDITY)),
                (3, ListDraft::new(NAMES[3], LIST_VALIDITY)),
            ],
            mode: GpuMode::Confidential,
        }
    }

    /// A vendor's field, for a test to change.
    pub fn field(&mut self, kind: u16) -> &mut Vec<u8> {
        let found = self.fields.iter_mut().find(|(other, _)| *other == kind);
        &mut found.expect("it is there").1
    }

    /// Names the firmware id as Blackwell does, beside that of a later stage.
    pub fn with_tcb_info(&mut self) -> &mut Self {
        let ids = [firmware_id(&FIRMWARE_ID), firmware_id(&[0; 48])].concat();
        let info = seq(&[
            &tlv(0x80, &[b"NVIDIA"]),
            &tlv(0x83, &[&[1]]),
            &tlv(0xa6, &[&ids]),
            &tlv(0x87, &[&[0]]),
        ]);
        self.chain[0].extensions.retain(|(name, ..)| *name != DEVICE_ID);
        self.chain[0].extensions.push((TCB_INFO.to_vec(), false, info));
        self
    }

    pub fn make(&self, keys: &GpuKeys) -> GpuMade {
        let certificate = |at: usize| {
            let signer = &keys.0[(at + 1).min(keys.0.len() - 1)];
            self.chain[at].sign(signer)
        };
        let chain: Vec<Vec<u8>> = (0..self.chain.len()).map(certificate).collect();
        let lists = self.lists.iter().map(|(at, list)| list.sign(&keys.0[*at]));
        let mut report = self.signed();
        report.extend(keys.0[0].sign(&report));
        GpuMade {
            root: chain.last().cloned().unwrap_or_default(),
            evidence: GpuEvidence {
                report,
                chain,
                revocation_lists: lists.collect(),
                mode: self.mode,
            },
        }
    }

    fn signed(&self) -> Vec<u8> {
        let short = |length: usize| u16::try_from(length).expect("short").to_le_bytes();
        let mut record = Vec::new();
        for (index, form, value) in &self.blocks {
            record.extend([*index, *form]);
            record.extend(short(value.len() + 3));
            record.push(1);
            record.extend(short(value.len()));
            record.extend(value);
        }
        let mut fields = Vec::new();
        for (kind, value) in &self.fields {
            fields.extend(kind.to_le_bytes());
            fields.extend(short(value.len()));
            fields.extend(value);
        }
        let count = u8::try_from(self.blocks.len()).expect("few");
        let mut out = self.request.clone();
        out.extend(self.response_head);
        out.push(self.block_count.unwrap_or(count));
        out.extend(&u32::try_from(record.len()).expect("short").to_le_bytes()[..3]);
        out.extend(record);
        out.extend([0x52; 32]);
        out.extend(short(fields.len()));
        out.extend(fields);
        out.extend(&self.trailer);
        out
    }
}

/// What the made-up GPU measures.
pub const fn measurement(index: u8) -> [u8; 48] {
    [index ^ 0x80; 48]
}

/// Allows the made-up GPU: the driver stands for measurements 7 and 35, the firmware for 1 and 2.
pub fn policy() -> GpuPolicy {
    let reference = |version: &str, indices: &[u8]| GpuReference {
        version: version.to_owned(),
        measurements: indices
            .iter()
            .map(|&index| GpuReferenceValue {
                index,
                allowed: vec![[0; 48], measurement(index)],
            })
            .collect(),
    };
    GpuPolicy {
        drivers: vec![reference(DRIVER, &[7, 35])],
        firmwares: vec![reference(FIRMWARE, &[1, 2])],
        ..GpuPolicy::default()
    }
}

fn device_id(key: &Signer) -> Vec<u8> {
    seq(&[&number(1), &key.public(), &firmware_id(&FIRMWARE_ID)])
}

fn firmware_id(id: &[u8; 48]) -> Vec<u8> {
    let sha384 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
    seq(&[&tlv(der::OID, &[&sha384]), &tlv(der::OCTET_STRING, &[id])])
}
