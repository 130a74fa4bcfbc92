//! How answers look: heads, errors, the headers that every answer has.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use cocoon_openai::error_body;
use cocoon_types::Refusal;

use super::{own, stream::Head};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// When to come back after a 503, in seconds; what is missing then is usually back within moments.
const RETRY_AFTER: &str = "1";

/// A refusal in OpenAI's shape.
pub(super) fn error(refusal: &Refusal, id: &str) -> Response {
    let status =
        StatusCode::from_u16(refusal.fault.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = (status, error_body(refusal, id)).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// An engine's answer: its status and media type, the tier that served it, whether a proxy could read it, and a body.
pub(super) fn answer(head: &Head, body: Body) -> Response {
    let content_type = head.content_type.as_str();
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type(content_type));
    headers.insert(own::TIER, HeaderValue::from_static(head.tier.as_str()));
    let sealed = if head.receipt.is_some() { "true" } else { "false" };
    headers.insert(own::SEALED, HeaderValue::from_static(sealed));
    if let Some(receipt) = head.receipt
        && let Ok(receipt) = HeaderValue::from_str(&hex::encode(receipt.0))
    {
        headers.insert(own::RECEIPT, receipt);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_event_stream(content_type) {
        // nginx holds a stream back otherwise.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    }
    answer
}

/// What every answer has.
pub(super) fn mark(answer: &mut Response, id: &str) {
    let headers = answer.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}

/// Adds the methods that a path takes.
pub(super) fn allow(mut answer: Response, methods: &[Method]) -> Response {
    let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
    if let Ok(methods) = HeaderValue::from_str(&methods.join(", ")) {
        answer.headers_mut().insert(header::ALLOW, methods);
    }
    answer
}

/// Whether an answer is a stream of events.
pub(super) fn is_event_stream(content_type: &str) -> bool {
    essence(content_type).eq_ignore_ascii_case("text/event-stream")
}

/// An engine's media type, if it is one that an API answers with. A page (`text/html`) from a stranger's machine
/// must not run in a browser under the gateway's name.
fn media_type(content_type: &str) -> HeaderValue {
    let known = ["application/json", "text/event-stream", "text/plain"];
    let harmless = known
        .iter()
        .any(|known| essence(content_type).eq_ignore_ascii_case(known));
    HeaderValue::from_str(content_type)
        .ok()
        .filter(|_| harmless)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::{is_event_stream, media_type};

    #[test]
    fn only_harmless_media_types_are_passed_on() {
        assert_eq!(
            media_type("application/json; charset=utf-8"),
            "application/json; charset=utf-8"
        );
        for bad in [
            "text/html",
            "image/svg+xml",
            "",
            "application/json\r\nx: y",
            "text/html; application/json",
        ] {
            assert_eq!(media_type(bad), "application/octet-stream", "{bad}");
        }
        assert!(is_event_stream("Text/Event-Stream;charset=utf-8") && !is_event_stream("text/event-streams"));
    }
}
