//! Certificates and revocation lists, in the form of Intel's PKI for provisioning.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber,
};
use time::OffsetDateTime;

use super::fault::{Certificate, CertificateFault, Fault, List, ListFault, PlatformFault};
use super::key::Key;
use super::{DevelopmentError, Platform};

/// How long certificates hold: as long as anybody develops with one set of them.
const CERTIFICATE_SECONDS: u64 = 10 * 365 * 86_400;

/// How long revocation lists and texts hold; Intel's are good for 30 days.
pub(super) const COLLATERAL_SECONDS: u64 = 30 * 86_400;

/// How far before their making things become valid: clocks of one test network differ a little.
pub(super) const BACKDATED_SECONDS: u64 = 3600;

/// 1.2.840.113741.1.13.1: what a PCK certificate says of its platform.
const SGX_EXTENSION: &[u64] = &[1, 2, 840, 113_741, 1, 13, 1];

/// What is kept of a PKI: for each of root, CA, both signers and platform the key, the serial number and the certificate.
pub(super) struct SavedPki([SavedEntry; 5]);

struct SavedEntry {
    key: Vec<u8>,
    serial: Vec<u8>,
    certificate: Vec<u8>,
}

/// Names in the certificates.
const ROOT_NAME: &str = "DEVELOPMENT ONLY Root CA";
const CA_NAME: &str = "DEVELOPMENT ONLY PCK Platform CA";

/// Keys and certificates of the development PKI.
pub(super) struct Pki {
    /// What a verifier is given.
    pub(super) root_der: Vec<u8>,
    root: Authority,
    ca: Authority,
    tcb_signer: Leaf,
    qe_signer: Leaf,
    pck: Leaf,
    foreign: Authority,
}

/// Signs certificates and lists.
struct Authority {
    key: Key,
    params: CertificateParams,
    pem: String,
    serial: SerialNumber,
}

/// Signs texts or reports.
struct Leaf {
    key: Key,
    pem: String,
    serial: SerialNumber,
}

// === impl Pki ===

impl Pki {
    pub(super) fn new(now: u64, platform: &Platform, fault: Option<Fault>) -> Result<Self, DevelopmentError> {
        let make = Maker { now, fault };
        let foreign_params = make.params(None, "DEVELOPMENT ONLY Foreign CA", Some(1))?;
        let foreign = Authority::self_signed(foreign_params)?;
        let root_params = make.params(Some(Certificate::Root), ROOT_NAME, Some(1))?;
        let root = Authority::self_signed(root_params.clone())?;
        let root_der = if make.has(Certificate::Root, CertificateFault::ForeignKey) {
            root_params.self_signed(&foreign.key.certificates)?
        } else {
            root_params.self_signed(&root.key.certificates)?
        }
        .der()
        .to_vec();
        let ca_params = make.params(Some(Certificate::PckCa), CA_NAME, Some(0))?;
        let ca = make.authority(Certificate::PckCa, ca_params, &root, &foreign)?;
        let signer = |which, name| {
            let params = make.params(Some(which), name, None)?;
            make.leaf(which, params, &root, &foreign)
        };
        let tcb_signer = signer(Certificate::TcbSigner, "DEVELOPMENT ONLY TCB Signing")?;
        let qe_signer = signer(
            Certificate::QeIdentitySigner,
            "DEVELOPMENT ONLY QE Identity Signing",
        )?;
        let mut params = make.params(Some(Certificate::Pck), "DEVELOPMENT ONLY PCK Certificate", None)?;
        if fault != Some(Fault::Platform(PlatformFault::NoExtension)) {
            let extension = CustomExtension::from_oid_content(SGX_EXTENSION, platform.sgx_extension());
            params.custom_extensions.push(extension);
        }
        let pck = make.leaf(Certificate::Pck, params, &ca, &foreign)?;
        Ok(Self {
            root_der,
            root,
            ca,
            tcb_signer,
            qe_signer,
            pck,
            foreign,
        })
    }

    /// What there is to keep. Whoever is foreign to it is made anew.
    pub(super) fn saved(&self) -> SavedPki {
        let entry = |key: &Key, serial: &SerialNumber, pem: &str| SavedEntry {
            key: key.saved(),
            serial: serial.to_bytes(),
            certificate: pem.as_bytes().to_vec(),
        };
        let authority = |of: &Authority| entry(&of.key, &of.serial, &of.pem);
        let leaf = |of: &Leaf| entry(&of.key, &of.serial, &of.pem);
        SavedPki([
            authority(&self.root),
            authority(&self.ca),
            leaf(&self.tcb_signer),
            leaf(&self.qe_signer),
            leaf(&self.pck),
        ])
    }

