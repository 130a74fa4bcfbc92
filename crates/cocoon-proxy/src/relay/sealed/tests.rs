//! The relay between a client and workers that keep to the rules, or do not.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use cocoon_attest::statement::{Block, ChainView, Presented, Statement, verify_statement};
use cocoon_attest::{
    EvidenceRule, ImageRule, Policy, Roots, Side, Simulated, VerifiedPeer, appraise_certificate,
};
use cocoon_link::{EnginePlace, Event, Events, Identity, Link, Serving, Session};
use cocoon_seal::{
    Accelerators, AnswerSealer, AnswerSpec, Arrival, Candidate, Closing, Digest, EncodedHead, Finish, Limits,
    NoRandomness, Opened, Reason, RequestSpec, SealedRequest, SealingKeys, SealingPublic, SigningKey,
    seal_request,
};
use cocoon_trust::{StatedEngine, StatedEvidence, Trust};
use cocoon_types::{Coefficient, Endpoint, ModelName, Tier, TierPolicy};
use tokio::task::JoinSet;

use super::*;
use crate::accounting::{Hold, Ledger, Reserving, Settling};
use crate::board::Asker;
use crate::clients;
use crate::options::Options;
use crate::sealed::{LastEpoch, Record};
use crate::stated::{self, Held, Stated};
use crate::teller::Teller;

fn random(out: &mut [u8]) -> Result<(), NoRandomness> {
    aws_lc_rs::rand::fill(out).map_err(|_| NoRandomness)
}

fn policy() -> Policy {
    Policy {
        evidence: EvidenceRule::Optional {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    }
}

fn somebody(now: u64) -> (VerifiedPeer, Identity) {
    let identity = Identity::simulated(now).unwrap();
    let peer = appraise_certificate(identity.certificate_der(), Side::Dialler, &policy(), now).unwrap();
    (peer, identity)
}

/// What became of reservations.
#[derive(Clone, Debug, Default)]
struct Accounts(Arc<Mutex<Vec<Option<Usage>>>>);

struct Open(Accounts);

impl Ledger for Accounts {
    fn reserve<'a>(&'a self, _client: &'a Party, _head: &'a RequestHead) -> Reserving<'a> {
        let hold = Box::new(Open(self.clone()));
        Box::pin(std::future::ready(Ok(Reservation::new(hold))))
    }
}

impl Hold for Open {
    fn settle(self: Box<Self>, _worker: Party, _coefficient: Coefficient, usage: Usage) -> Settling {
        self.0.0.lock().unwrap().push(Some(usage));
        Box::pin(std::future::ready(Ok(None)))
    }

    fn release(self: Box<Self>) {
        self.0.0.lock().unwrap().push(None);
    }
}

/// What a worker does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Play {
    Serve,
    RefuseSigned,
    RefuseForAnother,
    RefusePlain,
    BillTooMuch,
    BillAnotherRequest,
    NoReceipt,
    OtherPrice,
}

struct Worker {
    keys: Mutex<SealingKeys>,
    key: SealingPublic,
    receipts: SigningKey,
    statement: Digest,
    play: Play,
}

