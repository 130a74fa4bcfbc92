/// What is wrong with one certificate or revocation list of a maker's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// Over 4 KiB, or a revocation list over 60 KiB.
    #[error("it is too large")]
    TooLarge,
    /// This part of it is not DER, or not what X.509 has there.
    #[error("it is malformed: {0}")]
    Malformed(&'static str),
    /// Not X.509 v3, or not a v2 revocation list.
    #[error("its X.509 version is not 3")]
    Version,
    /// Not RSASSA-PSS with SHA-384 and not ECDSA with SHA-384, or two different ones inside and outside.
    #[error("its signature algorithm is not one that the maker uses")]
    Algorithm,
    /// Neither RSA with 4096 bits nor P-384, or not the one that belongs in this place.
    #[error("its key is not of the kind that the maker uses here")]
    Key,
    /// A critical extension that is not read.
    #[error("it has an unknown critical extension")]
    UnknownCriticalExtension,
    /// It begins later than now.
    #[error("it is valid only from {not_before} (Unix seconds)")]
    NotYetValid {
        /// First second of validity.
        not_before: u64,
    },
    /// It has ended.
    #[error("it expired at {not_after} (Unix seconds)")]
    Expired {
        /// Last second of validity.
        not_after: u64,
    },
    /// It issued another certificate without being an authority.
    #[error("it is not an authority")]
    NotAnAuthority,
    /// It signs evidence and yet is an authority.
    #[error("it is an authority and may not sign evidence")]
    IsAnAuthority,
    /// More authorities stand under it than it allows.
    #[error("it allows fewer authorities under it")]
    PathLength,
    /// Its key may not be used for this.
    #[error("its key usage does not allow this signature")]
    KeyUsage,
    /// It names another issuer than the certificate that stands above it.
    #[error("it names another issuer than the next certificate")]
    IssuerName,
    /// The issuer did not sign it.
    #[error("its signature is not the issuer's")]
    Signature,
    /// It is on the issuer's revocation list.
    #[error("it is revoked")]
    Revoked,
}
