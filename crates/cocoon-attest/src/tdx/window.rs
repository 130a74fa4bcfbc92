//! Step 2: every certificate and every piece of collateral is read and dated before any signature is looked at.

use aws_lc_rs::digest::{SHA384, digest};
use serde::Deserialize;

use super::collateral::Collateral;
use super::pem;
use super::refusal::{Item, TdxRefusal};
use super::x509::{Certificate, RevocationList, Signed};
use crate::der::{self, Element, NotDer};
use crate::time;

/// The certificates of evidence and collateral, out of their PEM.
#[derive(Debug)]
pub(super) struct Chains {
    pck: Vec<Vec<u8>>,
    tcb: Vec<Vec<u8>>,
    qe: Vec<Vec<u8>>,
    pck_crl_issuer: Vec<Vec<u8>>,
}

/// Everything that has dates, read. What of it counts is what the library then verifies: root, signer, signer, PCK CA, PCK
/// certificate, two lists, two texts.
#[derive(Debug)]
pub(super) struct Dated<'a> {
    pub(super) root: Certificate<'a>,
    pub(super) tcb_signer: Certificate<'a>,
    pub(super) qe_signer: Certificate<'a>,
    /// With a quote only.
    pub(super) pck: Option<(Certificate<'a>, Certificate<'a>)>,
    pub(super) root_crl: RevocationList<'a>,
    pub(super) pck_crl: RevocationList<'a>,
    tcb_info: (u64, u64),
    qe_identity: (u64, u64),
}

/// The dates of a TCB info or a QE identity; the library reads the rest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dates {
    issue_date: String,
    next_update: String,
}

// === impl Chains ===

impl Chains {
    /// Reads the PEM of a quote's PCK chain (if there is a quote) and of the collateral.
    pub(super) fn read(pck: Option<&[u8]>, collateral: &Collateral) -> Result<Self, TdxRefusal> {
        let parts = collateral.parts();
        let chain = |text: &[u8], item: Item, counts: std::ops::RangeInclusive<usize>| {
            let chain = pem::read(text).map_err(|pem::NotPem| TdxRefusal::Malformed(item))?;
            let count = chain.len();
            if counts.contains(&count) {
                Ok(chain)
            } else {
                Err(TdxRefusal::ChainLength { item, count })
            }
        };
        Ok(Self {
            pck: pck.map_or(Ok(Vec::new()), |text| chain(text, Item::Pck, 2..=3))?,
            tcb: chain(parts.tcb_info_issuer_chain.as_bytes(), Item::TcbSigner, 1..=2)?,
            qe: chain(
                parts.qe_identity_issuer_chain.as_bytes(),
                Item::QeIdentitySigner,
                1..=2,
            )?,
            pck_crl_issuer: chain(parts.pck_crl_issuer_chain.as_bytes(), Item::PckCrlIssuer, 0..=2)?,
        })
    }

    /// Some certificate, of which there is at least one.
    pub(super) fn any_certificate(&self) -> &[u8] {
        self.tcb.first().map_or(&[], Vec::as_slice)
    }

    /// The issuer's name of the PCK CA: whose evidence this claims to be.
    pub(super) fn pck_root_name(&self) -> Result<&[u8], TdxRefusal> {
        let ca = self.pck.get(1).map_or(&[][..], Vec::as_slice);
        Ok(certificate(ca, Item::PckCa)?.signed.issuer)
    }
}

// === impl Dated ===

