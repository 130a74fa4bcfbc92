//! `cocoon-seal`: what a proxy, a worker, a client or the maker of a file can send.
//!
//! Beside "no panic": what is accepted is written again as the same bytes, and what opens or verifies is what the holder of
//! the keys made, never something else.

// Named, because the crate under test includes this file from elsewhere.
#[path = "seal/world.rs"]
mod world;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use cocoon_seal::{
    AnswerHead, Arrival, Bundle, Charge, Checks, Countersign, EncodedHead, OfferBook, OfferList, Opened,
    Receipt, SealingPublic, SignedRefusal, verify_bundle,
};

pub use world::seeds;
use world::{BODY, NOW, World, contents};

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this module.
pub const TARGETS: &[Target] = &[
    ("seal_answer", answer),
    ("seal_bundle", bundle),
    ("seal_head", head),
    ("seal_key", key),
    ("seal_offers", offers),
    ("seal_receipt", receipt),
    ("seal_request", request),
    ("seal_signed", signed),
];

/// The head of a request, and that of an answer.
pub fn head(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(head) = EncodedHead::decode(bytes.clone()) {
        assert!(data.len() <= EncodedHead::MAX_BYTES && (1..=8).contains(&head.head().candidates.len()));
        let again = head.head().clone().encode();
        assert_eq!(again.as_ref(), Ok(&head), "one value, one encoding");
        assert_eq!(head.bytes(), &bytes);
    }
    if let Ok(head) = AnswerHead::decode(data) {
        assert!(data.len() <= AnswerHead::MAX_BYTES && head.content_type.len() <= 256);
    }
}

/// A sealing key, as a statement carries it.
pub fn key(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(key) = SealingPublic::decode(bytes.clone()) {
        assert_eq!((key.bytes(), data.len()), (&bytes, SealingPublic::BYTES));
        let life = key.not_after() - key.not_before();
        assert!((1..=SealingPublic::MAX_LIFE).contains(&life) && key.lives_at(key.not_before()));
    }
}

/// Head, wrap and pieces for the first worker: only the request that the client made opens, and only whole.
pub fn request(data: &[u8]) {
    let mut chunks = chunks(data);
    let head = Bytes::copy_from_slice(chunks.next().unwrap_or_default());
    // The worker would say so, after a key was made for it; `seal_head` looks at heads.
    if EncodedHead::decode(head.clone()).is_err() {
        return;
    }
    let mut world = World::new();
    let wrap = chunks.next().unwrap_or_default();
    let key_id = world.public.id();
    let arrival = Arrival {
        head: &head,
        key_id,
        wrap,
        clear: None,
        now: NOW,
    };
    let Ok(mut opened) = world.keys.open(&arrival) else {
        return;
    };
    assert_eq!(head, world.sealed().head.bytes());
    for piece in chunks {
        if opened.piece(&mut piece.to_vec()).is_err() {
            assert!(opened.finish().is_err(), "broken stays broken");
            return;
        }
    }
    if let Ok(whole) = opened.finish() {
        assert_eq!(whole.body(), BODY);
    }
}

/// Head and parts of an answer: only what the worker sealed opens, and the end only after all of it.
pub fn answer(data: &[u8]) {
    let world = World::shared();
    let mut chunks = chunks(data);
    let head = Bytes::copy_from_slice(chunks.next().unwrap_or_default());
    if AnswerHead::decode(&head).is_err() {
        return;
    }
    let Ok(mut opener) = world.sealed().pending.answer(head) else {
        return;
    };
    let mut read = Vec::new();
    for part in chunks {
        match opener.part(&mut part.to_vec()) {
            Ok(Opened::Content(content)) => read.extend_from_slice(content.0),
            Ok(Opened::End(ended)) => {
                assert_eq!(read, contents().concat());
                assert_eq!(ended.receipt.bytes, read.len() as u64);
            }
            Ok(Opened::Refused { message, .. }) => assert!(message.len() <= 4096),
            Err(_) => assert!(opener.part(&mut part.to_vec()).is_err(), "broken stays broken"),
        }
        assert!(contents().concat().starts_with(&read));
    }
}

/// Receipts and charges.
pub fn receipt(data: &[u8]) {
    if let Ok(receipt) = Receipt::decode(data) {
        assert_eq!(receipt.encode(), data);
    }
    if let Ok(charge) = Charge::decode(data) {
        assert_eq!(charge.encode(), data);
    }
}

/// Signatures over batches, and refusals.
pub fn signed(data: &[u8]) {
    let world = World::shared();
    if let Ok(countersign) = Countersign::decode(data) {
        assert_eq!(countersign.encode(), data);
        if countersign.signer == *world.signing.public() && countersign.is_signed() {
            let leaves = world.leaves();
            assert!(leaves.iter().filter(|leaf| countersign.covers(**leaf)).count() <= 1);
        }
    }
    if let Ok(refusal) = SignedRefusal::decode(Bytes::copy_from_slice(data)) {
        assert_eq!(refusal.bytes(), data);
        if refusal.verify(refusal.head_hash, &world.public).is_ok() {
            assert_eq!(refusal.at, NOW, "the worker signed no other");
        }
    }
}

/// An offer list: only what the proxy signed is taken.
pub fn offers(data: &[u8]) {
    let Ok(list) = OfferList::decode(Bytes::copy_from_slice(data)) else {
        return;
    };
    let world = World::shared();
    assert_eq!(list.bytes(), data);
    assert!(list.offers.len() <= OfferList::MAX_OFFERS);
    assert!(list.offers.windows(2).all(|pair| pair[0].key_id < pair[1].key_id));
    let mut book = OfferBook::new(*world.proxy.public());
    let model = list.model.clone();
    let digest = list.digest();
    if book.take(&model, list, NOW).is_ok() {
        assert_eq!(digest, world.offers.digest());
    }
}

/// A bundle, with its digest at the end as it is and made to fit: only the receipt that was signed is valid.
pub fn bundle(data: &[u8]) {
    check_bundle(Bytes::copy_from_slice(data));
    if let Some((text, _)) = data.split_last_chunk::<32>() {
        let end = digest(&SHA256, &[b"cocoon seal v1: bundle end\0", text].concat());
        check_bundle([text, end.as_ref()].concat().into());
    }
}

fn check_bundle(file: Bytes) {
    if let Ok(bundle) = Bundle::decode(&file) {
        assert_eq!(bundle.encode().map(Bytes::from).as_ref(), Ok(&file));
    }
    let world = World::shared();
    let checks = Checks {
        proxy: Some(*world.proxy.public()),
        ..Checks::default()
    };
    let report = verify_bundle(&file, &checks);
    // Whoever makes a bundle brings the worker's keys, so a stranger's is valid too; then it is not the offered worker's.
    if report.is_valid() {
        let receipt = report.receipt.expect("a valid bundle has a receipt");
        assert_eq!(receipt.offer, world.offers.digest());
        assert!(receipt.closing.ended <= NOW + 5, "the worker signed no other");
    }
}

/// Byte strings with a length of two bytes before each.
fn chunks(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first_chunk::<2>()?;
        let (chunk, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        data = rest;
        Some(chunk)
    })
    .take(16)
}