impl Worker {
    async fn serve(&self, serving: Serving) {
        let Serving {
            head,
            mut body,
            mut answer,
        } = serving;
        let sealed = head.sealed.unwrap();
        let bytes = sealed.head.bytes().clone();
        let refuse = |reason: Reason, bytes: &[u8]| {
            let signed = SignedRefusal::sign(bytes, self.key.id(), reason, unix_now(), &self.receipts);
            (Refusal::new(Fault::Busy, "no"), vec![signed.bytes().clone()])
        };
        match self.play {
            Play::RefuseSigned => {
                let (refusal, signed) = refuse(Reason::Busy, &bytes);
                return answer.refuse_sealed(refusal, signed).await.unwrap();
            }
            Play::RefuseForAnother => {
                let (refusal, signed) = refuse(Reason::Busy, b"another head");
                return answer.refuse_sealed(refusal, signed).await.unwrap();
            }
            Play::RefusePlain => {
                return answer.refuse(Refusal::new(Fault::Busy, "no")).await.unwrap();
            }
            _ => {}
        }
        let arrival = Arrival {
            head: &bytes,
            key_id: self.key.id(),
            wrap: &sealed.wraps[0],
            clear: None,
            now: unix_now(),
        };
        let opened = self.keys.lock().unwrap().open(&arrival);
        let mut opened = match opened {
            Ok(opened) => opened,
            Err(reason) => {
                let (refusal, signed) = refuse(reason, &bytes);
                return answer.refuse_sealed(refusal, signed).await.unwrap();
            }
        };
        while let Some(piece) = body.next().await.unwrap() {
            opened.piece(&mut piece.to_vec()).unwrap();
        }
        let whole = opened.finish().unwrap();
        let coefficient = if self.play == Play::OtherPrice { 999 } else { 1000 };
        let spec = AnswerSpec {
            status: 200,
            tier: Tier::Simulated,
            coefficient: Coefficient::new(coefficient).unwrap(),
            content_type: "a/b".to_owned(),
        };
        let mut sealer = AnswerSealer::new(&whole, spec.clone(), &mut random).unwrap();
        let clear = AnswerHead {
            status: 200,
            content_type: spec.content_type,
            tier: spec.tier,
            coefficient: spec.coefficient,
            sealed: Some(SealedAnswer {
                head: sealer.head().clone(),
                skipped: Vec::new(),
            }),
        };
        if answer.head(clear).await.is_err() {
            return;
        }
        let mut part = Vec::new();
        sealer.part(b"said", &mut part).unwrap();
        let _ = answer.part(part.into()).await;
        let none = Digest([0; 32]);
        let completion = if self.play == Play::BillTooMuch { 6 } else { 5 };
        let usage = Usage::new(3, 0, completion, 0).unwrap();
        let closing = Closing {
            statement: self.statement,
            model: none,
            engine: none,
            evidence: none,
            engine_place: cocoon_seal::EnginePlace::Outside,
            accelerators: Accelerators::None,
            outcome: Outcome::Complete,
            finish: Finish::Stop,
            usage,
            block_seqno: 1,
            block: none,
            started: unix_now(),
            ended: unix_now(),
        };
        let mut part = Vec::new();
        let mut receipt = sealer.finish(&closing, &mut part).unwrap();
        let _ = answer.part(part.into()).await;
        if self.play == Play::BillAnotherRequest {
            receipt.request_id.0[0] ^= 1;
        }
        let receipt = (self.play != Play::NoReceipt).then(|| receipt.encode().into());
        let end = AnswerEnd {
            usage,
            engine_time: std::time::Duration::ZERO,
            receipt,
        };
        let _ = answer.end(end).await;
    }
}

/// A proxy between a client and workers.
struct Stage {
    node: Arc<Node>,
    accounts: Accounts,
    published: Arc<Published>,
    workers: Vec<Arc<Worker>>,
    peers: Vec<Arc<WorkerPeer>>,
    asking: Session,
    _events: Events,
    _tasks: JoinSet<()>,
    _directory: tempfile::TempDir,
}

impl Stage {
    async fn of(plays: &[Play]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let options = Options {
            listen_clients: any,
            listen_workers: any,
            admin: any,
            is_test: Some(true),
            accept_simulated: Some(true),
            state_dir: Some(directory.path().to_owned()),
            ..Options::default()
        };
        let config = options.build().unwrap();
        let trust = Trust::start(&config.trust, "proxy", None, unix_now)
            .await
            .unwrap();
        let accounts = Accounts::default();
        let last = LastEpoch::open(directory.path().join("epoch"), unix_now()).await;
        let desk = Sealed::new(SigningKey::from_seed(&[9; 32]).unwrap(), last);
        let (node, _) = Node::new(&config, trust, Arc::new(accounts.clone()), Some(desk));
        let mut tasks = JoinSet::new();
        let (mut workers, mut peers) = (Vec::new(), Vec::new());
        for play in plays {
            let (worker, peer) = worker(&node, *play, &mut tasks).await;
            workers.push(worker);
            peers.push(peer);
        }
        let desk = node.sealed.as_ref().unwrap();
        let model = ModelName::new("model").unwrap();
        let published = desk.offers.current(&node, &model).await.unwrap();

        let (peer, _) = somebody(unix_now());
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let [(near, near_inbox), (far, far_inbox)] = Link::pair(&peer, addr).await.unwrap();
        let (asking, events) = Session::start(far, far_inbox, clients::hello(), Fault::ProxyLost);
        let (session, mut asked) = Session::start(near, near_inbox, clients::hello(), Fault::ProxyLost);
        let client = Client {
            party: Party {
                peer: peer.clone(),
                owner: None,
            },
            link: session.link().clone(),
            teller: Arc::new(Teller::default()),
            asker: Asker(1),
            plaintext: false,
        };
        let served = Arc::clone(&node);
        tasks.spawn(async move {
            while let Some(event) = asked.recv().await {
                if let Event::Request(serving) = event {
                    super::super::serve(&served, &client, serving).await;
                }
            }
            drop(session);
        });
        Self {
            node,
            accounts,
            published,
            workers,
            peers,
            asking,
            _events: events,
            _tasks: tasks,
            _directory: directory,
        }
    }

