use std::fmt::Display;

use bytes::Bytes;
use cocoon_types::Refusal;
use serde::Serialize;

#[derive(Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: &'a str,
    r#type: &'a str,
    param: Option<&'a str>,
    code: &'a str,
    request_id: String,
}

/// A refusal as OpenAI's error body: `{"error":{"message","type","param","code","request_id"}}`.
///
/// `request_id` is ours beside OpenAI's four, the same id that the answer's header carries.
pub fn error_body(refusal: &Refusal, request_id: impl Display) -> Bytes {
    json(refusal, request_id).into()
}

/// The same as one server-sent event, for a stream that has begun: whoever sends it sends no `[DONE]` after it.
pub fn error_event(refusal: &Refusal, request_id: impl Display) -> Bytes {
    let mut event = b"data: ".to_vec();
    event.append(&mut json(refusal, request_id));
    event.extend_from_slice(b"\n\n");
    event.into()
}

fn json(refusal: &Refusal, request_id: impl Display) -> Vec<u8> {
    let body = Body {
        error: Inner {
            message: &refusal.message,
            r#type: refusal.fault.openai_type(),
            param: refusal.param,
            code: refusal.fault.code(),
            request_id: request_id.to_string(),
        },
    };
    serde_json::to_vec(&body).expect("invariant: strings always serialise")
}

#[cfg(test)]
mod tests {
    use cocoon_types::{Fault, Refusal};

    use super::{error_body, error_event};

    #[test]
    fn the_shape_is_openais() {
        let refusal = Refusal::new(Fault::InvalidRequest, "bad \"n\"\nline").about("n");
        let body: serde_json::Value = serde_json::from_slice(&error_body(&refusal, "req_1")).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"error": {
                "message": "bad \"n\"\nline", "type": "invalid_request_error", "param": "n",
                "code": "invalid_value", "request_id": "req_1",
            }})
        );
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        let event = error_event(&Refusal::new(Fault::EngineFailed, "a\nb\r\nc"), "req_1");
        let text = std::str::from_utf8(&event).unwrap();
        assert!(text.starts_with("data: {") && text.ends_with("}\n\n"));
        assert_eq!(text.matches(['\n', '\r']).count(), 2);
    }
}
