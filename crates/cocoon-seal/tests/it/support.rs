//! Two workers, a proxy and a client, without a network, from fixed randomness.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use cocoon_seal::*;
use cocoon_types::{Coefficient, Endpoint, ModelName, Tier, TierPolicy, Usage};

pub(crate) const NOW: u64 = 1_790_000_010;
pub(crate) const BODY: &[u8] = br#"{"model":"m","messages":[{"role":"user","content":"planted"}]}"#;

/// SHA-256(seed, counter): the same bytes in every run.
pub(crate) struct Fixed(u64, u64);

impl Random for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoRandomness> {
        for chunk in out.chunks_mut(32) {
            let input = [self.0.to_be_bytes(), self.1.to_be_bytes()].concat();
            let block = digest(&SHA256, &input);
            self.1 += 1;
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
        }
        Ok(())
    }
}

pub(crate) const fn fixed(seed: u64) -> Fixed {
    Fixed(seed, 0)
}

pub(crate) struct Worker {
    pub(crate) keys: SealingKeys,
    pub(crate) public: SealingPublic,
    pub(crate) signing: SigningKey,
    pub(crate) statement: Bytes,
}

pub(crate) struct World {
    pub(crate) workers: Vec<Worker>,
    pub(crate) proxy: SigningKey,
    pub(crate) offers: OfferList,
    pub(crate) random: Fixed,
}

pub(crate) fn digest_of(what: &str) -> Digest {
    Digest(digest(&SHA256, what.as_bytes()).as_ref().try_into().unwrap())
}

pub(crate) fn evidence() -> Vec<EvidenceItem> {
    let item = |label: &str, bytes: &'static [u8]| EvidenceItem {
        label: label.into(),
        bytes: Bytes::from_static(bytes),
    };
    vec![item("cpu quote", b"a quote"), item("gpu report", b"a report")]
}

pub(crate) fn model() -> ModelName {
    ModelName::new("m").unwrap()
}

pub(crate) fn world() -> World {
    let worker = |n: u8| {
        let signing = SigningKey::from_seed(&[n; 32]).unwrap();
        let mut keys = SealingKeys::new(*signing.public(), Limits::default());
        let public = keys
            .advance(NOW, &mut fixed(100 + u64::from(n)))
            .unwrap()
            .unwrap();
        let statement = Bytes::from([&b"statement of "[..], public.bytes()].concat());
        Worker {
            keys,
            public,
            signing,
            statement,
        }
    };
    let workers: Vec<_> = (1..=3).map(worker).collect();
    let proxy = SigningKey::from_seed(&[9; 32]).unwrap();
    let offer = |worker: &Worker| Offer {
        key_id: worker.public.id(),
        statement: Digest::of_statement(&worker.statement),
        score: 1000,
        coefficient: Coefficient::ONE,
        tier: Tier::Confidential,
    };
    let epoch = OfferList::epoch_at(30, NOW);
    let offers = OfferList::sign(&model(), 30, epoch, workers.iter().map(offer).collect(), &proxy).unwrap();
    World {
        workers,
        proxy,
        offers,
        random: fixed(1),
    }
}

impl World {
    pub(crate) fn spec(&self) -> RequestSpec {
        RequestSpec {
            endpoint: Endpoint::ChatCompletions,
            model: model(),
            max_tokens: 64,
            tier: TierPolicy::CONFIDENTIAL,
            padded: true,
            max_coefficient: Coefficient::DEFAULT_LIMIT,
            deadline: NOW + 120,
            offer: self.offers.digest(),
            remember: true,
        }
    }

    /// Seals for the first two workers.
    pub(crate) fn seal(&mut self, body: &[u8]) -> SealedRequest {
        let spec = self.spec();
        let candidates: Vec<_> = self.workers[..2]
            .iter()
            .map(|worker| cold(&worker.public))
            .collect();
        seal_request(
            &spec,
            &candidates,
            Bytes::copy_from_slice(body),
            NOW,
            &mut self.random,
        )
        .unwrap()
    }

    /// The wrap opens at worker `at`.
    pub(crate) fn open(&mut self, at: usize, sealed: &SealedRequest) -> Result<OpenedRequest, Reason> {
        let worker = &mut self.workers[at];
        let arrival = Arrival {
            head: sealed.head.bytes(),
            key_id: worker.public.id(),
            wrap: &sealed.wraps[at],
            clear: None,
            now: NOW,
        };
        worker.keys.open(&arrival)
    }

    /// Worker `at` has the whole request.
    pub(crate) fn whole(&mut self, at: usize, sealed: &mut SealedRequest) -> WholeRequest {
        let mut opened = self.open(at, sealed).unwrap();
        feed(&mut opened, &pieces(&mut sealed.body)).unwrap();
        opened.finish().unwrap()
    }

