//! What sealing and receipts cost: `cargo run -p cocoon-seal --release --example cost`.
#![expect(clippy::unwrap_used, reason = "a tool: what fails here fails it")]
#![expect(clippy::print_stdout, reason = "its purpose")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use bytes::Bytes;
use cocoon_seal::*;
use cocoon_types::{Coefficient, Endpoint, ModelName, Tier, TierPolicy, Usage};

const NOW: u64 = 1_790_000_010;

/// Contents of a part: about what a token with its JSON around it has.
const PART: usize = 200;

/// Parts of an answer.
const PARTS: usize = 64;

/// Each figure is the best of so many runs.
const RUNS: u32 = 40;

/// Receipts under one signature.
const BATCH: usize = 16;

fn random(out: &mut [u8]) -> Result<(), NoRandomness> {
    rand::fill(out).map_err(|_| NoRandomness)
}

/// The best of several runs: the machine has other things to do.
fn measure<T>(mut work: impl FnMut() -> T, times: u32) -> Duration {
    let run = |work: &mut dyn FnMut() -> T| {
        let start = Instant::now();
        for _ in 0..times {
            black_box(work());
        }
        start.elapsed() / times
    };
    (0..RUNS).map(|_| run(&mut work)).min().unwrap()
}

fn line(what: &str, time: Duration) -> f64 {
    let micros = time.as_secs_f64() * 1e6;
    println!("{what:<58} {micros:>9.2} us");
    micros
}

struct Network {
    keys: SealingKeys,
    public: SealingPublic,
    other: SealingPublic,
    spec: RequestSpec,
    worker: SigningKey,
    proxy: SigningKey,
}

fn network() -> Network {
    let seed = |n| SigningKey::from_seed(&[n; 32]).unwrap();
    let (worker, proxy) = (seed(1), seed(2));
    let make = || {
        let limits = Limits {
            requests: usize::MAX,
            sessions: 4096,
        };
        let mut keys = SealingKeys::new(*worker.public(), limits);
        let public = keys.advance(NOW, &mut random).unwrap().unwrap();
        (keys, public)
    };
    let ((keys, public), (_, other)) = (make(), make());
    let spec = RequestSpec {
        endpoint: Endpoint::ChatCompletions,
        model: ModelName::new("a-model").unwrap(),
        max_tokens: 1024,
        tier: TierPolicy::CONFIDENTIAL,
        padded: true,
        max_coefficient: Coefficient::DEFAULT_LIMIT,
        deadline: NOW + 60,
        offer: Digest([3; 32]),
        remember: true,
    };
    Network {
        keys,
        public,
        other,
        spec,
        worker,
        proxy,
    }
}

