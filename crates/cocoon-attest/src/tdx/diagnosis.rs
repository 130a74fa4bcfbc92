//! Finds the name of what the library refuses in chains and lists, which its words do not tell apart.
//!
//! Runs after a refusal only: whatever it says, nothing is accepted here.

use super::refusal::{Item, TdxRefusal};
use super::window::Dated;
use super::x509::{Certificate, RevocationList, Signed};

/// The first link that does not hold, in the order of docs/attestation.md.
pub(super) fn of(dated: &Dated<'_>) -> TdxRefusal {
    let root = &dated.root;
    let ca = dated.pck.map(|(_, ca)| ca);
    first_broken([
        signed(&root.signed, root, Item::Root),
        signed(&dated.root_crl.signed, root, Item::RootCrl),
        listed(&dated.root_crl, root, Item::Root),
        signed(&dated.tcb_signer.signed, root, Item::TcbSigner),
        listed(&dated.root_crl, &dated.tcb_signer, Item::TcbSigner),
        signed(&dated.qe_signer.signed, root, Item::QeIdentitySigner),
        listed(&dated.root_crl, &dated.qe_signer, Item::QeIdentitySigner),
        ca.and_then(|ca| signed(&ca.signed, root, Item::PckCa)),
        ca.and_then(|ca| listed(&dated.root_crl, &ca, Item::PckCa)),
        dated
            .pck
            .and_then(|(leaf, ca)| signed(&leaf.signed, &ca, Item::Pck)),
        ca.and_then(|ca| signed(&dated.pck_crl.signed, &ca, Item::PckCrl)),
        dated
            .pck
            .and_then(|(leaf, _)| listed(&dated.pck_crl, &leaf, Item::Pck)),
    ])
}

fn first_broken<const N: usize>(checks: [Option<TdxRefusal>; N]) -> TdxRefusal {
    checks
        .into_iter()
        .flatten()
        .next()
        .unwrap_or(TdxRefusal::Unverified)
}

/// What is wrong with an item that this certificate should have signed.
fn signed(item: &Signed<'_>, by: &Certificate<'_>, name: Item) -> Option<TdxRefusal> {
    if item.issuer != by.subject {
        Some(TdxRefusal::Issuer(name))
    } else if !item.is_signed_by(by.key) {
        Some(TdxRefusal::Signature(name))
    } else {
        None
    }
}

fn listed(list: &RevocationList<'_>, certificate: &Certificate<'_>, name: Item) -> Option<TdxRefusal> {
    match list.lists(certificate.serial) {
        Ok(false) => None,
        Ok(true) => Some(TdxRefusal::Revoked(name)),
        Err(_) => Some(TdxRefusal::Malformed(match name {
            Item::Pck => Item::PckCrl,
            _ => Item::RootCrl,
        })),
    }
}
