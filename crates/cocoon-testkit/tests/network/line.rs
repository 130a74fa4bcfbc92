use std::time::Duration;

use cocoon_testkit::canned::CannedFault;
use cocoon_testkit::network::{Asker, Network, Request, eventually, within};
use cocoon_types::Fault;
use futures_util::future::try_join_all;
use serde_json::json;
use tokio::time::Instant;

use crate::{LIMIT, chat, works};

/// A request that takes about this long.
fn taking(millis: u64) -> Request {
    Request::chat(&chat(json!({"x_parts": 1, "x_pace_ms": millis})))
}

async fn asker(network: &Network) -> anyhow::Result<Asker> {
    Asker::connect(network.proxies[0].clients_addr()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_all_workers_busy_waits_for_one() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .without_gateway()
            .worker(|_, worker| worker.max_active_requests = Some(1))
            .start()
            .await?;
        let asker = asker(&network).await?;
        let started = Instant::now();
        try_join_all((0..8).map(|_| asker.ask(taking(50)))).await?;
        assert!(
            started.elapsed() >= Duration::from_millis(400),
            "one after the other"
        );
        network.wait_until_idle().await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_line_turns_away_at_once() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .without_gateway()
            .proxy(|_, proxy| proxy.queue = Some(1))
            .worker(|_, worker| worker.max_active_requests = Some(1))
            .start()
            .await?;
        let asker = asker(&network).await?;
        let (first, second, third) = tokio::join!(
            asker.ask(taking(600)),
            async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                asker.ask(taking(1)).await
            },
            async {
                tokio::time::sleep(Duration::from_millis(250)).await;
                let started = Instant::now();
                (asker.ask(taking(1)).await, started.elapsed())
            }
        );
        assert!(first.is_ok() && second.is_ok());
        let (third, took) = third;
        assert_eq!(third.unwrap_err().fault, Fault::Busy);
        assert!(took < Duration::from_millis(300), "{took:?}");
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_ever() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .without_gateway()
            .proxy(|_, proxy| proxy.queue_wait_s = Some(1))
            .worker(|_, worker| worker.max_active_requests = Some(1))
            .start()
            .await?;
        let asker = asker(&network).await?;
        let busy = asker.open(&taking(10_000)).await?;
        let (mut body, _answer) = busy.split();
        body.send(taking(10_000).body, true).await?;
        network.engine(0).wait_until(|records| records.len() == 1).await?;

        assert_eq!(
            asker.ask(taking(1)).await.unwrap_err().fault,
            Fault::Busy,
            "the line's patience"
        );
        let hasty = taking(1).with(|head| head.timeout = Duration::from_millis(300));
        assert_eq!(
            asker.ask(hasty).await.unwrap_err().fault,
            Fault::Timeout,
            "its own deadline"
        );

        let waiting = asker.open(&taking(1)).await?;
        let waits = async || {
            network
                .status(0)
                .await
                .is_ok_and(|status| status["waiting_requests"] == 1)
        };
        eventually("it waits", waits).await?;
        drop(waiting);
        let gone = async || {
            network
                .status(0)
                .await
                .is_ok_and(|status| status["waiting_requests"] == 0)
        };
        eventually("it has left the line", gone).await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_without_hope_is_told_so() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut network = Network::builder()
            .without_gateway()
            .worker(|_, worker| worker.max_active_requests = Some(1))
            .start()
            .await?;
        let asker = asker(&network).await?;
        let second = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            asker.ask(taking(1)).await
        };
        let kill = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            network.workers[0].kill().await;
        };
        let (running, waiting, ()) = tokio::join!(asker.ask(taking(5000)), second, kill);
        // The one that ran has lost its worker and found no other; who waited has nobody left to wait for.
        assert_eq!(running.unwrap_err().fault, Fault::WorkerLost);
        // Or it was given the place that the first one left, before the broken link was noticed.
        let waiting = waiting.unwrap_err().fault;
        assert!(
            matches!(waiting, Fault::NoWorker | Fault::WorkerLost),
            "{waiting:?}"
        );
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_two_proxies_is_never_overrun() -> anyhow::Result<()> {
    within(LIMIT, async {
        // Each proxy believes to have ceil(3 / 2) = 2 places, the worker has 3: it refuses some, and they try again.
        let network = Network::builder()
            .without_gateway()
            .proxies(2)
            .worker(|_, worker| worker.max_active_requests = Some(3))
            .start()
            .await?;
        let askers = [
            asker(&network).await?,
            Asker::connect(network.proxies[1].clients_addr()).await?,
        ];
        let requests = (0..16).map(|index| askers[index % 2].ask(taking(150)));
        let watched = async {
            let mut most = 0;
            loop {
                most = most.max(network.engine(0).running());
                if network.engine(0).served() >= 16 {
                    return anyhow::Ok(most);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let (replies, most) = tokio::try_join!(async { Ok(try_join_all(requests).await?) }, watched)?;
        assert_eq!((replies.len(), most), (16, 3));
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_without_room_sends_requests_elsewhere() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .workers(2)
            .proxy(|_, proxy| proxy.queue_wait_s = Some(2))
            .engine(|index, engine| engine.fault = (index == 0).then_some(CannedFault::Status(503)))
            .start()
            .await?;
        for _ in 0..10 {
            works(&network).await?;
        }
        assert!(network.engine(0).served() > 0, "it was tried");
        // And when nobody has room, that is what the caller is told, in time.
        network.engine(1).set_fault(Some(CannedFault::Status(429)));
        let started = Instant::now();
        let answer = network.post("/chat/completions", &chat(json!({}))).await?;
        assert_eq!(
            (answer.status, answer.error_code().as_deref()),
            (503, Some("workers_busy"))
        );
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        network.stop().await
    })
    .await
}
