use super::GpuRefusal;

mod opaque;

use opaque::{Field, Fields};

/// An H100's report has 4117 bytes, one of several megabytes is none.
pub const MAX_GPU_REPORT_BYTES: usize = 16 * 1024;

/// The request stands in front: version, code, two parameters, nonce, slot.
const REQUEST_BYTES: usize = 37;
/// r and s of P-384.
const SIGNATURE_BYTES: usize = 96;

const SPDM_1_1: u8 = 0x11;
const GET_MEASUREMENTS: u8 = 0xe0;
const MEASUREMENTS: u8 = 0x60;
/// First parameter of the request: a signature is wanted.
const SIGNED: u8 = 0x01;
/// Second parameter of the request: all measurements are wanted, so none can be held back.
const ALL: u8 = 0xff;
/// A block is in DMTF's form.
const DMTF: u8 = 0x01;

/// How a byte of the report says yes and no. Everything else is neither.
pub(super) const YES: u8 = 0xaa;
pub(super) const NO: u8 = 0x55;

/// What a GPU that signs a feature flag is set up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GpuFeature {
    /// One GPU passed through to one guest.
    SinglePassThrough,
    /// Several GPUs passed through to one guest.
    MultiPassThrough,
    /// Protected PCIe: the links between GPUs are not encrypted.
    ProtectedPcie,
    /// A value that is not known here.
    Unknown(u64),
}

/// The fields of a report whose form is right. Nothing about it is verified.
#[derive(Clone, Debug)]
pub(super) struct Report<'a> {
    pub(super) nonce: &'a [u8; 32],
    /// By index, from 0. Blocks in the report count from 1.
    pub(super) measurements: Vec<&'a [u8]>,
    pub(super) driver: &'a str,
    pub(super) firmware: String,
    pub(super) firmware_id: Option<&'a [u8]>,
    pub(super) feature: Option<GpuFeature>,
    pub(super) protected_pcie: bool,
    /// Status byte of the first video decoder, which decides whether its measurement counts.
    pub(super) decoder: Option<u8>,
    pub(super) signed: &'a [u8],
    pub(super) signature: &'a [u8],
}

// === impl Report ===

impl<'a> Report<'a> {
    /// Step 1.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, GpuRefusal> {
        if bytes.len() > MAX_GPU_REPORT_BYTES {
            return Err(GpuRefusal::ReportTooLarge);
        }
        let unsigned = bytes
            .len()
            .checked_sub(SIGNATURE_BYTES)
            .ok_or(GpuRefusal::Report("signature"))?;
        let (signed, signature) = bytes
            .split_at_checked(unsigned)
            .ok_or(GpuRefusal::Report("signature"))?;
        let (request, response) = signed
            .split_first_chunk::<REQUEST_BYTES>()
            .ok_or(GpuRefusal::Report("request"))?;
        let nonce = request_nonce(request)?;
        let (blocks, opaque) = response_parts(response)?;
        let fields = Fields::parse(opaque)?;
        Ok(Self {
            nonce,
            measurements: blocks,
            driver: fields.text(Field::DriverVersion)?,
            firmware: opaque::vbios_version(fields.get(Field::VbiosVersion))?,
            firmware_id: fields.get(Field::FirmwareId),
            feature: feature(&fields)?,
            protected_pcie: fields.get(Field::ProtectedPcie) == Some(&[YES]),
            decoder: match fields.get(Field::DecoderStatus) {
                Some([status]) => Some(*status),
                _ => None,
            },
            signed,
            signature,
        })
    }
}

fn request_nonce(request: &[u8; REQUEST_BYTES]) -> Result<&[u8; 32], GpuRefusal> {
    match request.split_first_chunk() {
        Some(([SPDM_1_1, GET_MEASUREMENTS, SIGNED, ALL], rest)) => {
            // What is left is the slot of the key, which the chain answers for.
            let (nonce, _slot) = rest.split_first_chunk().ok_or(GpuRefusal::Report("request"))?;
            Ok(nonce)
        }
        Some(([SPDM_1_1, GET_MEASUREMENTS, ..], _)) => Err(GpuRefusal::Request),
        Some(([SPDM_1_1, ..], _)) => Err(GpuRefusal::Report("request")),
        _ => Err(GpuRefusal::SpdmVersion),
    }
}

/// The values of the measurement blocks and the vendor's fields.
fn response_parts(response: &[u8]) -> Result<(Vec<&[u8]>, &[u8]), GpuRefusal> {
    let cut = GpuRefusal::Report("response");
    let (head, rest) = response.split_first_chunk::<8>().ok_or(cut)?;
    let [SPDM_1_1, code, _, _, count, l0, l1, l2] = *head else {
        return Err(GpuRefusal::SpdmVersion);
    };
    if code != MEASUREMENTS {
        return Err(cut);
    }
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, 0])).map_err(|_| cut)?;
    let (record, rest) = rest.split_at_checked(length).ok_or(cut)?;
    // The responder's nonce is its own affair: it is signed and not judged.
    let (_, rest) = rest.split_first_chunk::<32>().ok_or(cut)?;
    let (length, opaque) = rest.split_first_chunk::<2>().ok_or(cut)?;
    if opaque.len() != usize::from(u16::from_le_bytes(*length)) {
        return Err(GpuRefusal::Report("length of the vendor's fields"));
    }
    Ok((blocks(record, count)?, opaque))
}

/// Blocks: index, form, size; in them value type, value size, value.
fn blocks(mut record: &[u8], count: u8) -> Result<Vec<&[u8]>, GpuRefusal> {
    let malformed = GpuRefusal::Report("measurement block");
    let mut values = Vec::with_capacity(usize::from(count));
    for expected in 1..=count {
        let (&[index, form, s0, s1], rest) = record.split_first_chunk().ok_or(malformed)?;
        let size = usize::from(u16::from_le_bytes([s0, s1]));
        let (block, rest) = rest.split_at_checked(size).ok_or(malformed)?;
        // In order and without a gap, as every GPU sends them: nothing is left to choose between two.
        if index != expected {
            return Err(GpuRefusal::Twice("a measurement block"));
        }
        let (&[_kind, v0, v1], value) = block.split_first_chunk().ok_or(malformed)?;
        if form != DMTF || value.len() != usize::from(u16::from_le_bytes([v0, v1])) {
            return Err(malformed);
        }
        values.push(value);
        record = rest;
    }
    if record.is_empty() && !values.is_empty() {
        Ok(values)
    } else {
        Err(GpuRefusal::Report("length of the measurement blocks"))
    }
}

fn feature(fields: &Fields<'_>) -> Result<Option<GpuFeature>, GpuRefusal> {
    let Some(bytes) = fields.get(Field::Feature) else {
        return Ok(None);
    };
    let value = opaque::little_endian(bytes).ok_or(GpuRefusal::Report("feature flag"))?;
    Ok(Some(match value {
        0 => GpuFeature::SinglePassThrough,
        1 => GpuFeature::MultiPassThrough,
        2 => GpuFeature::ProtectedPcie,
        other => GpuFeature::Unknown(other),
    }))
}
