use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use cocoon_testkit::hostile::{Peer, request_head};
use cocoon_testkit::network::{Asker, Network, Request, connect_client, eventually, within};
use cocoon_tl::shared::ProtoVersions;
use cocoon_tl::v3::{self, Message};
use cocoon_tl::{TlObject, client, worker};
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{LIMIT, chat, works};

const BODY: &str = r#"{"model":"canned","messages":[{"role":"user","content":"hello"}]}"#;

async fn network() -> anyhow::Result<Network> {
    Network::builder().start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_half_frames_and_silence_on_any_port_disturb_nobody() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = network().await?;
        let proxy = &network.proxies[0];
        let ports = [
            proxy.clients_addr(),
            proxy.workers_addr(),
            proxy.admin_addr(),
            network.workers[0].admin_addr(),
        ];
        let noises: [&[u8]; 5] = [
            b"",
            b"GET / HTTP/1.1\r\n\r\n",
            &[0xff; 100_000],
            // The answer to a challenge of zero bits, then no TLS.
            b"\x19\x73\x82\x01\0\0\0\0\0\0\0\0 this is no client hello",
            // The beginning of a TLS record of 16 KiB that never comes.
            b"\x19\x73\x82\x01\0\0\0\0\0\0\0\0\x16\x03\x01\x40\x00\x01",
        ];
        let noise = async |port: SocketAddr, noise: &[u8]| {
            let mut stream = TcpStream::connect(port).await?;
            // The other end may close in the middle of it.
            let _ = stream.write_all(noise).await;
            let _ = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut [0; 4096])).await;
            anyhow::Ok(stream)
        };
        let mut held = Vec::new();
        for _ in 0..5 {
            for port in ports {
                held.extend(join_all(noises.iter().map(|bytes| noise(port, bytes))).await);
            }
            works(&network).await?;
        }
        assert!(held.iter().filter(|stream| stream.is_ok()).count() > 50);
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_keep_the_order_is_told_and_closed() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = network().await?;
        let addr = network.proxies[0].clients_addr();
        let authorize = client::AuthorizeWithProxyShort { data: Bytes::new() }.to_boxed();

        let early = Peer::dial(addr).await?;
        assert_eq!(early.ask_in_vain(authorize.clone()).await?.0, 0);
        early.ended().await?;

        let worker_here = Peer::dial(addr).await?;
        let question = cocoon_testkit::hostile::connect_worker("canned").to_boxed();
        assert_eq!(worker_here.ask_in_vain(question).await?.0, 0);
        worker_here.ended().await?;

        let garbage = Peer::dial(addr).await?;
        assert_eq!(garbage.ask_in_vain(Bytes::from_static(b"abc")).await?.0, 0);
        garbage.ended().await?;

        let mut old = connect_client();
        old.params.proto_versions = Some(ProtoVersions {
            min_proto_version: 1,
            max_proto_version: 2,
        });
        let peer = Peer::dial_without_evidence(addr).await?;
        let (code, message) = peer.ask_in_vain(old.to_boxed()).await?;
        assert_eq!(
            (code, message.contains("protocol 0 to 2 needs payments")),
            (602, true),
            "{message}"
        );
        peer.ended().await?;

        let twice = Peer::client(addr).await?;
        assert_eq!(
            twice.ask_in_vain(connect_client().to_boxed()).await?,
            (0, "already authorized".to_owned())
        );
        twice.ended().await?;

        let requests_first = Peer::dial(addr).await?;
        for stream in 1..=100 {
            if requests_first.request(stream, BODY, |_| {}).await.is_err() {
                break;
            }
        }
        requests_first.ended().await?;
        assert_eq!(network.engine(0).served(), 0);
        works(&network).await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_answered_known_or_not() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = network().await?;
        let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
        let types = asker.question(&client::GetWorkerTypesV2 {}).await?;
        assert_eq!(types.types.len(), 1);
        assert_eq!(
            (
                types.types[0].name.as_str(),
                types.types[0].workers[0].max_active_requests
            ),
            (Some("canned"), 64)
        );
        assert_eq!(
            asker.question(&client::GetWorkerTypes {}).await?.types[0].active_workers,
            1
        );
        let paid = asker.question(&client::UpdatePaymentStatus {}).await?;
        assert_eq!(
            (paid.db_tokens, paid.max_tokens),
            (0, 0),
            "nothing pretends to charge"
        );

        let peer = Peer::client(network.proxies[0].clients_addr()).await?;
        // spec/network.md 1.5.
        let lost = (0, "Lost promise".to_owned());
        assert_eq!(
            peer.ask_in_vain(client::RequestRefund {}.to_boxed()).await?,
            (0, "nothing is paid here".to_owned())
        );
        assert_eq!(
            peer.ask_in_vain(worker::UpdatePaymentStatus {}.to_boxed())
                .await?,
            lost
        );
        assert_eq!(peer.ask_in_vain(Bytes::from_static(b"\0\0\0\0")).await?, lost);
        assert!(
            peer.ask(&client::GetWorkerTypesV2 {}).await.is_ok(),
            "and the link lives on"
        );
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_cannot_be_end_the_link_that_brought_them() -> anyhow::Result<()> {
    within(LIMIT, async {
        // spec/network.md 10.1, 5: a negative limit gave a client unlimited credit, and then ended the process.
        let network = network().await?;
        let addr = network.proxies[0].clients_addr();
        let changes: [fn(&mut v3::Request); 10] = [
            |head| head.max_tokens = -1,
            |head| head.max_coefficient = -1,
            |head| head.max_coefficient = i32::MAX,
            |head| head.timeout_ms = -1,
            |head| head.body_bytes = -1,
            |head| head.floor = 77,
            |head| head.floor = -1,
            |head| head.stream = 0,
            |head| head.stream = -5,
            |head| head.model = "a\"b".into(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut peer = Peer::client(addr).await?;
            // The link may end between head and body.
            let _ = peer.request(1, BODY, change).await;
            // Refused or cut off, as the session sees fit; never served.
            let message = peer.next().await;
            let is_served = matches!(message, Ok(Message::Answer(_) | Message::End(_)));
            assert!(!is_served, "{index}: {message:?}");
        }
        assert_eq!(network.engine(0).served(), 0);
        works(&network).await?;
        network.wait_until_idle().await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_streams_end_the_link_and_late_messages_do_nothing() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = network().await?;
        let addr = network.proxies[0].clients_addr();
        let piece = |stream, data: Bytes| v3::Body {
            stream,
            flags: 0,
            data,
        };

        let same_number = Peer::client(addr).await?;
        same_number.say(&request_head(1, 5)).await?;
        same_number.say(&request_head(1, 5)).await?;
        same_number.ended().await?;

        let too_much = Peer::client(addr).await?;
        too_much.say(&request_head(1, 5)).await?;
        too_much.say(&piece(1, Bytes::from_static(b"123456"))).await?;
        too_much.ended().await?;

        let too_large = Peer::client(addr).await?;
        too_large.say(&request_head(1, 1_000_000)).await?;
        too_large
            .say(&piece(1, Bytes::from(vec![0; v3::MAX_PIECE + 1])))
            .await?;
        too_large.ended().await?;

        let answers = Peer::client(addr).await?;
        answers.say(&request_head(1, 5)).await?;
        answers
            .say(&v3::Part {
                stream: 1,
                data: Bytes::from_static(b"x"),
            })
            .await?;
        answers.ended().await?;

        let never_opened = Peer::client(addr).await?;
        never_opened.say(&v3::Cancel { stream: 99 }).await?;
        never_opened.ended().await?;

        let silent = Peer::dial(addr).await?;
        silent.ask(&connect_client()).await?;
        silent
            .ask(&client::AuthorizeWithProxyShort { data: Bytes::new() })
            .await?;
        // The proxy may have gone before it could be said.
        let _ = silent.request(1, BODY, |_| {}).await;
        silent.ended().await?;

        let mut late = Peer::client(addr).await?;
        late.request(1, BODY, |_| {}).await?;
        late.say(&v3::Cancel { stream: 1 }).await?;
        late.say(&v3::Cancel { stream: 1 }).await?;
        late.say(&v3::Credit { stream: 1, bytes: 5 }).await?;
        late.request(2, BODY, |_| {}).await?;
        loop {
            if let Message::End(end) = late.next().await?
                && end.stream == 2
            {
                break;
            }
        }
        network.wait_until_idle().await?;
        works(&network).await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_vanishes_in_the_middle_leaves_nothing_behind() -> anyhow::Result<()> {
    within(LIMIT, async {
        // spec/network.md 10.2, 17 and 18.
        let network = network().await?;
        let addr = network.proxies[0].clients_addr();
        for size in [0, 3, BODY.len()] {
            let peer = Peer::client(addr).await?;
            peer.say(&request_head(1, BODY.len())).await?;
            peer.say(&v3::Body {
                stream: 1,
                flags: 0,
                data: Bytes::copy_from_slice(&BODY.as_bytes()[..size]),
            })
            .await?;
            drop(peer);
        }
        network.wait_until_idle().await?;
        eventually("its link is forgotten", async || {
            // The gateway's own link stays.
            network.status(0).await.is_ok_and(|status| status["clients"] == 1)
        })
        .await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_clients_that_come_and_go_leaves_nothing_behind() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = network().await?;
        let addr = network.proxies[0].clients_addr();
        for _ in 0..4 {
            let storm = (0..40).map(|index| async move {
                let asker = Asker::connect(addr).await?;
                if index % 2 == 0 {
                    let exchange = asker
                        .open(&Request::chat(&chat(json!({"x_pace_ms": 100}))))
                        .await?;
                    drop(exchange);
                }
                anyhow::Ok(())
            });
            let came = join_all(storm).await.into_iter().filter(Result::is_ok).count();
            assert!(came > 30, "{came}");
            works(&network).await?;
        }
        network.wait_until_idle().await?;
        eventually("all links are forgotten", async || {
            network.status(0).await.is_ok_and(|status| status["clients"] == 1)
        })
        .await?;
        network.stop().await
    })
    .await
}