    fn request(&self, keys: &[&SealingPublic], offer: Digest) -> SealedRequest {
        let spec = RequestSpec {
            endpoint: Endpoint::ChatCompletions,
            model: ModelName::new("model").unwrap(),
            max_tokens: 5,
            tier: TierPolicy::at_least(Tier::Open).and_simulated(),
            padded: true,
            max_coefficient: Coefficient::DEFAULT_LIMIT,
            deadline: unix_now() + 60,
            offer,
            remember: false,
        };
        let all: Vec<_> = keys.iter().map(|key| Candidate { key, session: None }).collect();
        seal_request(&spec, &all, Bytes::from_static(b"asked"), unix_now(), &mut random).unwrap()
    }

    /// Of the workers in their order.
    fn drawn(&self) -> SealedRequest {
        let keys: Vec<_> = self.workers.iter().map(|worker| &worker.key).collect();
        self.request(&keys, self.published.list.digest())
    }

    /// What the client has in the end: the skipped and whether the answer was whole; or the refusal and what came with it.
    async fn ask(&self, request: SealedRequest) -> Result<(Vec<Bytes>, bool), (Refusal, Vec<Bytes>)> {
        let (head, wraps) = (request.head.clone(), request.wraps.clone());
        self.send(head, wraps, request).await
    }

    async fn send(
        &self,
        head: EncodedHead,
        wraps: Vec<Bytes>,
        mut request: SealedRequest,
    ) -> Result<(Vec<Bytes>, bool), (Refusal, Vec<Bytes>)> {
        let sealed = SealedHead {
            head,
            candidate: 0,
            wraps,
        };
        let head = RequestHead::of_sealed(sealed, std::time::Duration::from_secs(20));
        let (mut body, mut answer) = self.asking.open(head).await.unwrap().split();
        let mut next = request.body.next_piece().unwrap();
        while let Some(piece) = next {
            next = request.body.next_piece().unwrap();
            let _ = body.send(piece, next.is_none()).await;
        }
        let begun = match answer.head().await {
            Ok(begun) => begun.sealed.unwrap(),
            Err(refusal) => return Err((refusal, answer.skipped())),
        };
        let mut opener = request.pending.answer(begun.head).unwrap();
        let mut is_whole = false;
        loop {
            match answer.next().await {
                Ok(AnswerEvent::Part(part)) => {
                    is_whole = matches!(opener.part(&mut part.to_vec()), Ok(Opened::End(_)));
                }
                Ok(AnswerEvent::End(_)) => return Ok((begun.skipped, is_whole)),
                Err(refusal) => return Err((refusal, answer.skipped())),
            }
        }
    }

    fn accounts(&self) -> Vec<Option<u64>> {
        let all = self.accounts.0.lock().unwrap();
        all.iter()
            .map(|usage| usage.map(|usage| usage.completion()))
            .collect()
    }
}

