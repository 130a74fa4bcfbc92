//! The development TEE: Intel's formats, genuine in every detail but one: the root is ours and says DEVELOPMENT ONLY.
//!
//! The verifier of `cocoon-attest` runs on it unchanged; what it accepts is `simulated`, because of the root. With a [`Fault`]
//! the evidence is bad in exactly one way, so that a test can show which check catches it.

use std::fmt;

use aws_lc_rs::digest::{SHA384, digest};
use cocoon_attest::tdx::{Collateral, CollateralError, CollateralParts};
use cocoon_attest::{Measurements, Roots, RootsError};

mod fault;
mod key;
mod pki;
mod platform;
mod quote;
mod save;
mod text;

pub use fault::{
    Certificate, CertificateFault, DomainFault, Fault, FormFault, List, ListFault, PlatformFault, QeFault,
    TextFault,
};
use key::Key;
use pki::Pki;
use platform::Platform;
use quote::Order;
pub use save::SaveError;
pub use text::ADVISORY;

/// The TCB evaluation number of development collateral.
pub const TCB_EVALUATION: u32 = 20;

/// What the quoting enclave of the development TEE is.
const QE_SIGNER: [u8; 32] = *b"DEVELOPMENT ONLY quoting enclave";
const QE_PRODUCT: u16 = 2;
const QE_MISC_SELECT: u32 = 0;

/// A PKI, a platform and a quoting enclave of our own.
///
/// Everybody on one development network shares one of them, so that all evidence leads to the same root.
pub struct DevelopmentTee {
    made_at: u64,
    pki: Pki,
    platform: Platform,
    attestation_key: Key,
    fault: Option<Fault>,
}

/// Which form of quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuoteFormat {
    /// Version 4, a report of TDX 1.0.
    V4,
    /// Version 5, a report of TDX 1.5.
    V5,
    /// Version 5, the extended report of TDX 1.5.
    V5Extended,
}

/// Development evidence could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DevelopmentError {
    /// The secure source or a signature failed.
    #[error("the crypto library failed")]
    Crypto,
    /// A certificate or list could not be written.
    #[error("a certificate of the development PKI cannot be written")]
    Certificate(#[from] rcgen::Error),
    /// The second is outside of what dates can say.
    #[error("the time is outside of what certificates can say")]
    Time,
    /// The collateral is over its limits.
    #[error("the development collateral cannot be written")]
    Collateral(#[from] CollateralError),
    /// The root is none that the verifier takes.
    #[error("the development root is refused")]
    Root(#[from] RootsError),
}

// === impl DevelopmentTee ===

impl DevelopmentTee {
    /// A TEE whose evidence is good, made at the Unix second `now`. Its certificates hold for ten years.
    ///
    /// # Errors
    /// [`DevelopmentError`] when keys or certificates cannot be made.
    pub fn new(now: u64) -> Result<Self, DevelopmentError> {
        Self::make(now, None)
    }

    /// A TEE whose evidence is bad in this one way.
    ///
    /// # Errors
    /// [`DevelopmentError`] when keys or certificates cannot be made.
    pub fn with_fault(now: u64, fault: Fault) -> Result<Self, DevelopmentError> {
        Self::make(now, Some(fault))
    }

    fn make(now: u64, fault: Option<Fault>) -> Result<Self, DevelopmentError> {
        let platform = Platform::new(fault);
        Ok(Self {
            made_at: now,
            pki: Pki::new(now, &platform, fault)?,
            platform,
            attestation_key: Key::generate()?,
            fault,
        })
    }

    /// The root certificate in DER.
    pub fn root_der(&self) -> &[u8] {
        &self.pki.root_der
    }

    /// The makers' roots and this one.
    ///
    /// # Errors
    /// The root is none that the verifier takes; not without a fault in it.
    pub fn roots(&self) -> Result<Roots, DevelopmentError> {
        Ok(Roots::development(self.root_der())?)
    }

    /// Collateral made at the Unix second `now`; it holds for 30 days, as Intel's does.
    ///
    /// # Errors
    /// [`DevelopmentError`] when it cannot be made.
    pub fn collateral(&self, now: u64) -> Result<Collateral, DevelopmentError> {
        let fault = self.fault;
        let tcb_info = text::tcb_info(&self.platform, now, fault)?;
        let qe_identity = text::qe_identity(&self.platform, now, fault)?;
        let (tcb_info, tcb_info_signature) = self.signed(tcb_info, self.pki.tcb_key(), Fault::TcbInfo)?;
        let (qe_identity, qe_identity_signature) =
            self.signed(qe_identity, self.pki.qe_identity_key(), Fault::QeIdentity)?;
        Ok(Collateral::new(CollateralParts {
            pck_crl_issuer_chain: self.pki.ca_chain(),
            root_ca_crl: self.pki.list(List::Root, now, fault)?,
            pck_crl: self.pki.list(List::Pck, now, fault)?,
            tcb_info_issuer_chain: self.pki.tcb_chain(),
            tcb_info,
            tcb_info_signature,
            qe_identity_issuer_chain: self.pki.qe_identity_chain(),
            qe_identity,
            qe_identity_signature,
            pck_certificate_chain: Some(self.pki.pck_chain()),
        })?)
    }

    /// A quote about this report data and these measurements.
    ///
    /// # Errors
    /// [`DevelopmentError`] when it cannot be signed.
    pub fn quote(
        &self,
        format: QuoteFormat,
        report_data: &[u8; 64],
        measurements: &Measurements,
    ) -> Result<Vec<u8>, DevelopmentError> {
        let order = Order {
            format,
            report_data,
            measurements,
            fault: self.fault,
        };
        order.make(&self.pki, &self.attestation_key, &self.platform)
    }

    /// A text and the signature on it.
    fn signed(
        &self,
        mut text: String,
        key: &Key,
        named: fn(TextFault) -> Fault,
    ) -> Result<(String, Vec<u8>), DevelopmentError> {
        let bad = |fault| self.fault == Some(named(fault));
        let key = if bad(TextFault::ForeignKey) {
            self.pki.foreign_key()
        } else {
            key
        };
        let signature = key.sign(text.as_bytes())?;
        if bad(TextFault::Altered) {
            text.push(' ');
        }
        Ok((text, signature.to_vec()))
    }
}

/// What a development TEE measures of a role of this network: there is no image, so a name stands for it.
pub fn image(role: &str) -> Measurements {
    let measured = |what: &str| {
        let mut register = [0; 48];
        let named = format!("cocoon DEVELOPMENT ONLY {what}");
        register.copy_from_slice(digest(&SHA384, named.as_bytes()).as_ref());
        register
    };
    Measurements {
        mrtd: measured("image"),
        mr_config_id: measured(role),
        ..Measurements::ZERO
    }
}

impl fmt::Debug for DevelopmentTee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevelopmentTee")
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
