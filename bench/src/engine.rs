//! An engine whose answers are ready: JSON, and parts at once or paced, with ids and usage as vLLM sends them.

use std::{convert::Infallible, io::Write as _, net::Ipv4Addr, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    header::CONTENT_TYPE,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{net::TcpListener, task::JoinSet};

/// The one model.
pub(crate) const MODEL: &str = "canned";
/// Tokens of the prompt, as the usage says.
const PROMPT_TOKENS: usize = 24;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What decides about an answer; other members are ignored.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    stream: bool,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    /// Milliseconds before each part. No engine knows it, and the network carries it.
    #[serde(default)]
    x_pace_ms: u64,
}

/// Serves until its standard input ends. Prints its port.
pub(crate) async fn run(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let served = async {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let _ = stream.set_nodelay(true);
                    let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
                    connections.spawn(
                        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                    );
                }
                Some(_) = connections.join_next() => {}
            }
        }
    };
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    tokio::select! {
        () = served => {}
        _ = ended => {}
    }
    Ok(())
}

async fn answer(request: Request<Incoming>) -> Response<Body> {
    if request.uri().path() == "/health" {
        return whole(200, r#"{"status":"ok"}"#.to_owned());
    }
    if request.uri().path() == "/v1/models" {
        let models = format!(
            r#"{{"object":"list","data":[{{"id":"{MODEL}","object":"model","created":1700000000,"owned_by":"vllm","max_model_len":131072}}]}}"#
        );
        return whole(200, models);
    }
    if !request.uri().path().ends_with("/completions") {
        return whole(404, "{}".to_owned());
    }
    let Ok(body) = request.into_body().collect().await else {
        return whole(400, "{}".to_owned());
    };
    let Ok(asked) = serde_json::from_slice::<Asked>(&body.to_bytes()) else {
        return whole(400, "{}".to_owned());
    };
    let parts = asked.max_completion_tokens.or(asked.max_tokens).unwrap_or(50);
    if asked.stream {
        streamed(parts, Duration::from_millis(asked.x_pace_ms))
    } else {
        whole(200, json(parts))
    }
}

fn whole(status: u16, text: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// The word of one part; numbered, so that a reader notices one that is missing or out of place.
pub(crate) fn word(number: usize) -> String {
    format!(" w{number:04}")
}

fn usage(parts: usize) -> String {
    format!(
        r#"{{"prompt_tokens":{PROMPT_TOKENS},"completion_tokens":{parts},"total_tokens":{}}}"#,
        PROMPT_TOKENS.saturating_add(parts)
    )
}

fn json(parts: usize) -> String {
    let words: String = (0..parts).map(word).collect();
    format!(
        r#"{{"id":"chatcmpl-4f1ad0c2","object":"chat.completion","created":1700000000,"model":"{MODEL}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{words}"}},"logprobs":null,"finish_reason":"stop"}}],"usage":{}}}"#,
        usage(parts)
    )
}

fn chunk(choices: &str, usage: &str) -> Bytes {
    Bytes::from(format!(
        "data: {{\"id\":\"chatcmpl-4f1ad0c2\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"{MODEL}\",\
         \"choices\":[{choices}]{usage}}}\n\n"
    ))
}

fn streamed(parts: usize, pace: Duration) -> Response<Body> {
    let choice = |delta: &str, reason: &str| {
        format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}"#)
    };
    let mut chunks: Vec<_> = (0..parts)
        .map(|number| {
            chunk(
                &choice(&format!(r#"{{"content":"{}"}}"#, word(number)), "null"),
                "",
            )
        })
        .collect();
    chunks.push(chunk(&choice("{}", "\"stop\""), ""));
    chunks.push(chunk("", &format!(r#","usage":{}"#, usage(parts))));
    chunks.push(Bytes::from_static(b"data: [DONE]\n\n"));
    let chunks: Arc<[Bytes]> = chunks.into();
    let body = paced(chunks, parts, pace);
    let mut response = Response::new(body);
    let sse = hyper::header::HeaderValue::from_static("text/event-stream; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, sse);
    response
}

fn paced(chunks: Arc<[Bytes]>, parts: usize, pace: Duration) -> Body {
    let stream = futures_util::stream::unfold(0, move |number| {
        let chunk = chunks.get(number).cloned();
        async move {
            let chunk = chunk?;
            if number < parts && !pace.is_zero() {
                tokio::time::sleep(pace).await;
            }
            Some((Ok(Frame::data(chunk)), number.saturating_add(1)))
        }
    });
    StreamBody::new(stream).boxed_unsync()
}
