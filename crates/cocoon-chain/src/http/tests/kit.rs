use std::net::{Ipv4Addr, SocketAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cocoon_contracts::{Cell, boc};
use cocoon_web::guard::{Guard, GuardOptions};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::ledger::{
    Ledger, LedgerChain, LedgerOptions,
    tests::kit::{NOW, Relay},
};

/// A ledger on a port of its own.
pub(crate) struct Server {
    pub(crate) chain: LedgerChain,
    pub(crate) address: SocketAddr,
    _task: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(LedgerOptions {
            is_test: true,
            instant: false,
        })
        .await
    }

    pub(crate) async fn with(options: LedgerOptions) -> Self {
        let chain = LedgerChain::new(Ledger::in_memory(options, NOW).unwrap(), || NOW);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let guard = Guard::new(address, GuardOptions::default()).unwrap();
        let mut task = JoinSet::new();
        task.spawn(super::super::serve(
            chain.clone(),
            listener,
            guard,
            CancellationToken::new(),
        ));
        Self {
            chain,
            address,
            _task: task,
        }
    }

    pub(crate) async fn relay(&self, nano: u64) -> Relay {
        self.chain
            .with(move |ledger, _| Relay::new(ledger, 1, nano))
            .await
    }

    pub(crate) async fn ok(&self, method: &str, params: Value) -> Value {
        let (status, mut answer) = self.call(method, params).await;
        assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{method}: {answer}");
        assert_eq!(answer["id"], "1");
        answer["result"].take()
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> (u16, Value) {
        let question = json!({ "id": "1", "jsonrpc": "2.0", "method": method, "params": params });
        let (status, answer) = self
            .raw("POST", "/api/v2/jsonRPC", &question.to_string(), "localhost")
            .await;
        (status, serde_json::from_str(&answer).unwrap())
    }

    pub(crate) async fn raw(&self, verb: &str, path: &str, body: &str, host: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "{verb} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that refuses early may not read it all.
        let _ = stream.write_all(body.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }
}

pub(crate) fn boc64(cell: &Cell) -> String {
    base64(&boc::encode(cell))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
