use std::fmt;

use super::policy::TcbStatus;

/// Why TDX evidence was refused: one variant for each check (docs/attestation.md names the steps).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TdxRefusal {
    // Step 1: form of the quote.
    /// Over 32 768 bytes.
    #[error("the quote is too long")]
    QuoteTooLong,
    /// It ends in the middle of this part.
    #[error("the quote is cut off in its {0}")]
    QuoteTruncated(&'static str),
    /// This part is longer than what it holds.
    #[error("the length of the quote's {0} is not that of its content")]
    QuoteLength(&'static str),
    /// Neither 4 nor 5.
    #[error("the quote's version is {0}, not 4 or 5")]
    QuoteVersion(u16),
    /// SGX, or something unknown.
    #[error("the quote speaks of TEE type {0:#x}, not of a TDX trust domain")]
    TeeType(u32),
    /// Another attestation key than ECDSA on P-256.
    #[error("the quote's attestation key is of type {0}, not ECDSA P-256")]
    KeyType(u16),
    /// Not from a quoting enclave of Intel's.
    #[error("the quote does not come from Intel's quoting enclave")]
    QeVendor,
    /// None of the reports of TDX 1.0, 1.5 and 1.5 extended.
    #[error("the quote's body is of the unknown type {0}")]
    BodyType(u16),
    /// The size does not fit the type.
    #[error("the quote's body has {0} bytes, which does not fit its type")]
    BodySize(u32),
    /// Another kind than the QE report (6).
    #[error("the quote's certification data is of type {0}, not a QE report")]
    CertificationData(u16),
    /// Not the 32 bytes that Intel's enclaves write.
    #[error("the quote's QE authentication data has {0} bytes, not 32")]
    QeAuthData(usize),
    /// The quote does not bring its PCK certificates (5) but a name by which to ask Intel for them.
    #[error("the quote's PCK certification data is of type {0}, not a chain of certificates")]
    PckCertificationData(u16),
    /// After the quote something else follows than zeros.
    #[error("bytes other than zero padding follow the quote")]
    TrailingBytes,

    // Step 2: form and dates of certificates and collateral.
    /// Not PEM, not DER, not JSON, or not what belongs there.
    #[error("the {0} cannot be read")]
    Malformed(Item),
    /// Too many certificates or too few.
    #[error("the chain of the {item} has {count} certificates")]
    ChainLength {
        /// The first certificate of the chain.
        item: Item,
        /// How many there are.
        count: usize,
    },
    /// It begins later than now.
    #[error("the {item} is valid only from {from} (Unix seconds); is this machine's clock right?")]
    NotYetValid {
        /// What.
        item: Item,
        /// First second of validity.
        from: u64,
    },
    /// It has ended.
    #[error(
        "the {item} expired at {until} (Unix seconds); newer collateral is needed, or the clock is wrong"
    )]
    Expired {
        /// What.
        item: Item,
        /// Last second of validity.
        until: u64,
    },

    // Steps 3 to 6: signatures up to the root.
    /// It names another issuer than the one that should have signed it.
    #[error("the {0} does not come from its issuer up to the trusted root")]
    Issuer(Item),
    /// The signature does not fit the issuer's key.
    #[error("the signature on the {0} is wrong")]
    Signature(Item),
    /// It stands on its issuer's revocation list.
    #[error("the {0} is revoked")]
    Revoked(Item),
    /// The TCB info is not for TDX, or of a version that is not known.
    #[error("the TCB info is not one for TDX of a known version")]
    TcbInfoKind,
    /// The QE identity is not that of the TDX quoting enclave.
    #[error("the QE identity is not that of the TDX quoting enclave")]
    QeIdentityKind,
    /// The QE report does not hold the hash of the attestation key.
    #[error("the QE report does not vouch for the attestation key")]
    QeReportData,
    /// The QE is not the one of the QE identity: this field differs.
    #[error("the quoting enclave's {0} is not that of the QE identity")]
    QeIdentity(&'static str),

    // Steps 7 to 9: TCB.
    /// Collateral of another platform.
    #[error("the collateral is for another kind of processor (FMSPC)")]
    Fmspc,
    /// The TDX module is not Intel's, or has other attributes.
    #[error("the TDX module's {0} is not that of the TCB info")]
    TdxModule(&'static str),
    /// The platform is below every level of the collateral, or the collateral knows nothing of its module.
    #[error("the platform's security versions match no TCB level of the collateral")]
    TcbLevel,
    /// The platform's TCB, its module's or its QE's is revoked. No policy can allow it.
    #[error("the TCB level of the platform is revoked")]
    TcbRevoked,

    // Step 10: attributes of the trust domain.
    /// The host can read the domain's memory, or profile it.
    #[error("the trust domain is in debug mode")]
    Debug,
    /// Bits are set that Intel's specification demands to be zero.
    #[error("reserved bits of the trust domain's attributes are set")]
    ReservedAttributes,
    /// The host could make pages vanish without a trace. No policy can allow it.
    #[error("the trust domain runs without SEPT_VE_DISABLE")]
    SeptVeDisable,
    /// A migration domain could carry the memory away. No policy can allow it.
    #[error("the trust domain is migratable")]
    Migratable,
    /// A service domain is bound to it.
    #[error("a service domain is bound to the trust domain")]
    ServiceTd,
    /// Attributes that the policy does not list.
    #[error("the trust domain's attributes {0:#018x} are not all allowed by the policy")]
    Attributes(u64),

    // Step 11: policy about the platform.
    /// The status is not allowed.
    #[error("the platform's TCB status is {0}, which the policy does not allow")]
    TcbStatus(TcbStatus),
    /// The status is allowed, but for longer than the policy's grace.
    #[error("the platform's TCB is out of date since {since} (Unix seconds), longer than the policy's grace")]
    OutOfDate {
        /// Date of the TCB level that the platform is at.
        since: u64,
    },
    /// An advisory that the policy does not accept.
    #[error("the platform is affected by {0}, which the policy does not accept")]
    Advisory(AdvisoryId),
    /// Collateral of an evaluation that is too old.
    #[error("the collateral's TCB evaluation number is {found}, below the policy's {least}")]
    TcbEvaluation {
        /// Lower one of TCB info and QE identity.
        found: u32,
        /// What the policy demands.
        least: u32,
    },
    /// Simultaneous multithreading is on.
    #[error("the platform runs with SMT, which the policy does not allow")]
    Smt,
    /// Processor packages can be added after registration.
    #[error("the platform is a dynamic one, which the policy does not allow")]
    DynamicPlatform,
    /// Intel's registration service keeps the platform's root keys.
    #[error("the platform's root keys are cached by Intel, which the policy does not allow")]
    CachedKeys,

    /// The verifier library refuses, and no check of ours says why. Never silently accepted, always worth a report.
    #[error("the evidence does not verify")]
    Unverified,
}

/// A part of the evidence or its collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// The trusted root certificate.
    Root,
    /// List of what the root has revoked.
    RootCrl,
    /// The certificate of the platform or processor CA.
    PckCa,
    /// List of what that CA has revoked.
    PckCrl,
    /// Chain of the issuer of that list. It is read, and judged by nothing: the list must fit the PCK CA.
    PckCrlIssuer,
    /// The platform's certificate.
    Pck,
    /// The certificate that signs TCB infos.
    TcbSigner,
    /// What is known of this kind of platform.
    TcbInfo,
    /// The certificate that signs QE identities.
    QeIdentitySigner,
    /// What the quoting enclave must be.
    QeIdentity,
    /// The quoting enclave's report.
    QeReport,
    /// The quote.
    Quote,
}

