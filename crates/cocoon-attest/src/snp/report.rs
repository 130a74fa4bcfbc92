use super::policy::{SnpGuestPolicy, SnpPlatform};
use super::product::SnpCpu;
use super::refusal::SnpRefusal;

/// Size of an attestation report (SEV-SNP ABI 56860, table "ATTESTATION_REPORT").
pub const SNP_REPORT_BYTES: usize = 1184;

/// The signature covers everything before itself.
const SIGNED_BYTES: usize = 0x2a0;

/// r and s are little-endian in 72 bytes each; 48 are enough for P-384.
const SCALAR_BYTES: usize = 72;

/// SIGNATURE_ALGO: ECDSA P-384 with SHA-384, the only one there is.
const ECDSA_P384_SHA384: u32 = 1;

/// First report version that says which processor it comes from (CPUID_FAM_ID, CPUID_MOD_ID, CPUID_STEP).
const FIRST_WITH_CPUID: u32 = 3;

/// VMPL of a report that the host asked for, not the guest.
const ASKED_BY_HOST: u32 = u32::MAX;

/// Which key the report says that it is signed with (KEY_INFO, SIGNING_KEY).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnpKeyKind {
    /// Versioned Chip Endorsement Key: derived from a secret of this chip and its firmware's version.
    Vcek,
    /// Versioned Loaded Endorsement Key: given by AMD to a cloud provider for all its chips.
    Vlek,
}

/// A firmware version: major, minor, build; compared in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnpFirmware {
    /// Major version of the ABI that it speaks.
    pub major: u8,
    /// Minor version of the ABI that it speaks.
    pub minor: u8,
    /// Build.
    pub build: u8,
}

/// The fields of a report whose form is right. Nothing about it is verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report<'a> {
    pub(super) guest_svn: u32,
    pub(super) guest_policy: SnpGuestPolicy,
    pub(super) family_id: [u8; 16],
    pub(super) image_id: [u8; 16],
    pub(super) vmpl: u32,
    pub(super) platform: SnpPlatform,
    pub(super) key_kind: SnpKeyKind,
    pub(super) has_author_key: bool,
    pub(super) report_data: &'a [u8; 64],
    pub(super) measurement: &'a [u8; 48],
    pub(super) host_data: &'a [u8; 32],
    pub(super) id_key_digest: &'a [u8; 48],
    pub(super) author_key_digest: &'a [u8; 48],
    /// When the version has it.
    pub(super) cpu: Option<SnpCpu>,
    pub(super) chip_id: &'a [u8; 64],
    pub(super) current_tcb: [u8; 8],
    pub(super) reported_tcb: [u8; 8],
    pub(super) committed_tcb: [u8; 8],
    pub(super) launch_tcb: [u8; 8],
    pub(super) current_firmware: SnpFirmware,
    pub(super) committed_firmware: SnpFirmware,
    pub(super) signed: &'a [u8],
    /// r and s, 48 bytes each, big-endian.
    pub(super) signature: [u8; 96],
}

// === impl Report ===