    pub(crate) fn closing(&self, at: usize) -> Closing {
        Closing {
            statement: Digest::of_statement(&self.workers[at].statement),
            model: digest_of("weights"),
            engine: digest_of("engine"),
            evidence: evidence_digest(&evidence()),
            engine_place: EnginePlace::Measured,
            accelerators: Accelerators::None,
            outcome: Outcome::Complete,
            finish: Finish::Stop,
            usage: Usage::new(12, 4, 7, 2).unwrap(),
            block_seqno: 77,
            block: digest_of("block"),
            started: NOW + 1,
            ended: NOW + 3,
        }
    }
}

pub(crate) const fn cold(key: &SealingPublic) -> Candidate<'_> {
    Candidate { key, session: None }
}

pub(crate) fn answer_spec() -> AnswerSpec {
    AnswerSpec {
        status: 200,
        tier: Tier::Confidential,
        coefficient: Coefficient::ONE,
        content_type: "text/event-stream".into(),
    }
}

pub(crate) fn pieces(body: &mut BodySealer) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while let Some(piece) = body.next_piece().unwrap() {
        pieces.push(piece.to_vec());
    }
    pieces
}

/// Gives the pieces to the worker, in this order.
pub(crate) fn feed(opened: &mut OpenedRequest, pieces: &[Vec<u8>]) -> Result<bool, Reason> {
    let mut last = false;
    for piece in pieces {
        last = opened.piece(&mut piece.clone())?;
    }
    Ok(last)
}

/// An answer with these contents, as parts.
pub(crate) fn answer(
    world: &mut World,
    at: usize,
    request: &WholeRequest,
    contents: &[&[u8]],
) -> (Bytes, Vec<Vec<u8>>, Receipt) {
    let closing = world.closing(at);
    let mut sealer = AnswerSealer::new(request, answer_spec(), &mut world.random).unwrap();
    let head = sealer.head().clone();
    let mut parts = Vec::new();
    for content in contents {
        let mut part = Vec::new();
        sealer.part(content, &mut part).unwrap();
        parts.push(part);
    }
    let mut last = Vec::new();
    let receipt = sealer.finish(&closing, &mut last).unwrap();
    parts.push(last);
    (head, parts, receipt)
}

/// Opens all parts; the contents, and what the end leaves.
pub(crate) fn read(
    opener: &mut AnswerOpener,
    parts: &[Vec<u8>],
) -> Result<(Vec<u8>, Option<Ended>), AnswerError> {
    let mut contents = Vec::new();
    let mut end = None;
    for part in parts {
        match opener.part(&mut part.clone())? {
            Opened::Content(content) => contents.extend_from_slice(content.0),
            Opened::End(ended) => end = Some(*ended),
            Opened::Refused { .. } => {}
        }
    }
    Ok((contents, end))
}

/// One whole exchange with the first worker.
pub(crate) fn exchange(world: &mut World) -> Ended {
    let mut sealed = world.seal(BODY);
    let request = world.whole(0, &mut sealed);
    let (head, parts, _) = answer(world, 0, &request, &[b"Hello", b", ", b"world"]);
    let mut opener = sealed.pending.answer(head).unwrap();
    read(&mut opener, &parts).unwrap().1.unwrap()
}

pub(crate) fn countersigned(leaf: Digest, role: Role, key: &SigningKey) -> Countersign {
    let mut batch = Batch::default();
    batch.push(digest_of("another leaf")).unwrap();
    let at = batch.push(leaf).unwrap();
    batch.push(digest_of("a third leaf")).unwrap();
    batch.sign(role, key, NOW + 5).remove(at)
}

pub(crate) fn charge(receipt: &Receipt) -> Charge {
    Charge {
        leaf: receipt.leaf(),
        offer: receipt.offer,
        coefficient: receipt.coefficient,
        adjusted: 15,
        nanoton: 15_000,
        settled_at: NOW + 4,
    }
}

pub(crate) fn bundle_of(world: &World, ended: &Ended) -> Bundle {
    let worker = &world.workers[0];
    let signed = countersigned(ended.receipt.leaf(), Role::Worker, &worker.signing);
    let charge = charge(&ended.receipt);
    let charged = countersigned(charge.charge_leaf(), Role::Proxy, &world.proxy);
    let statement = worker.statement.clone();
    let mut bundle = Bundle::new(ended, &signed, &worker.public, &world.offers, statement, true);
    bundle.evidence = evidence();
    bundle.with_charge(&charge, &charged)
}
