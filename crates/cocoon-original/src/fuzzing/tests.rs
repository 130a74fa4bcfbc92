use std::{fs, path::Path};

use cocoon_tl::{TlObject as _, TlString, shared::TokensUsed, v3, worker};
use cocoon_types::Endpoint;

use super::*;
use crate::words::AskedByClient;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn every_target_has_a_program_and_a_corpus() {
    replay::nothing_is_missing("original_", TARGETS);
}

#[test]
fn no_input_does_harm() {
    replay::no_input_does_harm(TARGETS, 20);
}

/// Writes the seeds: each message of each version, and HTTP as it travels in them. Run by hand:
/// `cargo test -p cocoon-original --lib write_seeds -- --ignored`
#[test]
#[ignore = "writes into the source tree"]
fn write_seeds() {
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus")).join(target);
        fs::create_dir_all(&directory).expect("writable");
        fs::write(directory.join(name), bytes).expect("writable");
    };
    let body = Bytes::from_static(br#"{"model":"m","messages":[]}"#);
    let request = plain::write_request(Endpoint::ChatCompletions, body.clone());
    let whole = plain::write_response(200, "application/json", Some(body));
    let begun = plain::write_response(429, "text/event-stream", None);
    write("original_http", "request", &request);
    write("original_http", "whole", &whole);
    write("original_http", "begun", &begun);
    let used = TokensUsed {
        prompt_tokens_used: 23,
        cached_tokens_used: 11,
        completion_tokens_used: 90,
        reasoning_tokens_used: 10,
        total_tokens_used: 134,
    };
    for (leg, name) in [(Leg::Client, "client"), (Leg::Worker, "worker")] {
        for version in 0..=2 {
            let asked = Asked {
                id: [7; 32],
                query: request.clone(),
                coefficient: 1000,
                timeout: 60.0,
                client: (leg == Leg::Client).then(|| AskedByClient {
                    model: TlString::from("m"),
                    max_tokens: 100,
                    config_version: 1,
                }),
            };
            write(
                "original_message",
                &format!("{name}-asked-{version}"),
                &asked.write(version),
            );
            let said = [
                (
                    "answer",
                    Said::Answer {
                        payload: whole.clone(),
                        last: Some(used.clone()),
                    },
                ),
                (
                    "part",
                    Said::Part {
                        payload: Bytes::from_static(b"data: [DONE]\n\n"),
                        last: None,
                    },
                ),
                (
                    "failed",
                    Said::Failed {
                        code: 602,
                        words: TlString::from("busy"),
                        begun: true,
                    },
                ),
            ];
            for (kind, said) in said {
                let form = Form {
                    leg,
                    version,
                    times: (1, 2),
                };
                write(
                    "original_message",
                    &format!("{name}-{kind}-{version}"),
                    &said.write([7; 32], form),
                );
            }
        }
    }
    write(
        "original_message",
        "protocol-3",
        &v3::Cancel { stream: 1 }.to_boxed(),
    );
    write(
        "original_message",
        "coefficient",
        &worker::NewCoefficient { new_coefficient: 5 }.to_boxed(),
    );
}
