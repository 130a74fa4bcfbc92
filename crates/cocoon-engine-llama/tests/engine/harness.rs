use std::{path::PathBuf, process::Stdio, time::Duration};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// A running engine; killed when dropped.
pub(crate) struct Engine {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    /// The first line.
    pub(crate) ready: Value,
    _stdout: BufReader<ChildStdout>,
    address: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// The model file, or a line that says why there is no test.
#[expect(clippy::disallowed_methods, reason = "tests have no Options")]
pub(crate) fn model() -> Option<PathBuf> {
    match std::env::var("COCOON_TEST_MODEL") {
        Ok(path) if !path.is_empty() => Some(PathBuf::from(path)),
        _ => {
            eprintln!("SKIPPED: COCOON_TEST_MODEL does not name a model file (hint: ./cocoon test)");
            None
        }
    }
}

pub(crate) fn command(model: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cocoon-engine"));
    command
        .arg("--model")
        .arg(model)
        .args([
            "--listen",
            "127.0.0.1:0",
            "--alias",
            crate::ALIAS,
            "--exit-with-stdin",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Engine {
    /// Starts the engine; None (and a line on stderr) where there is no model.
    pub(crate) async fn start(args: &[&str]) -> Option<Self> {
        let mut child = command(&model()?).args(args).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        timeout(Duration::from_secs(60), stdout.read_line(&mut line))
            .await
            .unwrap()
            .unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Some(Self {
            stdin: child.stdin.take(),
            child,
            address: ready["listening"].as_str().unwrap().to_owned(),
            ready,
            _stdout: stdout,
            client: Client::builder(TokioExecutor::new()).build_http(),
        })
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        timeout(Duration::from_secs(120), self.client.request(request))
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", "application/json")
            .body(Full::new(body.into()))
            .unwrap()
    }

    /// Status and JSON of an answer.
    pub(crate) async fn post(&self, path: &str, body: impl ToString) -> (u16, Value) {
        read(
            self.send(self.request(Method::POST, path, body.to_string()))
                .await,
        )
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        read(self.send(self.request(Method::GET, path, "")).await).await
    }

    pub(crate) async fn chat(&self, body: Value) -> Value {
        let (status, answer) = self.post("/v1/chat/completions", body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// An answer that is being streamed.
    pub(crate) async fn stream(&self, path: &str, mut body: Value) -> Response<Incoming> {
        body["stream"] = true.into();
        let response = self
            .send(self.request(Method::POST, path, body.to_string()))
            .await;
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers()["content-type"],
            "text/event-stream; charset=utf-8"
        );
        response
    }

    /// All events of a streamed answer; the last must be `[DONE]`, which is left out.
    pub(crate) async fn events(&self, path: &str, body: Value) -> Vec<Value> {
        let response = self.stream(path, body).await;
        let bytes = timeout(Duration::from_secs(120), response.into_body().collect())
            .await
            .unwrap()
            .unwrap()
            .to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let text = text.strip_suffix("data: [DONE]\n\n").unwrap();
        text.split_terminator("\n\n")
            .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
            .collect()
    }

    /// Closes stdin and returns the exit code and all of stderr.
    pub(crate) async fn end(mut self) -> (Option<i32>, String) {
        drop(self.stdin.take());
        let mut logs = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        let status = timeout(Duration::from_secs(30), self.child.wait())
            .await
            .unwrap()
            .unwrap();
        stderr.read_to_string(&mut logs).await.unwrap();
        (status.code(), logs)
    }
}

async fn read(response: Response<Incoming>) -> (u16, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    let bytes = timeout(Duration::from_secs(120), response.into_body().collect())
        .await
        .unwrap()
        .unwrap()
        .to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}
