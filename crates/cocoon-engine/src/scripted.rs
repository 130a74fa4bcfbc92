//! A server for tests that sends exactly the bytes it is told to, and tells what it received.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::EngineAddress;

/// One thing that the server does after a request has come in.
#[derive(Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Sends this again and again until the peer closes.
    Flood(Vec<u8>),
    /// Waits until the test opens the gate.
    Gate,
    /// Reads until the peer closes.
    AwaitClose,
    /// Closes the connection.
    Close,
}

pub(crate) struct Scripted {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    requests: Mutex<Vec<String>>,
    closes: Semaphore,
    gate: Semaphore,
}

impl Scripted {
    /// Serves the n-th request by the n-th script (the last one again and again), over as many connections as come.
    pub(crate) async fn start(scripts: Vec<Vec<Step>>) -> Self {
        Self::by(move |index, _| scripts[index.min(scripts.len() - 1)].clone()).await
    }

    pub(crate) async fn by(script: impl Fn(usize, &str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            requests: Mutex::default(),
            closes: Semaphore::new(0),
            gate: Semaphore::new(0),
        });
        let script = Arc::new(script);
        let mut tasks = JoinSet::new();
        let inner = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (shared, script) = (Arc::clone(&inner), Arc::clone(&script));
                connections.spawn(async move { shared.serve(stream, &*script).await });
            }
        });
        Self {
            addr,
            shared,
            _tasks: tasks,
        }
    }

    pub(crate) fn address(&self) -> EngineAddress {
        EngineAddress::of(self.addr)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(crate) fn open_gate(&self) {
        self.shared.gate.add_permits(1);
    }

    /// Waits until one more connection was seen closed by the peer.
    pub(crate) async fn closed_by_peer(&self) {
        let seen = tokio::time::timeout(Duration::from_secs(5), self.shared.closes.acquire()).await;
        seen.expect("the peer closes the connection").unwrap().forget();
    }
}

impl Shared {
    async fn serve(&self, mut stream: TcpStream, script: &(dyn Fn(usize, &str) -> Vec<Step> + Send + Sync)) {
        while let Some(request) = read_request(&mut stream).await {
            let index = {
                let mut requests = self.requests.lock().unwrap();
                requests.push(request.clone());
                requests.len() - 1
            };
            for step in script(index, &request) {
                match step {
                    Step::Send(bytes) => {
                        if stream.write_all(&bytes).await.is_err() {
                            self.closes.add_permits(1);
                            return;
                        }
                    }
                    Step::Flood(bytes) => {
                        while stream.write_all(&bytes).await.is_ok() {}
                        self.closes.add_permits(1);
                        return;
                    }
                    Step::Gate => self.gate.acquire().await.unwrap().forget(),
                    Step::AwaitClose => {
                        let mut sink = [0; 64];
                        while !matches!(stream.read(&mut sink).await, Ok(0) | Err(_)) {}
                        self.closes.add_permits(1);
                        return;
                    }
                    Step::Close => return,
                }
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&chunk[..read]);
        let request = String::from_utf8_lossy(&text);
        let Some((head, body)) = request.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return Some(request.into_owned());
        }
    }
}

/// An answer with a length.
pub(crate) fn answer(status: &str, content_type: &str, body: &str) -> Step {
    let length = body.len();
    Step::Send(
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes(),
    )
}

/// The head of an answer in chunks.
pub(crate) fn chunked_head(content_type: &str) -> Step {
    Step::Send(
        format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n")
            .into_bytes(),
    )
}

/// One chunk; an empty one is the last.
pub(crate) fn chunk(text: &str) -> Step {
    Step::Send(format!("{:x}\r\n{text}\r\n", text.len()).into_bytes())
}
