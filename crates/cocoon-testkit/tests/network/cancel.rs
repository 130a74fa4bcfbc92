use std::time::Duration;

use cocoon_link::AnswerEvent;
use cocoon_testkit::canned::{CannedFault, Outcome};
use cocoon_testkit::network::{Asker, Network, Request, within};
use cocoon_types::Fault;
use serde_json::json;

use crate::{LIMIT, chat, works};

fn endless() -> serde_json::Value {
    chat(json!({"stream": true, "max_tokens": 1000, "x_parts": 1000, "x_pace_ms": 30}))
}

/// Waits until the engine has dropped this many requests.
async fn dropped(network: &Network, many: usize) -> anyhow::Result<()> {
    let count = move |records: &[cocoon_testkit::canned::Record]| {
        records
            .iter()
            .filter(|record| record.outcome == Outcome::Dropped)
            .count()
            == many
    };
    network.engine(0).wait_until(count).await?;
    network.wait_until_idle().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_stops_the_engine() -> anyhow::Result<()> {
    within(LIMIT, async {
        // spec/network.md 10.2, 17: the original works on, and charges.
        let network = Network::builder().start().await?;
        let mut stream = network.stream("/chat/completions", &endless()).await?;
        stream.next().await?;
        drop(stream);
        dropped(&network, 1).await?;

        let unstreamed = chat(json!({"x_parts": 100, "x_pace_ms": 100}));
        let before_the_answer = network.post("/chat/completions", &unstreamed);
        let gave_up = tokio::time::timeout(Duration::from_millis(400), before_the_answer).await;
        assert!(gave_up.is_err());
        dropped(&network, 2).await?;
        works(&network).await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_stream_stops_the_engine_and_a_lost_link_stops_all_of_its_streams() -> anyhow::Result<()>
{
    within(LIMIT, async {
        let network = Network::builder().start().await?;
        let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
        let request = Request::chat(&endless());
        let open = async || {
            let (mut body, mut answer) = asker.open(&request).await?.split();
            body.send(request.body.clone(), true).await?;
            answer.head().await?;
            let first = answer.next().await?;
            assert!(matches!(first, AnswerEvent::Part(_)));
            anyhow::Ok((body, answer))
        };
        drop(open().await?);
        dropped(&network, 1).await?;
        let held = [open().await?, open().await?, open().await?];
        asker.session.link().close("the test ends it");
        dropped(&network, 4).await?;
        drop(held);
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_has_a_deadline() -> anyhow::Result<()> {
    within(LIMIT, async {
        // spec/network.md 10.3, 24 and 29: the original's client never starts its timer, its proxy takes any.
        let network = Network::builder()
            .proxy(|_, proxy| proxy.max_timeout_s = Some(1))
            .start()
            .await?;
        let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
        network.engine(0).set_fault(Some(CannedFault::Hang));
        let ask = async |timeout| {
            let request = Request::chat(&chat(json!({}))).with(|head| head.timeout = timeout);
            asker.ask(request).await.unwrap_err().fault
        };
        assert_eq!(ask(Duration::from_millis(200)).await, Fault::Timeout);
        assert_eq!(ask(Duration::ZERO).await, Fault::Timeout);
        assert_eq!(
            ask(Duration::from_secs(1_000_000)).await,
            Fault::Timeout,
            "capped by the proxy"
        );
        network.engine(0).set_fault(Some(CannedFault::HangMid));
        assert_eq!(ask(Duration::from_millis(300)).await, Fault::Timeout);
        network.engine(0).set_fault(None);
        network.wait_until_idle().await?;
        works(&network).await?;
        network.stop().await
    })
    .await
}
