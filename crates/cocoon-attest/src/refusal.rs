use crate::snp::SnpRefusal;
use crate::tdx::TdxRefusal;

/// Why a peer was refused: one variant for each check, in the order in which they are made (spec/network.md 3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Over [`crate::MAX_CERTIFICATE_BYTES`].
    #[error("the certificate is too large")]
    CertificateTooLarge,
    /// This part of it is not DER, or not what X.509 has there.
    #[error("the certificate is malformed: {0}")]
    Malformed(&'static str),
    /// Neither X.509 v1 nor v3.
    #[error("the certificate's X.509 version is neither 1 nor 3")]
    Version,
    /// Issuer and subject, or their key ids, differ: there is no chain of certificates on this network.
    #[error("the certificate is not self-issued")]
    NotSelfIssued,
    /// Key usage is there without digital signatures.
    #[error("the certificate's key usage does not allow signatures")]
    KeyUsage,
    /// Extended key usage is there without the purpose that the peer's side needs.
    #[error("the certificate's extended key usage does not fit the peer's side of the connection")]
    ExtendedKeyUsage,
    /// The acceptor's certificate does not name `127.0.0.1` as DNS name (or, without any DNS name, as common name).
    #[error("the certificate does not carry the DNS name 127.0.0.1")]
    Name,
    /// It begins later than now.
    #[error("the certificate is valid only from {not_before} (Unix seconds); is this machine's clock right?")]
    NotYetValid {
        /// First second of validity.
        not_before: u64,
    },
    /// It has ended.
    #[error("the certificate expired at {not_after} (Unix seconds); is this machine's clock right?")]
    Expired {
        /// Last second of validity.
        not_after: u64,
    },
    /// A critical extension that is neither of the two of this network nor one that is checked here.
    #[error("the certificate has an unknown critical extension")]
    UnknownCriticalExtension,
    /// Over [`crate::MAX_QUOTE_BYTES`].
    #[error("the quote is too long")]
    QuoteTooLong,
    /// Over [`crate::tdx::MAX_COMPACT_BYTES`].
    #[error("the collateral in the certificate is too long")]
    CollateralTooLong,
    /// RSA, ECDSA or anything else than a 32-byte Ed25519 key.
    #[error("the certificate's key is not Ed25519")]
    KeyNotEd25519,
    /// The certificate is not signed by its own key. The original does not check this; nobody makes such certificates, and
    /// with it no altered certificate is worth anything.
    #[error("the certificate is not signed by its own key")]
    SelfSignature,
    /// The policy demands evidence.
    #[error("the peer presented no evidence")]
    EvidenceMissing,
    /// Neither a simulated quote nor one of a maker whose evidence this build verifies.
    #[error("hardware evidence of this kind is not verified by this build")]
    HardwareEvidence,
    /// Hardware evidence came without what its maker vouches for it.
    #[error("the peer's quote came without collateral to verify it")]
    CollateralMissing,
    /// The collateral in the certificate is not in its compact form.
    #[error("the collateral in the certificate cannot be read")]
    CollateralMalformed,
    /// The TDX quote or its collateral does not hold.
    #[error(transparent)]
    Tdx(#[from] TdxRefusal),
    /// The SEV-SNP report or its certificates do not hold.
    #[error(transparent)]
    Snp(#[from] SnpRefusal),
    /// Simulated evidence where the policy does not accept it by name.
    #[error("the peer's evidence is simulated, which is accepted on a test network only")]
    SimulatedEvidence,
    /// The quote speaks of another key.
    #[error("the quote's report data is not the hash of the certificate's key")]
    ReportData,
    /// The image hash is not listed.
    #[error("the peer's image is not on the list of accepted images")]
    ImageNotListed,
}
