use std::time::Duration;

use bytes::Bytes;
use cocoon_testkit::canned::{CannedEngine, CannedFault, CannedOptions, Outcome};
use cocoon_testkit::hostile::{FakeProxy, Peer, connected_worker, request_head};
use cocoon_testkit::network::{WorkerNode, within};
use cocoon_tl::v3::{self, Message};
use cocoon_tl::{TlObject, peek_id, proxy, worker};
use cocoon_types::{Fault, Tier};

use crate::LIMIT;

const BODY: &str = r#"{"model":"canned","messages":[{"role":"user","content":"hello"}]}"#;

type Change = fn(&mut v3::Request);

/// A worker that works for a proxy played by hand.
async fn start(proxy: &FakeProxy, capacity: u16) -> anyhow::Result<(CannedEngine, WorkerNode)> {
    let engine = CannedEngine::start(CannedOptions::default()).await?;
    let options = cocoon_worker::Options {
        proxies: vec![proxy.addr().to_string()],
        engine: Some(engine.url()),
        endpoints: vec!["/v1/chat/completions".to_owned()],
        max_active_requests: Some(capacity),
        admin: Some("127.0.0.1:0".parse()?),
        is_test: Some(true),
        accept_simulated: Some(true),
        drain_s: Some(1),
        ..cocoon_worker::Options::default()
    };
    Ok((engine, WorkerNode::start(options.build()?).await?))
}

/// The fault with which the worker refuses what comes on this stream.
async fn refused(peer: &mut Peer, stream: i64) -> anyhow::Result<Fault> {
    loop {
        match peer.next().await? {
            Message::Refuse(refuse) if refuse.stream == stream => {
                return Ok(Fault::from_wire_code(refuse.code));
            }
            Message::End(end) if end.stream == stream => anyhow::bail!("it was served"),
            _ => {}
        }
    }
}

async fn served(peer: &mut Peer, stream: i64) -> anyhow::Result<()> {
    all_served(peer, vec![stream]).await
}

