//! Connections to one engine, each driven by whoever waits for an answer on it.
//!
//! No task stands between the socket and the reader: what the engine has sent is there at once and together, and dropping the answer
//! closes the connection. A connection that nobody reads is not looked at until it is needed again.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::noop_waker_ref;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body as _, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::EngineAddress;

/// Idle connections that are kept: as many as a busy engine runs requests at once.
const MAX_IDLE: usize = 256;

/// How long an idle connection is kept. Engines in Python and Node close theirs after 5 s; ours must go first, or a
/// request would now and then be sent into a closing connection.
const KEEP_IDLE: Duration = Duration::from_secs(3);

/// Bytes read at once, and the longest head of an answer: one piece of the network's protocol.
const READ_BUFFER: usize = 64 * 1024;

/// The idle connections to one engine.
#[derive(Debug)]
pub(crate) struct Connections {
    connect: Duration,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    address: EngineAddress,
    since: Instant,
    connection: Connection,
}

/// A connection, which does nothing unless it is polled.
struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Nothing once it is closed.
    driver: Option<Pin<Box<Driver>>>,
}

type Driver = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// The body of an answer, with the connection on which it comes.
pub(crate) struct Answering {
    incoming: Incoming,
    connection: Option<Idle>,
    home: Arc<Connections>,
}

/// There is no answer.
#[derive(Debug)]
pub(crate) enum SendError {
    /// No connection.
    Connect,
    /// The connection ended; `early`: before a byte of an answer.
    Ended { early: bool },
}

// === impl Connections ===

impl Connections {
    /// None yet; one that does not stand after `connect` is given up.
    pub(crate) fn new(connect: Duration) -> Arc<Self> {
        Arc::new(Self {
            connect,
            idle: Mutex::default(),
        })
    }

    /// Sends a request, whose URI is that of the engine, and waits for the head of its answer.
    pub(crate) async fn send(
        self: &Arc<Self>,
        address: &EngineAddress,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Answering>, SendError> {
        let host = HeaderValue::from_str(address.authority().as_str()).map_err(|_| SendError::Connect)?;
        request.headers_mut().insert(header::HOST, host);
        let mut connection = match self.take(address) {
            Some(connection) => connection,
            None => self.open(address).await?,
        };
        let answer = connection.ask(request).await?;
        let (parts, incoming) = answer.into_parts();
        let connection = Idle {
            address: address.clone(),
            since: Instant::now(),
            connection,
        };
        let answering = Answering {
            incoming,
            connection: Some(connection),
            home: Arc::clone(self),
        };
        Ok(Response::from_parts(parts, answering))
    }

    async fn open(&self, address: &EngineAddress) -> Result<Connection, SendError> {
        let opened = async {
            let stream = TcpStream::connect(address.to_dial()).await?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(stream)
        };
        let stream = match timeout(self.connect, opened).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) | Err(_) => return Err(SendError::Connect),
        };
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(READ_BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| SendError::Connect)?;
        Ok(Connection {
            sender,
            driver: Some(Box::pin(driver)),
        })
    }

    /// The connection that was used last and still stands. Older ones that do not are dropped.
    fn take(&self, address: &EngineAddress) -> Option<Connection> {
        let mut idle = self.lock();
        idle.retain(|idle| idle.since.elapsed() < KEEP_IDLE && idle.address == *address);
        while let Some(mut last) = idle.pop() {
            if last.connection.is_usable() {
                return Some(last.connection);
            }
        }
        None
    }

    fn give_back(&self, mut used: Idle) {
        if !used.connection.is_usable() {
            return;
        }
        used.since = Instant::now();
        let mut idle = self.lock();
        if idle.len() < MAX_IDLE {
            idle.push(used);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        // Every change leaves the list whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Idle({})", self.address)
    }
}

// === impl Connection ===

impl Connection {
    /// Reads and writes what it can. Ready when it is closed.
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(driver) = &mut self.driver else {
            return Poll::Ready(());
        };
        // Why it ended is told to whoever waits for an answer.
        let ended = driver.as_mut().poll(cx).is_ready();
        if ended {
            self.driver = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Whether another request may be sent, as far as is known without waiting.
    fn is_usable(&mut self) -> bool {
        let mut cx = Context::from_waker(noop_waker_ref());
        self.drive(&mut cx).is_pending() && self.sender.is_ready()
    }

    async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, SendError> {
        let answer = self.sender.send_request(request);
        let mut answer = std::pin::pin!(answer);
        let answered = poll_fn(|cx| {
            // Also when it is closed now: the answer may have come before.
            let _ = self.drive(cx);
            answer.as_mut().poll(cx)
        });
        answered.await.map_err(|error| SendError::Ended {
            early: error.is_incomplete_message() || error.is_canceled() || error.is_closed(),
        })
    }
}

// === impl Answering ===

impl Answering {
    /// The next piece of the body.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut frame = Pin::new(&mut self.incoming).poll_frame(cx);
        if frame.is_pending()
            && let Some(Idle { connection, .. }) = &mut self.connection
        {
            // Read on; what has come is taken at once. A body that is whole, or cut, says so by itself.
            let _ = connection.drive(cx);
            frame = Pin::new(&mut self.incoming).poll_frame(cx);
        }
        match &frame {
            Poll::Ready(None) => {
                if let Some(used) = self.connection.take() {
                    self.home.give_back(used);
                }
            }
            Poll::Ready(Some(Err(_))) => self.connection = None,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        frame
    }
}
