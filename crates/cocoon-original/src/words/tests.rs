use bytes::Bytes;
use cocoon_tl::{TlObject as _, TlString, client, proxy, shared::TokensUsed, v3, worker};

use super::*;

const USED: TokensUsed = TokensUsed {
    prompt_tokens_used: 23,
    cached_tokens_used: 11,
    completion_tokens_used: 90,
    reasoning_tokens_used: 10,
    total_tokens_used: 134,
};

fn form(leg: Leg, version: i32) -> Form {
    Form {
        leg,
        version,
        times: (1_700_000_000, 1_700_000_001),
    }
}

fn steps() -> Vec<Said> {
    let payload = Bytes::from_static(b"abc");
    let mut steps = vec![Said::Failed {
        code: 652,
        words: TlString::from("late"),
        begun: true,
    }];
    for last in [None, Some(USED)] {
        let payload = payload.clone();
        steps.push(Said::Answer {
            payload: payload.clone(),
            last: last.clone(),
        });
        steps.push(Said::Part { payload, last });
    }
    steps
}

#[test]
fn every_step_comes_back_in_every_version() {
    for leg in [Leg::Client, Leg::Worker] {
        for version in 0..=2 {
            for step in steps() {
                let message = step.clone().write([9; 32], form(leg, version));
                let (id, read) = Said::read(leg, &message).unwrap().unwrap();
                let same = match (&read, &step) {
                    // Only version 0 tells whether an answer had begun.
                    (
                        Said::Failed { code, words, .. },
                        Said::Failed {
                            code: c, words: w, ..
                        },
                    ) => (code, words) == (c, w),
                    _ => read == step,
                };
                assert!(same && id == [9; 32], "{leg:?} {version}");
                let mut longer = message.to_vec();
                longer.extend_from_slice(&[0; 4]);
                assert!(
                    Said::read(leg, &longer.into()).unwrap().is_err(),
                    "left-over bytes"
                );
            }
        }
    }
}

#[test]
fn every_request_comes_back_in_every_version() {
    for client in [
        None,
        Some(AskedByClient {
            model: TlString::from("m"),
            max_tokens: 100,
            config_version: 7,
        }),
    ] {
        let leg = if client.is_some() {
            Leg::Client
        } else {
            Leg::Worker
        };
        for version in 0..=2 {
            let asked = Asked {
                id: [3; 32],
                query: Bytes::from_static(b"query"),
                coefficient: 1000,
                timeout: 9.5,
                client: client.clone(),
            };
            let message = asked.clone().write(version);
            assert!(
                Asked::read(leg, &message).unwrap().unwrap() == asked,
                "{leg:?} {version}"
            );
        }
    }
}

/// spec/network.md 6.1: what is new in each version, and what is not there before.
#[test]
fn versions_differ_as_they_should() {
    let last = || Said::Part {
        payload: Bytes::new(),
        last: Some(USED),
    };
    let write = |version| last().write([9; 32], form(Leg::Client, version));
    let zero = client::QueryAnswerPartData::from_boxed(write(0)).unwrap();
    assert!(zero.is_completed && zero.request_tokens_used == USED);
    let info = |version| {
        let part = client::QueryAnswerPartEx::from_boxed(write(version)).unwrap();
        part.final_info.unwrap()
    };
    assert!(info(1).times.is_none() && info(1).debug.is_none());
    assert_eq!(info(2).times.unwrap().proxy_end_time, 1_700_000_001.0);
    let failed = Said::Failed {
        code: 602,
        words: TlString::EMPTY,
        begun: false,
    };
    let error = failed.write([9; 32], form(Leg::Worker, 1));
    let error = proxy::QueryAnswerErrorEx::from_boxed(error).unwrap();
    assert!(
        error.final_info.is_some(),
        "without it the original's proxy dies (10.1, 4)"
    );
}

#[test]
fn nothing_of_protocol_3_passes() {
    let hello = v3::Cancel { stream: 1 }.to_boxed();
    let change = worker::NewCoefficient { new_coefficient: 5 }.to_boxed();
    for leg in [Leg::Client, Leg::Worker] {
        assert!(!passes(leg, &hello));
        assert!(!passes(leg, b"abc"));
    }
    assert!(passes(Leg::Worker, &change) && !passes(Leg::Client, &change));
}