    /// The PKI that was kept, made at this second; nothing, if a part of it cannot be read.
    pub(super) fn from_saved(saved: SavedPki, made_at: u64) -> Result<Option<Self>, DevelopmentError> {
        let make = Maker {
            now: made_at,
            fault: None,
        };
        let foreign = Authority::self_signed(make.params(None, "DEVELOPMENT ONLY Foreign CA", Some(1))?)?;
        let leaf = |entry: SavedEntry| {
            Some(Leaf {
                key: Key::from_saved(&entry.key)?,
                pem: String::from_utf8(entry.certificate).ok()?,
                serial: SerialNumber::from(entry.serial),
            })
        };
        let authority = |entry: SavedEntry, mut params: CertificateParams| {
            let Leaf { key, pem, serial } = leaf(entry)?;
            params.serial_number = Some(serial.clone());
            Some(Authority {
                key,
                params,
                pem,
                serial,
            })
        };
        let root_params = make.params(Some(Certificate::Root), ROOT_NAME, Some(1))?;
        let ca_params = make.params(Some(Certificate::PckCa), CA_NAME, Some(0))?;
        let SavedPki([root, ca, tcb_signer, qe_signer, pck]) = saved;
        let read = (|| {
            let root = authority(root, root_params)?;
            Some(Self {
                root_der: der(&root.pem)?,
                root,
                ca: authority(ca, ca_params)?,
                tcb_signer: leaf(tcb_signer)?,
                qe_signer: leaf(qe_signer)?,
                pck: leaf(pck)?,
                foreign,
            })
        })();
        Ok(read)
    }

    /// PEM of the platform's certificate, its CA and the root.
    pub(super) fn pck_chain(&self) -> String {
        [&*self.pck.pem, &self.ca.pem, &self.root.pem].concat()
    }

    /// PEM of the platform's certificate alone.
    pub(super) fn pck_alone(&self) -> &str {
        &self.pck.pem
    }

    pub(super) fn pck_key(&self) -> &Key {
        &self.pck.key
    }

    pub(super) fn tcb_key(&self) -> &Key {
        &self.tcb_signer.key
    }

    pub(super) fn qe_identity_key(&self) -> &Key {
        &self.qe_signer.key
    }

    /// The key of nobody who may sign anything.
    pub(super) fn foreign_key(&self) -> &Key {
        &self.foreign.key
    }

    pub(super) fn tcb_chain(&self) -> String {
        [&*self.tcb_signer.pem, &self.root.pem].concat()
    }

    pub(super) fn qe_identity_chain(&self) -> String {
        [&*self.qe_signer.pem, &self.root.pem].concat()
    }

    pub(super) fn ca_chain(&self) -> String {
        [&*self.ca.pem, &self.root.pem].concat()
    }

    /// The revocation list of this authority, made at this second.
    pub(super) fn list(
        &self,
        which: List,
        now: u64,
        fault: Option<Fault>,
    ) -> Result<Vec<u8>, DevelopmentError> {
        let bad = |kind| fault == Some(Fault::List(which, kind));
        let revoked = |certificate| fault == Some(Fault::Certificate(certificate, CertificateFault::Revoked));
        let (issuer, certificates): (_, &[(Certificate, &SerialNumber)]) = match which {
            List::Root => (
                &self.root,
                &[
                    (Certificate::Root, &self.root.serial),
                    (Certificate::PckCa, &self.ca.serial),
                    (Certificate::TcbSigner, &self.tcb_signer.serial),
                    (Certificate::QeIdentitySigner, &self.qe_signer.serial),
                ],
            ),
            List::Pck => (&self.ca, &[(Certificate::Pck, &self.pck.serial)]),
        };
        let (from, until) = window(
            now,
            COLLATERAL_SECONDS,
            bad(ListFault::Expired),
            bad(ListFault::NotYetValid),
        );
        let mut serials: Vec<_> = certificates
            .iter()
            .filter(|(certificate, _)| revoked(*certificate))
            .map(|(_, serial)| (*serial).clone())
            .collect();
        // Somebody else is always on it, so that lists with entries are read.
        serials.push(SerialNumber::from_slice(&[0x4d; 16]));
        let params = CertificateRevocationListParams {
            this_update: at(from)?,
            next_update: at(until)?,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials
                .into_iter()
                .map(|serial_number| {
                    Ok(RevokedCertParams {
                        serial_number,
                        revocation_time: at(from)?,
                        reason_code: Some(RevocationReason::KeyCompromise),
                        invalidity_date: None,
                    })
                })
                .collect::<Result<_, DevelopmentError>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let named = if bad(ListFault::ForeignIssuer) {
            &self.foreign.params
        } else {
            &issuer.params
        };
        let key = if bad(ListFault::ForeignKey) {
            &self.foreign.key
        } else {
            &issuer.key
        };
        let list = params.signed_by(&Issuer::from_params(named, &key.certificates))?;
        let mut der = list.der().to_vec();
        if bad(ListFault::Malformed) {
            der.truncate(der.len() / 2);
        }
        Ok(der)
    }
}

/// Makes certificates, with one fault in all of them.
struct Maker {
    now: u64,
    fault: Option<Fault>,
}

// === impl Maker ===

impl Maker {
    fn has(&self, which: Certificate, fault: CertificateFault) -> bool {
        self.fault == Some(Fault::Certificate(which, fault))
    }

