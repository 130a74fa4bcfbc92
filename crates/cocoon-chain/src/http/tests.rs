pub(crate) mod kit;

use cocoon_types::{Address, Nanoton};
use serde_json::json;

use self::kit::Server;
use crate::{
    chain::At,
    ledger::{
        LedgerOptions,
        tests::kit::{NOW, Relay, TON, internal},
    },
};

const TO: Address = Address::new([9; 32]);

#[tokio::test]
async fn an_account_and_its_log_are_shown_as_toncenter_shows_them() {
    let server = Server::start().await;
    let relay = server.relay(10 * TON).await;
    let info = server
        .ok("getAddressInformation", json!({ "address": relay.address() }))
        .await;
    assert_eq!(info["@type"], "raw.fullAccountState");
    assert_eq!(info["state"], "active");
    assert!(info["balance"].as_str().unwrap().parse::<u64>().unwrap() > 9 * TON);
    assert_eq!(info["block_id"]["workchain"], -1);
    assert_eq!(info["sync_utime"], NOW);

    let list = server
        .ok(
            "getTransactions",
            json!({ "address": relay.address(), "limit": "10" }),
        )
        .await;
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["transaction_id"], info["last_transaction_id"]);
    assert_eq!(list[1]["in_msg"]["value"], (10 * TON).to_string());
    assert_eq!(list[0]["in_msg"]["source"], "");
    let older = json!({
        "address": relay.address(), "limit": 1, "lt": list[1]["transaction_id"]["lt"],
        "hash": list[1]["transaction_id"]["hash"],
    });
    assert_eq!(server.ok("getTransactions", older).await[0], list[1]);
    let to_lt = json!({ "address": relay.address(), "to_lt": list[1]["transaction_id"]["lt"] });
    assert_eq!(
        server
            .ok("getTransactions", to_lt)
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let nobody = server.ok("getAddressInformation", json!({ "address": TO })).await;
    assert_eq!(
        (&nobody["state"], &nobody["balance"]),
        (&json!("uninitialized"), &json!("0"))
    );
    assert_eq!(nobody["last_transaction_id"]["lt"], "0");
    assert_eq!(
        server.ok("getTransactions", json!({ "address": TO })).await,
        json!([])
    );
}

#[tokio::test]
async fn blocks_are_shown() {
    let server = Server::start().await;
    let relay = server.relay(10 * TON).await;
    let info = server.ok("getMasterchainInfo", json!({})).await;
    assert_eq!(info["last"]["seqno"], 2);
    assert_eq!(info["init"]["seqno"], 0);
    let (status, health) = server.raw("GET", "/health", "", "localhost").await;
    assert_eq!((status, health.contains("\"seqno\":2")), (200, true), "{health}");
    let shards = server.ok("shards", json!({ "seqno": 2 })).await;
    assert_eq!(shards["shards"][0]["workchain"], 0);
    let block = json!({ "workchain": 0, "shard": shards["shards"][0]["shard"], "seqno": 2 });
    let block = server.ok("getBlockTransactions", block).await;
    assert_eq!(block["incomplete"], false);
    assert_eq!(
        block["transactions"][0]["account"],
        super::render::raw(relay.address())
    );
    assert_eq!(block["transactions"].as_array().unwrap().len(), 1);
    let of = |seqno| json!({ "workchain": -1, "shard": "-9223372036854775808", "seqno": seqno });
    let header = server.ok("getBlockHeader", of(2)).await;
    assert_eq!(header["id"], info["last"]);
    assert_eq!(header["gen_utime"], info["last_utime"]);
    assert_eq!(header["prev_blocks"][0], server.ok("lookupBlock", of(1)).await);
    let beginning = server.ok("getBlockHeader", of(0)).await;
    assert_eq!(
        (&beginning["id"], &beginning["prev_blocks"]),
        (&info["init"], &json!([]))
    );
    for (method, params) in [
        ("shards", json!({ "seqno": 3 })),
        ("lookupBlock", of(3)),
        ("getBlockHeader", of(3)),
    ] {
        let (status, answer) = server.call(method, params).await;
        assert_eq!((status, &answer["ok"]), (404, &json!(false)), "{method}");
    }
}

