//! The test vectors, from fixed randomness. `cargo run -p cocoon-seal --example vectors` writes them.

use bytes::Bytes;
use cocoon_seal::*;
use serde_json::{Value, json};

use crate::support::*;

const ANSWER: [&[u8]; 3] = [b"data: {\"delta\":\"Hel\"}\n\n", b"", b"data: [DONE]\n\n"];

/// Every vector by the name of its file.
pub(crate) fn vectors() -> Vec<(&'static str, Value)> {
    vec![
        ("exchange.json", exchange_with(BODY, true)),
        ("exchange_unpadded.json", exchange_with(b"", false)),
        ("exchange_long.json", exchange_with(&vec![b'a'; 70_000], true)),
        ("exchange_warm.json", warm()),
        ("offers.json", offers()),
        ("refusal.json", refusal()),
        ("bundle.json", bundle()),
        ("padding.json", padding()),
    ]
}

/// The seed of a worker of `support`.
fn seed(worker: u64) -> String {
    let mut seed = [0; 32];
    fixed(101 + worker).fill(&mut seed).unwrap();
    hex::encode(seed)
}

fn all_hex(all: &[Vec<u8>]) -> Vec<String> {
    all.iter().map(hex::encode).collect()
}

/// The fields of an exchange that the second candidate serves.
fn served(world: &mut World, sealed: SealedRequest, body: &[u8], at: usize) -> Value {
    let (head, wrap) = (sealed.head.bytes().clone(), sealed.wraps[at].clone());
    let mut sealed = sealed;
    let sent = pieces(&mut sealed.body);
    let mut opened = world.open(at, &sealed).unwrap();
    feed(&mut opened, &sent).unwrap();
    let request = opened.finish().unwrap();
    let (answer_head, parts, receipt) = answer(world, at, &request, &ANSWER);
    json!({
        "kind": "exchange",
        "seed": seed(at as u64),
        "sealing_key": hex::encode(world.workers[at].public.bytes()),
        "head": hex::encode(head),
        "wrap": hex::encode(wrap),
        "pieces": all_hex(&sent),
        "answer_head": hex::encode(answer_head),
        "parts": all_hex(&parts),
        "body": hex::encode(body),
        "answer": hex::encode(ANSWER.concat()),
        "key_id": world.workers[at].public.id().to_string(),
        "request_hash": receipt.request_hash.to_string(),
        "answer_hash": receipt.answer_hash.to_string(),
        "leaf": receipt.leaf().to_string(),
        "usage": [12, 4, 7, 2],
    })
}

fn exchange_with(body: &[u8], padded: bool) -> Value {
    let mut world = world();
    let spec = RequestSpec {
        padded,
        ..world.spec()
    };
    let candidates: Vec<_> = world.workers[..2]
        .iter()
        .map(|worker| cold(&worker.public))
        .collect();
    let body_bytes = Bytes::copy_from_slice(body);
    let sealed = seal_request(&spec, &candidates, body_bytes, NOW, &mut world.random).unwrap();
    let mut vector = served(&mut world, sealed, body, 1);
    if body.len() > 1000 {
        // One byte over and over: said shorter.
        vector["body_of"] = json!([body[0], body.len()]);
        vector.as_object_mut().unwrap().remove("body");
    }
    vector
}

fn warm() -> Value {
    let mut world = world();
    let mut first = world.seal(BODY);
    let earlier = (first.head.bytes().clone(), first.wraps[0].clone());
    let request = world.whole(0, &mut first);
    let (head, parts, _) = answer(&mut world, 0, &request, &[b"x"]);
    let mut opener = first.pending.answer(head).unwrap();
    read(&mut opener, &parts).unwrap();
    let session = opener.take_session().unwrap();
    let candidate = Candidate {
        key: &world.workers[0].public,
        session: Some(&session),
    };
    let spec = world.spec();
    let sealed = seal_request(
        &spec,
        &[candidate],
        Bytes::from_static(BODY),
        NOW,
        &mut world.random,
    )
    .unwrap();
    let mut vector = served(&mut world, sealed, BODY, 0);
    vector["earlier"] = json!({ "head": hex::encode(earlier.0), "wrap": hex::encode(earlier.1) });
    vector
}

fn offers() -> Value {
    let world = world();
    let draws: Vec<_> = [
        (1_u64, 2_usize, vec![10_u32, 0, 30, 60]),
        (2, 8, vec![1, 1, 1]),
        (3, 3, vec![u32::MAX; 5]),
    ]
    .into_iter()
    .map(|(source, k, scores)| {
        let mut bytes = vec![0; 16 * k];
        // One block of randomness for each draw of 16 bytes, as `Fixed` gives it.
        let mut random = fixed(source);
        bytes.chunks_mut(16).for_each(|chunk| random.fill(chunk).unwrap());
        let drawn = draw(&scores, k, &mut fixed(source)).unwrap();
        json!({ "scores": scores, "k": k, "random": hex::encode(bytes), "drawn": drawn })
    })
    .collect();
    json!({
        "kind": "offers",
        "list": hex::encode(world.offers.bytes()),
        "proxy": hex::encode(world.proxy.public()),
        "model": "m",
        "epoch": world.offers.epoch,
        "digest": world.offers.digest().to_string(),
        "key_ids": world.offers.offers.iter().map(|offer| offer.key_id.to_string()).collect::<Vec<_>>(),
        "draws": draws,
    })
}

fn refusal() -> Value {
    let mut world = world();
    let sealed = world.seal(BODY);
    let worker = &world.workers[0];
    let reason = Reason::UnknownSession;
    let signed = SignedRefusal::sign(
        sealed.head.bytes(),
        worker.public.id(),
        reason,
        NOW,
        &worker.signing,
    );
    json!({
        "kind": "refusal",
        "refusal": hex::encode(signed.bytes()),
        "head": hex::encode(sealed.head.bytes()),
        "sealing_key": hex::encode(worker.public.bytes()),
        "code": 3,
        "at": NOW,
    })
}

fn bundle() -> Value {
    let mut world = world();
    let ended = exchange(&mut world);
    let bundle = bundle_of(&world, &ended);
    json!({
        "kind": "bundle",
        "file": hex::encode(bundle.encode().unwrap()),
        "proxy": hex::encode(world.proxy.public()),
        "body": hex::encode(BODY),
        "answer": hex::encode(b"Hello, world"),
        "nanoton": 15_000,
    })
}

fn padding() -> Value {
    let mut world = world();
    let lengths = [
        0, 1, 255, 256, 287, 288, 1000, 1023, 1024, 65_534, 65_535, 100_000,
    ];
    let sizes = lengths.map(|length| {
        let sealed = world.seal(&vec![0; length]);
        (length, sealed.head.head().body_bytes)
    });
    json!({ "kind": "padding", "sizes": sizes })
}