    fn params(
        &self,
        which: Option<Certificate>,
        name: &str,
        authority: Option<u8>,
    ) -> Result<CertificateParams, DevelopmentError> {
        let bad = |fault| which.is_some_and(|which| self.has(which, fault));
        let (from, until) = window(
            self.now,
            CERTIFICATE_SECONDS,
            bad(CertificateFault::Expired),
            bad(CertificateFault::NotYetValid),
        );
        let mut params = CertificateParams::default();
        params.not_before = at(from)?;
        params.not_after = at(until)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Cocoon DEVELOPMENT ONLY");
        params.serial_number = Some(serial()?);
        params.use_authority_key_identifier_extension = true;
        (params.is_ca, params.key_usages) = match authority {
            Some(below) => (
                IsCa::Ca(BasicConstraints::Constrained(below)),
                vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign],
            ),
            None => (
                IsCa::ExplicitNoCa,
                vec![
                    KeyUsagePurpose::DigitalSignature,
                    KeyUsagePurpose::ContentCommitment,
                ],
            ),
        };
        Ok(params)
    }

    fn sign(
        &self,
        which: Certificate,
        params: &CertificateParams,
        key: &Key,
        issuer: &Authority,
        foreign: &Authority,
    ) -> Result<String, DevelopmentError> {
        let named = if self.has(which, CertificateFault::ForeignIssuer) {
            &foreign.params
        } else {
            &issuer.params
        };
        let signs = if self.has(which, CertificateFault::ForeignKey) {
            &foreign.key
        } else {
            &issuer.key
        };
        let issuer = Issuer::from_params(named, &signs.certificates);
        Ok(params.signed_by(&key.certificates, &issuer)?.pem())
    }

    fn authority(
        &self,
        which: Certificate,
        params: CertificateParams,
        issuer: &Authority,
        foreign: &Authority,
    ) -> Result<Authority, DevelopmentError> {
        let key = Key::generate()?;
        let pem = self.sign(which, &params, &key, issuer, foreign)?;
        let serial = params.serial_number.clone().unwrap_or_else(|| 0.into());
        Ok(Authority {
            key,
            params,
            pem,
            serial,
        })
    }

    fn leaf(
        &self,
        which: Certificate,
        params: CertificateParams,
        issuer: &Authority,
        foreign: &Authority,
    ) -> Result<Leaf, DevelopmentError> {
        let Authority { key, pem, serial, .. } = self.authority(which, params, issuer, foreign)?;
        Ok(Leaf { key, pem, serial })
    }
}

// === impl Authority ===

impl Authority {
    fn self_signed(params: CertificateParams) -> Result<Self, DevelopmentError> {
        let key = Key::generate()?;
        let pem = params.self_signed(&key.certificates)?.pem();
        let serial = params.serial_number.clone().unwrap_or_else(|| 0.into());
        Ok(Self {
            key,
            params,
            pem,
            serial,
        })
    }
}

// === impl SavedPki ===

impl SavedPki {
    /// One after the other: key, serial number, certificate.
    pub(super) fn fields(self) -> Vec<Vec<u8>> {
        self.0
            .into_iter()
            .flat_map(|entry| [entry.key, entry.serial, entry.certificate])
            .collect()
    }

    /// Nothing, if their number is another one.
    pub(super) fn from_fields(fields: Vec<Vec<u8>>) -> Option<Self> {
        let fields: [Vec<u8>; 15] = fields.try_into().ok()?;
        let mut fields = fields.into_iter();
        let mut entry = || {
            Some(SavedEntry {
                key: fields.next()?,
                serial: fields.next()?,
                certificate: fields.next()?,
            })
        };
        Some(Self([entry()?, entry()?, entry()?, entry()?, entry()?]))
    }
}

/// The certificate in a text that holds one.
fn der(pem: &str) -> Option<Vec<u8>> {
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN CERTIFICATE-----")?
        .strip_suffix("-----END CERTIFICATE-----")?;
    let digits: String = body
        .chars()
        .filter(|digit| !digit.is_ascii_whitespace())
        .collect();
    STANDARD.decode(digits).ok()
}

/// First and last second of validity.
pub(super) const fn window(now: u64, seconds: u64, expired: bool, future: bool) -> (u64, u64) {
    if expired {
        (now.saturating_sub(seconds), now.saturating_sub(1))
    } else if future {
        (now.saturating_add(1), now.saturating_add(seconds))
    } else {
        (now.saturating_sub(BACKDATED_SECONDS), now.saturating_add(seconds))
    }
}

/// Sixteen random bytes, positive and of full length.
fn serial() -> Result<SerialNumber, DevelopmentError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| DevelopmentError::Crypto)?;
    let [first, ..] = &mut bytes;
    *first = (*first & 0x3f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

pub(super) fn at(unix: u64) -> Result<OffsetDateTime, DevelopmentError> {
    i64::try_from(unix)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or(DevelopmentError::Time)
}
