use bytes::Bytes;
use cocoon_testkit::network::{get, stream, within};
use cocoon_testkit::relay::Way;
use cocoon_tl::v3::Message;
use serde_json::json;

use super::{LIMIT, sealed};
use crate::chat;

/// Changes one message of an answer; counts the parts that have passed.
type Tamper = fn(Message, &mut Vec<Message>, usize) -> Vec<Message>;

fn flipped(bytes: &Bytes, at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}

/// What a proxy does to an answer of four parts and more, and the words in which the caller is told.
const CASES: &[(&str, &str, Tamper)] = &[
    (
        "a part is changed",
        "does not open",
        |message, _, count| match message {
            Message::Part(mut part) if count == 1 => {
                part.data = flipped(&part.data, 9);
                vec![Message::Part(part)]
            }
            message => vec![message],
        },
    ),
    (
        "a part is dropped",
        "does not open",
        |message, _, count| match message {
            Message::Part(_) if count == 1 => Vec::new(),
            message => vec![message],
        },
    ),
    (
        "a part comes twice",
        "does not open",
        |message, _, count| match message {
            Message::Part(part) if count == 1 => vec![Message::Part(part.clone()), Message::Part(part)],
            message => vec![message],
        },
    ),
    (
        "two parts are swapped",
        "does not open",
        |message, held, count| match message {
            Message::Part(part) if count == 1 => {
                held.push(Message::Part(part));
                Vec::new()
            }
            Message::Part(part) if count == 2 => {
                [Message::Part(part)].into_iter().chain(held.pop()).collect()
            }
            message => vec![message],
        },
    ),
    (
        "the receipt is stripped",
        "the answer was cut",
        |message, held, _| match message {
            // Each part waits for the next, so that the last is known when the end comes.
            Message::Part(part) => {
                let before = held.pop();
                held.push(Message::Part(part));
                before.into_iter().collect()
            }
            message => vec![message],
        },
    ),
    (
        "the answer ends early",
        "the answer was cut",
        |message, _, count| match message {
            Message::Part(_) if count >= 2 => Vec::new(),
            message => vec![message],
        },
    ),
    ("a clear field is changed", "", |message, _, _| match message {
        Message::SealedAnswer(mut answer) => {
            // The last byte is of the media type.
            answer.head = flipped(&answer.head, answer.head.len() - 1);
            vec![Message::SealedAnswer(answer)]
        }
        message => vec![message],
    }),
    (
        "a lost link is claimed of nobody",
        "reasons for",
        |message, _, _| match message {
            Message::SealedAnswer(mut answer) => {
                answer.skipped.push(Bytes::new());
                vec![Message::SealedAnswer(answer)]
            }
            message => vec![message],
        },
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_proxy_does_to_an_answer_its_caller_is_told() -> anyhow::Result<()> {
    within(LIMIT, Box::pin(async {
        let it = sealed(1).await?;
        let url = format!("{}/chat/completions", it.network.api());
        for (what, words, tamper) in CASES {
            let (mut held, mut count) = (Vec::new(), 0);
            it.relay.tamper(move |way, message| {
                if way == Way::Up {
                    return vec![message];
                }
                let is_part = matches!(message, Message::Part(_));
                let out = tamper(message, &mut held, count);
                count += usize::from(is_part);
                out
            });
            let body = chat(json!({"stream": true, "stream_options": {"include_usage": true}, "x_parts": 6, "x_pace_ms": 5}));
            let answer = stream(&url, &body).await?;
            let text = answer.text().await?;
            assert!(!text.contains("[DONE]"), "{what}: {text}");
            assert!(text.contains("protocol_violation") && text.contains(words), "{what}: {text}");
        }
        it.relay.tamper(|_, message| vec![message]);
        let whole = it.post(&chat(json!({}))).await?;
        assert_eq!(whole.status, 200, "an honest proxy again: {}", whole.text());
        let root = it.network.api();
        let metrics = get(&format!("{}/metrics", root.trim_end_matches("/v1"))).await?.text();
        assert!(metrics.contains("cocoon_client_sealed_violations_total"), "{metrics}");
        it.network.stop().await
    }))
    .await
}

/// What goes up: another head, another's wrap, pieces in another order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_proxy_does_to_a_request_no_worker_serves_it() -> anyhow::Result<()> {
    within(
        LIMIT,
        Box::pin(async {
            let it = sealed(1).await?;
            type Change = fn(Message) -> Message;
            let changes: [(&str, Change); 3] = [
                ("the head", |message| match message {
                    Message::SealedRequest(mut request) => {
                        // Within the request id.
                        request.head = flipped(&request.head, 40);
                        Message::SealedRequest(request)
                    }
                    message => message,
                }),
                ("a wrap", |message| match message {
                    Message::SealedRequest(mut request) => {
                        let last = request.wraps[0].len() - 1;
                        request.wraps[0] = flipped(&request.wraps[0], last);
                        Message::SealedRequest(request)
                    }
                    message => message,
                }),
                ("a piece", |message| match message {
                    Message::Body(mut body) => {
                        body.data = flipped(&body.data, 20);
                        Message::Body(body)
                    }
                    message => message,
                }),
            ];
            for (what, change) in changes {
                let before = it.network.engine(0).records().len();
                it.relay.tamper(move |way, message| match way {
                    Way::Up => vec![change(message)],
                    Way::Down => vec![message],
                });
                let answer = it.post(&chat(json!({}))).await?;
                assert!(answer.status >= 400, "{what}: {}", answer.text());
                assert_eq!(
                    it.network.engine(0).records().len(),
                    before,
                    "{what}: the engine was asked"
                );
            }
            it.network.stop().await
        }),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_in_mid_stream_leaves_no_end() -> anyhow::Result<()> {
    within(
        LIMIT,
        Box::pin(async {
            let mut it = sealed(1).await?;
            let url = format!("{}/chat/completions", it.network.api());
            let body = chat(json!({"stream": true, "x_parts": 100, "x_pace_ms": 50}));
            let mut answer = stream(&url, &body).await?;
            let mut text = Vec::new();
            text.extend_from_slice(&answer.next().await?.unwrap_or_default());
            it.network.workers[0].kill().await;
            while let Some(piece) = answer.next().await? {
                text.extend_from_slice(&piece);
            }
            let text = String::from_utf8_lossy(&text);
            assert!(text.contains("\"error\"") && !text.contains("[DONE]"), "{text}");
            it.network.stop().await
        }),
    )
    .await
}