/// Name of one of Intel's security advisories, cut at 24 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AdvisoryId {
    text: [u8; 24],
}

// === impl TdxRefusal ===

impl TdxRefusal {
    /// Whether everything verified and the platform or the domain is what is not liked: steps 8 to 11, and a revocation.
    pub(crate) const fn is_about_platform(self) -> bool {
        matches!(
            self,
            Self::Revoked(Item::Pck | Item::PckCa)
                | Self::TdxModule(_)
                | Self::TcbLevel
                | Self::TcbRevoked
                | Self::Debug
                | Self::ReservedAttributes
                | Self::SeptVeDisable
                | Self::Migratable
                | Self::ServiceTd
                | Self::Attributes(_)
                | Self::TcbStatus(_)
                | Self::OutOfDate { .. }
                | Self::Advisory(_)
                | Self::TcbEvaluation { .. }
                | Self::Smt
                | Self::DynamicPlatform
                | Self::CachedKeys
        )
    }
}

// === impl Item ===

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root certificate",
            Self::RootCrl => "root's revocation list",
            Self::PckCa => "PCK CA's certificate",
            Self::PckCrl => "PCK revocation list",
            Self::PckCrlIssuer => "chain of the PCK revocation list",
            Self::Pck => "PCK certificate",
            Self::TcbSigner => "TCB info's signing certificate",
            Self::TcbInfo => "TCB info",
            Self::QeIdentitySigner => "QE identity's signing certificate",
            Self::QeIdentity => "QE identity",
            Self::QeReport => "QE report",
            Self::Quote => "quote",
        })
    }
}

// === impl AdvisoryId ===

impl AdvisoryId {
    /// The name, with everything that could paint a terminal replaced.
    pub fn new(name: &str) -> Self {
        let mut text = [0; 24];
        for (place, byte) in text.iter_mut().zip(name.bytes()) {
            // Text of the maker, but it must not be able to paint a terminal.
            *place = if byte.is_ascii_graphic() { byte } else { b'?' };
        }
        Self { text }
    }
}

impl fmt::Display for AdvisoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.text.iter().position(|&byte| byte == 0);
        let text = self
            .text
            .get(..end.unwrap_or(self.text.len()))
            .unwrap_or_default();
        f.write_str(std::str::from_utf8(text).unwrap_or("?"))
    }
}

impl fmt::Debug for AdvisoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
