//! The vendor's fields of a report: type, size, value, one behind the other. All are signed.

use super::GpuRefusal;

/// An H100 has fourteen.
const MAX_FIELDS: usize = 64;

/// The fields that are read. There are more: names of parts, counters, links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    DriverVersion = 3,
    VbiosVersion = 6,
    DecoderStatus = 11,
    FirmwareId = 20,
    ProtectedPcie = 21,
    Feature = 36,
}

#[derive(Clone, Debug)]
pub(super) struct Fields<'a>(Vec<(u16, &'a [u8])>);

// === impl Fields ===

impl<'a> Fields<'a> {
    pub(super) fn parse(mut bytes: &'a [u8]) -> Result<Self, GpuRefusal> {
        let malformed = GpuRefusal::Report("vendor's field");
        let mut found: Vec<(u16, &[u8])> = Vec::new();
        while !bytes.is_empty() {
            let (&[t0, t1, s0, s1], rest) = bytes.split_first_chunk().ok_or(malformed)?;
            let kind = u16::from_le_bytes([t0, t1]);
            let size = usize::from(u16::from_le_bytes([s0, s1]));
            let (value, rest) = rest.split_at_checked(size).ok_or(malformed)?;
            if found.len() >= MAX_FIELDS {
                return Err(malformed);
            }
            if found.iter().any(|&(other, _)| other == kind) {
                return Err(GpuRefusal::Twice("a vendor's field"));
            }
            found.push((kind, value));
            bytes = rest;
        }
        Ok(Self(found))
    }

    pub(super) fn get(&self, field: Field) -> Option<&'a [u8]> {
        let kind = field as u16;
        self.0
            .iter()
            .find(|&&(other, _)| other == kind)
            .map(|&(_, value)| value)
    }

    /// Printable text, filled up with zeros.
    pub(super) fn text(&self, field: Field) -> Result<&'a str, GpuRefusal> {
        let malformed = GpuRefusal::Report("driver version");
        let text = std::str::from_utf8(self.get(field).ok_or(malformed)?).map_err(|_| malformed)?;
        let text = text.trim_end_matches('\0');
        let is_plain =
            !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_plain.then_some(text).ok_or(malformed)
    }
}

/// NVIDIA writes `96.00.9f.00.01` for the eight bytes 00 9f 00 96, 01 00 00 00: a little-endian number, then its last part.
pub(super) fn vbios_version(field: Option<&[u8]>) -> Result<String, GpuRefusal> {
    match field {
        Some(&[d, c, b, a, e, _, _, _]) => Ok(format!("{a:02x}.{b:02x}.{c:02x}.{d:02x}.{e:02x}")),
        _ => Err(GpuRefusal::Report("VBIOS version")),
    }
}

/// A number of at most eight bytes.
pub(super) fn little_endian(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 8 {
        return None;
    }
    Some(
        bytes
            .iter()
            .rev()
            .fold(0_u64, |value, &byte| value << 8 | u64::from(byte)),
    )
}
