//! Steps 2, 5 and 6: the chain of a GPU's key. NVIDIA's has five certificates: key, boot ROM, provisioner, GPU family, root.

use aws_lc_rs::digest::{SHA256, digest};

use super::{GpuLink, GpuRefusal, GpuRevocation};
use crate::der::{self, NotDer, Reader};
use crate::x509::{CertificateFault, Crl, Key, X509};

/// NVIDIA's have five.
pub(super) const MAX_CERTIFICATES: usize = 6;

/// 2.23.133.5.4.1: TCG DICE, as Hopper has it: the key of the device and its firmware id.
const DICE_DEVICE_ID: &[u8] = &[0x67, 0x81, 0x05, 0x05, 0x04, 0x01];
/// 2.23.133.5.4.1.1: TCG DICE TcbInfo, as Blackwell has it: firmware ids in element 6.
const DICE_TCB_INFO: &[u8] = &[0x67, 0x81, 0x05, 0x05, 0x04, 0x01, 0x01];
/// 2.5.29.31: where the issuer publishes its revocation list.
const DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 0x1f];
/// SHA-384.
const FIRMWARE_ID_BYTES: usize = 48;

/// A chain that ends at the root that was given; key first. Never empty.
#[derive(Clone, Debug)]
pub(super) struct Chain<'a> {
    leaf: X509<'a>,
    /// What stands above the leaf; the last is the root.
    authorities: Vec<X509<'a>>,
    leaf_der: &'a [u8],
}

// === impl Chain ===

impl<'a> Chain<'a> {
    /// Step 2.
    pub(super) fn verify(chain: &'a [Vec<u8>], root: &[u8], now: u64) -> Result<Self, GpuRefusal> {
        let length = GpuRefusal::ChainLength { got: chain.len() };
        let (leaf_der, above) = chain.split_first().ok_or(length)?;
        let last = above.last().ok_or(length)?;
        if chain.len() > MAX_CERTIFICATES {
            return Err(length);
        }
        // Byte for byte: then nothing in the chain's copy of it needs to be believed.
        if last != root {
            return Err(GpuRefusal::UnknownRoot);
        }
        let leaf = X509::parse(leaf_der).map_err(at(0))?;
        let mut authorities = Vec::with_capacity(above.len());
        for (number, der) in (1..).zip(above) {
            authorities.push(X509::parse(der).map_err(at(number))?);
        }
        let found = Self {
            leaf,
            authorities,
            leaf_der,
        };
        found.check(now)?;
        Ok(found)
    }

    fn check(&self, now: u64) -> Result<(), GpuRefusal> {
        self.leaf.check_signer().map_err(at(0))?;
        for (below, number, authority) in self
            .authorities
            .iter()
            .enumerate()
            .map(|(below, authority)| (below, below.saturating_add(1), authority))
        {
            let below = u64::try_from(below).unwrap_or(u64::MAX);
            authority.check_authority(below).map_err(at(number))?;
        }
        let issuers = self.authorities.iter();
        for (number, (certificate, issuer)) in self.certificates().zip(issuers).enumerate() {
            if certificate.subject == certificate.issuer {
                return Err(GpuRefusal::Loop(number));
            }
            certificate.check_issued_by(issuer).map_err(at(number))?;
        }
        for (number, certificate) in self.certificates().enumerate() {
            if !matches!(certificate.key, Key::P384(_)) {
                return Err(at(number)(CertificateFault::Key));
            }
            certificate.check_time(now).map_err(at(number))?;
        }
        Ok(())
    }