async fn worker(node: &Node, play: Play, tasks: &mut JoinSet<()>) -> (Arc<Worker>, Arc<WorkerPeer>) {
    let now = unix_now();
    let receipts = {
        let mut seed = [0; 32];
        random(&mut seed).unwrap();
        SigningKey::from_seed(&seed).unwrap()
    };
    let mut keys = SealingKeys::new(*receipts.public(), Limits::default());
    let key = keys.advance(now, &mut random).unwrap().unwrap();
    let (peer, identity) = somebody(now);
    let block = Block {
        seqno: 1,
        id: [1; 32],
        time: now - 5,
    };
    let statement = Statement {
        key: *peer.key(),
        block,
        accelerators: 0,
        gpu_evidence: None,
        engine: StatedEngine::OfImage,
        model: None,
        engine_digest: None,
        valid_from: now - 1,
        valid_until: now + 600,
        sealing_key: key.bytes().to_vec(),
    };
    let encoded = statement.encode().unwrap();
    let quote = Statement::report_data(&encoded).to_vec();
    let view = ChainView {
        head: block,
        named: Some(block),
    };
    let presented = Presented {
        statement: &encoded,
        quote: &quote,
        gpu_evidence: &[],
        endorsements: None,
    };
    let verified = verify_statement(presented, &peer, &policy(), &Roots::makers(), &view, now).unwrap();
    let evidence = StatedEvidence {
        statement: encoded.into(),
        quote: quote.into(),
        endorsements: Bytes::new(),
        gpu_evidence: Bytes::new(),
    };
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let [(near, near_inbox), (far, far_inbox)] = Link::pair(&peer, addr).await.unwrap();
    let (session, events) = Session::start(near, near_inbox, clients::hello(), Fault::WorkerLost);
    let (own, mut asked) = Session::start(far, far_inbox, clients::hello(), Fault::ProxyLost);
    let offer = cocoon_matching::Offer {
        model: ModelName::new("model").unwrap(),
        endpoints: [Endpoint::ChatCompletions].into_iter().collect(),
        tier: Tier::Simulated,
        coefficient: Coefficient::ONE,
        capacity: std::num::NonZero::new(2).unwrap(),
        enabled: true,
        plaintext: false,
    };
    let held = Arc::new(Held {
        digest: evidence.digest(),
        certificate: Arc::from(identity.certificate_der()),
        evidence,
        verified,
    });
    let on_board = Arc::new(WorkerPeer {
        session,
        teller: Teller::default(),
        owner: None,
        software: String::new(),
        context_length: 0,
        engine: EnginePlace::StartedByWorker,
        record: Record::default(),
        stated: Stated::default(),
        since: Instant::now(),
    });
    let id = node.board.add(offer, Arc::clone(&on_board));
    stated::hold(&node.stated, id, &on_board.stated, &held);
    let worker = Arc::new(Worker {
        statement: Digest::of_statement(&held.evidence.statement),
        keys: Mutex::new(keys),
        key,
        receipts,
        play,
    });
    let serving = Arc::clone(&worker);
    tasks.spawn(async move {
        let _kept = (own, events);
        while let Some(event) = asked.recv().await {
            if let Event::Request(request) = event {
                serving.serve(request).await;
            }
        }
    });
    (worker, on_board)
}

#[tokio::test]
async fn a_whole_answer_is_settled_by_its_receipt() {
    let stage = Stage::of(&[Play::Serve]).await;
    let (skipped, is_whole) = stage.ask(stage.drawn()).await.unwrap();
    assert!(is_whole && skipped.is_empty());
    assert_eq!(stage.accounts(), [Some(5)]);
    assert_eq!(stage.peers[0].record.faults(), 0);
}

#[tokio::test]
async fn the_next_candidate_serves_after_a_signed_refusal() {
    let stage = Stage::of(&[Play::RefuseSigned, Play::Serve]).await;
    let request = stage.drawn();
    let hash = request.head.hash();
    let (skipped, is_whole) = stage.ask(request).await.unwrap();
    assert!(is_whole && skipped.len() == 1);
    let refusal = SignedRefusal::decode(skipped[0].clone()).unwrap();
    assert!(refusal.verify(hash, &stage.workers[0].key).is_ok());
    assert_eq!(stage.accounts(), [Some(5)], "one reservation, settled once");
    assert_eq!(stage.peers[0].record.faults(), 0, "to be busy is no fault");
}

