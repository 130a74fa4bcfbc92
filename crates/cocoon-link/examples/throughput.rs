//! How fast one attested link on 127.0.0.1 carries answers, and what a part costs.
//!
//! `cargo run --release -p cocoon-link --example throughput -- STREAMS PARTS BYTES`: so many streams at once, so many parts
//! on each, of so many bytes. Both ends run in this process, so the CPU time is that of both.
#![expect(clippy::print_stdout, reason = "a tool for people")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cocoon_attest::{EvidenceRule, ImageRule, Policy, Simulated};
use cocoon_link::{
    AnswerEnd, AnswerEvent, AnswerHead, EnginePlace, Event, Events, Hello, Identity, LinkOptions, Listener,
    PowOptions, RequestHead, Serving, Session, dial,
};
use cocoon_types::{Coefficient, Endpoint, Fault, ModelName, RequestId, Tier, TierPolicy, Usage};
use tokio::task::JoinSet;

type Failure = Box<dyn Error + Send + Sync>;

fn options() -> Result<Arc<LinkOptions>, Failure> {
    let policy = Policy {
        evidence: EvidenceRule::Optional {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let now = || 1_800_000_000;
    let options = LinkOptions::new(Identity::simulated(now())?, policy, now);
    Ok(Arc::new(options.with_pow(PowOptions::NONE)))
}

fn hello() -> Hello {
    Hello {
        software: "throughput".into(),
        capabilities: Vec::new(),
        endpoints: Vec::new(),
        context_length: 0,
        engine: EnginePlace::None,
    }
}

async fn serve(mut events: Events, parts: usize, part: Bytes) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    while let Some(event) = events.recv().await {
        if let Event::Request(serving) = event {
            tasks.spawn(answer(serving, parts, part.clone()));
        }
    }
    Ok(())
}

async fn answer(serving: Serving, parts: usize, part: Bytes) -> Result<(), Failure> {
    let mut answer = serving.answer;
    answer
        .head(AnswerHead {
            status: 200,
            content_type: "text/event-stream".into(),
            tier: Tier::Simulated,
            coefficient: Coefficient::ONE,
            sealed: None,
        })
        .await?;
    for _ in 0..parts {
        answer.part(part.clone()).await?;
    }
    let usage = Usage::default();
    let engine_time = Duration::ZERO;
    let receipt = None;
    Ok(answer
        .end(AnswerEnd {
            usage,
            engine_time,
            receipt,
        })
        .await?)
}

async fn ask(session: Session) -> Result<(usize, usize), Failure> {
    let head = RequestHead {
        request_id: RequestId([0; 32]),
        endpoint: Endpoint::ChatCompletions,
        model: ModelName::new("model")?,
        max_tokens: 1,
        tier: TierPolicy::at_least(Tier::Simulated),
        max_coefficient: Coefficient::ONE,
        timeout: Duration::from_secs(60),
        body_bytes: 0,
        sealed: None,
    };
    let (mut body, mut answer) = session.open(head).await?.split();
    body.send(Bytes::new(), true).await?;
    let (mut events, mut bytes) = (0, 0);
    while let AnswerEvent::Part(part) = answer.next().await? {
        events += 1;
        bytes += part.len();
    }
    Ok((events, bytes))
}

/// CPU time of this process so far, where the system tells it (hundredths of a second).
fn cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let streams = numbers.next().transpose()?.unwrap_or(16);
    let parts = numbers.next().transpose()?.unwrap_or(20_000);
    let size = numbers.next().transpose()?.unwrap_or(100);

    let options = options()?;
    let mut listener = Listener::bind(([127, 0, 0, 1], 0).into(), Arc::clone(&options)).await?;
    let addr = listener.local_addr().to_string();
    let (dialled, (other, other_inbox)) = tokio::join!(dial(&addr, &options), listener.accept());
    let (link, inbox) = dialled?;
    let (session, _events) = Session::start(link, inbox, hello(), Fault::ProxyLost);
    let (_other, events) = Session::start(other, other_inbox, hello(), Fault::WorkerLost);
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(events, parts, Bytes::from(vec![b'x'; size])));

    let (start, cpu_before) = (Instant::now(), cpu());
    let mut asked = JoinSet::new();
    for _ in 0..streams {
        asked.spawn(ask(session.clone()));
    }
    let (mut events, mut bytes) = (0, 0);
    while let Some(result) = asked.join_next().await {
        let (more_events, more_bytes) = result??;
        events += more_events;
        bytes += more_bytes;
    }
    let elapsed = start.elapsed();
    let total = streams * parts;
    println!(
        "{total} parts of {size} bytes on {streams} streams in {elapsed:.2?}: {:.0} parts/s, {:.1} MB/s, {events} events",
        total as f64 / elapsed.as_secs_f64(),
        bytes as f64 / 1e6 / elapsed.as_secs_f64(),
    );
    if let (Some(before), Some(after)) = (cpu_before, cpu()) {
        let used = after.saturating_sub(before);
        println!(
            "CPU of both ends: {used:.2?}, {:.2} µs a part",
            used.as_secs_f64() * 1e6 / total as f64
        );
    }
    Ok(())
}
