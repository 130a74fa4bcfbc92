//! Messages byte by byte, written by hand from spec/network.md 5.6, 6.3-6.5 and 11, and from `v3`; the field order and
//! the bare or boxed form of nested objects are what a definition can get wrong without its id noticing.

use bytes::Bytes;
use cocoon_tl::{TlObject, TlString, client, http, peek_id, proxy, shared, tcp, v3, worker};

fn hex(text: &str) -> Bytes {
    Bytes::from(hex::decode(text.replace([' ', '\n'], "")).expect("hexadecimal"))
}

/// Both ways: the object gives these bytes, and these bytes give the object.
#[track_caller]
fn is_written_as<T: TlObject + PartialEq>(object: &T, text: &str) {
    let bytes = hex(text);
    assert_eq!(hex::encode(object.to_boxed()), hex::encode(&bytes));
    assert!(
        T::from_boxed(bytes).expect("readable") == *object,
        "not the same object again"
    );
}

const SHA256_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn versions(min: i32, max: i32) -> Option<shared::ProtoVersions> {
    Some(shared::ProtoVersions {
        min_proto_version: min,
        max_proto_version: max,
    })
}

#[test]
fn ping_and_pong_5() {
    is_written_as(
        &tcp::Packet::from(tcp::Ping { id: 5 }),
        "7c62e9bb 0500000000000000",
    );
    is_written_as(
        &tcp::Packet::from(tcp::Pong { id: 5 }),
        "2c30d40b 0500000000000000",
    );
}

#[test]
fn lost_promise() {
    let error = tcp::QueryError {
        id: 1,
        code: 0,
        message: TlString::from_static("Lost promise"),
    };
    is_written_as(
        &error,
        "02f6d24c 0100000000000000 00000000 0c 4c6f73742070726f6d697365 000000",
    );
}

#[test]
fn client_asks_to_connect() {
    let params = |is_test, proto_versions| client::ConnectToProxy {
        params: client::Params {
            client_owner_address: "EQ".into(),
            is_test,
            proto_versions,
        },
        min_config_version: 7,
    };
    // `params` is bare: its own id 40fdca64 is not there.
    is_written_as(
        &params(Some(true), versions(1, 2)),
        "f4a05fff 03000000 02455100 b5757299 01000000 02000000 07000000",
    );
    is_written_as(
        &params(Some(false), None),
        "f4a05fff 01000000 02455100 379779bc 07000000",
    );
    is_written_as(
        &params(None, versions(3, 3)),
        "f4a05fff 02000000 02455100 03000000 03000000 07000000",
    );
    is_written_as(&params(None, None), "f4a05fff 00000000 02455100 07000000");
}

/// spec/network.md 11: the TON-disabled proxy.
#[test]
fn client_handshake_without_ton() {
    let secret_hash = *hex(SHA256_OF_NOTHING).first_chunk().expect("32 bytes");
    let connected = client::ConnectedToProxy {
        params: proxy::Params {
            proxy_public_key: [0x11; 32],
            proxy_owner_address: "".into(),
            proxy_sc_address: "a".into(),
            is_test: Some(true),
            proto_version: Some(2),
        },
        client_sc_address: "".into(),
        auth: client::ProxyConnectionAuthShort {
            secret_hash,
            nonce: 0,
        }
        .into(),
        signed_payment: proxy::SignedPaymentEmpty {}.into(),
    };
    // `params` bare; `auth` and `signed_payment` boxed.
    is_written_as(
        &connected,
        &format!(
            "d17a3195 03000000 {} 00000000 01610000 b5757299 02000000 00000000
             afc5ffd6 {SHA256_OF_NOTHING} 0000000000000000 64ce47b3",
            "11".repeat(32)
        ),
    );
    is_written_as(
        &client::AuthorizeWithProxyShort { data: Bytes::new() },
        "2367276c 00000000",
    );
    let success = client::AuthorizationWithProxySuccess {
        signed_payment: proxy::SignedPaymentData {
            data: Bytes::from(vec![0x22; 180]),
        }
        .into(),
        tokens_committed_to_db: 0,
        max_tokens: 0,
    };
    is_written_as(
        &client::AuthorizationWithProxy::from(success),
        &format!(
            "34acd575 82819902 b4 {} 000000 {}",
            "22".repeat(180),
            "00".repeat(16)
        ),
    );
}

