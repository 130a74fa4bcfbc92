use std::time::Duration;

use cocoon_testkit::network::{Network, eventually, post, within};
use futures_util::future::try_join_all;
use serde_json::json;

use crate::{LIMIT, chat, text, works};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_in_mid_stream_breaks_its_own_streams_and_nothing_else() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut network = Network::builder().workers(2).start().await?;
        let body = chat(json!({"stream": true, "x_parts": 40, "x_pace_ms": 50}));
        let (first, second) = (
            network.stream("/chat/completions", &body).await?,
            network.stream("/chat/completions", &body).await?,
        );
        network
            .engine(0)
            .wait_until(|records| !records.is_empty())
            .await?;
        network
            .engine(1)
            .wait_until(|records| !records.is_empty())
            .await?;
        let killed = Duration::from_millis(300);
        let (_, first, second) = tokio::join!(
            async {
                tokio::time::sleep(killed).await;
                network.workers[0].kill().await;
            },
            first.text(),
            second.text()
        );
        let (first, second) = (first?, second?);
        let (broken, whole) = if first.contains("[DONE]") {
            (second, first)
        } else {
            (first, second)
        };
        assert_eq!(
            text(&whole).split_whitespace().count(),
            40,
            "the other stream is whole"
        );
        assert!(broken.contains(r#""code":"worker_lost""#), "{broken}");
        assert!(!broken.contains("[DONE]"));
        // The engine is told too, although nobody said so: its connection closed.
        network
            .engine(0)
            .wait_until(|records| {
                records
                    .iter()
                    .all(|record| record.outcome == cocoon_testkit::canned::Outcome::Dropped)
            })
            .await?;

        for _ in 0..4 {
            works(&network).await?;
        }
        assert_eq!((network.engine(0).served(), network.engine(1).served()), (1, 5));
        network.workers[0].restart().await?;
        network.wait_for_workers(0, 2).await?;
        for _ in 0..20 {
            works(&network).await?;
        }
        assert!(network.engine(0).served() > 1, "the killed one is back");
        network.wait_until_idle().await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_first_byte_another_worker_takes_over() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut network = Network::builder()
            .workers(2)
            .engine(|index, engine| engine.pace = Duration::from_millis(if index == 0 { 5000 } else { 0 }))
            .start()
            .await?;
        let url = format!("{}/chat/completions", network.api());
        let body = chat(json!({}));
        // Least loaded first, so that the second one goes where the first one did not.
        let requests = try_join_all((0..4).map(|_| post(&url, &body)));
        let kill = async {
            eventually("the slow engine is asked", async || {
                network.engines[0]
                    .as_ref()
                    .is_some_and(|engine| engine.served() > 0)
            })
            .await?;
            network.workers[0].kill().await;
            anyhow::Ok(())
        };
        let (answers, ()) = tokio::try_join!(requests, kill)?;
        assert!(answers.iter().all(|answer| answer.status == 200));
        assert_eq!(network.engine(1).served(), 4, "all ended at the other worker");
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_restarts_gets_its_workers_and_clients_back() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut network = Network::builder().workers(2).start().await?;
        works(&network).await?;
        let body = chat(json!({"stream": true, "x_parts": 100, "x_pace_ms": 50}));
        let stream = network.stream("/chat/completions", &body).await?;
        network.proxies[0].kill().await;
        let broken = stream.text().await?;
        assert!(
            broken.contains(r#""code":"proxy_lost""#) && !broken.contains("[DONE]"),
            "{broken}"
        );
        let answer = network.post("/chat/completions", &chat(json!({}))).await?;
        assert!(answer.status >= 500, "{}", answer.status);

        network.proxies[0].restart().await?;
        network.wait_for_workers(0, 2).await?;
        eventually("requests work again", async || works(&network).await.is_ok()).await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_two_proxies_one_may_go() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut network = Network::builder().proxies(2).workers(2).start().await?;
        try_join_all((0..10).map(|_| works(&network))).await?;
        network.proxies[0].kill().await;
        try_join_all((0..10).map(|_| works(&network))).await?;
        network.stop().await
    })
    .await
}
