//! The HTTP side.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::answer::{Answer, garbage};
use super::plan::{self, Step};
use super::prompt::Prompt;
use super::record::Note;
use super::{CannedFault, Shared, embeddings};

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Longest request that is read.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;

const JSON: &str = "application/json";

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
                // Out of file descriptors, mostly: there will be some again.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.route(request).await) }
    });
    // An error is a caller that went away, or a cut that was asked for.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Shared {
    async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let authorization = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        if let Some(key) = &self.options.key
            && authorization.as_deref() != Some(&format!("Bearer {key}"))
        {
            return error(401, "unauthorized");
        }
        match (request.method(), path.as_str()) {
            (&Method::GET, "/health") => whole(200, &json!({"status": "ok"})),
            (&Method::GET, "/version") => whole(200, &json!({"version": "0.0.0-canned"})),
            (&Method::GET, "/v1/models") => whole(200, &self.models()),
            (&Method::POST, "/v1/chat/completions" | "/v1/completions" | "/v1/embeddings") => {
                let Ok(body) = Limited::new(request.into_body(), MAX_REQUEST_BYTES)
                    .collect()
                    .await
                else {
                    return error(400, "the body cannot be read");
                };
                let body = body.to_bytes();
                let note = self.records.open(&path, body.clone(), authorization);
                self.infer(&path, &body, note).await
            }
            _ => error(404, "Not Found"),
        }
    }

    fn models(&self) -> Value {
        let options = &self.options;
        json!({"object": "list", "data": [{
            "id": options.model, "object": "model", "created": 1_700_000_000, "owned_by": options.owner,
            "max_model_len": options.context_length,
        }]})
    }

    async fn infer(&self, path: &str, body: &Bytes, note: Note) -> Response<Body> {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            note.complete();
            return error(400, "the body is not JSON");
        };
        let instance = *self.fault.lock().expect("invariant: no holder panics");
        let instance = instance.filter(|_| note.number().is_multiple_of(self.options.fault_every.max(1)));
        let prompt = Prompt::read(body, &self.options, instance);
        let refusal = if prompt.model != self.options.model {
            Some(error(404, "The model does not exist."))
        } else if prompt.words > u64::from(self.options.context_length) {
            let limit = self.options.context_length;
            Some(error(
                400,
                &format!("This model's maximum context length is {limit} tokens."),
            ))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            note.complete();
            return refusal;
        }
        match prompt.fault {
            Some(CannedFault::Status(status)) => {
                note.complete();
                error(status, "canned failure")
            }
            // The note is kept, and dropped when whoever asked goes away.
            Some(CannedFault::Hang) => std::future::pending().await,
            _ if path == "/v1/embeddings" => self.finish(&prompt, embeddings::answer(&prompt), note).await,
            _ => {
                let answer = Answer {
                    prompt: &prompt,
                    options: &self.options,
                    chat: path == "/v1/chat/completions",
                    number: note.number(),
                };
                if prompt.stream {
                    return planned("text/event-stream; charset=utf-8", None, answer.stream(), note);
                }
                self.finish(&prompt, answer.whole(), note).await
            }
        }
    }

    /// An answer in one piece, which comes when all of it is made.
    async fn finish(&self, prompt: &Prompt, mut answer: Value, note: Note) -> Response<Body> {
        tokio::time::sleep(prompt.pace.saturating_mul(prompt.parts)).await;
        if let (Some(CannedFault::NoUsage), Some(members)) = (prompt.fault, answer.as_object_mut()) {
            members.remove("usage");
        }
        let text: Bytes = answer.to_string().into();
        let half = text.slice(..text.len() / 2);
        let steps = match prompt.fault {
            Some(CannedFault::Cut) => vec![Step::Part(half), Step::Cut],
            Some(CannedFault::HangMid) => vec![Step::Part(half), Step::Hang],
            Some(CannedFault::Garbage) => return planned(JSON, None, vec![Step::Part(garbage())], note),
            _ => vec![Step::Part(text.clone())],
        };
        planned(JSON, Some(text.len()), steps, note)
    }
}

fn planned(content_type: &str, length: Option<usize>, steps: Vec<Step>, note: Note) -> Response<Body> {
    let body = StreamBody::new(plan::body(steps, note).into_stream());
    let mut response = Response::builder().header(CONTENT_TYPE, content_type);
    if let Some(length) = length {
        response = response.header(CONTENT_LENGTH, length);
    }
    response
        .body(UnsyncBoxBody::new(body))
        .expect("invariant: the head is well-formed")
}

fn whole(status: u16, body: &Value) -> Response<Body> {
    let text = Full::new(Bytes::from(body.to_string())).map_err(|never| match never {});
    let response = Response::builder().status(status).header(CONTENT_TYPE, JSON);
    response
        .body(UnsyncBoxBody::new(text))
        .expect("invariant: the head is well-formed")
}

/// An error in vLLM's shape.
fn error(status: u16, message: &str) -> Response<Body> {
    let kind = if status < 500 {
        "BadRequestError"
    } else {
        "InternalServerError"
    };
    whole(
        status,
        &json!({"error": {"message": message, "type": kind, "param": null, "code": status}}),
    )
}