    pub(super) const fn leaf(&self) -> &X509<'a> {
        &self.leaf
    }

    /// The name of the certificate above the key's, which is the chip's.
    pub(super) fn model(&self) -> &str {
        let name = self.authorities.first().and_then(X509::common_name);
        // It is signed, but it goes to people's screens.
        name.filter(|name| name.len() <= 64 && name.bytes().all(|byte| (0x20..0x7f).contains(&byte)))
            .unwrap_or("unnamed")
    }

    pub(super) fn device(&self) -> [u8; 32] {
        let hash = digest(&SHA256, self.leaf_der);
        hash.as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// The earliest end of any certificate.
    pub(super) fn end(&self) -> u64 {
        self.certificates()
            .map(|certificate| certificate.not_after)
            .min()
            .unwrap_or(0)
    }

    /// Step 5. A report without one leaves nothing to compare; NVIDIA's verifier holds it the same way.
    pub(super) fn check_firmware_id(&self, reported: Option<&[u8]>) -> Result<(), GpuRefusal> {
        let Some(reported) = reported else {
            return Ok(());
        };
        let certified = match (
            self.leaf.extension(DICE_DEVICE_ID),
            self.leaf.extension(DICE_TCB_INFO),
        ) {
            (Some(value), None) => device_id(value),
            (None, Some(value)) => tcb_info(value),
            _ => Err(NotDer),
        };
        let certified = certified.map_err(|NotDer| GpuRefusal::FirmwareIdForm)?;
        if certified.len() == FIRMWARE_ID_BYTES && certified == reported {
            Ok(())
        } else {
            Err(GpuRefusal::FirmwareId)
        }
    }

    /// Step 6; also gives the earliest end of the lists.
    pub(super) fn check_revocation(
        &self,
        lists: &[Vec<u8>],
        now: u64,
    ) -> Result<(GpuRevocation, u64), GpuRefusal> {
        if lists.len() > self.authorities.len() {
            return Err(GpuRefusal::RevocationLists);
        }
        let mut parsed = Vec::with_capacity(lists.len());
        for (number, bytes) in lists.iter().enumerate() {
            let of = of_list(number);
            let list = Crl::parse(bytes).map_err(&of)?;
            let (certificate, issuer) = self
                .certificates()
                .zip(&self.authorities)
                .find(|(_, issuer)| issuer.subject == list.issuer)
                .ok_or_else(|| of(CertificateFault::IssuerName))?;
            list.check(issuer, now)
                .and_then(|()| list.check_serial(certificate.serial))
                .map_err(&of)?;
            parsed.push(list);
        }
        let listed = |certificate: &X509<'_>| parsed.iter().any(|list| list.issuer == certificate.issuer);
        let mut published = self
            .certificates()
            .filter(|certificate| certificate.extension(DISTRIBUTION_POINTS).is_some());
        let judged = if parsed.is_empty() {
            GpuRevocation::NotJudged
        } else if published.all(listed) {
            GpuRevocation::Judged
        } else {
            GpuRevocation::Partly
        };
        let end = parsed.iter().map(|list| list.next_update).min();
        Ok((judged, end.unwrap_or(u64::MAX)))
    }

    fn certificates(&self) -> impl Iterator<Item = &X509<'a>> {
        std::iter::once(&self.leaf).chain(&self.authorities)
    }
}

/// `SEQUENCE { version, device key, SEQUENCE { SHA-384, firmware id } }`.
fn device_id(value: &[u8]) -> Result<&[u8], NotDer> {
    let mut fields = Reader::new(der::only(value, der::SEQUENCE)?.content);
    fields.expect(der::INTEGER)?;
    fields.expect(der::SEQUENCE)?;
    let id = fields.expect(der::SEQUENCE)?;
    fields.end()?;
    firmware_id(id.content)
}

/// The first firmware id of element 6; the others are of later stages of the boot.
fn tcb_info(value: &[u8]) -> Result<&[u8], NotDer> {
    const FIRMWARE_IDS: u8 = 0xa6;
    let mut fields = Reader::new(der::only(value, der::SEQUENCE)?.content);
    loop {
        let field = fields.element()?;
        if field.tag == FIRMWARE_IDS {
            return firmware_id(Reader::new(field.content).expect(der::SEQUENCE)?.content);
        }
    }
}

fn firmware_id(content: &[u8]) -> Result<&[u8], NotDer> {
    /// 2.16.840.1.101.3.4.2.2.
    const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
    let mut fields = Reader::new(content);
    let algorithm = fields.expect(der::OID)?;
    let id = fields.expect(der::OCTET_STRING)?;
    fields.end()?;
    if algorithm.content == SHA384 {
        Ok(id.content)
    } else {
        Err(NotDer)
    }
}

fn at(number: usize) -> impl Fn(CertificateFault) -> GpuRefusal {
    move |fault| GpuRefusal::Certificate {
        of: GpuLink::Certificate(number),
        fault,
    }
}

fn of_list(number: usize) -> impl Fn(CertificateFault) -> GpuRefusal {
    move |fault| GpuRefusal::Certificate {
        of: GpuLink::RevocationList(number),
        fault,
    }
}
