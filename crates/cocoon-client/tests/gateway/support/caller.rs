use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

/// One HTTP connection.
pub(crate) struct Caller {
    sender: http1::SendRequest<Full<Bytes>>,
    _task: JoinSet<()>,
}

/// A whole answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: hyper::HeaderMap,
    /// What came of the body.
    pub(crate) body: Bytes,
    /// Whether the body came to its end.
    pub(crate) complete: bool,
}

const PATIENCE: Duration = Duration::from_secs(20);

impl Caller {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let _ = connection.await;
        });
        Self { sender, _task: task }
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let answer = self.begin(method, path, headers, body).await;
        collect(answer).await
    }

    /// Up to the answer's head.
    pub(crate) async fn begin(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Incoming> {
        timeout(PATIENCE, self.sender.ready()).await.unwrap().unwrap();
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .unwrap();
        timeout(PATIENCE, self.sender.send_request(request))
            .await
            .unwrap()
            .unwrap()
    }
}

pub(crate) async fn collect(answer: Response<Incoming>) -> Reply {
    let (parts, mut incoming) = answer.into_parts();
    let mut body = Vec::new();
    let complete = loop {
        match timeout(PATIENCE, incoming.frame()).await.unwrap() {
            None => break true,
            Some(Ok(frame)) => body.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(_)) => break false,
        }
    };
    Reply {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.into(),
        complete,
    }
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// OpenAI's `error.code`, after a look at the rest of the error.
    pub(crate) fn code(&self) -> String {
        let error = &self.json()["error"];
        assert!(
            error["message"].is_string() && error["type"].is_string(),
            "{error}"
        );
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(error["request_id"], self.header("x-request-id"));
        error["code"].as_str().unwrap().to_owned()
    }
}