/// In whatever order they end.
async fn all_served(peer: &mut Peer, mut streams: Vec<i64>) -> anyhow::Result<()> {
    while !streams.is_empty() {
        match peer.next().await? {
            Message::End(end) => streams.retain(|stream| *stream != end.stream),
            Message::Refuse(refuse) if streams.contains(&refuse.stream) => {
                anyhow::bail!("refused: {}", refuse.code)
            }
            _ => {}
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_checks_for_itself_what_it_serves() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut fake = FakeProxy::listen().await?;
        let (engine, mut worker) = start(&fake, 1).await?;
        let (mut peer, params) = fake.accept_worker().await?;
        assert_eq!(params.model.as_str(), Some("canned"));
        assert_eq!(
            params
                .setup
                .map(|setup| (setup.proxy_cnt, setup.max_active_requests)),
            Some((1, 1))
        );

        let changes: [(Fault, Change); 6] = [
            (Fault::TierUnavailable, |head| {
                head.floor = Tier::Confidential.wire_code()
            }),
            (Fault::TierUnavailable, |head| {
                head.floor = Tier::Attested.wire_code()
            }),
            (Fault::PriceTooLow, |head| head.max_coefficient = 999),
            (Fault::UnknownModel, |head| head.model = "other".into()),
            (Fault::UnknownModel, |head| {
                head.endpoint = "/v1/embeddings".into()
            }),
            (Fault::InvalidRequest, |head| head.max_tokens = 0),
        ];
        let mut stream = 0;
        for (fault, change) in changes {
            stream += 1;
            peer.request(stream, BODY, |head| {
                change(head);
            })
            .await?;
            assert_eq!(refused(&mut peer, stream).await?, fault);
        }
        assert_eq!(
            engine.served(),
            0,
            "an open worker does not serve what must be confidential"
        );
        peer.request(stream + 1, BODY, |_| {}).await?;
        served(&mut peer, stream + 1).await?;
        worker.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_takes_no_more_than_it_can_and_nothing_for_ever() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut fake = FakeProxy::listen().await?;
        let (engine, mut worker) = start(&fake, 1).await?;
        let (mut peer, _) = fake.accept_worker().await?;
        engine.set_fault(Some(CannedFault::Hang));
        peer.request(1, BODY, |head| head.timeout_ms = 1500).await?;
        engine.wait_until(|records| records.len() == 1).await?;
        peer.request(2, BODY, |_| {}).await?;
        assert_eq!(refused(&mut peer, 2).await?, Fault::Busy);
        assert_eq!(refused(&mut peer, 1).await?, Fault::Timeout, "the engine hangs");
        engine
            .wait_until(|records| records[0].outcome == Outcome::Dropped)
            .await?;

        // A body that never ends holds its place until its deadline.
        engine.set_fault(None);
        let mut head = request_head(3, 1000);
        head.timeout_ms = 500;
        peer.say(&head).await?;
        peer.say(&v3::Body {
            stream: 3,
            flags: 0,
            data: Bytes::from_static(b"{"),
        })
        .await?;
        assert_eq!(refused(&mut peer, 3).await?, Fault::Timeout);
        peer.request(4, BODY, |_| {}).await?;
        served(&mut peer, 4).await?;

        // A place that becomes free in a moment is waited for.
        peer.request(5, BODY, |_| {}).await?;
        peer.request(6, BODY, |_| {}).await?;
        let (mut five, mut six) = (false, false);
        while !(five && six) {
            if let Message::End(end) = peer.next().await? {
                five |= end.stream == 5;
                six |= end.stream == 6;
            }
        }
        worker.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_breaks_the_protocol_is_left_and_dialled_again() -> anyhow::Result<()> {
    within(LIMIT, async {
        // A new worker each time: the old one would dial later and later.
        let mut fake = FakeProxy::listen().await?;
        // In the handshake.
        let answers = [
            Ok(Bytes::from_static(b"no answer at all")),
            Ok(Bytes::new()),
            Ok(connected_worker(false, 3).to_boxed()),
            Ok(connected_worker(true, 2).to_boxed()),
            Ok(connected_worker(true, 4).to_boxed()),
            Err((621, "x".repeat(100_000))),
        ];
        for answer in answers {
            let (_engine, _worker) = start(&fake, 4).await?;
            let mut peer = fake.accept().await?;
            let (id, question) = peer.next_question().await?;
            assert_eq!(peek_id(&question), Some(worker::ConnectToProxy::ID));
            peer.link.answer(id, answer).await?;
            peer.ended().await?;
            fake.accept().await?;
        }
        // In the session.
        let lies: [fn(&mut v3::Request); 4] = [
            |head| head.max_tokens = -1,
            |head| head.body_bytes = -1,
            |head| head.timeout_ms = i32::MIN,
            |head| head.stream = -1,
        ];
        for lie in lies {
            let (engine, _worker) = start(&fake, 4).await?;
            let (mut peer, _) = fake.accept_worker().await?;
            // The link may end between head and body.
            let _ = peer.request(1, BODY, lie).await;
            // Refused or cut off, as the session sees fit; never served.
            assert!(!matches!(peer.next().await, Ok(Message::Answer(_))));
            assert_eq!(engine.served(), 0);
        }
        let (_engine, mut worker) = start(&fake, 4).await?;
        let (mut peer, _) = fake.accept_worker().await?;
        // What a paying proxy would say is not known yet, and does no harm.
        let payment = proxy::SignedPayment::Empty(proxy::SignedPaymentEmpty {});
        peer.say(&proxy::WorkerRequestPaymentData {
            request_id: [1; 32],
            signed_payment: payment,
            db_tokens: -1,
            max_tokens: i64::MAX,
            request_tokens: i64::MIN,
            request_client_owner: "x".into(),
        })
        .await?;
        peer.say_bytes(Bytes::from_static(&[0xee; 1000])).await?;
        assert_eq!(
            peer.ask_in_vain(Bytes::from_static(b"\x01\x02\x03\x04")).await?,
            (0, "Lost promise".to_owned())
        );
        peer.request(1, BODY, |_| {}).await?;
        served(&mut peer, 1).await?;
        worker.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_goes_away_stops_the_engine() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut fake = FakeProxy::listen().await?;
        let (engine, mut worker) = start(&fake, 4).await?;
        let (peer, _) = fake.accept_worker().await?;
        engine.set_fault(Some(CannedFault::Slow(Duration::from_millis(200))));
        for stream in 1..=3 {
            peer.request(stream, BODY, |_| {}).await?;
        }
        engine.wait_until(|records| records.len() == 3).await?;
        drop(peer);
        let gone = |records: &[cocoon_testkit::canned::Record]| {
            records.iter().all(|record| record.outcome == Outcome::Dropped)
        };
        engine.wait_until(gone).await?;
        engine.set_fault(None);
        let (mut peer, _) = fake.accept_worker().await?;
        peer.request(1, BODY, |_| {}).await?;
        served(&mut peer, 1).await?;
        worker.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_a_proxy_is_renewed_before_its_evidence_expires_and_no_request_is_lost()
-> anyhow::Result<()> {
    within(LIMIT, async {
        let mut fake = FakeProxy::listen_for(8).await?;
        let (engine, mut worker) = start(&fake, 4).await?;
        let (mut peer, _) = fake.accept_worker().await?;
        engine.set_fault(Some(CannedFault::Slow(Duration::from_millis(700))));
        peer.request(1, BODY, |_| {}).await?;
        // The next link is there before this one is given up.
        let (mut next, _) = fake.accept_worker().await?;
        let disabled: worker::EnabledDisabled = peer.next_of().await?;
        assert_eq!(disabled.disabled, 1);
        engine.set_fault(None);
        // What was drawn from older offers still comes on this one.
        peer.request(2, BODY, |_| {}).await?;
        all_served(&mut peer, vec![1, 2]).await?;
        next.request(1, BODY, |_| {}).await?;
        served(&mut next, 1).await?;
        peer.ended().await?;
        worker.stop().await
    })
    .await
}
