//! Appraisal of evidence: a certificate, a policy and the time go in; a [`VerifiedPeer`] or a named [`Refusal`] comes out.
//!
//! It reads the certificates of the network (spec/network.md 3.2), checks them in the order of 3.7 and decides the
//! [`Tier`](cocoon_types::Tier) that the evidence earns. It knows no socket, file, clock or randomness. It does not prove
//! that the peer holds the certificate's private key: that is TLS's CertificateVerify, so `cocoon-link` appraises, lets
//! rustls finish the handshake, and only then hands the [`VerifiedPeer`] out. What each check is, and why each default is
//! what it is, stands in docs/attestation.md.
//!
//! Called by `cocoon-link` for every link and by whoever shows or checks a certificate offline.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

// The makers of evidence in tests/support name this crate as everybody else does.
#[cfg(test)]
extern crate self as cocoon_attest;

mod appraise;
mod certificate;
mod der;
mod draft;
pub mod event_log;
pub mod gpu;
mod image;
mod oid;
mod policy;
mod refusal;
mod roots;
pub mod snp;
pub mod statement;
pub mod tdx;
mod time;
mod x509;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

pub use appraise::{
    Endorsements, Evidence, OwnedEndorsements, VerifiedPeer, appraise, appraise_certificate, public_key,
};
pub use certificate::{MAX_CERTIFICATE_BYTES, MAX_QUOTE_BYTES};
pub use draft::{Draft, DraftError, Extension, public_key_info};
pub use image::{Measurements, SNP_IMAGE_DOMAIN, SnpImage, report_data};
pub use oid::{OID_CLAIMS, OID_COLLATERAL, OID_QUOTE};
pub use policy::{Accelerators, EvidenceRule, ImageRule, Policy, Side, Simulated};
pub use refusal::Refusal;
pub use roots::{Roots, RootsError};
pub use x509::CertificateFault;
