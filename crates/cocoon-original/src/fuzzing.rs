//! Entry functions of the fuzz targets (fuzz/README.md): bytes of a peer of protocols 0 to 2.

use bytes::Bytes;

use crate::{
    plain,
    words::{Asked, Form, Leg, Said, passes},
};

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[("original_message", message), ("original_http", http)];

/// A message of either leg. What can be read says the same after it was written again.
pub fn message(data: &[u8]) {
    let message = Bytes::copy_from_slice(data);
    for leg in [Leg::Client, Leg::Worker] {
        let _ = passes(leg, &message);
        if let Some(Ok(asked)) = Asked::read(leg, &message)
            && !asked.timeout.is_nan()
        {
            let again = Asked::read(leg, &asked.clone().write(2));
            assert!(
                matches!(again, Some(Ok(again)) if again == asked),
                "a request changes"
            );
        }
        if let Some(Ok((id, said))) = Said::read(leg, &message) {
            let form = Form {
                leg,
                version: 2,
                times: (1, 2),
            };
            let again = Said::read(leg, &said.clone().write(id, form));
            assert!(
                matches!(again, Some(Ok((again_id, again))) if again_id == id && same(&again, &said)),
                "an answer changes"
            );
        }
    }
}

/// What such a message carries: an HTTP request or an answer.
pub fn http(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok((endpoint, body)) = plain::read_request(bytes.clone()) {
        let again = plain::read_request(plain::write_request(endpoint, body.clone()));
        assert!(
            matches!(again, Ok(same) if same == (endpoint, body)),
            "a request changes"
        );
    }
    if let Some((head, payload)) = plain::read_response(bytes) {
        let again = plain::write_response(head.status, &head.content_type, Some(payload.clone()));
        assert!(
            plain::read_response(again) == Some((head, payload)),
            "an answer changes"
        );
    }
}

/// Version 2 has one form of an error, whether or not an answer had begun.
fn same(one: &Said, other: &Said) -> bool {
    match (one, other) {
        (
            Said::Failed { code, words, .. },
            Said::Failed {
                code: again,
                words: text,
                ..
            },
        ) => code == again && words == text,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests;
