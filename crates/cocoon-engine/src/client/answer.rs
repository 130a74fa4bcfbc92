//! What an engine's status and head mean.

use std::time::Duration;

use bytes::Bytes;
use cocoon_openai::MAX_ANSWER_BYTES;
use cocoon_types::{Fault, Refusal};
use http::{Response, StatusCode, header};
use tokio::time::Instant;

use crate::answer::{EVENT_STREAM, EngineAnswer, EngineBody, JSON, Limits, TEXT, failed};
use crate::connection::Answering;

/// Longest refusal of an engine that is passed on; they are a sentence or a list of validation errors.
const MAX_REFUSAL_BYTES: usize = 256 * 1024;

pub(super) async fn judge(
    answer: Response<Answering>,
    deadline: Instant,
    idle: Duration,
) -> Result<EngineAnswer, Refusal> {
    let status = answer.status();
    let form = form_of(&answer);
    let limits = |bytes| Limits {
        deadline,
        idle,
        bytes,
    };
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Err(failed("the engine refuses the worker's key"))
        }
        // llama.cpp says 503 while it loads and when all slots are taken, others 429.
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Err(Refusal::new(Fault::Busy, "the engine has no room just now"))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => Err(Refusal::new(
            Fault::Timeout,
            "the engine gave up in time of its own",
        )),
        _ if status.is_client_error() => {
            let body = EngineBody::live(answer.into_body(), limits(MAX_REFUSAL_BYTES));
            let text = body.collect(MAX_REFUSAL_BYTES).await?;
            Ok(refusal(status, form, text))
        }
        _ if status.is_success() => {
            let content_type =
                form.ok_or_else(|| failed("the engine's answer is neither JSON nor a stream of events"))?;
            let bytes = if content_type == EVENT_STREAM {
                usize::MAX
            } else {
                MAX_ANSWER_BYTES
            };
            Ok(EngineAnswer {
                status: status.as_u16(),
                content_type,
                body: EngineBody::live(answer.into_body(), limits(bytes)),
            })
        }
        _ => Err(failed(&format!(
            "the engine answered with status {}",
            status.as_u16()
        ))),
    }
}

fn refusal(status: StatusCode, form: Option<&'static str>, text: Bytes) -> EngineAnswer {
    EngineAnswer {
        status: status.as_u16(),
        content_type: if form == Some(JSON) { JSON } else { TEXT },
        body: EngineBody::ready(text),
    }
}

/// JSON (said or unsaid), a stream of events, or something else. Only these words go on, never the engine's own.
fn form_of(answer: &Response<Answering>) -> Option<&'static str> {
    let Some(value) = answer.headers().get(header::CONTENT_TYPE) else {
        return Some(JSON);
    };
    let essence = value
        .to_str()
        .ok()?
        .split(';')
        .next()?
        .trim()
        .to_ascii_lowercase();
    match essence.as_str() {
        EVENT_STREAM => Some(EVENT_STREAM),
        JSON => Some(JSON),
        other => other.ends_with("+json").then_some(JSON),
    }
}
