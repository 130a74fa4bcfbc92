//! A proxy that does what it should not, between this gateway's sealing and real workers' opening.

mod answers;
mod capture;
mod offers;

use std::sync::Arc;

use bytes::Bytes;
use cocoon_attest::{EvidenceRule, ImageRule, Policy, Side, Simulated, appraise_certificate};
use cocoon_link::{Identity, Inbox, Incoming, Link, SealedAnswer};
use cocoon_seal::*;
use cocoon_tl::{TlObject as _, v3};
use cocoon_trust::Trust;
use cocoon_types::{Coefficient, Endpoint, ModelName, Tier, TierPolicy, Usage};
use cocoon_web::clock::unix_now;

use super::{Board, Drawn, SystemRandom, Unsealer, Wanted, Worker};
use crate::{Options, metrics::GatewayMetrics};

const BODY: &[u8] = br#"{"model":"m","messages":[{"role":"user","content":"planted"}]}"#;
const EPOCH: u16 = 30;

/// A worker as it is.
struct Real {
    keys: SealingKeys,
    signing: SigningKey,
    worker: Arc<Worker>,
}

/// Three workers, a proxy that offers them, and a gateway that knows all three.
struct World {
    workers: Vec<Real>,
    proxy: SigningKey,
    board: Arc<Board>,
    list: Arc<OfferList>,
}

/// What the proxy has in hand of one answer.
struct Answered {
    head: Bytes,
    parts: Vec<Bytes>,
}

fn model() -> ModelName {
    ModelName::new("m").unwrap()
}

fn real(seed: u8, tier: Tier) -> Real {
    real_with(seed, tier, &mut SystemRandom)
}

/// Its sealing key is made of this randomness.
fn real_with(seed: u8, tier: Tier, random: &mut dyn Random) -> Real {
    let signing = SigningKey::from_seed(&[seed; 32]).unwrap();
    let mut keys = SealingKeys::new(*signing.public(), Limits::default());
    let key = keys.advance(unix_now(), random).unwrap().unwrap();
    let statement = Bytes::from([&[seed][..], key.bytes()].concat());
    let worker = Worker {
        digest: Digest::of_statement(&statement),
        key,
        statement,
        evidence: Vec::new(),
        evidence_digest: evidence_digest(&[]),
        tier,
        image: [seed; 32],
        model: Some(Digest([1; 32])),
        engine: Some(Digest([2; 32])),
        engine_place: EnginePlace::Measured,
        expires_at: u64::MAX,
    };
    let worker = Arc::new(worker);
    Real {
        keys,
        signing,
        worker,
    }
}

fn offer(worker: &Worker) -> Offer {
    Offer {
        key_id: worker.key.id(),
        statement: worker.digest,
        score: 1000,
        coefficient: Coefficient::ONE,
        tier: worker.tier,
    }
}

async fn board(proxy: [u8; 32]) -> Arc<Board> {
    let options = Options {
        proxies: vec!["127.0.0.1:1".into()],
        is_test: Some(true),
        accept_simulated: Some(true),
        ..Options::default()
    };
    let trust = options.build().unwrap().trust;
    let trust = Trust::start(&trust, "client", None, unix_now).await.unwrap();
    Arc::new(Board::new(proxy, Arc::new(trust), GatewayMetrics::new()))
}

async fn world() -> World {
    let workers: Vec<Real> = (1..=3).map(|seed| real(seed, Tier::Confidential)).collect();
    let proxy = SigningKey::from_seed(&[9; 32]).unwrap();
    let board = board(*proxy.public()).await;
    let offers = workers.iter().map(|real| offer(&real.worker)).collect();
    let epoch = OfferList::epoch_at(EPOCH, unix_now());
    let list = OfferList::sign(&model(), EPOCH, epoch, offers, &proxy).unwrap();
    for real in &workers {
        board.evidence.put(Arc::clone(&real.worker));
    }
    World {
        workers,
        proxy,
        board,
        list: Arc::new(list),
    }
}