#[tokio::test]
async fn a_get_method_is_run_with_its_arguments() {
    let server = Server::start().await;
    let echo = server
        .chain
        .with(|ledger, _| Relay::with_code(ledger, "").address())
        .await;
    let stack = json!([
        ["num", "-17"],
        ["num", "0x1f"],
        ["tvm.Cell", "te6ccgEBAQEAAgAAAA=="],
        ["null"]
    ]);
    let params = json!({ "address": echo, "method": "seqno", "stack": stack });
    let answer = server.ok("runGetMethod", params).await;
    assert_eq!(answer["exit_code"], 0);
    assert_eq!(answer["stack"][0], json!(["num", "-0x11"]));
    assert_eq!(answer["stack"][1], json!(["num", "0x1f"]));
    assert_eq!(answer["stack"][2][0], "cell");
    assert_eq!(answer["stack"][3][0], "list");
    assert_eq!(answer["stack"][4], json!(["num", "0x14c97"]));
    let nobody = json!({ "address": TO, "method": "seqno", "stack": [] });
    assert_eq!(server.ok("runGetMethod", nobody).await["exit_code"], -13);
}

#[tokio::test]
async fn messages_are_sent_located_and_estimated() {
    let server = Server::start().await;
    let relay = server.relay(10 * TON).await;
    let external = relay.external(1, Some(internal(TO, TON, false, None, None)));
    let body = crate::ledger::tests::kit::body(1, Some(internal(TO, TON, false, None, None)));
    let ask =
        json!({ "address": relay.address(), "body": kit::boc64(&body), "init_code": "", "init_data": "" });
    let fees = server.ok("estimateFee", ask).await["source_fees"].clone();
    for part in ["in_fwd_fee", "gas_fee", "fwd_fee"] {
        assert!(fees[part].as_u64().unwrap() > 1000, "{fees}");
    }
    let sent = server
        .ok("sendBocReturnHash", json!({ "boc": kit::boc64(&external) }))
        .await;
    assert_eq!(sent["@type"], "raw.extMessageInfo");
    server.chain.block().await.unwrap();
    let caused = server.ok("getTransactions", json!({ "address": TO })).await[0].clone();
    let name = json!({
        "source": relay.address(), "destination": TO, "created_lt": caused["in_msg"]["created_lt"],
    });
    assert_eq!(server.ok("tryLocateResultTx", name.clone()).await, caused);
    let cause = server.ok("tryLocateSourceTx", name).await;
    assert_eq!(cause["out_msgs"][0]["created_lt"], caused["in_msg"]["created_lt"]);
    assert_eq!(cause["account"], super::render::raw(relay.address()));

    let (status, refused) = server
        .call("sendBoc", json!({ "boc": kit::boc64(&external) }))
        .await;
    assert_eq!((status, &refused["refused"]["exit_code"]), (500, &json!(33)));
    assert!(refused["error"].as_str().unwrap().contains("not accepted"));
}

