use crate::x509::CertificateFault;

/// Which certificate or list of a GPU's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GpuLink {
    /// The trust root that the caller gave.
    Root,
    /// A certificate of the chain, counted from the GPU's key, which is 0.
    Certificate(usize),
    /// A revocation list, counted from 0.
    RevocationList(usize),
}

/// Why GPU evidence is refused: one variant for each check, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GpuRefusal {
    /// Over [`super::MAX_JSON_BYTES`], or more than [`super::MAX_GPUS`] in it.
    #[error("the evidence file is too large or has too many GPUs")]
    JsonTooLarge,
    /// Not NVIDIA's JSON form, or this member of it is not what it should be.
    #[error("the evidence file is malformed: {0}")]
    Json(&'static str),
    /// Step 1: over [`super::MAX_GPU_REPORT_BYTES`].
    #[error("the report is too large")]
    ReportTooLarge,
    /// Step 1: this part of it is cut, too long, or not what SPDM has there.
    #[error("the report is malformed: {0}")]
    Report(&'static str),
    /// Step 1: not SPDM 1.1.
    #[error("the report is not SPDM 1.1")]
    SpdmVersion,
    /// Step 1: the request did not ask for all measurements and a signature.
    #[error("the report does not answer a request for all signed measurements")]
    Request,
    /// Step 1: two blocks or two fields of a kind, or a gap between them.
    #[error("the report has {0} twice, or one is missing")]
    Twice(&'static str),
    /// Step 2: fewer than two certificates or more than six.
    #[error("the chain has {got} certificates; two to six are read")]
    ChainLength {
        /// Certificates that came.
        got: usize,
    },
    /// Step 2: the last certificate is not the trust root.
    #[error("the chain ends at a root that is not trusted here")]
    UnknownRoot,
    /// Step 2: a certificate below the root issues itself.
    #[error("certificate {0} of the chain issues itself")]
    Loop(usize),
    /// Steps 2 and 6.
    #[error("{of:?}: {fault}")]
    Certificate {
        /// Which one.
        of: GpuLink,
        /// What is wrong with it.
        fault: CertificateFault,
    },
    /// Step 3.
    #[error("the report is not signed by the key of its chain")]
    ReportSignature,
    /// Step 4: it was made for another statement, or at another time.
    #[error("the report's nonce is not the one of this statement")]
    Nonce,
    /// Step 5: the certificate names no firmware id though the report does, or not in a form that is known.
    #[error("the certificate of the GPU's key has no readable firmware id")]
    FirmwareIdForm,
    /// Step 5: the GPU's boot firmware is another one than the key's.
    #[error("the firmware id of the report is not the one that the key is certified for")]
    FirmwareId,
    /// Step 6: more lists than authorities.
    #[error("there are more revocation lists than authorities")]
    RevocationLists,
}