#[test]
fn worker_handshake_with_zeros() {
    let connect = worker::ConnectToProxy {
        params: worker::Params {
            worker_owner_address: "".into(),
            model: "m@c:v".into(),
            coefficient: 1000,
            setup: Some(worker::Setup {
                is_test: true,
                proxy_cnt: 1,
                max_active_requests: 30,
            }),
            proto_versions: versions(1, 2),
        },
    };
    is_written_as(
        &connect,
        "5d4c48cc 03000000 00000000 056d40633a760000 e8030000 b5757299 01000000 1e000000 01000000 02000000",
    );
    let compare = worker::CompareBalanceWithProxy {
        tokens_committed_to_blockchain: 0,
        tokens_committed_to_db: 0,
        max_tokens: 0,
    };
    is_written_as(&compare, &format!("016538db {}", "00".repeat(24)));
    let result = worker::CompareBalanceWithProxyResult {
        signed_payment: proxy::SignedPaymentEmpty {}.into(),
        tokens_committed_to_db: 0,
        max_tokens: 0,
        error_code: 0,
    };
    is_written_as(&result, &format!("11c45490 64ce47b3 {}", "00".repeat(20)));
    is_written_as(
        &worker::ProxyHandshakeComplete { is_disabled: false },
        "66b043f8 379779bc",
    );
    is_written_as(&worker::ProxyHandshakeCompleted {}, "86b8d93a");
}

/// spec/network.md 11: timeout 9.5, coefficient 1000, flags 1.
#[test]
fn proxy_runs_a_query() {
    let run = proxy::RunQueryEx {
        query: http::Request {
            method: "POST".into(),
            url: "/v1".into(),
            http_version: "HTTP/1.1".into(),
            headers: vec![http::Header {
                name: "a".into(),
                value: "bc".into(),
            }],
            payload: Bytes::from_static(b"{}"),
        }
        .to_boxed(),
        signed_payment: proxy::SignedPaymentEmpty {}.into(),
        coefficient: 1000,
        timeout: 9.5,
        request_id: [0x33; 32],
        enable_debug: Some(false),
    };
    is_written_as(
        &run,
        &format!(
            "e2e705c8
             2c e52d4947 04504f5354000000 032f7631 08485454502f312e31000000 01000000 01610000 02626300 027b7d00 000000
             64ce47b3 e803000000000000 0000000000002340 {} 01000000 379779bc",
            "33".repeat(32)
        ),
    );
}

#[test]
fn final_info_is_bare_and_its_flags_come_first() {
    let tokens_used = shared::TokensUsed {
        prompt_tokens_used: 1,
        cached_tokens_used: 2,
        completion_tokens_used: 3,
        reasoning_tokens_used: 4,
        total_tokens_used: 5,
    };
    let tokens = "0100000000000000 0200000000000000 0300000000000000 0400000000000000 0500000000000000";
    let id = "44".repeat(32);
    let part = |final_info| client::QueryAnswerPartEx {
        request_id: [0x44; 32],
        answer: Bytes::from_static(b"x"),
        final_info,
    };
    is_written_as(
        &client::QueryAnswerEx::from(part(None)),
        &format!("ecfa7bc0 {id} 01780000 00000000"),
    );
    let last = part(Some(client::QueryFinalInfo {
        tokens_used: tokens_used.clone(),
        debug: Some(client::DebugTexts {
            worker_debug: "w".into(),
            proxy_debug: "p".into(),
        }),
        times: Some(client::Times {
            proxy_start_time: 1.0,
            proxy_end_time: 2.0,
            worker_start_time: 0.5,
            worker_end_time: 0.25,
        }),
    }));
    is_written_as(
        &client::QueryAnswerEx::from(last),
        &format!(
            "ecfa7bc0 {id} 01780000 01000000 03000000 {tokens} 01770000 01700000
             000000000000f03f 0000000000000040 000000000000e03f 000000000000d03f"
        ),
    );
    let error = proxy::QueryAnswerErrorEx {
        request_id: [0x44; 32],
        error_code: 652,
        error: "".into(),
        final_info: Some(proxy::QueryFinalInfo {
            tokens_used,
            worker_debug: None,
            times: None,
        }),
    };
    is_written_as(
        &proxy::QueryAnswerEx::from(error),
        &format!("a7b07f8f {id} 8c020000 00000000 01000000 00000000 {tokens}"),
    );
}

#[test]
fn lists_hold_bare_elements() {
    let types = client::WorkerTypesV2 {
        types: vec![client::WorkerTypeV2 {
            name: "m".into(),
            workers: vec![client::WorkerInstanceV2 {
                flags: 0,
                coefficient: 1000,
                active_requests: 1,
                max_active_requests: 2,
            }],
        }],
    };
    is_written_as(
        &types,
        "67dcf00c 01000000 016d0000 01000000 00000000 e8030000 01000000 02000000",
    );
}