/// A link to a proxy that answers these questions in turn, with these lists; and the proxy.
async fn proxy_showing(lists: Vec<Bytes>) -> (Link, tokio::task::JoinSet<usize>) {
    let identity = Identity::simulated(unix_now()).unwrap();
    let policy = Policy {
        evidence: EvidenceRule::Optional {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let peer = appraise_certificate(identity.certificate_der(), Side::Dialler, &policy, unix_now()).unwrap();
    let addr = "127.0.0.1:1".parse().unwrap();
    let [(near, near_inbox), (far, far_inbox)] = Link::pair(&peer, addr).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(show(far, far_inbox, near_inbox, lists));
    (near, tasks)
}

async fn show(link: Link, mut inbox: Inbox, _near: Inbox, lists: Vec<Bytes>) -> usize {
    let mut asked = 0;
    while let Some(Incoming::Query { id, question }) = inbox.recv().await {
        let answer = match v3::GetOffers::from_boxed(question) {
            Ok(_) if asked < lists.len() => Ok(v3::Offers {
                list: lists[asked].clone(),
            }
            .to_boxed()),
            _ => Err((1, "nothing of the kind".to_owned())),
        };
        asked += 1;
        if link.answer(id, answer).await.is_err() {
            break;
        }
    }
    asked
}

impl World {
    /// A request to workers 0 and 1, in this order.
    fn seal(&self) -> (SealedRequest, Drawn) {
        let drawn = Drawn {
            list: Arc::clone(&self.list),
            workers: self.workers[..2]
                .iter()
                .map(|real| Arc::clone(&real.worker))
                .collect(),
        };
        let spec = RequestSpec {
            endpoint: Endpoint::ChatCompletions,
            model: model(),
            max_tokens: 64,
            tier: TierPolicy::CONFIDENTIAL,
            padded: true,
            max_coefficient: Coefficient::DEFAULT_LIMIT,
            deadline: unix_now() + 60,
            offer: self.list.digest(),
            remember: true,
        };
        let sealed = drawn.seal(&self.board, &spec, Bytes::from_static(BODY)).unwrap();
        (sealed, drawn)
    }

    /// Worker `at` serves, and says at the end what it is told to.
    fn serve(&mut self, at: usize, sealed: &mut SealedRequest, end: impl Fn(&mut Closing)) -> Answered {
        self.serve_seeing(at, sealed, end, |_| {})
    }

    /// The same, with each piece shown as it travels.
    fn serve_seeing(
        &mut self,
        at: usize,
        sealed: &mut SealedRequest,
        end: impl Fn(&mut Closing),
        mut see: impl FnMut(&[u8]),
    ) -> Answered {
        let place = at.min(sealed.wraps.len() - 1);
        let real = &mut self.workers[at];
        let arrival = Arrival {
            head: sealed.head.bytes(),
            key_id: real.worker.key.id(),
            wrap: &sealed.wraps[place],
            clear: None,
            now: unix_now(),
        };
        let mut opened = real.keys.open(&arrival).unwrap();
        while let Some(piece) = sealed.body.next_piece().unwrap() {
            see(&piece);
            opened.piece(&mut piece.to_vec()).unwrap();
        }
        let request = opened.finish().unwrap();
        let spec = AnswerSpec {
            status: 200,
            tier: real.worker.tier,
            coefficient: Coefficient::ONE,
            content_type: "text/event-stream".into(),
        };
        let mut sealer = AnswerSealer::new(&request, spec, &mut SystemRandom).unwrap();
        let head = sealer.head().clone();
        let mut parts = Vec::new();
        for text in ["one", "two", "three"] {
            let mut part = Vec::new();
            sealer.part(text.as_bytes(), &mut part).unwrap();
            parts.push(part.into());
        }
        let mut closing = Closing {
            statement: real.worker.digest,
            model: Digest([1; 32]),
            engine: Digest([2; 32]),
            evidence: evidence_digest(&[]),
            engine_place: EnginePlace::Measured,
            accelerators: Accelerators::None,
            outcome: Outcome::Complete,
            finish: Finish::Stop,
            usage: Usage::new(12, 4, 7, 2).unwrap(),
            block_seqno: 77,
            block: Digest([3; 32]),
            started: unix_now(),
            ended: unix_now(),
        };
        end(&mut closing);
        let mut last = Vec::new();
        sealer.finish(&closing, &mut last).unwrap();
        parts.push(last.into());
        Answered { head, parts }
    }

    /// A whole exchange up to the point at which the proxy hands the answer on.
    fn exchange(&mut self, at: usize) -> (Unsealer, Answered) {
        let (mut sealed, drawn) = self.seal();
        let answered = self.serve(at, &mut sealed, |_| {});
        (
            Unsealer::new(Arc::clone(&self.board), drawn, sealed.pending),
            answered,
        )
    }

    fn refusal(&self, at: usize, head: &EncodedHead, reason: Reason) -> Bytes {
        let real = &self.workers[at];
        let key = real.worker.key.id();
        SignedRefusal::sign(head.bytes(), key, reason, unix_now(), &real.signing)
            .bytes()
            .clone()
    }
}

fn sealed_answer(head: &Bytes, skipped: Vec<Bytes>) -> Option<SealedAnswer> {
    Some(SealedAnswer {
        head: head.clone(),
        skipped,
    })
}
