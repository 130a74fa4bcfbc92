use bytes::Bytes;
use cocoon_seal::{Bundle, Checks, Standing, Subject, verify_bundle};
use cocoon_testkit::network::{Network, eventually, get, stream, within};
use serde_json::{Value, json};

use super::{LIMIT, PLANTED, sealed};
use crate::{chat, events};

fn planted(members: Value) -> Value {
    let mut body = chat(members);
    body["messages"][0]["content"] = json!(PLANTED);
    body
}

/// The exported file, once its worker has signed.
async fn export(network: &Network, id: &str, query: &str) -> anyhow::Result<Bytes> {
    let url = format!("{}/receipts/{id}?format=bundle{query}", network.api());
    let mut last = get(&url).await?;
    let signed = eventually("the worker signs", async || {
        last = get(&url).await.unwrap();
        last.status == 200
    });
    let signed = signed.await;
    if signed.is_err() {
        let root = network.api();
        let metrics = get(&format!("{}/metrics", root.trim_end_matches("/v1")))
            .await?
            .text();
        let settled = metrics
            .lines()
            .filter(|line| line.contains("settle"))
            .collect::<Vec<_>>();
        anyhow::bail!("{} {} {settled:?}", last.status, last.text());
    }
    Ok(last.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_a_receipt_that_a_stranger_can_check() -> anyhow::Result<()> {
    within(
        LIMIT,
        Box::pin(async {
            let it = sealed(2).await?;
            let body = planted(json!({"max_tokens": 16}));
            let answer = it.post(&body).await?;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("x-cocoon-sealed"), Some("true"));
            let saw = |worker: usize| {
                let records = it.network.engine(worker).records();
                records
                    .iter()
                    .any(|record| record.json().to_string().contains(PLANTED))
            };
            assert!(saw(0) || saw(1), "the engine did receive it");
            assert!(!it.relay.saw(PLANTED.as_bytes()), "the proxy saw it");

            let note = &answer.json()?["cocoon"];
            assert_eq!(note["sealed"], true, "{note}");
            assert_eq!(note["receipt"]["disagreement"], Value::Null, "{note}");
            let id = note["receipt"]["id"].as_str().unwrap().to_owned();
            assert_eq!(answer.header("x-cocoon-receipt"), Some(id.as_str()));

            // As the caller sent and got them, with what the gateway took out and added undone.
            let request = serde_json::to_vec(&body)?;
            let text = cocoon_openai::unnoted(&answer.body);
            let file = export(&it.network, &id, "&salts=true").await?;
            let checks = |answer| Checks {
                request: Some(&request),
                answer: Some(answer),
                ..Checks::default()
            };
            let report = verify_bundle(&file, &checks(&text));
            assert!(report.is_valid(), "{:#?}", report.findings);
            for subject in [
                Subject::Exchange,
                Subject::WorkerSignature,
                Subject::Request,
                Subject::Answer,
            ] {
                assert!(
                    matches!(report.standing(subject), Some(Standing::Proven { .. })),
                    "{subject:?}"
                );
            }
            assert!(!verify_bundle(&file, &checks(b"another answer")).is_valid());

            // No byte of it can be changed; a cheap part of all bytes, since each costs signatures.
            for at in (0..file.len()).step_by(97) {
                let mut bad = file.to_vec();
                bad[at] ^= 1;
                assert!(
                    !verify_bundle(&bad.into(), &checks(&text)).is_valid(),
                    "byte {at}"
                );
            }
            let plain = export(&it.network, &id, "").await?;
            assert!(
                Bundle::decode(&plain)?.salts.is_none(),
                "salts only when asked for"
            );

            let summary = get(&format!("{}/receipts/{id}", it.network.api())).await?;
            let summary = summary.json()?;
            assert_eq!(summary["sealed"], true, "{summary}");
            assert_eq!(summary["signed_by_worker"], true, "{summary}");
            it.network.stop().await
        }),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_its_receipt_before_done() -> anyhow::Result<()> {
    within(
        LIMIT,
        Box::pin(async {
            let it = sealed(1).await?;
            let url = format!("{}/chat/completions", it.network.api());
            let body = planted(json!({"stream": true, "stream_options": {"include_usage": true}}));
            let answer = stream(&url, &body).await?;
            let id = answer.headers["x-cocoon-receipt"].to_str()?.to_owned();
            let text = answer.text().await?;
            assert!(text.trim_end().ends_with("data: [DONE]"), "{text}");
            let all = events(&text);
            let note = &all.last().unwrap()["cocoon"];
            assert_eq!(note["receipt"]["id"], json!(id), "{note}");
            assert!(note["receipt"]["leaf"].is_string(), "{note}");

            let request = serde_json::to_vec(&body)?;
            let file = export(&it.network, &id, "&salts=true").await?;
            let plain = cocoon_openai::unnoted(text.as_bytes());
            let checks = Checks {
                request: Some(&request),
                answer: Some(&plain),
                ..Checks::default()
            };
            let report = verify_bundle(&file, &checks);
            assert!(report.is_valid(), "{:#?}", report.findings);
            it.network.stop().await
        }),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tier_that_nobody_serves_says_what_is_offered() -> anyhow::Result<()> {
    within(
        LIMIT,
        Box::pin(async {
            let it = sealed(1).await?;
            let answer = it
                .post(&chat(json!({"cocoon": {"tier": "confidential"}})))
                .await?;
            assert_eq!(answer.status, 503);
            assert_eq!(
                answer.error_code().as_deref(),
                Some("tier_unavailable"),
                "{}",
                answer.text()
            );
            let message = answer.json()?["error"]["message"].as_str().unwrap().to_owned();
            assert!(
                message.contains("confidential") && message.contains("offered are: open"),
                "{message}"
            );

            let root = it.network.api();
            let offers = get(&format!(
                "{}/cocoon/v1/offers?model=canned",
                root.trim_end_matches("/v1")
            ))
            .await?;
            let offers = offers.json()?;
            let model = &offers["proxies"][0]["models"][0];
            assert!(model["epochs"][0]["digest"].is_string(), "{offers}");
            assert_eq!(model["conflict"], Value::Null);
            it.network.stop().await
        }),
    )
    .await
}
