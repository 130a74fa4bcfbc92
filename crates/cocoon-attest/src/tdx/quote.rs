use super::refusal::TdxRefusal;

/// Largest quote, in bytes: what the certificate of the network may carry (spec/network.md 3.7 step 7).
pub(crate) const MAX_QUOTE_BYTES: usize = crate::MAX_QUOTE_BYTES;

/// A trust domain, as the header of a quote names it.
const TEE_TYPE_TDX: u32 = 0x81;

/// ECDSA on P-256 with SHA-256: the only kind of attestation key that Intel's quoting enclave has for TDX.
const KEY_TYPE_ECDSA_P256: u16 = 2;

/// Intel's quoting enclaves.
const QE_VENDOR_INTEL: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];

/// Certification data that holds the QE report (outer), and the PCK chain in PEM (inner).
const QE_REPORT_CERTIFICATION: u16 = 6;
const PCK_CHAIN: u16 = 5;

/// What the QE puts beside its report; the library knows no other length, and Intel's enclaves use none.
const QE_AUTH_DATA_BYTES: usize = 32;

const HEADER_BYTES: usize = 48;
const BODY_10_BYTES: usize = 584;
const QE_REPORT_BYTES: usize = 384;
const SIGNATURE_BYTES: usize = 64;
const KEY_BYTES: usize = 64;

/// Which report a quote holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TdxReport {
    /// TDX 1.0: 584 bytes, quote version 4 or body type 2.
    V10,
    /// TDX 1.5: 648 bytes, body type 3.
    V15,
    /// TDX 1.5 with the fields of partitioning and service domains: 885 bytes, body type 4.
    V15Extended,
}

/// A quote taken apart; nothing in it is verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote<'a> {
    /// The quote without its padding.
    pub(crate) bytes: &'a [u8],
    pub(crate) version: u16,
    pub(crate) report: TdxReport,
    /// The report, of the length that its kind has.
    pub(crate) body: &'a [u8],
    /// PEM text of the PCK chain.
    pub(crate) pck_chain: &'a [u8],
}

/// Reads fields one after another; every end names the part that was cut.
struct Fields<'a> {
    rest: &'a [u8],
}

// === impl Quote ===

impl<'a> Quote<'a> {
    /// Takes a quote of version 4 or 5 apart. Each way to be malformed has its own refusal.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, TdxRefusal> {
        if bytes.len() > MAX_QUOTE_BYTES {
            return Err(TdxRefusal::QuoteTooLong);
        }
        let mut fields = Fields { rest: bytes };
        let version = fields.u16("header")?;
        let key_type = fields.u16("header")?;
        let tee_type = fields.u32("header")?;
        fields.take(4, "header")?;
        let vendor = fields.take(16, "header")?;
        fields.take(20, "header")?;
        if !matches!(version, 4 | 5) {
            return Err(TdxRefusal::QuoteVersion(version));
        }
        if tee_type != TEE_TYPE_TDX {
            return Err(TdxRefusal::TeeType(tee_type));
        }
        if key_type != KEY_TYPE_ECDSA_P256 {
            return Err(TdxRefusal::KeyType(key_type));
        }
        if vendor != QE_VENDOR_INTEL {
            return Err(TdxRefusal::QeVendor);
        }
        let report = if version == 4 {
            TdxReport::V10
        } else {
            body_type(&mut fields)?
        };
        let body = fields.take(report.bytes(), "report")?;
        let pck_chain = signature_data(&mut fields)?;
        // The kernel hands out a buffer of fixed size, and old releases do not cut it.
        if fields.rest.iter().any(|&byte| byte != 0) {
            return Err(TdxRefusal::TrailingBytes);
        }
        let used = bytes.len().saturating_sub(fields.rest.len());
        Ok(Self {
            bytes: bytes.get(..used).unwrap_or(bytes),
            version,
            report,
            body,
            pck_chain,
        })
    }

    /// The 64 bytes that the guest chose: last in the report of TDX 1.0, with which every report begins.
    pub(crate) fn report_data(&self) -> [u8; 64] {
        self.body
            .get(BODY_10_BYTES.saturating_sub(64)..)
            .and_then(|tail| tail.first_chunk().copied())
            // The body has the length of its kind, so this is never used; zeros are nobody's report data.
            .unwrap_or([0; 64])
    }
}