/// The ids and layouts of protocol 3: once released they do not change, a new form is a new name.
#[test]
fn protocol_3() {
    let hello = v3::Hello {
        flags: 0,
        capabilities: vec!["a".into()],
        software: "b".into(),
        endpoints: vec!["c".into(), "d".into()],
        context_length: 4096,
        engine: v3::Hello::ENGINE_STARTED_BY_WORKER,
    };
    is_written_as(
        &hello,
        "29dec081 00000000 01000000 01610000 01620000 02000000 01630000 01640000 00100000 01000000",
    );
    let request = v3::Request {
        stream: 1,
        request_id: [0x55; 32],
        endpoint: "e".into(),
        model: "m".into(),
        max_tokens: 2,
        floor: 3,
        flags: v3::Request::SIMULATED_ACCEPTED,
        max_coefficient: 4,
        timeout_ms: 5,
        body_bytes: 6,
    };
    is_written_as(
        &v3::Message::from(request),
        &format!(
            "7652ea0c 0100000000000000 {} 01650000 016d0000 02000000 03000000 01000000 04000000 05000000 0600000000000000",
            "55".repeat(32)
        ),
    );
    let data = Bytes::from_static(b"xyz");
    let messages: [(v3::Message, &str); 7] = [
        (
            v3::Body {
                stream: 1,
                flags: v3::Body::LAST,
                data: data.clone(),
            }
            .into(),
            "36e15820 0100000000000000 01000000 0378797a",
        ),
        (
            v3::Credit { stream: 1, bytes: 2 }.into(),
            "c952e103 0100000000000000 02000000",
        ),
        (v3::Cancel { stream: 1 }.into(), "561cb6be 0100000000000000"),
        (
            v3::Answer {
                stream: 1,
                status: 200,
                content_type: "t".into(),
                tier: 3,
                coefficient: 1000,
            }
            .into(),
            "7d7042ac 0100000000000000 c8000000 01740000 03000000 e8030000",
        ),
        (
            v3::Part { stream: 1, data }.into(),
            "04ba1111 0100000000000000 0378797a",
        ),
        (
            v3::End {
                stream: 1,
                prompt_tokens: 2,
                cached_tokens: 3,
                completion_tokens: 4,
                reasoning_tokens: 5,
                engine_ms: 6,
            }
            .into(),
            "ad379546 0100000000000000 0200000000000000 0300000000000000 0400000000000000 0500000000000000 06000000",
        ),
        (
            v3::Refuse {
                stream: 1,
                code: 13,
                message: "r".into(),
            }
            .into(),
            "8eeca63f 0100000000000000 0d000000 01720000",
        ),
    ];
    for (message, text) in messages {
        is_written_as(&message, text);
        assert_eq!(message.stream(), 1);
        assert_eq!(peek_id(&message.to_boxed()), peek_id(&hex(text)));
    }
}

/// Sealing, offers and receipts in protocol 3.
#[test]
fn protocol_3_sealed() {
    let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
    let (h, w) = (bytes("h"), bytes("w"));
    let messages: [(v3::Message, &str); 4] = [
        (
            v3::SealedRequest {
                stream: 1,
                head: h.clone(),
                candidate: 2,
                wraps: vec![w.clone(), Bytes::new()],
                timeout_ms: 3,
            }
            .into(),
            "86d5fa40 0100000000000000 01680000 02000000 02000000 01770000 00000000 03000000",
        ),
        (
            v3::SealedAnswer {
                stream: 1,
                head: h,
                skipped: vec![w.clone()],
            }
            .into(),
            "0c1e836c 0100000000000000 01680000 01000000 01770000",
        ),
        (
            v3::Receipt {
                stream: 1,
                receipt: w.clone(),
            }
            .into(),
            "3e30cabf 0100000000000000 01770000",
        ),
        (
            v3::SealedRefuse {
                stream: 1,
                code: 13,
                message: "r".into(),
                skipped: vec![w.clone()],
            }
            .into(),
            "57d9ee28 0100000000000000 0d000000 01720000 01000000 01770000",
        ),
    ];
    for (message, text) in messages {
        is_written_as(&message, text);
        assert_eq!(message.stream(), 1);
    }
    let (leaf, leaf_hex) = ([0x33; 32], "33".repeat(32));
    // The elements are bare: their own ids are not there.
    is_written_as(
        &v3::Countersigns {
            signs: vec![v3::Countersign {
                leaf,
                worker: w.clone(),
            }],
        },
        &format!("97a2a227 01000000 {leaf_hex} 01770000"),
    );
    is_written_as(
        &v3::Settled {
            receipts: vec![v3::Charged {
                leaf,
                worker: w.clone(),
                charge: bytes("c"),
                proxy: bytes("p"),
            }],
        },
        &format!("fa00a295 01000000 {leaf_hex} 01770000 01630000 01700000"),
    );
    is_written_as(
        &v3::Dispute {
            leaf,
            field: "f".into(),
            expected: bytes("e"),
            receipt: w.clone(),
        },
        &format!("079b20ea {leaf_hex} 01660000 01650000 01770000"),
    );
    is_written_as(&v3::GetOffers { model: "m".into() }, "6d7677b8 016d0000");
    is_written_as(&v3::Offers { list: bytes("l") }, "472252df 016c0000");
    is_written_as(
        &v3::GetEvidence { statement: leaf },
        &format!("5f3aef34 {leaf_hex}"),
    );
    is_written_as(
        &v3::Evidence {
            certificate: bytes("c"),
            statement: bytes("s"),
            quote: bytes("q"),
            endorsements: bytes("e"),
            gpu_evidence: bytes("g"),
        },
        "8c1d6b1f 01630000 01730000 01710000 01650000 01670000",
    );
}
