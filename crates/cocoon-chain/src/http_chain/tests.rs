use std::time::Duration;

use cocoon_types::{Address, Nanoton};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, task::JoinSet};

use super::{HttpChain, HttpChainError};
use crate::{
    chain::{At, Chain, ChainError, TxId},
    http::tests::kit::Server,
    ledger::{
        Faults,
        tests::kit::{TON, internal},
    },
};

const TO: Address = Address::new([9; 32]);

fn client(server: &Server) -> HttpChain {
    HttpChain::new(&format!("http://{}", server.address)).unwrap()
}

#[test]
fn only_loopback_is_called() {
    for good in ["http://127.0.0.1:80", "http://localhost:81/", "http://[::1]:82"] {
        HttpChain::new(good).unwrap();
    }
    for bad in [
        "",
        "127.0.0.1:80",
        "https://127.0.0.1:80",
        "http://127.0.0.1",
        "http://127.0.0.1:80/x",
    ] {
        assert!(
            matches!(HttpChain::new(bad), Err(HttpChainError::Form(_))),
            "{bad}"
        );
    }
    for bad in ["http://10.0.0.1:80", "http://0.0.0.0:80", "http://[::]:80"] {
        assert!(
            matches!(HttpChain::new(bad), Err(HttpChainError::NotLoopback(_))),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn it_says_the_same_as_the_ledger_itself() {
    let server = Server::start().await;
    let relay = server.relay(10 * TON).await;
    let (near, far) = (&server.chain, client(&server));
    far.faucet(TO, Nanoton::new(77)).await.unwrap();
    far.warp(100).await.unwrap();
    let external = relay.external(1, Some(internal(TO, TON, false, None, None)));
    far.send(&external).await.unwrap();
    near.block().await.unwrap();

    assert_eq!(far.head().await.unwrap(), near.head().await.unwrap());
    let seqno = near.head().await.unwrap().seqno;
    for block in 0..=seqno {
        assert_eq!(
            far.block_at(block).await.unwrap(),
            near.block_at(block).await.unwrap()
        );
    }
    assert!(matches!(
        far.block_at(seqno + 1).await,
        Err(ChainError::NotFound(_))
    ));
    for address in [TO, relay.address(), Address::new([3; 32])] {
        for at in [At::Latest, At::Block(seqno), At::Block(1), At::Block(0)] {
            let same = near.account(address, at).await.unwrap();
            assert_eq!(far.account(address, at).await.unwrap(), same);
        }
    }
    for address in [TO, relay.address()] {
        let newest = near.account(address, At::Latest).await.unwrap().last.unwrap();
        let all = near.transactions(address, newest, 0, 100).await.unwrap();
        assert!(all.len() >= 2);
        assert_eq!(far.transactions(address, newest, 0, 100).await.unwrap(), all);
        assert_eq!(
            far.transactions(address, newest, all[1].id.lt, 100)
                .await
                .unwrap(),
            all[..1]
        );
        assert_eq!(far.transactions(address, newest, 0, 1).await.unwrap(), all[..1]);
    }
}

#[tokio::test]
async fn refusals_keep_their_meaning() {
    let server = Server::start().await;
    let relay = server.relay(10 * TON).await;
    let far = client(&server);
    let refused = far.send(&relay.external(99, None)).await;
    assert!(
        matches!(
            refused,
            Err(ChainError::Refused {
                exit_code: Some(33),
                ..
            })
        ),
        "{refused:?}"
    );
    let invalid = far.send(&internal(TO, TON, false, None, None)).await;
    assert!(matches!(invalid, Err(ChainError::Invalid(_))), "{invalid:?}");
    let later = far.account(TO, At::Block(99)).await;
    assert!(matches!(later, Err(ChainError::NotFound(_))), "{later:?}");
    let made_up = TxId { lt: 5, hash: [1; 32] };
    let made_up = far.transactions(relay.address(), made_up, 0, 5).await;
    assert!(matches!(made_up, Err(ChainError::NotFound(_))), "{made_up:?}");
    far.set_faults(Faults {
        unreachable: true,
        ..Faults::default()
    })
    .await
    .unwrap();
    let away = far.head().await.unwrap_err();
    assert!(away.is_passing(), "{away:?}");
}

/// What a server says that is broken, lies or never ends.
#[tokio::test]
async fn a_bad_server_is_an_error_and_nothing_else() {
    let answers: [&[u8]; 8] = [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"ok\":true}",
        b"HTTP/1.1 502 Bad\r\ncontent-length: 2\r\n\r\n<>",
        b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n{",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    ];
    for answer in answers {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(answer).await;
            }
        });
        let chain = HttpChain::new(&url)
            .unwrap()
            .with_deadline(Duration::from_secs(2));
        assert!(chain.head().await.is_err());
        assert!(chain.account(TO, At::Latest).await.is_err());
        let newest = TxId { lt: 5, hash: [1; 32] };
        assert!(chain.transactions(TO, newest, 0, 5).await.is_err());
    }
    let nobody = HttpChain::new("http://127.0.0.1:1").unwrap();
    assert!(nobody.head().await.unwrap_err().is_passing());
}

#[tokio::test]
async fn a_silent_server_costs_a_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let chain = HttpChain::new(&url)
        .unwrap()
        .with_deadline(Duration::from_millis(50));
    assert!(chain.head().await.unwrap_err().is_passing());
}

#[test]
fn a_list_of_transactions_must_be_the_chain_that_was_asked_for() {
    use serde_json::json;
    let mut ledger = crate::ledger::tests::kit::test_ledger();
    for amount in 1..=4 {
        ledger.faucet(TO, Nanoton::new(amount)).unwrap();
        ledger.block(0).unwrap();
    }
    let rows: Vec<_> = ledger
        .logged(TO, u64::MAX, 0, 10)
        .unwrap()
        .iter()
        .map(|row| json!({ "data": super::wire::base64(&tycho_types::boc::Boc::encode(&row.cell)) }))
        .collect();
    let newest = ledger.account(TO, At::Latest).unwrap().last.unwrap();
    let read = |rows: &[serde_json::Value], limit| super::wire::transactions(&json!(rows), newest, 0, limit);
    assert_eq!(read(&rows, 10).unwrap().len(), 4);
    assert_eq!(read(&rows[..2], 10).unwrap().len(), 2, "fewer is allowed");
    let with_gap = [rows[0].clone(), rows[2].clone()];
    for bad in [&rows[1..], &with_gap, &[], &[rows[0].clone(), rows[0].clone()]] {
        assert!(read(bad, 10).is_err());
    }
    assert!(read(&rows, 3).is_err(), "more than asked for");
    assert!(read(&[json!({ "data": "AAAA" })], 3).is_err());
}