impl<'a> Dated<'a> {
    pub(super) fn read(
        chains: &'a Chains,
        collateral: &'a Collateral,
        root_der: &'a [u8],
    ) -> Result<Self, TdxRefusal> {
        let parts = collateral.parts();
        let at = |chain: &'a [Vec<u8>], index: usize, item: Item| {
            certificate(chain.get(index).map_or(&[][..], Vec::as_slice), item)
        };
        for bytes in &chains.pck_crl_issuer {
            certificate(bytes, Item::PckCrlIssuer)?;
        }
        Ok(Self {
            root: certificate(root_der, Item::Root)?,
            tcb_signer: at(&chains.tcb, 0, Item::TcbSigner)?,
            qe_signer: at(&chains.qe, 0, Item::QeIdentitySigner)?,
            pck: if chains.pck.is_empty() {
                None
            } else {
                Some((at(&chains.pck, 0, Item::Pck)?, at(&chains.pck, 1, Item::PckCa)?))
            },
            root_crl: list(&parts.root_ca_crl, Item::RootCrl)?,
            pck_crl: list(&parts.pck_crl, Item::PckCrl)?,
            tcb_info: dates(&parts.tcb_info).ok_or(TdxRefusal::Malformed(Item::TcbInfo))?,
            qe_identity: dates(&parts.qe_identity).ok_or(TdxRefusal::Malformed(Item::QeIdentity))?,
        })
    }

    /// Refuses what does not hold at this second; gives the last second at which all of it holds.
    pub(super) fn check(&self, now: u64) -> Result<u64, TdxRefusal> {
        let mut last = u64::MAX;
        for (item, from, until) in self.windows() {
            if now < from {
                return Err(TdxRefusal::NotYetValid { item, from });
            }
            if now > until {
                return Err(TdxRefusal::Expired { item, until });
            }
            last = last.min(until);
        }
        Ok(last)
    }

    /// The last second at which all of it holds, whatever the time is now.
    pub(super) fn until(&self) -> u64 {
        self.windows().map(|(_, _, until)| until).min().unwrap_or(0)
    }

    /// When what is made anew every month was made.
    pub(super) const fn issued(&self) -> [u64; 4] {
        [
            self.root_crl.signed.from,
            self.pck_crl.signed.from,
            self.tcb_info.0,
            self.qe_identity.0,
        ]
    }

    fn windows(&self) -> impl Iterator<Item = (Item, u64, u64)> {
        let of = |item: Item, signed: &Signed<'_>| (item, signed.from, signed.until);
        let pck = self
            .pck
            .map(|(leaf, ca)| [of(Item::PckCa, &ca.signed), of(Item::Pck, &leaf.signed)]);
        [
            of(Item::Root, &self.root.signed),
            of(Item::RootCrl, &self.root_crl.signed),
            of(Item::TcbSigner, &self.tcb_signer.signed),
            (Item::TcbInfo, self.tcb_info.0, self.tcb_info.1),
            of(Item::QeIdentitySigner, &self.qe_signer.signed),
            (Item::QeIdentity, self.qe_identity.0, self.qe_identity.1),
            of(Item::PckCrl, &self.pck_crl.signed),
        ]
        .into_iter()
        .chain(pck.into_iter().flatten())
    }

    /// SHA-384 of the root's key (spec/network.md 3.5).
    pub(super) fn root_key_id(&self) -> [u8; 48] {
        digest(&SHA384, self.root.key)
            .as_ref()
            .try_into()
            .unwrap_or([0; 48])
    }
}

fn certificate(bytes: &[u8], item: Item) -> Result<Certificate<'_>, TdxRefusal> {
    Certificate::parse(bytes).map_err(|NotDer| TdxRefusal::Malformed(item))
}

fn list(bytes: &[u8], item: Item) -> Result<RevocationList<'_>, TdxRefusal> {
    RevocationList::parse(bytes).map_err(|NotDer| TdxRefusal::Malformed(item))
}

fn dates(json: &str) -> Option<(u64, u64)> {
    let dates: Dates = serde_json::from_str(json).ok()?;
    Some((date(&dates.issue_date)?, date(&dates.next_update)?))
}

/// Unix seconds of `2025-06-19T10:16:03Z`, the one form that Intel writes.
pub(super) fn date(text: &str) -> Option<u64> {
    let bytes: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b'Z',
    ] = *bytes
    else {
        return None;
    };
    let content = [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2, s1, s2, b'Z'];
    time::read(Element {
        tag: der::GENERALIZED_TIME,
        content: &content,
        whole: &content,
    })
    .ok()
}
