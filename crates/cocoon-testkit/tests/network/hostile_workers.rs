use bytes::Bytes;
use cocoon_testkit::hostile::{Peer, connect_worker, worker_hello};
use cocoon_testkit::network::{Asker, Network, Reply, Request, eventually, within};
use cocoon_tl::shared::ProtoVersions;
use cocoon_tl::v3::{self, Message};
use cocoon_tl::{TlObject, worker};
use cocoon_types::{Fault, Refusal, Tier};
use futures_util::future::join_all;
use serde_json::json;

use crate::{LIMIT, chat};

type Change = fn(&mut worker::Params);

/// A network without workers of its own, and a client of it.
async fn empty() -> anyhow::Result<(Network, Asker)> {
    let network = Network::builder()
        .workers(0)
        .without_gateway()
        .proxy(|_, proxy| proxy.queue_wait_s = Some(2))
        .start()
        .await?;
    let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
    Ok((network, asker))
}

async fn hostile(network: &Network, enabled: usize) -> anyhow::Result<Peer> {
    let peer = Peer::worker(network.proxies[0].workers_addr()).await?;
    network.wait_for_workers(0, enabled).await?;
    Ok(peer)
}

fn answer(stream: i64) -> v3::Answer {
    v3::Answer {
        stream,
        status: 200,
        content_type: "application/json".into(),
        tier: Tier::Simulated.wire_code(),
        coefficient: 1000,
    }
}

fn part(stream: i64, data: &'static [u8]) -> v3::Part {
    v3::Part {
        stream,
        data: Bytes::from_static(data),
    }
}

fn end(stream: i64) -> v3::End {
    v3::End {
        stream,
        prompt_tokens: 5,
        cached_tokens: 0,
        completion_tokens: 7,
        reasoning_tokens: 0,
        engine_ms: 1,
    }
}

/// Asks once, while the worker does this to the request that it gets.
async fn ask_while(
    asker: &Asker,
    peer: &mut Peer,
    mischief: impl AsyncFnOnce(&mut Peer, i64) -> anyhow::Result<()>,
) -> anyhow::Result<Result<Reply, Refusal>> {
    let request = Request::chat(&chat(json!({})));
    let (reply, done) = tokio::join!(asker.ask(request), async {
        let stream = peer.next_request().await?;
        mischief(peer, stream).await
    });
    done?;
    Ok(reply)
}