/// Whether these bytes begin as a quote of Intel's about a trust domain does, whatever its version.
pub(crate) fn looks_like_tdx(bytes: &[u8]) -> bool {
    bytes.len() > HEADER_BYTES && bytes.get(4..8) == Some(&TEE_TYPE_TDX.to_le_bytes())
}

/// Version 5: type and size stand before the report.
fn body_type(fields: &mut Fields<'_>) -> Result<TdxReport, TdxRefusal> {
    let number = fields.u16("body type")?;
    let size = fields.u32("body size")?;
    let report = match number {
        2 => TdxReport::V10,
        3 => TdxReport::V15,
        4 => TdxReport::V15Extended,
        _ => return Err(TdxRefusal::BodyType(number)),
    };
    if usize::try_from(size) != Ok(report.bytes()) {
        return Err(TdxRefusal::BodySize(size));
    }
    Ok(report)
}

/// Everything after the report; gives the PCK chain.
fn signature_data<'a>(fields: &mut Fields<'a>) -> Result<&'a [u8], TdxRefusal> {
    let mut data = fields.counted32("signature data")?;
    data.take(SIGNATURE_BYTES, "quote signature")?;
    data.take(KEY_BYTES, "attestation key")?;
    let kind = data.u16("certification data")?;
    if kind != QE_REPORT_CERTIFICATION {
        return Err(TdxRefusal::CertificationData(kind));
    }
    let mut certification = data.counted32("certification data")?;
    data.end("signature data")?;
    certification.take(QE_REPORT_BYTES, "QE report")?;
    certification.take(SIGNATURE_BYTES, "QE report signature")?;
    let auth_data = usize::from(certification.u16("QE authentication data")?);
    if auth_data != QE_AUTH_DATA_BYTES {
        return Err(TdxRefusal::QeAuthData(auth_data));
    }
    certification.take(auth_data, "QE authentication data")?;
    let kind = certification.u16("PCK certification data")?;
    if kind != PCK_CHAIN {
        return Err(TdxRefusal::PckCertificationData(kind));
    }
    let chain = certification.counted32("PCK certification data")?;
    certification.end("certification data")?;
    Ok(chain.rest)
}

// === impl TdxReport ===

impl TdxReport {
    const fn bytes(self) -> usize {
        match self {
            Self::V10 => BODY_10_BYTES,
            Self::V15 => 648,
            Self::V15Extended => 885,
        }
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize, part: &'static str) -> Result<&'a [u8], TdxRefusal> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(TdxRefusal::QuoteTruncated(part))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], TdxRefusal> {
        let taken = self.take(N, part)?;
        taken
            .first_chunk()
            .copied()
            .ok_or(TdxRefusal::QuoteTruncated(part))
    }

    fn u16(&mut self, part: &'static str) -> Result<u16, TdxRefusal> {
        self.array(part).map(u16::from_le_bytes)
    }

    fn u32(&mut self, part: &'static str) -> Result<u32, TdxRefusal> {
        self.array(part).map(u32::from_le_bytes)
    }

    /// As many bytes as the four before them say.
    fn counted32(&mut self, part: &'static str) -> Result<Self, TdxRefusal> {
        let count = self.u32(part)?;
        let count = usize::try_from(count).map_err(|_| TdxRefusal::QuoteTruncated(part))?;
        self.take(count, part).map(|rest| Self { rest })
    }

    const fn end(&self, part: &'static str) -> Result<(), TdxRefusal> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(TdxRefusal::QuoteLength(part))
        }
    }
}

#[cfg(test)]
mod tests;
