use std::time::Duration;

use bytes::Bytes;
use cocoon_link::AnswerEvent;
use cocoon_testkit::network::{Asker, Network, Request, eventually, within};
use serde_json::json;

use crate::{LIMIT, chat, text};

/// Together nearly 15 MB, more than all windows and socket buffers on the way hold.
const PARTS: u32 = 900;
const PART_BYTES: usize = 16 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_slows_its_own_stream_down_to_the_engine_and_nothing_else() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .without_gateway()
            .engine(|_, engine| engine.context_length = 1_000_000)
            .start()
            .await?;
        let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
        let words = vec!["x".repeat(PART_BYTES); PARTS as usize].join(" ");
        let body = json!({"model": "canned", "messages": [{"role": "user", "content": words}],
            "stream": true, "max_tokens": PARTS, "x_parts": PARTS, "x_echo": true});
        let request = Request::chat(&body).with(|head| {
            head.max_tokens = PARTS;
            head.timeout = Duration::from_secs(50);
        });
        let (mut sender, mut answer) = asker.open(&request).await?.split();
        sender.send(request.body.clone(), true).await?;
        answer.head().await?;

        // Nobody reads: the engine comes to a stop.
        let parts = || network.engine(0).records()[0].parts;
        let mut last = 0;
        eventually("the engine stands still", async || {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let (before, now) = (std::mem::replace(&mut last, parts()), parts());
            now > 0 && before == now
        })
        .await?;
        assert!(parts() < PARTS, "the engine was held back");

        // Others on the same link go on.
        for _ in 0..5 {
            asker.ask(Request::chat(&chat(json!({})))).await?;
        }

        let mut whole = Vec::new();
        loop {
            match answer.next().await? {
                AnswerEvent::Part(part) => whole.extend_from_slice(&part),
                AnswerEvent::End(end) => break assert_eq!(end.usage.completion(), u64::from(PARTS)),
            }
        }
        let whole = String::from_utf8(whole)?;
        assert_eq!(
            text(&whole).split_whitespace().count(),
            PARTS as usize,
            "and nothing is missing"
        );
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_comes_slowly_holds_up_nobody() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder().without_gateway().start().await?;
        let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
        let request = Request::chat(&chat(json!({"x_filler": "x".repeat(1000)})));
        let (mut sender, mut answer) = asker.open(&request).await?.split();
        let mut rest: Bytes = request.body.clone();
        for _ in 0..5 {
            sender.send(rest.split_to(100), false).await?;
            asker.ask(Request::chat(&chat(json!({})))).await?;
        }
        sender.send(rest, true).await?;
        assert_eq!(answer.head().await?.status, 200);
        drop((sender, answer));
        network.stop().await
    })
    .await
}
