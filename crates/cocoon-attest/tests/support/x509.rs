//! Drafts of certificates and revocation lists.

use std::collections::HashMap;
use std::sync::Mutex;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _, RSA_PSS_SHA384,
};

use super::der::{self, bits, name, number, seq, time, tlv};

/// RSASSA-PSS with SHA-384 and a salt of 48 bytes, as AMD writes it.
const PSS: &str = "304606092a864886f70d01010a3039a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d060960\
86480165030402020500a203020130a303020101";
const ECDSA: &str = "300a06082a8648ce3d040303";

pub const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
pub const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];

/// A key of an authority or a device.
pub enum Signer {
    /// Remembers what it has signed: most drafts of a test have most of their certificates in common.
    Rsa(Box<RsaKeyPair>, Mutex<HashMap<Vec<u8>, Vec<u8>>>),
    /// For certificates.
    Ecdsa(EcdsaKeyPair),
    /// For evidence: signs r and s as 96 bytes.
    Device(EcdsaKeyPair),
}

#[derive(Clone)]
pub struct CertificateDraft {
    pub version: u64,
    pub serial: Vec<u8>,
    /// AlgorithmIdentifier in the signed part, when it is not the signer's.
    pub inner_algorithm: Option<Vec<u8>>,
    /// AlgorithmIdentifier outside, when it is not the signer's.
    pub outer_algorithm: Option<Vec<u8>>,
    pub issuer: String,
    pub subject: String,
    pub not_before: u64,
    pub not_after: u64,
    /// SubjectPublicKeyInfo.
    pub key: Vec<u8>,
    /// Name, whether it is critical, value.
    pub extensions: Vec<(Vec<u8>, bool, Vec<u8>)>,
}

#[derive(Clone)]
pub struct ListDraft {
    pub issuer: String,
    pub this_update: u64,
    pub next_update: Option<u64>,
    pub serials: Vec<Vec<u8>>,
    /// Extensions of the list.
    pub extensions: Vec<(Vec<u8>, bool, Vec<u8>)>,
}

impl Signer {
    /// From PKCS#8. Making a key of 4096 bits takes seconds, so those of a made-up AMD are kept.
    pub fn rsa(pkcs8: &[u8]) -> Self {
        let key = RsaKeyPair::from_pkcs8(pkcs8).expect("a key");
        Self::Rsa(Box::new(key), Mutex::default())
    }

    pub fn ecdsa() -> Self {
        Self::Ecdsa(ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING))
    }

    pub fn device() -> Self {
        Self::Device(ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING))
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key, signed) => {
                let mut signed = signed.lock().expect("no test panics here");
                let make = || {
                    let mut signature = vec![0; key.public_modulus_len()];
                    key.sign(&RSA_PSS_SHA384, &random, message, &mut signature)
                        .expect("signs");
                    signature
                };
                signed.entry(message.to_vec()).or_insert_with(make).clone()
            }
            Self::Ecdsa(key) | Self::Device(key) => {
                key.sign(&random, message).expect("signs").as_ref().to_vec()
            }
        }
    }

    /// SubjectPublicKeyInfo.
    pub fn public(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key, _) => key.public_key().as_der().expect("encodes").as_ref().to_vec(),
            Self::Ecdsa(key) | Self::Device(key) => {
                key.public_key().as_der().expect("encodes").as_ref().to_vec()
            }
        }
    }

    fn algorithm(&self) -> Vec<u8> {
        hex::decode(match self {
            Self::Rsa(..) => PSS,
            Self::Ecdsa(_) | Self::Device(_) => ECDSA,
        })
        .expect("hex")
    }
}

impl CertificateDraft {
    pub fn new(subject: &str, key: &Signer, validity: std::ops::Range<u64>) -> Self {
        Self {
            version: 2,
            serial: vec![1],
            inner_algorithm: None,
            outer_algorithm: None,
            issuer: subject.to_owned(),
            subject: subject.to_owned(),
            not_before: validity.start,
            not_after: validity.end,
            key: key.public(),
            extensions: Vec::new(),
        }
    }

    /// May issue certificates, with at most so many authorities under it.
    pub fn authority(mut self, below: Option<u64>) -> Self {
        let most = below.map(number).unwrap_or_default();
        let constraints = seq(&[&[0x01, 0x01, 0xff], &most]);
        self.extensions
            .push((BASIC_CONSTRAINTS.to_vec(), true, constraints));
        self.extensions
            .push((KEY_USAGE.to_vec(), true, vec![0x03, 0x02, 0x02, 0x04]));
        self
    }

    pub fn issued_by(mut self, issuer: &Self) -> Self {
        self.issuer.clone_from(&issuer.subject);
        self
    }

    /// The value of an extension, for a test to change.
    pub fn extension(&mut self, name: &[u8]) -> &mut Vec<u8> {
        let found = self.extensions.iter_mut().find(|(other, ..)| other == name);
        &mut found.expect("it is there").2
    }

    pub fn sign(&self, signer: &Signer) -> Vec<u8> {
        let version = tlv(0xa0, &[&number(self.version)]);
        let serial = tlv(der::INTEGER, &[&self.serial]);
        let algorithm = self.inner_algorithm.clone().unwrap_or_else(|| signer.algorithm());
        let validity = seq(&[&time(self.not_before), &time(self.not_after)]);
        let list = tlv(0xa3, &[&extensions(&self.extensions)]);
        let to_be_signed = seq(&[
            &version,
            &serial,
            &algorithm,
            &name(&self.issuer),
            &validity,
            &name(&self.subject),
            &self.key,
            if self.extensions.is_empty() { &[] } else { &list },
        ]);
        seal(&to_be_signed, self.outer_algorithm.as_deref(), signer)
    }
}

impl ListDraft {
    pub fn new(issuer: &str, validity: std::ops::Range<u64>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            this_update: validity.start,
            next_update: Some(validity.end),
            serials: Vec::new(),
            extensions: Vec::new(),
        }
    }

    pub fn sign(&self, signer: &Signer) -> Vec<u8> {
        let entries: Vec<Vec<u8>> = self
            .serials
            .iter()
            .map(|serial| seq(&[&tlv(der::INTEGER, &[serial]), &time(self.this_update)]))
            .collect();
        let revoked = seq(&[&entries.concat()]);
        let list = tlv(0xa0, &[&extensions(&self.extensions)]);
        let to_be_signed = seq(&[
            &number(1),
            &signer.algorithm(),
            &name(&self.issuer),
            &time(self.this_update),
            &self.next_update.map(time).unwrap_or_default(),
            if entries.is_empty() { &[] } else { &revoked },
            if self.extensions.is_empty() { &[] } else { &list },
        ]);
        seal(&to_be_signed, None, signer)
    }
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    EcdsaKeyPair::generate(algorithm).expect("a key")
}

fn seal(to_be_signed: &[u8], algorithm: Option<&[u8]>, signer: &Signer) -> Vec<u8> {
    let own = signer.algorithm();
    let signature = signer.sign(to_be_signed);
    seq(&[to_be_signed, algorithm.unwrap_or(&own), &bits(&signature)])
}

fn extensions(list: &[(Vec<u8>, bool, Vec<u8>)]) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = list
        .iter()
        .map(|(id, critical, value)| {
            let flag: &[u8] = if *critical { &[0x01, 0x01, 0xff] } else { &[] };
            seq(&[&tlv(der::OID, &[id]), flag, &tlv(der::OCTET_STRING, &[value])])
        })
        .collect();
    seq(&[&entries.concat()])
}
