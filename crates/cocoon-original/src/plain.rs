//! HTTP inside messages (spec/network.md 6.5). No header of a caller goes on, and of an answer's only its media type does.

use bytes::Bytes;
use cocoon_tl::{TlObject as _, TlString, http};
use cocoon_types::{Endpoint, Fault, Refusal};

/// Media types longer than this are none.
const MAX_MEDIA_TYPE: usize = 200;

/// What precedes the bytes of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) content_type: String,
}

/// Endpoint and body of a request.
pub(crate) fn read_request(query: Bytes) -> Result<(Endpoint, Bytes), Refusal> {
    let request = http::Request::from_boxed(query)
        .map_err(|_| Refusal::new(Fault::InvalidRequest, "the http.request does not parse"))?;
    let path = request.url.as_str().unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let endpoint = Endpoint::from_path(path).ok_or_else(|| Refusal::new(Fault::NotFound, "no such path"))?;
    if request.method != "POST" {
        return Err(Refusal::new(Fault::MethodNotAllowed, "the path takes POST only"));
    }
    Ok((endpoint, request.payload))
}

/// A request as the original's worker forwards it to its engine.
pub(crate) fn write_request(endpoint: Endpoint, body: Bytes) -> Bytes {
    http::Request {
        method: TlString::from_static("POST"),
        url: TlString::from_static(endpoint.path()),
        http_version: TlString::from_static("HTTP/1.1"),
        headers: vec![
            header("Content-Type", "application/json"),
            header("Content-Length", &body.len().to_string()),
        ],
        payload: body,
    }
    .to_boxed()
}

/// Head and first bytes of an answer; `None` when it is none.
pub(crate) fn read_response(answer: Bytes) -> Option<(ResponseHead, Bytes)> {
    let response = http::Response::from_boxed(answer).ok()?;
    let status = u16::try_from(response.status_code).ok()?;
    // An interim answer is no answer.
    (200..600).contains(&status).then_some(())?;
    let content_type = response
        .headers
        .iter()
        .find(|header| header.name.as_bytes().eq_ignore_ascii_case(b"content-type"))
        .and_then(|header| header.value.as_str())
        .filter(|text| text.len() <= MAX_MEDIA_TYPE && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
        .unwrap_or("application/octet-stream");
    let head = ResponseHead {
        status,
        content_type: content_type.to_owned(),
    };
    Some((head, response.payload))
}

/// An answer whose bytes follow in parts, or (with a payload) one that is complete.
pub(crate) fn write_response(status: u16, content_type: &str, payload: Option<Bytes>) -> Bytes {
    let length = match &payload {
        Some(payload) => header("Content-Length", &payload.len().to_string()),
        None => header("Transfer-Encoding", "chunked"),
    };
    http::Response {
        http_version: TlString::from_static("HTTP/1.1"),
        status_code: i32::from(status),
        reason: TlString::from_static(if status < 400 { "OK" } else { "Error" }),
        headers: vec![header("Content-Type", content_type), length],
        payload: payload.unwrap_or_default(),
    }
    .to_boxed()
}

fn header(name: &'static str, value: &str) -> http::Header {
    http::Header {
        name: TlString::from_static(name),
        value: TlString::from(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, url: &str) -> Bytes {
        http::Request {
            method: TlString::from(method),
            url: TlString::from(url),
            http_version: TlString::from("HTTP/1.1"),
            headers: vec![header("Authorization", "Bearer secret")],
            payload: Bytes::from_static(b"{}"),
        }
        .to_boxed()
    }

    #[test]
    fn only_known_paths_and_post_go_on() {
        let read = |method, url| read_request(request(method, url)).map_err(|refusal| refusal.fault);
        let body = Bytes::from_static(b"{}");
        assert_eq!(
            read("POST", "/v1/chat/completions"),
            Ok((Endpoint::ChatCompletions, body.clone()))
        );
        assert_eq!(
            read("POST", "/v1/completions?x=1"),
            Ok((Endpoint::Completions, body))
        );
        assert_eq!(read("GET", "/v1/chat/completions"), Err(Fault::MethodNotAllowed));
        assert_eq!(
            read("POST", "http://host/v1/chat/completions"),
            Err(Fault::NotFound)
        );
        assert_eq!(
            read_request(Bytes::from_static(b"garbage")).map_err(|refusal| refusal.fault),
            Err(Fault::InvalidRequest)
        );
    }

    #[test]
    fn an_answer_comes_back() {
        let whole = write_response(404, "text/plain", Some(Bytes::from_static(b"no")));
        let (head, body) = read_response(whole).unwrap();
        assert_eq!(
            (head.status, head.content_type.as_str(), &body[..]),
            (404, "text/plain", &b"no"[..])
        );
        let (head, body) = read_response(write_response(200, "a\r\nb: c", None)).unwrap();
        assert_eq!(
            (head.content_type.as_str(), body.len()),
            ("application/octet-stream", 0)
        );
        for status in [0, 100, 199, 600] {
            assert_eq!(read_response(write_response(status, "text/plain", None)), None);
        }
    }
}