impl<'a> Report<'a> {
    /// Step 1: what can be said of the bytes alone.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, SnpRefusal> {
        let size = SnpRefusal::ReportSize { got: bytes.len() };
        let bytes: &[u8; SNP_REPORT_BYTES] = bytes.try_into().map_err(|_| size)?;
        // The offsets below lie within the size, so the error is never seen.
        let number = |offset| {
            field(bytes, offset)
                .map(|raw| u32::from_le_bytes(*raw))
                .ok_or(size)
        };
        let version = number(0x000)?;
        if !(2..=5).contains(&version) {
            return Err(SnpRefusal::ReportVersion { got: version });
        }
        let algorithm = number(0x034)?;
        if algorithm != ECDSA_P384_SHA384 {
            return Err(SnpRefusal::SignatureAlgorithm { got: algorithm });
        }
        let vmpl = number(0x030)?;
        if vmpl == ASKED_BY_HOST {
            return Err(SnpRefusal::AskedByHost);
        }
        let (key_kind, has_author_key) = key_info(number(0x048)?)?;
        let [family, model, stepping] = *field(bytes, 0x188).ok_or(size)?;
        let cpu = SnpCpu {
            family,
            model,
            stepping,
        };
        let signature = bytes.get(SIGNED_BYTES..).ok_or(size)?;
        Ok(Self {
            guest_svn: number(0x004)?,
            guest_policy: SnpGuestPolicy(u64::from_le_bytes(*field(bytes, 0x008).ok_or(size)?)),
            family_id: *field(bytes, 0x010).ok_or(size)?,
            image_id: *field(bytes, 0x020).ok_or(size)?,
            vmpl,
            platform: SnpPlatform(u64::from_le_bytes(*field(bytes, 0x040).ok_or(size)?)),
            key_kind,
            has_author_key,
            report_data: field(bytes, 0x050).ok_or(size)?,
            measurement: field(bytes, 0x090).ok_or(size)?,
            host_data: field(bytes, 0x0c0).ok_or(size)?,
            id_key_digest: field(bytes, 0x0e0).ok_or(size)?,
            author_key_digest: field(bytes, 0x110).ok_or(size)?,
            cpu: (version >= FIRST_WITH_CPUID).then_some(cpu),
            chip_id: field(bytes, 0x1a0).ok_or(size)?,
            current_tcb: *field(bytes, 0x038).ok_or(size)?,
            reported_tcb: *field(bytes, 0x180).ok_or(size)?,
            committed_tcb: *field(bytes, 0x1e0).ok_or(size)?,
            launch_tcb: *field(bytes, 0x1f0).ok_or(size)?,
            current_firmware: SnpFirmware::read(*field(bytes, 0x1e8).ok_or(size)?),
            committed_firmware: SnpFirmware::read(*field(bytes, 0x1ec).ok_or(size)?),
            signed: bytes.get(..SIGNED_BYTES).ok_or(size)?,
            signature: r_and_s(signature).ok_or(SnpRefusal::SignatureForm)?,
        })
    }
}

// === impl SnpFirmware ===

impl SnpFirmware {
    const fn read([build, minor, major]: [u8; 3]) -> Self {
        Self { major, minor, build }
    }
}

fn field<const N: usize>(bytes: &[u8], offset: usize) -> Option<&[u8; N]> {
    bytes.get(offset..)?.first_chunk()
}

/// KEY_INFO: bit 0 AUTHOR_KEY_EN, bit 1 MASK_CHIP_KEY, bits 2 to 4 SIGNING_KEY.
fn key_info(bits: u32) -> Result<(SnpKeyKind, bool), SnpRefusal> {
    // With a masked key the firmware writes zeros for a signature.
    if bits & 0b10 != 0 {
        return Err(SnpRefusal::Unsigned);
    }
    let kind = match (bits >> 2) & 0b111 {
        0 => SnpKeyKind::Vcek,
        1 => SnpKeyKind::Vlek,
        7 => return Err(SnpRefusal::Unsigned),
        got => return Err(SnpRefusal::SigningKey { got }),
    };
    Ok((kind, bits & 1 != 0))
}

/// The two scalars, big-endian. What the signature's field holds beside them is zero; it is not signed, so anything else
/// there would be a place to hide something in.
fn r_and_s(field: &[u8]) -> Option<[u8; 96]> {
    let (r, rest) = field.split_first_chunk::<SCALAR_BYTES>()?;
    let (s, rest) = rest.split_first_chunk::<SCALAR_BYTES>()?;
    let (r, r_rest) = r.split_first_chunk::<48>()?;
    let (s, s_rest) = s.split_first_chunk::<48>()?;
    if [rest, r_rest, s_rest]
        .into_iter()
        .flatten()
        .any(|&byte| byte != 0)
    {
        return None;
    }
    let mut out = [0; 96];
    let big_endian = r.iter().rev().chain(s.iter().rev());
    for (to, from) in out.iter_mut().zip(big_endian) {
        *to = *from;
    }
    Some(out)
}