#[tokio::test]
async fn hostile_requests_are_refused_and_the_server_goes_on() {
    let server = Server::start().await;
    let relay = server.relay(10 * TON).await;
    let deep = crate::ledger::tests::kit::deep(600);
    let refused = [
        ("noSuchMethod", json!({}), 404),
        ("getAddressInformation", json!({}), 422),
        ("getAddressInformation", json!({ "address": 5 }), 422),
        ("getAddressInformation", json!({ "address": "EQ" }), 422),
        (
            "getAddressInformation",
            json!({ "address": "x".repeat(100_000) }),
            422,
        ),
        ("getAddressInformation", json!({ "address": "-1:00" }), 422),
        (
            "getAddressInformation",
            json!({ "address": TO, "seqno": 999 }),
            404,
        ),
        (
            "getAddressInformation",
            json!({ "address": TO, "seqno": -1 }),
            422,
        ),
        (
            "getAddressInformation",
            json!({ "address": TO, "seqno": 1e30 }),
            422,
        ),
        (
            "getTransactions",
            json!({ "address": relay.address(), "lt": "5" }),
            422,
        ),
        (
            "getTransactions",
            json!({ "address": relay.address(), "lt": u64::MAX, "hash": "00".repeat(32) }),
            404,
        ),
        (
            "getTransactions",
            json!({ "address": relay.address(), "lt": 1, "hash": "zz" }),
            422,
        ),
        (
            "getTransactions",
            json!({ "address": relay.address(), "limit": -5 }),
            422,
        ),
        ("shards", json!({ "seqno": u64::MAX }), 422),
        ("getBlockTransactions", json!({ "workchain": 7, "seqno": 1 }), 404),
        ("getBlockHeader", json!({ "workchain": 7, "seqno": 1 }), 404),
        ("lookupBlock", json!({ "workchain": -1, "lt": "1" }), 422),
        (
            "getBlockTransactions",
            json!({ "workchain": 0, "seqno": 1, "shard": "5" }),
            404,
        ),
        (
            "runGetMethod",
            json!({ "address": relay.address(), "method": [] }),
            422,
        ),
        (
            "runGetMethod",
            json!({ "address": relay.address(), "method": 1, "stack": [["num", "1e5"]] }),
            422,
        ),
        (
            "runGetMethod",
            json!({ "address": relay.address(), "method": 1, "stack": [["num", "9".repeat(79)]] }),
            422,
        ),
        (
            "runGetMethod",
            json!({ "address": relay.address(), "method": 1, "stack": [["what", "1"]] }),
            422,
        ),
        (
            "runGetMethod",
            json!({ "address": relay.address(), "method": 1, "stack": vec![["num", "1"]; 65] }),
            422,
        ),
        (
            "runGetMethod",
            json!({ "address": relay.address(), "method": 1, "stack": 5 }),
            422,
        ),
        ("sendBoc", json!({ "boc": "" }), 422),
        ("sendBoc", json!({ "boc": "!!!" }), 422),
        ("sendBoc", json!({ "boc": kit::base64(&[0xff; 3000]) }), 422),
        ("sendBoc", json!({ "boc": kit::boc64(&deep) }), 422),
        (
            "sendBoc",
            json!({ "boc": kit::boc64(&internal(TO, 1, true, None, None)) }),
            422,
        ),
        (
            "estimateFee",
            json!({ "address": TO, "body": "te6ccgEBAQEAAgAAAA==" }),
            500,
        ),
        (
            "tryLocateResultTx",
            json!({ "source": TO, "destination": TO, "created_lt": 5 }),
            404,
        ),
    ];
    for (method, params, expected) in refused {
        let (status, answer) = server.call(method, params.clone()).await;
        assert_eq!(status, expected, "{method} {params} {answer}");
        assert_eq!(answer["ok"], false);
        assert!(answer["error"].as_str().unwrap().len() < 500);
    }
    let raw = [
        ("POST", "/api/v2/jsonRPC", "{", 422),
        ("POST", "/api/v2/jsonRPC", "[]", 422),
        ("POST", "/api/v2/jsonRPC", "{\"method\":5}", 422),
        ("POST", "/api/v2/jsonRPC", &"[".repeat(100_000), 422),
        ("POST", "/api/v2/jsonRPC", &" ".repeat(300_000), 413),
        ("GET", "/api/v2/jsonRPC", "", 405),
        ("DELETE", "/api/v2/shards", "", 405),
        ("GET", "/", "", 404),
        ("POST", "/test/faucet", "{}", 422),
        ("POST", "/test/faults", "{\"stal\":true}", 422),
        ("POST", "/test/warp", "{\"seconds\":18446744073709551615}", 422),
    ];
    for (verb, path, body, expected) in raw {
        let (status, answer) = server.raw(verb, path, body, "localhost").await;
        assert_eq!(status, expected, "{verb} {path} {answer}");
    }
    assert_eq!(
        server
            .raw("GET", "/api/v2/getMasterchainInfo", "", "evil.example")
            .await
            .0,
        403
    );
    let (status, answer) = server
        .raw(
            "GET",
            "/api/v2/getAddressInformation?address=0:00",
            "",
            "localhost",
        )
        .await;
    assert_eq!(status, 422, "{answer}");
    assert_eq!(
        server
            .raw("GET", "/api/v2/getMasterchainInfo", "", "localhost")
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn only_a_test_network_has_test_routes() {
    let server = Server::with(LedgerOptions::default()).await;
    let asked = server
        .raw("POST", "/test/warp", "{\"seconds\":5}", "localhost")
        .await;
    assert_eq!(asked.0, 404);
}

#[tokio::test]
async fn an_instant_ledger_answers_with_the_deed_done() {
    let server = Server::with(LedgerOptions {
        is_test: true,
        instant: true,
    })
    .await;
    let relay = server.relay(10 * TON).await;
    let body = json!({ "address": TO, "amount": "12345" }).to_string();
    assert_eq!(
        server.raw("POST", "/test/faucet", &body, "localhost").await.0,
        200
    );
    let external = relay.external(1, Some(internal(TO, TON, false, None, None)));
    server
        .ok("sendBoc", json!({ "boc": kit::boc64(&external) }))
        .await;
    let account = server
        .chain
        .with(|ledger, _| ledger.account(TO, At::Latest).unwrap())
        .await;
    assert!(account.balance > Nanoton::new(TON - TON / 100));
}

#[tokio::test]
async fn a_fault_makes_everything_unreachable_and_is_taken_back() {
    let server = Server::start().await;
    let set = |text: &'static str| server.raw("POST", "/test/faults", text, "localhost");
    assert_eq!(set("{\"unreachable\":true}").await.0, 200);
    assert_eq!(server.call("getMasterchainInfo", json!({})).await.0, 503);
    assert_eq!(set("{}").await.0, 200);
    assert_eq!(server.call("getMasterchainInfo", json!({})).await.0, 200);
}
