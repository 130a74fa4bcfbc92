//! Whole links on 127.0.0.1: proof of work, TLS, appraisal, frames, a session and its streams.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_attest::{EvidenceRule, ImageRule, Policy, Simulated};
use cocoon_link::{
    AnswerEnd, AnswerEvent, AnswerHead, DialError, EnginePlace, Event, Events, Hello, Identity, Inbox,
    Incoming, Link, LinkOptions, Listener, PowOptions, RequestHead, Serving, Session, StreamError, dial,
};
use cocoon_types::{Coefficient, Endpoint, Fault, ModelName, RequestId, Tier, TierPolicy, Usage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

fn now() -> u64 {
    1_800_000_000
}

fn options(simulated: Simulated) -> Arc<LinkOptions> {
    let policy = Policy {
        evidence: EvidenceRule::Optional { simulated },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let identity = Identity::simulated(now()).unwrap();
    Arc::new(LinkOptions::new(identity, policy, now).with_pow(PowOptions::NONE))
}

fn accepting() -> Arc<LinkOptions> {
    options(Simulated::AcceptOnTestNetwork)
}

async fn listen(options: Arc<LinkOptions>) -> Listener {
    Listener::bind(([127, 0, 0, 1], 0).into(), options).await.unwrap()
}

async fn connected() -> ((Link, Inbox), (Link, Inbox), Listener) {
    let mut listener = listen(accepting()).await;
    let addr = listener.local_addr().to_string();
    let dialling = accepting();
    let (dialled, accepted) = tokio::join!(dial(&addr, &dialling), listener.accept());
    (dialled.unwrap(), accepted, listener)
}

fn hello() -> Hello {
    Hello {
        software: "test".into(),
        capabilities: Vec::new(),
        endpoints: Vec::new(),
        context_length: 0,
        engine: EnginePlace::None,
    }
}

fn head(body_bytes: usize) -> RequestHead {
    RequestHead {
        request_id: RequestId([1; 32]),
        endpoint: Endpoint::Completions,
        model: ModelName::new("model").unwrap(),
        max_tokens: 1,
        tier: TierPolicy::at_least(Tier::Simulated),
        max_coefficient: Coefficient::ONE,
        timeout: Duration::from_secs(10),
        body_bytes: body_bytes as u64,
        sealed: None,
    }
}

async fn echo(mut events: Events) {
    let mut tasks = JoinSet::new();
    while let Some(event) = events.recv().await {
        let Event::Request(Serving {
            mut body, mut answer, ..
        }) = event
        else {
            continue;
        };
        tasks.spawn(async move {
            let head = AnswerHead {
                status: 200,
                content_type: "application/octet-stream".into(),
                tier: Tier::Simulated,
                coefficient: Coefficient::ONE,
                sealed: None,
            };
            answer.head(head).await.unwrap();
            while let Some(piece) = body.next().await.unwrap() {
                answer.part(piece).await.unwrap();
            }
            let end = AnswerEnd {
                usage: Usage::default(),
                engine_time: Duration::ZERO,
                receipt: None,
            };
            answer.end(end).await.unwrap();
        });
    }
}

#[tokio::test]
async fn an_echo_over_an_attested_link() {
    let ((link, inbox), (other, other_inbox), _listener) = connected().await;
    assert_eq!(link.peer().tier(), Tier::Simulated);
    assert_eq!(other.peer().tier(), Tier::Simulated);
    assert_ne!(link.peer().key(), other.peer().key());
    assert!(link.remote_addr().port() > 0 && other.remote_addr().ip().is_loopback());

    let (session, _events) = Session::start(link, inbox, hello(), Fault::ProxyLost);
    let (_other_session, other_events) = Session::start(other, other_inbox, hello(), Fault::WorkerLost);
    let server = JoinSet::from_iter([echo(other_events)]);
    for size in [0, 5, 100_000, 5_000_000] {
        let body: Bytes = (0..=250_u8).cycle().take(size).collect();
        let (mut sender, mut answer) = session.open(head(size)).await.unwrap().split();
        let receive = async {
            let mut bytes = Vec::new();
            loop {
                match answer.next().await.unwrap() {
                    AnswerEvent::Part(part) => bytes.extend_from_slice(&part),
                    AnswerEvent::End(_) => return bytes,
                }
            }
        };
        let (sent, bytes) = tokio::join!(sender.send(body.clone(), true), receive);
        sent.unwrap();
        assert!(bytes == body, "size {size}");
    }
    drop(server);
}

#[tokio::test]
async fn an_end_is_seen_at_once_on_the_other_side() {
    for end in ["close", "drop"] {
        let ((link, inbox), (other, _other_inbox), _listener) = connected().await;
        let waiting = other.query(Bytes::from_static(b"what"), Duration::from_secs(60));
        let stop = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if end == "close" {
                link.close("done");
            }
            drop((link, inbox));
        };
        let (answer, ()) =
            tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(waiting, stop) })
                .await
                .unwrap();
        assert!(answer.is_err());
        assert_eq!(other.closed().await, "the peer closed the connection");
    }
}

