//! A worker, a proxy and a client with the same keys in every run, and the seeds that they make.

use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use cocoon_seal::*;
use cocoon_types::{Coefficient, Endpoint, ModelName, Tier, TierPolicy, Usage};

pub(crate) const NOW: u64 = 1_790_000_010;
pub(crate) const BODY: &[u8] = b"{\"messages\":[]}";

pub(crate) struct World {
    pub(crate) keys: SealingKeys,
    pub(crate) public: SealingPublic,
    pub(crate) signing: SigningKey,
    pub(crate) proxy: SigningKey,
    pub(crate) offers: OfferList,
}

/// The contents of the answer's parts.
pub(crate) fn contents() -> [&'static [u8]; 2] {
    [b"Hello, ", b"world"]
}

fn counter(seed: u8) -> impl FnMut(&mut [u8]) -> Result<(), NoRandomness> {
    let mut count = 0_u64;
    move |out: &mut [u8]| {
        for chunk in out.chunks_mut(32) {
            let block = digest(&SHA256, &[&[seed][..], &count.to_be_bytes()].concat());
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
            count += 1;
        }
        Ok(())
    }
}

impl World {
    /// One for all runs, for who does not change it: keys take a while to make.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<World> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    pub(crate) fn new() -> Self {
        let signing = SigningKey::from_seed(&[1; 32]).expect("a seed");
        let proxy = SigningKey::from_seed(&[2; 32]).expect("a seed");
        let mut keys = SealingKeys::new(*signing.public(), Limits::default());
        let made = keys.advance(NOW, &mut counter(3)).expect("made");
        let public = made.expect("the first is due");
        let offer = Offer {
            key_id: public.id(),
            statement: Digest::of_statement(b"statement"),
            score: 5,
            coefficient: Coefficient::ONE,
            tier: Tier::Confidential,
        };
        let other = Offer {
            key_id: Digest([7; 32]),
            ..offer
        };
        let epoch = OfferList::epoch_at(30, NOW);
        let offers = OfferList::sign(&model(), 30, epoch, vec![offer, other], &proxy).expect("a list");
        Self {
            keys,
            public,
            signing,
            proxy,
            offers,
        }
    }

    pub(crate) fn sealed(&self) -> SealedRequest {
        let spec = RequestSpec {
            endpoint: Endpoint::ChatCompletions,
            model: model(),
            max_tokens: 64,
            tier: TierPolicy::CONFIDENTIAL,
            padded: true,
            max_coefficient: Coefficient::ONE,
            deadline: NOW + 60,
            offer: self.offers.digest(),
            remember: true,
        };
        let candidate = Candidate {
            key: &self.public,
            session: None,
        };
        seal_request(
            &spec,
            &[candidate],
            Bytes::from_static(BODY),
            NOW,
            &mut counter(4),
        )
        .expect("sealed")
    }

    pub(crate) fn leaves(&self) -> [Digest; 3] {
        [Digest([1; 32]), Digest([2; 32]), Digest([3; 32])]
    }

    /// The whole exchange: heads, wrap, pieces and parts as chunks, and what its end leaves.
    fn exchange(&mut self) -> (Vec<Bytes>, Vec<Bytes>, Ended) {
        let mut sealed = self.sealed();
        let head = sealed.head.bytes().clone();
        let mut sent = vec![head.clone(), sealed.wraps[0].clone()];
        let arrival = Arrival {
            head: &head,
            key_id: self.public.id(),
            wrap: &sent[1],
            clear: None,
            now: NOW,
        };
        let mut opened = self.keys.open(&arrival).expect("opens");
        while let Some(piece) = sealed.body.next_piece().expect("sealed") {
            opened.piece(&mut piece.to_vec()).expect("opens");
            sent.push(piece);
        }
        let whole = opened.finish().expect("whole");
        let spec = AnswerSpec {
            status: 200,
            tier: Tier::Confidential,
            coefficient: Coefficient::ONE,
            content_type: "application/json".into(),
        };
        let mut sealer = AnswerSealer::new(&whole, spec, &mut counter(5)).expect("sealed");
        let mut came = vec![sealer.head().clone()];
        for content in contents() {
            let mut part = Vec::new();
            sealer.part(content, &mut part).expect("sealed");
            came.push(part.into());
        }
        let mut last = Vec::new();
        sealer.finish(&closing(), &mut last).expect("sealed");
        came.push(last.into());
        let mut opener = sealed.pending.answer(came[0].clone()).expect("an answer");
        let mut ended = None;
        for part in &came[1..] {
            let mut part = part.to_vec();
            if let Opened::End(end) = opener.part(&mut part).expect("opens") {
                ended = Some(*end);
            }
        }
        (sent, came, ended.expect("the end"))
    }
}