impl Network {
    fn seal(&self, candidates: &[Candidate<'_>], body: &Bytes) -> (SealedRequest, Vec<Bytes>) {
        let mut sealed = seal_request(&self.spec, candidates, body.clone(), NOW, &mut random).unwrap();
        let mut pieces = Vec::new();
        while let Some(piece) = sealed.body.next_piece().unwrap() {
            pieces.push(piece);
        }
        (sealed, pieces)
    }

    fn open(&mut self, sealed: &SealedRequest, pieces: &[Bytes]) -> WholeRequest {
        let arrival = Arrival {
            head: sealed.head.bytes(),
            key_id: self.public.id(),
            wrap: &sealed.wraps[0],
            clear: None,
            now: NOW,
        };
        let mut opened = self.keys.open(&arrival).unwrap();
        for piece in pieces {
            opened.piece(&mut piece.to_vec()).unwrap();
        }
        opened.finish().unwrap()
    }
}

fn sealer(request: &WholeRequest) -> AnswerSealer {
    let spec = AnswerSpec {
        status: 200,
        tier: Tier::Confidential,
        coefficient: Coefficient::ONE,
        content_type: "text/event-stream".into(),
    };
    AnswerSealer::new(request, spec, &mut random).unwrap()
}

fn closing() -> Closing {
    Closing {
        statement: Digest([4; 32]),
        model: Digest([5; 32]),
        engine: Digest([6; 32]),
        evidence: Digest([7; 32]),
        engine_place: EnginePlace::Measured,
        accelerators: Accelerators::Attested,
        outcome: Outcome::Complete,
        finish: Finish::Stop,
        usage: Usage::new(1000, 0, 200, 0).unwrap(),
        block_seqno: 1,
        block: Digest([8; 32]),
        started: NOW,
        ended: NOW + 2,
    }
}

fn main() {
    let mut net = network();
    let body = Bytes::from(vec![b'p'; 2000]);
    let cold = |key| Candidate { key, session: None };
    println!(
        "body of {} bytes, {PARTS} parts of {PART} bytes, batches of {BATCH}; best of {RUNS} runs",
        body.len()
    );

    line(
        "sealing key made",
        measure(
            || {
                let mut keys = SealingKeys::new([0; 32], Limits::default());
                keys.advance(NOW, &mut random).unwrap().is_some()
            },
            10,
        ),
    );
    let public = net.public.clone();
    let other = net.other.clone();
    line(
        "client: request sealed, one cold wrap",
        measure(|| net.seal(&[cold(&public)], &body).0.wraps.len(), 10),
    );
    let both = [cold(&public), cold(&other)];
    line(
        "client: request sealed, two cold wraps",
        measure(|| net.seal(&both, &body).0.wraps.len(), 10),
    );
    let mut ready: Vec<_> = (0..RUNS * 10)
        .map(|_| net.seal(&[cold(&public)], &body))
        .collect();
    line(
        "worker: request opened, cold wrap",
        measure(
            || {
                let (sealed, pieces) = ready.pop().unwrap();
                net.open(&sealed, &pieces).request_hash()
            },
            10,
        ),
    );

    // One exchange, for a session.
    let (sealed, pieces) = net.seal(&[cold(&public)], &body);
    let request = net.open(&sealed, &pieces);
    let mut first = sealer(&request);
    let mut opener = sealed.pending.answer(first.head().clone()).unwrap();
    let mut part = Vec::new();
    first.part(b"x", &mut part).unwrap();
    opener.part(&mut part).unwrap();
    let session = opener.take_session().unwrap();
    let warm = [Candidate {
        key: &public,
        session: Some(&session),
    }];

    let times = 20;
    let client = line(
        "client: following request sealed (warm wrap)",
        measure(|| net.seal(&warm, &body).0.wraps.len(), times),
    );
    let mut ready: Vec<_> = (0..RUNS * times).map(|_| net.seal(&warm, &body)).collect();
    let worker = line(
        "worker: following request opened",
        measure(
            || {
                let (sealed, pieces) = ready.pop().unwrap();
                net.open(&sealed, &pieces).request_hash()
            },
            times,
        ),
    );
    let (sealed, _) = net.seal(&warm, &body);
    let head = sealed.head.bytes().clone();
    let proxy = line(
        "proxy: head of a request read",
        measure(|| EncodedHead::decode(head.clone()).unwrap().hash(), times),
    );

    // Parts: whole answers, ready before and counted by the part.
    let content = vec![b'a'; PART];
    let mut exchanges: Vec<_> = (0..RUNS * 8)
        .map(|_| {
            let (sealed, pieces) = net.seal(&warm, &body);
            let request = net.open(&sealed, &pieces);
            (sealed.pending, request)
        })
        .collect();
    let mut begun = Vec::new();
    let begin = line(
        "worker: answer begun",
        measure(
            || {
                let (pending, request) = exchanges.pop().unwrap();
                begun.push((pending, sealer(&request)));
            },
            8,
        ),
    );
    let mut opened = Vec::new();
    let take = line(
        "client: answer's head taken",
        measure(
            || {
                let (pending, sealer) = begun.pop().unwrap();
                let opener = pending.answer(sealer.head().clone()).unwrap();
                opened.push((opener, sealer));
            },
            8,
        ),
    );
    let mut out = Vec::with_capacity(1024);
    let (opener, sealer) = opened.last_mut().unwrap();
    let both = measure(
        || {
            out.clear();
            sealer.part(&content, &mut out).unwrap();
            opener.part(&mut out).unwrap();
        },
        5000,
    );
    line("a part: sealed and opened", both);
    opened.pop();

    let mut sealed_ends = Vec::new();
    let finish = line(
        "worker: receipt made and sealed",
        measure(
            || {
                let (opener, sealer) = opened.pop().unwrap();
                let mut last = Vec::new();
                let leaf = sealer.finish(&closing(), &mut last).unwrap().leaf();
                sealed_ends.push((opener, last));
                leaf
            },
            7,
        ),
    );
    let end = line(
        "client: receipt opened and compared",
        measure(
            || {
                let (mut opener, mut last) = sealed_ends.pop().unwrap();
                opener.part(&mut last).is_ok()
            },
            7,
        ),
    );

    let leaves: Vec<_> = (0..BATCH)
        .map(|n| Digest([u8::try_from(n).unwrap(); 32]))
        .collect();
    let signed = |role, key: &SigningKey| {
        let mut batch = Batch::default();
        leaves.iter().for_each(|leaf| assert!(batch.push(*leaf).is_ok()));
        batch.sign(role, key, NOW)
    };
    let sign = line(
        "a batch signed",
        measure(|| signed(Role::Worker, &net.worker).len(), 20),
    );
    let batch = signed(Role::Proxy, &net.proxy);
    let verify = line(
        "a batch verified, each path too",
        measure(
            || {
                assert!(batch[0].is_signed());
                let whole = batch
                    .iter()
                    .zip(&leaves)
                    .all(|(one, leaf)| one.covers(*leaf) && one.same_batch(&batch[0]));
                assert!(whole);
            },
            20,
        ),
    );
    // The worker signs and the proxy signs; the client verifies both, the proxy the worker's.
    let shared = (2.0 * sign + 3.0 * verify) / BATCH as f64;
    let all = client + worker + proxy + begin + take + finish + end + shared;
    println!(
        "{:<58} {all:>9.2} us",
        "a following request, all three, without its parts"
    );
}
