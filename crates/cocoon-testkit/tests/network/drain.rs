use std::time::Duration;

use cocoon_testkit::network::{Network, eventually, get, post, stream, within};
use futures_util::future::try_join_all;
use serde_json::json;

use crate::{LIMIT, chat, text};

fn lasting(millis: u32) -> serde_json::Value {
    chat(json!({"stream": true, "max_tokens": 1000, "x_parts": millis / 50, "x_pace_ms": 50}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_finishes_what_runs_and_takes_nothing_new() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut network = Network::builder().workers(2).start().await?;
        let url = format!("{}/chat/completions", network.api());
        let (first, second) = (
            stream(&url, &lasting(1200)).await?,
            stream(&url, &lasting(1200)).await?,
        );
        let stop = network.workers[0].stop();
        let others = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let plain = chat(json!({}));
            try_join_all((0..10).map(|_| post(&url, &plain))).await
        };
        let (stopped, first, second, others) = tokio::join!(stop, first.text(), second.text(), others);
        stopped?;
        for whole in [first?, second?] {
            assert_eq!(text(&whole).split_whitespace().count(), 24);
            assert!(whole.ends_with("data: [DONE]\n\n"));
        }
        assert!(others?.iter().all(|answer| answer.status == 200));
        assert_eq!(network.engine(0).served(), 1, "nothing new went there");
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_outlasts_the_grace_is_cut_off_with_a_word() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut network = Network::builder()
            .worker(|_, worker| worker.drain_s = Some(0))
            .start()
            .await?;
        let long = network.stream("/chat/completions", &lasting(30_000)).await?;
        network.workers[0].stop().await?;
        let whole = long.text().await?;
        assert!(
            whole.contains(r#""code":"shutting_down""#) && !whole.contains("[DONE]"),
            "{whole}"
        );
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_stops_finishes_what_runs_and_takes_nothing_new() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut network = Network::builder().start().await?;
        let url = format!("{}/chat/completions", network.api());
        let health = format!("http://{}/health", network.proxies[0].admin_addr());
        let running = stream(&url, &lasting(1200)).await?;
        let stop = network.proxies[0].stop();
        let others = async {
            eventually("it drains", async || {
                get(&health).await.is_ok_and(|answer| answer.status == 503)
            })
            .await?;
            post(&url, &chat(json!({}))).await
        };
        let (stopped, whole, other) = tokio::join!(stop, running.text(), others);
        stopped?;
        assert!(whole?.ends_with("data: [DONE]\n\n"));
        let other = other?;
        assert_eq!(
            (other.status, other.error_code().as_deref()),
            (503, Some("shutting_down"))
        );

        network.proxies[0].restart().await?;
        network.wait_for_workers(0, 1).await?;
        let long = {
            eventually("requests work again", async || {
                post(&url, &chat(json!({})))
                    .await
                    .is_ok_and(|answer| answer.status == 200)
            })
            .await?;
            stream(&url, &lasting(30_000)).await?
        };
        network.proxies[0].stop().await?;
        let whole = long.text().await?;
        assert!(
            whole.contains(r#""code":"shutting_down""#) && !whole.contains("[DONE]"),
            "{whole}"
        );
        network.stop().await
    })
    .await
}