#[tokio::test]
async fn a_refused_peer_gets_no_link_and_the_port_goes_on() {
    let mut listener = listen(options(Simulated::Refuse)).await;
    let addr = listener.local_addr().to_string();
    // TLS 1.3 lets the dialler finish first; the refusal comes with its first read, and says why.
    let refused = dial(&addr, &accepting()).await.unwrap_err();
    assert!(
        matches!(&refused, DialError::Stream(StreamError::RefusedBecause(reason)) if reason.contains("simulated")),
        "{refused:?}"
    );

    let policy = Policy {
        evidence: EvidenceRule::Optional {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let open = LinkOptions::new(Identity::without_evidence(now()).unwrap(), policy, now);
    let (dialled, (link, _inbox)) = tokio::join!(dial(&addr, &open), listener.accept());
    assert_eq!(link.peer().tier(), Tier::Open);
    dialled.unwrap();
}

#[tokio::test]
async fn garbage_and_silence_on_the_port_disturb_nobody() {
    let ((link, _inbox), (other, mut other_inbox), mut listener) = connected().await;
    let addr = listener.local_addr();
    let mut silent = Vec::new();
    for seed in 0..50_u8 {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        if seed % 2 == 0 {
            // The port may close as soon as it has seen enough.
            drop(stream.write_all(&[seed; 4096]).await);
            let mut answer = Vec::new();
            drop(stream.read_to_end(&mut answer).await);
            assert!(answer.len() <= 24, "nothing but the challenge");
        } else {
            silent.push(stream);
        }
    }
    link.send(Bytes::from_static(b"still here")).await.unwrap();
    assert!(matches!(other_inbox.recv().await, Some(Incoming::Packet(data)) if data == "still here"));
    let dialling = accepting();
    let addr = addr.to_string();
    let (dialled, (third, _)) = tokio::join!(dial(&addr, &dialling), listener.accept());
    dialled.unwrap();
    assert!(!other.is_closed());
    drop(third);
}

#[tokio::test]
async fn dropping_a_listener_closes_its_port_and_not_its_links() {
    let ((link, _inbox), (other, mut other_inbox), listener) = connected().await;
    let addr = listener.local_addr();
    drop(listener);
    // The task is aborted, not waited for.
    let mut tries = 0;
    while TcpStream::connect(addr).await.is_ok() {
        tries += 1;
        assert!(tries < 100, "the port is still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    link.send(Bytes::from_static(b"on")).await.unwrap();
    assert!(matches!(other_inbox.recv().await, Some(Incoming::Packet(_))));
    drop(other);
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let listener = listen(accepting()).await;
    assert!(Listener::bind(listener.local_addr(), accepting()).await.is_err());
}

#[tokio::test]
async fn nobody_at_the_other_end_is_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    drop(listener);
    assert!(matches!(dial(&addr, &accepting()).await, Err(DialError::Tcp(_))));
    assert!(matches!(
        dial("no such host", &accepting()).await,
        Err(DialError::Tcp(_))
    ));
}
