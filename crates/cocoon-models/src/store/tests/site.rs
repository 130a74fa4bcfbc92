//! A web site that answers as a test wants it to.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    /// How many asked before, on any path.
    pub(super) number: usize,
}

/// What comes back.
pub(super) struct Reply {
    response: Response,
    after: Duration,
}

/// Runs until it is dropped.
pub(super) struct Site {
    address: std::net::SocketAddr,
    asked: Arc<Mutex<Vec<Ask>>>,
    _server: JoinSet<()>,
}

/// A port of this machine where nobody listens.
pub(super) async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

// === impl Site ===

impl Site {
    pub(super) async fn new(answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Ask>>> = Arc::default();
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        let app = Router::new().fallback(move |request: Request| {
            let reply = {
                let mut log = log.lock().unwrap();
                let path = request.uri().path().to_owned();
                let ask = Ask {
                    path,
                    headers: request.headers().clone(),
                    number: log.len(),
                };
                log.push(ask.clone());
                answer(&ask)
            };
            async move {
                tokio::time::sleep(reply.after).await;
                Ok::<_, Infallible>(reply.response)
            }
        });
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            asked,
            _server: server,
        }
    }

    /// Serves one file, ranges too, under every path.
    pub(super) async fn with_file(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self::new(move |ask| Reply::ranged(ask, &bytes, "\"v1\"")).await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn asked(&self) -> Vec<Ask> {
        self.asked.lock().unwrap().clone()
    }
}

// === impl Ask ===

impl Ask {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// First byte that is asked for, when it is a range.
    pub(super) fn from(&self) -> Option<usize> {
        self.header("range")?
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    }
}

// === impl Reply ===

impl Reply {
    pub(super) fn status(code: u16) -> Self {
        Self::from(Response::builder().status(code).body(Body::empty()).unwrap())
    }

    pub(super) fn file(bytes: &[u8]) -> Self {
        Self::from(Response::new(Body::from(bytes.to_vec())))
    }

    pub(super) fn text(kind: &str, text: &str) -> Self {
        Self::file(text.as_bytes()).with("content-type", kind)
    }

    /// As a good server does it: `Range` and `If-Range` are honoured.
    pub(super) fn ranged(ask: &Ask, bytes: &[u8], etag: &str) -> Self {
        let same = ask.header("if-range").is_none_or(|known| known == etag);
        match ask.from().filter(|_| same) {
            Some(from) if from >= bytes.len() => Self::status(416),
            Some(from) => Self::range(&bytes[from..], from, bytes.len()).with("etag", etag),
            None => Self::file(bytes).with("etag", etag),
        }
    }

    /// Part of a file that starts at `from`, whatever was asked for.
    pub(super) fn range(part: &[u8], from: usize, total: usize) -> Self {
        let mut reply = Self::file(part);
        *reply.response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let last = from + part.len() - 1;
        reply.with("content-range", &format!("bytes {from}-{last}/{total}"))
    }

    /// `bytes`, and then the connection breaks.
    pub(super) fn cut(bytes: &[u8], length: usize) -> Self {
        let pieces: Vec<_> = bytes
            .chunks(10_000)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        // A moment before the end, so that what was sent is not thrown away with the connection.
        let end = stream::once(async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Err(std::io::Error::other("cut"))
        });
        let body = Body::from_stream(stream::iter(pieces).chain(end));
        Self::from(
            Response::builder()
                .header(header::CONTENT_LENGTH, length)
                .body(body)
                .unwrap(),
        )
    }

    /// `bytes`, and then silence.
    pub(super) fn stall(bytes: &[u8], length: usize) -> Self {
        let start = stream::iter([Ok::<_, Infallible>(Bytes::copy_from_slice(bytes))]);
        let body = Body::from_stream(start.chain(stream::pending()));
        Self::from(
            Response::builder()
                .header(header::CONTENT_LENGTH, length)
                .body(body)
                .unwrap(),
        )
    }

    /// A piece every so often, without end and without length.
    pub(super) fn endless(piece: &'static [u8], pause: Duration) -> Self {
        let pieces = stream::repeat(piece).then(move |piece| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, Infallible>(Bytes::from_static(piece))
        });
        Self::from(Response::new(Body::from_stream(pieces)))
    }

    pub(super) fn redirect(to: &str) -> Self {
        Self::status(302).with("location", to)
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.response.headers_mut().insert(name, value.parse().unwrap());
        self
    }

    pub(super) fn after(mut self, wait: Duration) -> Self {
        self.after = wait;
        self
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self {
            response,
            after: Duration::ZERO,
        }
    }
}
