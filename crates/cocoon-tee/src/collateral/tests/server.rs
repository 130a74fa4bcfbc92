//! A server on loopback with collateral in the form of Intel's service.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cocoon_attest::tdx::Collateral;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    Good,
    Status(u16),
    /// To another place on the same server.
    Redirect,
    /// Lists in hexadecimal, as caches send them.
    Hexadecimal,
    /// Half of the body that was announced.
    Cut,
    /// Body without end.
    Huge,
    /// The head, and then nothing.
    Hang,
    NoHeader,
    /// A chain that is not URL-encoded rightly.
    BadChain,
    /// A body of another form.
    Garbage,
}

struct State {
    collateral: Collateral,
    behaviour: Behaviour,
    lines: Vec<String>,
}

pub(super) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    tasks: Mutex<JoinSet<()>>,
}

impl Server {
    pub(super) async fn start(collateral: Collateral) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            collateral,
            behaviour: Behaviour::Good,
            lines: Vec::new(),
        }));
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        Self {
            address,
            state,
            tasks: Mutex::new(tasks),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn behave(&self, behaviour: Behaviour) {
        self.lock().behaviour = behaviour;
    }

    pub(super) fn serve(&self, collateral: Collateral) {
        self.lock().collateral = collateral;
    }

    pub(super) fn asked(&self) -> usize {
        self.lock().lines.len()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    pub(super) fn stop(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        drop(tasks);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let line = String::from_utf8_lossy(&head)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    let (behaviour, reply) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.lines.push(line.clone());
        (state.behaviour, reply(&line, &state.collateral, state.behaviour))
    };
    let Some((name, chain, body)) = reply else {
        let _ = stream
            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            .await;
        return;
    };
    let mut text = match behaviour {
        Behaviour::Status(status) => format!("HTTP/1.1 {status} No\r\n"),
        Behaviour::Redirect => {
            "HTTP/1.1 302 Found\r\nlocation: /sgx/certification/v4/rootcacrl\r\n".to_owned()
        }
        _ => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    if behaviour != Behaviour::NoHeader && !name.is_empty() {
        let chain = match behaviour {
            Behaviour::BadChain => "%2".to_owned(),
            _ => encoded(&chain),
        };
        let _ = write!(text, "{name}: {chain}\r\n");
    }
    let length = match behaviour {
        Behaviour::Huge => 1 << 30,
        Behaviour::Status(_) => 0,
        _ => body.len(),
    };
    let _ = write!(text, "connection: close\r\ncontent-length: {length}\r\n\r\n");
    let _ = stream.write_all(text.as_bytes()).await;
    match behaviour {
        Behaviour::Status(_) => {}
        Behaviour::Cut => {
            let _ = stream.write_all(&body[..body.len() / 2]).await;
        }
        Behaviour::Hang => tokio::time::sleep(Duration::from_secs(3600)).await,
        Behaviour::Huge => while stream.write_all(&[b' '; 65_536]).await.is_ok() {},
        _ => {
            let _ = stream.write_all(&body).await;
        }
    }
    let _ = stream.shutdown().await;
}

/// Name of the header, chain, body.
fn reply(
    line: &str,
    collateral: &Collateral,
    behaviour: Behaviour,
) -> Option<(&'static str, String, Vec<u8>)> {
    let parts = collateral.parts();
    let list = |bytes: &[u8]| match behaviour {
        Behaviour::Hexadecimal => hex::encode(bytes).into_bytes(),
        Behaviour::Garbage => b"<html>".to_vec(),
        _ => bytes.to_vec(),
    };
    let framed = |name: &str, text: &str, signature: &[u8]| match behaviour {
        Behaviour::Garbage => b"<html>".to_vec(),
        _ => format!(r#"{{"{name}":{text},"signature":"{}"}}"#, hex::encode(signature)).into_bytes(),
    };
    let path = line.split(' ').nth(1)?;
    Some(match path.split('?').next()? {
        "/sgx/certification/v4/pckcrl" => (
            "SGX-PCK-CRL-Issuer-Chain",
            parts.pck_crl_issuer_chain.clone(),
            list(&parts.pck_crl),
        ),
        "/tdx/certification/v4/tcb" => (
            "TCB-Info-Issuer-Chain",
            parts.tcb_info_issuer_chain.clone(),
            framed("tcbInfo", &parts.tcb_info, &parts.tcb_info_signature),
        ),
        "/tdx/certification/v4/qe/identity" => (
            "SGX-Enclave-Identity-Issuer-Chain",
            parts.qe_identity_issuer_chain.clone(),
            framed(
                "enclaveIdentity",
                &parts.qe_identity,
                &parts.qe_identity_signature,
            ),
        ),
        "/sgx/certification/v4/rootcacrl" => {
            // A cache always sends this one in hexadecimal.
            let body = hex::encode(&parts.root_ca_crl).into_bytes();
            ("", String::new(), body)
        }
        _ => return None,
    })
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