fn model() -> ModelName {
    ModelName::new("m").expect("a name")
}

fn closing() -> Closing {
    Closing {
        statement: Digest::of_statement(b"statement"),
        model: Digest([4; 32]),
        engine: Digest([5; 32]),
        evidence: evidence_digest(&[item()]),
        engine_place: EnginePlace::Measured,
        accelerators: Accelerators::None,
        outcome: Outcome::Complete,
        finish: Finish::Stop,
        usage: Usage::new(5, 1, 4, 2).expect("possible"),
        block_seqno: 9,
        block: Digest([6; 32]),
        started: NOW + 1,
        ended: NOW + 2,
    }
}

fn item() -> EvidenceItem {
    EvidenceItem {
        label: "quote".into(),
        bytes: Bytes::from_static(b"evidence"),
    }
}

fn chunked(chunks: &[Bytes]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in chunks {
        let length = u16::try_from(chunk.len()).expect("short");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(chunk);
    }
    out
}

/// The seeds: target, name, bytes.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let mut world = World::new();
    let (sent, came, ended) = world.exchange();
    let receipt = ended.receipt.clone();
    let batch = |leaves: &[Digest], role, key: &SigningKey| {
        let mut batch = Batch::default();
        leaves.iter().for_each(|leaf| assert!(batch.push(*leaf).is_ok()));
        batch.sign(role, key, NOW + 3).remove(leaves.len() - 1)
    };
    let charge = Charge {
        leaf: receipt.leaf(),
        offer: receipt.offer,
        coefficient: receipt.coefficient,
        adjusted: 9,
        nanoton: 900,
        settled_at: NOW + 3,
    };
    let signed = batch(&[Digest([8; 32]), receipt.leaf()], Role::Worker, &world.signing);
    let charged = batch(&[charge.charge_leaf()], Role::Proxy, &world.proxy);
    let statement = Bytes::from_static(b"statement");
    let file = |salts| {
        let made = Bundle::new(
            &ended,
            &signed,
            &world.public,
            &world.offers,
            statement.clone(),
            salts,
        );
        Bundle {
            evidence: vec![item()],
            ..made
        }
    };
    let refusal = |reason| SignedRefusal::sign(&sent[0], world.public.id(), reason, NOW, &world.signing);
    let empty = OfferList::sign(&model(), 30, 1, Vec::new(), &world.proxy).expect("a list");
    let encoded = |bundle: Bundle| bundle.encode().expect("small");
    let cut = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let mut cancelled = receipt.clone();
    cancelled.closing.outcome = Outcome::Cancelled;
    vec![
        ("seal_head", "request", sent[0].to_vec()),
        ("seal_head", "answer", came[0].to_vec()),
        ("seal_head", "cut", cut(&sent[0])),
        ("seal_key", "right", world.public.bytes().to_vec()),
        ("seal_key", "cut", cut(world.public.bytes())),
        ("seal_key", "longer", [world.public.bytes(), &b"x"[..]].concat()),
        ("seal_request", "whole", chunked(&sent)),
        ("seal_request", "no_piece", chunked(&sent[..2])),
        (
            "seal_request",
            "piece_twice",
            chunked(&[&sent[..], &sent[2..]].concat()),
        ),
        ("seal_answer", "whole", chunked(&came)),
        ("seal_answer", "cut", chunked(&came[..2])),
        (
            "seal_answer",
            "swapped",
            chunked(&[came[0].clone(), came[2].clone(), came[1].clone()]),
        ),
        ("seal_receipt", "complete", receipt.encode()),
        ("seal_receipt", "cancelled", cancelled.encode()),
        ("seal_receipt", "charge", charge.encode()),
        (
            "seal_signed",
            "worker",
            batch(&world.leaves(), Role::Worker, &world.signing).encode(),
        ),
        ("seal_signed", "proxy", charged.encode()),
        ("seal_signed", "busy", refusal(Reason::Busy).bytes().to_vec()),
        (
            "seal_signed",
            "session",
            refusal(Reason::UnknownSession).bytes().to_vec(),
        ),
        ("seal_offers", "two", world.offers.bytes().to_vec()),
        ("seal_offers", "empty", empty.bytes().to_vec()),
        ("seal_offers", "cut", cut(world.offers.bytes())),
        (
            "seal_bundle",
            "with_salts",
            encoded(file(true).with_charge(&charge, &charged)),
        ),
        ("seal_bundle", "without", encoded(file(false))),
        ("seal_bundle", "cut", cut(&encoded(file(false)))),
    ]
}
