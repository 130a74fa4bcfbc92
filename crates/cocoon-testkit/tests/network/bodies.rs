use bytes::Bytes;
use cocoon_testkit::network::{Asker, Network, Request, within};
use cocoon_types::Fault;
use serde_json::{Value, json};

use crate::{LIMIT, chat};

/// What the engine was asked last.
fn asked(network: &Network) -> Value {
    network.engine(0).records().last().unwrap().json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_is_asked_what_was_agreed_and_all_else_as_it_came() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .worker(|_, worker| worker.model = Some("public@commit:hash".to_owned()))
            .start_at_once()
            .await?;
        network.wait_for_workers(0, 1).await?;
        let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
        let body = json!({"model": "public", "messages": [], "stream": true, "n": 2, "max_tokens": 500, "tools": [{"x": [1, 2.50]}]});
        let request = Request::chat(&body).with(|head| {
            head.model = "public".parse().unwrap();
            head.max_tokens = 20;
        });
        let reply = asker.ask(request).await?;
        let seen = asked(&network);
        assert_eq!(seen["model"], "canned", "the engine's own name");
        // spec/network.md 10.2, 13: the original's limit is a figure for the reservation only.
        assert_eq!(seen["max_tokens"], 10, "20 tokens over 2 choices");
        assert_eq!(seen["stream_options"]["include_usage"], true);
        assert_eq!(seen["tools"], json!([{"x": [1, 2.50]}]));
        assert!(reply.end.usage.completion() <= 20);
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_any_size_pass_and_none_above_the_limit() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder()
            .engine(|_, engine| engine.context_length = 1_000_000)
            .start()
            .await?;
        let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
        for size in [0, 1, 65_536, 262_144, 300_000, 5_000_000] {
            let body = chat(json!({"x_filler": "x".repeat(size)}));
            asker.ask(Request::chat(&body)).await?;
            assert_eq!(asked(&network)["x_filler"].as_str().map(str::len), Some(size));
        }
        let mut large = Request::chat(&chat(json!({})));
        large.body = Bytes::from(vec![b' '; cocoon_types::MAX_BODY_BYTES + 1]);
        assert_eq!(asker.ask(large).await.unwrap_err().fault, Fault::BodyTooLarge);
        asker.ask(Request::chat(&chat(json!({})))).await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_engine_may_see_is_refused_by_name() -> anyhow::Result<()> {
    within(LIMIT, async {
        let network = Network::builder().start().await?;
        let asker = Asker::connect(network.proxies[0].clients_addr()).await?;
        let faults = [
            ("not json", Fault::InvalidRequest),
            ("[1]", Fault::InvalidRequest),
            (r#"{"model":"canned","messages":[],"model":"x"}"#, Fault::InvalidRequest),
            (r#"{"model":"canned","messages":[],"n":0}"#, Fault::InvalidRequest),
            (
                r#"{"model":"canned","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x/"}}]}]}"#,
                Fault::UnsupportedField,
            ),
            (r#"{"model":"canned","messages":[],"chat_template":"x"}"#, Fault::UnsupportedField),
        ];
        for (body, fault) in faults {
            let mut request = Request::chat(&json!({}));
            request.body = Bytes::from_static(body.as_bytes());
            assert_eq!(asker.ask(request).await.unwrap_err().fault, fault, "{body}");
        }
        assert_eq!(network.engine(0).served(), 0);
        asker.ask(Request::chat(&chat(json!({})))).await?;
        network.stop().await
    })
    .await
}