async fn is_empty(network: &Network) -> anyhow::Result<()> {
    eventually("the worker is off the board", async || {
        network
            .status(0)
            .await
            .is_ok_and(|status| status["workers"].as_array().is_some_and(Vec::is_empty))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_played_by_hand_can_serve() -> anyhow::Result<()> {
    within(LIMIT, async {
        let (network, asker) = empty().await?;
        let mut peer = hostile(&network, 1).await?;
        let reply = ask_while(&asker, &mut peer, async |peer, stream| {
            peer.say(&answer(stream)).await?;
            peer.say(&part(stream, b"{}")).await?;
            peer.say(&end(stream)).await
        })
        .await??;
        assert_eq!((&reply.body[..], reply.end.usage.total()), (&b"{}"[..], 12));
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_cannot_ask_for_more_than_it_offered() -> anyhow::Result<()> {
    within(LIMIT, async {
        let (network, asker) = empty().await?;
        let mut peer = hostile(&network, 1).await?;
        let refusal = ask_while(&asker, &mut peer, async |peer, stream| {
            let dearer = v3::Answer {
                coefficient: 1001,
                ..answer(stream)
            };
            peer.say(&dearer).await
        })
        .await?
        .unwrap_err();
        assert_eq!(refusal.fault, Fault::ProtocolViolation);
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_breaks_the_protocol_loses_its_link_and_nobody_else_notices() -> anyhow::Result<()> {
    within(LIMIT, async {
        // spec/network.md 10.1, 3 and 4: each of these ended the original's process.
        let (network, asker) = empty().await?;
        let mischief: [(&str, Vec<Bytes>); 9] = [
            ("a part before the answer", vec![part(1, b"x").to_boxed()]),
            ("an end before the answer", vec![end(1).to_boxed()]),
            (
                "a second answer",
                vec![answer(1).to_boxed(), answer(1).to_boxed()],
            ),
            (
                "an answer of an unknown tier",
                vec![v3::Answer { tier: 9, ..answer(1) }.to_boxed()],
            ),
            (
                "an answer with status -1",
                vec![
                    v3::Answer {
                        status: -1,
                        ..answer(1)
                    }
                    .to_boxed(),
                ],
            ),
            (
                "negative usage",
                vec![
                    answer(1).to_boxed(),
                    v3::End {
                        completion_tokens: -1,
                        ..end(1)
                    }
                    .to_boxed(),
                ],
            ),
            (
                "more cached than prompt",
                vec![
                    answer(1).to_boxed(),
                    v3::End {
                        cached_tokens: 6,
                        ..end(1)
                    }
                    .to_boxed(),
                ],
            ),
            (
                "a piece that is too large",
                vec![
                    answer(1).to_boxed(),
                    v3::Part {
                        stream: 1,
                        data: vec![0; v3::MAX_PIECE + 1].into(),
                    }
                    .to_boxed(),
                ],
            ),
            (
                "credit without end",
                vec![v3::Credit { stream: 1, bytes: -1 }.to_boxed()],
            ),
        ];
        for (what, messages) in mischief {
            let mut peer = hostile(&network, 1).await?;
            let refused = ask_while(&asker, &mut peer, async |peer, stream| {
                assert_eq!(stream, 1);
                for message in messages {
                    peer.say_bytes(message).await?;
                }
                peer.ended().await.map(|_| ())
            })
            .await?
            .unwrap_err();
            let expected = [Fault::WorkerLost, Fault::ProtocolViolation, Fault::NoWorker];
            assert!(expected.contains(&refused.fault), "{what}: {refused}");
            is_empty(&network).await?;
        }
        network.wait_until_idle().await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_come_too_late_do_nothing() -> anyhow::Result<()> {
    within(LIMIT, async {
        let (network, asker) = empty().await?;
        let mut peer = hostile(&network, 1).await?;
        for _ in 0..2 {
            let reply = ask_while(&asker, &mut peer, async |peer, stream| {
                peer.say(&answer(stream)).await?;
                peer.say(&end(stream)).await?;
                peer.say(&part(stream, b"late")).await?;
                peer.say(&end(stream)).await?;
                peer.say(&v3::Refuse {
                    stream,
                    code: 1,
                    message: "late".into(),
                })
                .await?;
                peer.say(&answer(stream)).await
            })
            .await??;
            assert!(reply.body.is_empty());
        }
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_charged_what_a_worker_makes_up() -> anyhow::Result<()> {
    within(LIMIT, async {
        // spec/network.md 10.2, 15: one message could take a client's whole balance.
        let (network, asker) = empty().await?;
        let mut peer = hostile(&network, 1).await?;
        let reply = ask_while(&asker, &mut peer, async |peer, stream| {
            peer.say(&answer(stream)).await?;
            peer.say(&v3::End {
                prompt_tokens: 1 << 40,
                completion_tokens: 1 << 40,
                ..end(stream)
            })
            .await
        })
        .await??;
        assert_eq!(reply.end.usage.completion(), 1000, "the agreed limit");
        assert!(reply.end.usage.prompt() < 70_000, "{:?}", reply.end.usage);
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_cannot_raise_its_own_tier() -> anyhow::Result<()> {
    within(LIMIT, async {
        let (network, asker) = empty().await?;
        let mut peer = hostile(&network, 1).await?;
        let reply = ask_while(&asker, &mut peer, async |peer, stream| {
            peer.say(&v3::Answer {
                tier: Tier::Confidential.wire_code(),
                ..answer(stream)
            })
            .await?;
            peer.say(&end(stream)).await
        })
        .await??;
        assert_eq!(reply.head.tier, Tier::Simulated, "as appraised");
        // Its word that it is worse than appraised is believed.
        let simulated = Request::chat(&chat(json!({})))
            .with(|head| head.tier = cocoon_types::TierPolicy::at_least(Tier::Simulated));
        let (reply, said) = tokio::join!(asker.ask(simulated), async {
            let stream = peer.next_request().await?;
            peer.say(&v3::Answer {
                tier: Tier::Open.wire_code(),
                ..answer(stream)
            })
            .await?;
            peer.say(&end(stream)).await
        });
        said?;
        assert_eq!(reply.unwrap_err().fault, Fault::TierUnavailable);
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announcements_have_bounds() -> anyhow::Result<()> {
    within(LIMIT, async {
        let (network, _asker) = empty().await?;
        // Sensible ones are obeyed.
        let peer = hostile(&network, 1).await?;
        peer.say(&worker::NewCoefficient {
            new_coefficient: 1234,
        })
        .await?;
        peer.say(&worker::EnabledDisabled { disabled: 1 }).await?;
        network.wait_for_workers(0, 0).await?;
        assert_eq!(network.status(0).await?["workers"][0]["coefficient"], 1234);
        peer.say(&worker::EnabledDisabled { disabled: 0 }).await?;
        network.wait_for_workers(0, 1).await?;
        peer.say_bytes(Bytes::from_static(b"what is that?!!!")).await?;
        peer.say_bytes(Bytes::new()).await?;
        assert!(
            peer.ask(&worker::UpdatePaymentStatus {}).await.is_ok(),
            "unknown words are ignored"
        );
        drop(peer);
        is_empty(&network).await?;
        // Others end the link; spec/network.md 10.6, 86: the original knows no upper bound.
        let cut = worker::NewCoefficient { new_coefficient: 1 }
            .to_boxed()
            .slice(..6);
        let bad = [
            worker::NewCoefficient { new_coefficient: -1 }.to_boxed(),
            worker::NewCoefficient {
                new_coefficient: 1_000_000_000,
            }
            .to_boxed(),
            worker::EnabledDisabled { disabled: 2 }.to_boxed(),
            worker::EnabledDisabled { disabled: -1 }.to_boxed(),
            cut,
            worker_hello().to_boxed(),
            cocoon_testkit::hostile::request_head(1, 5).to_boxed(),
        ];
        for message in bad {
            let peer = hostile(&network, 1).await?;
            peer.say_bytes(message).await?;
            peer.ended().await?;
            is_empty(&network).await?;
        }
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handshake_has_an_order_and_bounds() -> anyhow::Result<()> {
    within(LIMIT, async {
        let (network, _asker) = empty().await?;
        let addr = network.proxies[0].workers_addr();
        assert!(
            Peer::dial_without_evidence(addr).await.is_err() || {
                // The refusal may come after our own side of TLS is done.
                let peer = Peer::dial_without_evidence(addr).await;
                match peer {
                    Err(_) => true,
                    Ok(peer) => peer.ask(&connect_worker("canned")).await.is_err(),
                }
            }
        );
        let changes: [(i32, Change); 5] = [
            (602, |params| params.setup = None),
            (602, |params| {
                params.proto_versions = Some(ProtoVersions {
                    min_proto_version: 1,
                    max_proto_version: 2,
                })
            }),
            (621, |params| params.coefficient = -1),
            (621, |params| params.model = "".into()),
            (621, |params| params.setup.as_mut().unwrap().proxy_cnt = 0),
        ];
        for (code, change) in changes {
            let peer = Peer::dial(addr).await?;
            let mut question = connect_worker("canned");
            change(&mut question.params);
            assert_eq!(peer.ask_in_vain(question.to_boxed()).await?.0, code);
            peer.ended().await?;
        }
        let early = Peer::dial(addr).await?;
        assert_eq!(
            early
                .ask_in_vain(worker::ProxyHandshakeComplete { is_disabled: false }.to_boxed())
                .await?
                .0,
            0
        );
        early.ended().await?;

        // After it, the hello comes first, and names an endpoint.
        for hello in [
            worker::EnabledDisabled { disabled: 0 }.to_boxed(),
            v3::Hello {
                endpoints: Vec::new(),
                ..worker_hello()
            }
            .to_boxed(),
            v3::Hello {
                context_length: -1,
                ..worker_hello()
            }
            .to_boxed(),
        ] {
            let peer = Peer::dial(addr).await?;
            peer.ask(&connect_worker("canned")).await?;
            peer.ask(&worker::ProxyHandshakeComplete { is_disabled: false })
                .await?;
            peer.say_bytes(hello).await?;
            peer.ended().await?;
        }
        is_empty(&network).await?;

        // An engine in a place that is not known is somebody else's.
        let peer = Peer::dial(addr).await?;
        peer.ask(&connect_worker("canned")).await?;
        peer.ask(&worker::ProxyHandshakeComplete { is_disabled: false })
            .await?;
        peer.say(&v3::Hello {
            engine: 77,
            ..worker_hello()
        })
        .await?;
        network.wait_for_workers(0, 1).await?;
        assert_eq!(network.status(0).await?["workers"][0]["tier"], "open");
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_workers_are_passed_on_or_tried_elsewhere() -> anyhow::Result<()> {
    within(LIMIT, async {
        let (network, asker) = empty().await?;
        let mut peer = hostile(&network, 1).await?;
        let told = async |peer: &mut Peer, code: i32| {
            let reply = ask_while(&asker, peer, async |peer, stream| {
                peer.say(&v3::Refuse {
                    stream,
                    code,
                    message: "no".into(),
                })
                .await
            })
            .await?;
            anyhow::Ok(reply.unwrap_err().fault)
        };
        assert_eq!(
            told(&mut peer, Fault::ContextTooLong.wire_code()).await?,
            Fault::ContextTooLong
        );
        assert_eq!(
            told(&mut peer, Fault::Draining.wire_code()).await?,
            Fault::Draining
        );
        assert_eq!(told(&mut peer, 9999).await?, Fault::Internal);
        assert_eq!(told(&mut peer, -1).await?, Fault::Internal);

        // With a second worker, what the first turns away is served by that one.
        let mut second = hostile(&network, 2).await?;
        let serve = async |peer: &mut Peer, refuses: bool| loop {
            match peer.next().await {
                Ok(Message::Body(body)) if refuses => {
                    let refuse = v3::Refuse {
                        stream: body.stream,
                        code: Fault::Draining.wire_code(),
                        message: "no".into(),
                    };
                    peer.say(&refuse).await.unwrap();
                }
                Ok(Message::Body(body)) => {
                    peer.say(&answer(body.stream)).await.unwrap();
                    peer.say(&end(body.stream)).await.unwrap();
                }
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        let requests = async {
            for _ in 0..10 {
                asker.ask(Request::chat(&chat(json!({})))).await?;
            }
            anyhow::Ok(())
        };
        tokio::select! {
            done = requests => done?,
            error = serve(&mut peer, true) => return Err(error),
            error = serve(&mut second, false) => return Err(error),
        }
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_workers_that_come_and_go_leaves_nothing_behind() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder().start().await?;
        let addr = network.proxies[0].workers_addr();
        for _ in 0..4 {
            let storm = (0..40).map(|index| async move {
                let peer = Peer::worker(addr).await?;
                if index % 2 == 0 {
                    peer.say(&worker::EnabledDisabled { disabled: 1 }).await?;
                }
                anyhow::Ok(())
            });
            join_all(storm).await;
            // Some of them may have been given a request as they left: it went on to the one that stays.
            crate::works(&network).await?;
        }
        network.wait_for_workers(0, 1).await?;
        network.wait_until_idle().await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_does_not_outlive_its_evidence() -> anyhow::Result<()> {
    within(LIMIT, async {
        let (network, _asker) = empty().await?;
        let peer = Peer::worker_for(network.proxies[0].workers_addr(), 3).await?;
        network.wait_for_workers(0, 1).await?;
        peer.ended().await?;
        is_empty(&network).await?;
        network.stop().await
    })
    .await
}
