//! Load: so many users, each with a connection of its own, who ask again as soon as they have their answer.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use tokio::{net::TcpStream, task::JoinSet, time::Instant};

use crate::{
    cell::{Cell, Kind},
    engine::{MODEL, word},
};

/// Beyond this an answer is lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// Answers that were whole.
    pub(crate) answers: usize,
    /// Answers that were not, and why the first was not.
    pub(crate) failed: usize,
    pub(crate) why: Option<String>,
    /// From the first request to the last answer, in seconds.
    pub(crate) seconds: f64,
    /// From a request to the end of its answer, in microseconds, in order.
    pub(crate) whole: Vec<u64>,
    /// From a request to its first part.
    pub(crate) first: Vec<u64>,
}

/// What all users of a run share.
struct Shared {
    authority: String,
    path: String,
    body: Bytes,
    cell: Cell,
    until: Instant,
}

/// Loads the API at this URL (`http://HOST:PORT/v1`).
pub(crate) async fn run(url: &str, cell: Cell, length: Duration) -> anyhow::Result<Run> {
    let rest = url
        .strip_prefix("http://")
        .context("the URL begins with http://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, "v1"));
    let pace = match cell.kind {
        Kind::Paced => r#","x_pace_ms":20"#,
        Kind::Json | Kind::Stream => "",
    };
    let body = format!(
        r#"{{"model":"{MODEL}","messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"Say what is canned, in as many words as you are given."}}],"temperature":0.7,"stream":{},"stream_options":{{"include_usage":true}},"max_tokens":{}{pace}}}"#,
        cell.kind != Kind::Json,
        cell.parts
    );
    let start = Instant::now();
    let shared = Arc::new(Shared {
        authority: authority.to_owned(),
        path: format!("/{}/chat/completions", path.trim_end_matches('/')),
        body: Bytes::from(body),
        cell,
        until: start + length,
    });
    let mut users = JoinSet::new();
    for _ in 0..cell.at_once {
        users.spawn(user(Arc::clone(&shared)));
    }
    let mut all = Run::default();
    while let Some(one) = users.join_next().await {
        let one = one?;
        all.answers += one.answers;
        all.failed += one.failed;
        all.why = all.why.or(one.why);
        all.whole.extend(one.whole);
        all.first.extend(one.first);
    }
    all.seconds = start.elapsed().as_secs_f64();
    all.whole.sort_unstable();
    all.first.sort_unstable();
    Ok(all)
}

async fn user(shared: Arc<Shared>) -> Run {
    let mut run = Run::default();
    let mut connection = None;
    while Instant::now() < shared.until {
        let asked = tokio::time::timeout(PATIENCE, ask(&shared, &mut connection)).await;
        match asked.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {PATIENCE:?}"))) {
            Ok((first, whole)) => {
                run.answers += 1;
                run.first.push(first);
                run.whole.push(whole);
            }
            Err(error) => {
                connection = None;
                run.failed += 1;
                run.why.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }
    run
}

/// One answer: microseconds to its first part and to its end.
async fn ask(shared: &Shared, connection: &mut Option<Connection>) -> anyhow::Result<(u64, u64)> {
    let sender = match connection {
        Some(connection) => connection,
        None => connection.insert(Connection::open(&shared.authority).await?),
    };
    let request = Request::post(&shared.path)
        .header("host", &shared.authority)
        .header("content-type", "application/json")
        .body(Full::new(shared.body.clone()))?;
    let start = Instant::now();
    sender.sender.ready().await?;
    let response = sender.sender.send_request(request).await?;
    let status = response.status();
    let mut body = response.into_body();
    let (mut bytes, mut first) = (Vec::with_capacity(16 * 1024), None);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            first.get_or_insert_with(|| start.elapsed());
            bytes.extend_from_slice(&data);
        }
    }
    let whole = start.elapsed();
    ensure!(
        status == 200,
        "status {status}: {}",
        String::from_utf8_lossy(&bytes)
    );
    check(&bytes, shared.cell)?;
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Ok((micros(first.unwrap_or(whole)), micros(whole)))
}

/// Every word is there, in its place, with the exact usage and the end.
fn check(mut answer: &[u8], cell: Cell) -> anyhow::Result<()> {
    let whole = answer;
    for number in 0..cell.parts {
        let word = word(number);
        let at =
            memmem::find(answer, word.as_bytes()).with_context(|| format!("part {number} is missing"))?;
        answer = answer.get(at + word.len()..).unwrap_or_default();
    }
    let usage = format!(r#""completion_tokens":{}"#, cell.parts);
    ensure!(
        memmem::find(answer, usage.as_bytes()).is_some(),
        "the usage is missing or wrong"
    );
    let end: &[u8] = match cell.kind {
        Kind::Json => b"}",
        Kind::Stream | Kind::Paced => b"data: [DONE]\n\n",
    };
    ensure!(whole.ends_with(end), "the end is missing");
    Ok(())
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    _driver: JoinSet<()>,
}

impl Connection {
    async fn open(authority: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // What breaks it is told by the answer.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            _driver: driver,
        })
    }
}

#[cfg(test)]
mod tests;
