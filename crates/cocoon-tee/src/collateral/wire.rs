//! Intel's interface, version 4: what is asked for and how the answers are read.

use cocoon_attest::tdx::PlatformId;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::FetchError;

/// Largest body. As in docs/attestation.md, section 4; the texts come with a frame around them.
pub(super) const MAX_BODY: usize = 2 * 49_152 + 1024;
/// Largest chain in a header, encoded: three bytes for one at most.
const MAX_CHAIN: usize = 3 * 12_288;

/// One of the four answers that make collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    PckCrl,
    TcbInfo,
    QeIdentity,
    RootCrl,
}

/// A signed text as it came: the signature covers its exact bytes.
#[derive(Debug)]
pub(super) struct SignedText {
    pub(super) text: String,
    pub(super) signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Framed<'a> {
    #[serde(borrow, alias = "tcbInfo", alias = "enclaveIdentity")]
    text: &'a RawValue,
    signature: &'a str,
}

// === impl Part ===

impl Part {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::PckCrl => "PCK revocation list",
            Self::TcbInfo => "TCB info",
            Self::QeIdentity => "QE identity",
            Self::RootCrl => "root's revocation list",
        }
    }

    /// Path below the base address.
    pub(super) fn path(self, platform: PlatformId) -> String {
        match self {
            Self::PckCrl => format!(
                "sgx/certification/v4/pckcrl?ca={}&encoding=der",
                platform.ca.name()
            ),
            Self::TcbInfo => format!(
                "tdx/certification/v4/tcb?fmspc={}",
                hex::encode_upper(platform.fmspc)
            ),
            Self::QeIdentity => "tdx/certification/v4/qe/identity".to_owned(),
            Self::RootCrl => "sgx/certification/v4/rootcacrl".to_owned(),
        }
    }

    /// Names of the header with the chain of who signed it.
    pub(super) const fn chain_headers(self) -> &'static [&'static str] {
        match self {
            Self::PckCrl => &["SGX-PCK-CRL-Issuer-Chain"],
            Self::TcbInfo => &["TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"],
            Self::QeIdentity => &["SGX-Enclave-Identity-Issuer-Chain"],
            Self::RootCrl => &[],
        }
    }
}

/// A chain of certificates in PEM, which headers carry URL-encoded.
pub(super) fn chain(header: &[u8], part: Part) -> Result<String, FetchError> {
    if header.len() > MAX_CHAIN {
        return Err(FetchError::TooLarge(part.name()));
    }
    let form = || FetchError::Form(part.name());
    let mut out = Vec::with_capacity(header.len());
    let mut rest = header;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let (digits, tail) = rest.split_first_chunk::<2>().ok_or_else(form)?;
            let mut decoded = [0];
            hex::decode_to_slice(digits, &mut decoded).map_err(|_| form())?;
            out.extend(decoded);
            rest = tail;
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).map_err(|_| form())
}

/// `{"tcbInfo": …, "signature": "…"}` and the same with `enclaveIdentity`.
pub(super) fn signed_text(body: &[u8], part: Part) -> Result<SignedText, FetchError> {
    let form = || FetchError::Form(part.name());
    let framed: Framed<'_> = serde_json::from_slice(body).map_err(|_| form())?;
    Ok(SignedText {
        text: framed.text.get().to_owned(),
        signature: hex::decode(framed.signature).map_err(|_| form())?,
    })
}

/// A list in DER; caches send it in hexadecimal.
pub(super) fn list(body: Vec<u8>) -> Vec<u8> {
    match std::str::from_utf8(&body).map(str::trim) {
        Ok(text) if !text.is_empty() => hex::decode(text).unwrap_or(body),
        _ => body,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever comes: an answer or an error, and never more than came.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            if let Ok(text) = chain(&bytes, Part::TcbInfo) {
                prop_assert!(text.len() <= bytes.len());
            }
            if let Ok(read) = signed_text(&bytes, Part::TcbInfo) {
                prop_assert!(read.text.len() + read.signature.len() < bytes.len());
            }
            prop_assert!(list(bytes.clone()).len() <= bytes.len());
        }

        #[test]
        fn a_text_keeps_its_exact_bytes(blanks in " {0,3}", number in any::<u32>()) {
            let text = format!("{{{blanks}\"a\":{blanks}{number}{blanks}}}");
            let body = format!("{{\"signature\":\"00ff\",\"enclaveIdentity\":{text}}}");
            let read = signed_text(body.as_bytes(), Part::QeIdentity).expect("it is the form");
            prop_assert_eq!(read.text, text);
            prop_assert_eq!(read.signature, vec![0x00, 0xff]);
        }
    }

    #[test]
    fn limits_hold() {
        let long = vec![b'a'; MAX_CHAIN + 1];
        assert!(matches!(chain(&long, Part::PckCrl), Err(FetchError::TooLarge(_))));
        for bad in [&b"%"[..], b"%4", b"%zz", b"%ff"] {
            assert!(matches!(chain(bad, Part::PckCrl), Err(FetchError::Form(_))));
        }
        assert_eq!(chain(b"a%20b%0A", Part::PckCrl).expect("good"), "a b\n");
    }
}
