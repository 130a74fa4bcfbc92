use cocoon_testkit::network::{Asker, Network, Request, within};
use futures_util::future::try_join_all;
use serde_json::json;

use crate::{LIMIT, chat, events, text, works};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_share_twenty_requests_two_at_a_time() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder().workers(2).start().await?;
        for _ in 0..10 {
            try_join_all([works(&network), works(&network)]).await?;
        }
        let served = [network.engine(0).served(), network.engine(1).served()];
        assert_eq!(served[0] + served[1], 20);
        // Two at a time: the second of each pair finds the first one's worker busier.
        assert!(served.iter().all(|served| *served >= 4), "{served:?}");
        network.wait_until_idle().await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_comes_chunk_by_chunk_and_ends_in_done() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder().start().await?;
        let body = chat(json!({"stream": true, "x_parts": 6, "x_pace_ms": 60}));
        let stream = network.stream("/chat/completions", &body).await?;
        assert_eq!(stream.status, 200);
        let pieces = stream.pieces().await?;
        let spread = pieces.last().unwrap().0 - pieces.first().unwrap().0;
        assert!(
            pieces.len() >= 6 && spread.as_millis() >= 240,
            "{} pieces over {spread:?}",
            pieces.len()
        );
        let whole: Vec<u8> = pieces.iter().flat_map(|(_, piece)| piece.to_vec()).collect();
        let whole = String::from_utf8(whole)?;
        assert_eq!(text(&whole), "part0 part1 part2 part3 part4 part5 ");
        assert!(whole.ends_with("data: [DONE]\n\n"), "{whole}");
        assert!(
            events(&whole).iter().all(|event| event["choices"][0].is_object()),
            "no usage chunk unasked"
        );
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_is_what_the_engine_reported_streamed_or_not() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .engine(|_, engine| (engine.cached_tokens, engine.reasoning_tokens) = (2, 3))
            .start()
            .await?;
        let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
        for members in [
            json!({}),
            json!({"stream": true}),
            json!({"stream": true, "stream_options": {"include_usage": true}}),
        ] {
            let reply = asker.ask(Request::chat(&chat(members.clone()))).await?;
            let usage = reply.end.usage;
            // spec/network.md 10.2, 12: the original counts nothing of a stream.
            assert_eq!((usage.prompt(), usage.cached()), (5, 2), "{members}");
            assert_eq!((usage.completion(), usage.reasoning()), (8, 3), "{members}");
            let asked = !members["stream_options"].is_null();
            let whole = String::from_utf8(reply.body.to_vec())?;
            if members["stream"] == true {
                let has_usage = events(&whole).iter().any(|event| event["usage"].is_object());
                assert_eq!(has_usage, asked, "the usage chunk is for who asked for it");
            }
        }
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embeddings_and_completions_are_carried_too() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder().start().await?;
        let answer = network
            .post("/embeddings", &json!({"model": "canned", "input": ["a", "b"]}))
            .await?;
        assert_eq!(answer.json()?["data"].as_array().map(Vec::len), Some(2));
        let answer = network
            .post("/completions", &json!({"model": "canned", "prompt": "a"}))
            .await?;
        assert!(
            answer.json()?["choices"][0]["text"]
                .as_str()
                .is_some_and(|text| text.starts_with("part0"))
        );
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_requests_at_64_at_once_leave_nothing_behind() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder().workers(2).start().await?;
        for _ in 0..8 {
            try_join_all((0..64).map(|_| works(&network))).await?;
        }
        network.wait_until_idle().await?;
        assert_eq!(network.engine(0).served() + network.engine(1).served(), 512);
        network.stop().await
    })
    .await
}
