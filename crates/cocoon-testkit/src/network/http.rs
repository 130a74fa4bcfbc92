//! As much of an HTTP client as tests need: one connection per request, bodies whole or as they come.

use std::time::Duration;

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::{Instant, timeout};

/// No test waits longer for bytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// An answer as it comes. Dropping it closes the connection.
#[derive(Debug)]
pub struct Stream {
    /// HTTP status.
    pub status: u16,
    /// Its header fields.
    pub headers: HeaderMap,
    body: Incoming,
}

// === impl Answer ===

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("status {}, not JSON", self.status))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header field, if it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `error.code` of an OpenAI-shaped error.
    pub fn error_code(&self) -> Option<String> {
        let json = self.json().ok()?;
        Some(json["error"]["code"].as_str()?.to_owned())
    }
}

// === impl Stream ===

impl Stream {
    /// The next bytes; `None` at the end of the body.
    ///
    /// # Errors
    /// When the body breaks off, or nothing comes for 30 s.
    pub async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        loop {
            let frame = timeout(PATIENCE, self.body.frame()).await.context("silence")?;
            match frame {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.context("the body broke off")?.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Everything that is still to come, with the moment at which each piece came.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn pieces(mut self) -> anyhow::Result<Vec<(Instant, Bytes)>> {
        let mut pieces = Vec::new();
        while let Some(piece) = self.next().await? {
            pieces.push((Instant::now(), piece));
        }
        Ok(pieces)
    }

    /// Everything that is still to come, as text.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn text(mut self) -> anyhow::Result<String> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(String::from_utf8_lossy(&whole).into_owned())
    }
}

/// Gets a page.
///
/// # Errors
/// When there is no answer.
pub async fn get(url: &str) -> anyhow::Result<Answer> {
    whole(send(Method::GET, url, None, Bytes::new()).await?).await
}

/// Posts JSON.
///
/// # Errors
/// When there is no answer.
pub async fn post(url: &str, body: &Value) -> anyhow::Result<Answer> {
    whole(send(Method::POST, url, None, body.to_string().into()).await?).await
}

/// Posts JSON with an API key.
///
/// # Errors
/// When there is no answer.
pub async fn post_with_key(url: &str, key: &str, body: &Value) -> anyhow::Result<Answer> {
    whole(send(Method::POST, url, Some(key), body.to_string().into()).await?).await
}

/// Posts JSON and gives the answer as it comes.
///
/// # Errors
/// When there is no answer.
pub async fn stream(url: &str, body: &Value) -> anyhow::Result<Stream> {
    send(Method::POST, url, None, body.to_string().into()).await
}

async fn send(method: Method, url: &str, key: Option<&str>, body: Bytes) -> anyhow::Result<Stream> {
    let uri: Uri = url.parse()?;
    let mut builder = Request::builder().method(method).uri(uri);
    if !body.is_empty() {
        builder = builder.header(header::CONTENT_TYPE, "application/json");
    }
    if let Some(key) = key {
        builder = builder.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let request = builder
        .header(header::CONNECTION, "close")
        .body(Full::new(body))?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(connector);
    let answer = timeout(PATIENCE, client.request(request))
        .await
        .context("silence")??;
    let (parts, body) = answer.into_parts();
    Ok(Stream {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
    })
}

async fn whole(mut stream: Stream) -> anyhow::Result<Answer> {
    let mut body = BytesMut::new();
    while let Some(piece) = stream.next().await? {
        body.extend_from_slice(&piece);
    }
    Ok(Answer {
        status: stream.status,
        headers: stream.headers,
        body: body.freeze(),
    })
}