#[tokio::test]
async fn what_a_worker_did_not_sign_counts_as_a_lost_link_and_against_it() {
    for play in [Play::RefusePlain, Play::RefuseForAnother, Play::OtherPrice] {
        let stage = Stage::of(&[play, Play::Serve]).await;
        let (skipped, is_whole) = stage.ask(stage.drawn()).await.unwrap();
        assert!(is_whole, "{play:?}");
        assert_eq!(skipped, [Bytes::new()], "{play:?}");
        assert_eq!(stage.peers[0].record.faults(), 1, "{play:?}");
        assert_eq!(stage.accounts(), [Some(5)], "{play:?}");
    }
}

#[tokio::test]
async fn a_worker_that_is_gone_is_a_lost_link() {
    let stage = Stage::of(&[Play::Serve, Play::Serve]).await;
    stage.peers[0].session.link().close("gone");
    let (skipped, is_whole) = stage.ask(stage.drawn()).await.unwrap();
    assert!(is_whole);
    assert_eq!(skipped, [Bytes::new()]);
}

#[tokio::test]
async fn nobody_is_billed_by_a_receipt_that_does_not_hold() {
    for play in [Play::BillTooMuch, Play::BillAnotherRequest, Play::NoReceipt] {
        let stage = Stage::of(&[play]).await;
        let _ = stage.ask(stage.drawn()).await.unwrap();
        assert_eq!(stage.accounts(), [None], "{play:?}: released");
        assert_eq!(stage.peers[0].record.faults(), 1, "{play:?}");
        assert_eq!(stage.node.metrics.receipts_refused.get(), 1, "{play:?}");
    }
}

#[tokio::test]
async fn when_nobody_serves_every_refusal_reaches_the_client() {
    let stage = Stage::of(&[Play::RefuseSigned, Play::RefusePlain]).await;
    let (_, skipped) = stage.ask(stage.drawn()).await.unwrap_err();
    assert_eq!(skipped.len(), 2);
    assert!(!skipped[0].is_empty() && skipped[1].is_empty());
    assert_eq!(stage.accounts(), [None]);
}

#[tokio::test]
async fn a_client_that_wraps_to_a_worker_that_never_offered_itself_is_refused() {
    let stage = Stage::of(&[Play::Serve]).await;
    let receipts = SigningKey::from_seed(&[1; 32]).unwrap();
    let mut keys = SealingKeys::new(*receipts.public(), Limits::default());
    let stranger = keys.advance(unix_now(), &mut random).unwrap().unwrap();
    let request = stage.request(&[&stranger], stage.published.list.digest());
    let (refusal, _) = stage.ask(request).await.unwrap_err();
    assert_eq!(refusal.fault, Fault::ProtocolViolation, "{refusal}");
    let request = stage.request(&[&stage.workers[0].key], Digest([7; 32]));
    let (refusal, _) = stage.ask(request).await.unwrap_err();
    assert_eq!(refusal.fault, Fault::NoWorker, "{refusal}");
    assert!(stage.accounts().is_empty(), "nothing was set aside");
}

#[tokio::test]
async fn the_same_request_id_twice_is_served_once() {
    let stage = Stage::of(&[Play::Serve]).await;
    let request = stage.drawn();
    let (head, wraps) = (request.head.clone(), request.wraps.clone());
    stage.ask(request).await.unwrap();
    let again = stage.drawn();
    let (_, skipped) = stage.send(head, wraps, again).await.unwrap_err();
    let refusal = SignedRefusal::decode(skipped[0].clone()).unwrap();
    assert_eq!(refusal.reason, Reason::Replayed);
    assert_eq!(stage.accounts(), [Some(5), None], "charged once");
}

#[tokio::test]
async fn every_client_is_shown_the_same_list() {
    let stage = Stage::of(&[Play::Serve, Play::Serve]).await;
    let desk = stage.node.sealed.as_ref().unwrap();
    let model = ModelName::new("model").unwrap();
    let again = desk.offers.current(&stage.node, &model).await.unwrap();
    assert_eq!(again.list.offers.len(), 2);
    // Unless the epoch has just ended.
    if again.list.epoch == stage.published.list.epoch {
        assert_eq!(again.list.bytes(), stage.published.list.bytes());
    }
    let statement = again.list.offers[0].statement;
    assert!(desk.offers.evidence(&stage.node, statement).is_some());
    assert!(desk.offers.evidence(&stage.node, Digest([3; 32])).is_none());
}
