//! `/v1/receipts`: the receipts of this gateway's answers, for whoever asked.

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{IntoResponse as _, Response},
};
use cocoon_types::{Fault, Refusal, RequestId};
use cocoon_web::{clock::unix_now, keys::Holder};
use serde_json::{Value, json};

use super::Gateway;
use crate::receipts::NotExported;

/// The media type of a bundle.
const BUNDLE: &str = "application/vnd.cocoon.receipt";
/// Receipts that a list shows.
const LISTED: usize = 100;

/// The newest receipts.
pub(super) fn list(gateway: &Gateway, holder: Option<&Holder>) -> Response {
    let newest = gateway
        .receipts
        .newest(LISTED, holder.map(|holder| &holder.id), unix_now());
    let data: Vec<Value> = newest.iter().map(|kept| kept.summary()).collect();
    Json(json!({"object": "list", "data": data})).into_response()
}

/// One receipt: as JSON, or as the file that a stranger can check.
///
/// # Errors
/// [`Fault::NotFound`] for a receipt that is not here or not this key's; [`Fault::InvalidRequest`] for a question that is none.
pub(super) fn one(
    gateway: &Gateway,
    id: &str,
    uri: &Uri,
    headers: &HeaderMap,
    holder: Option<&Holder>,
) -> Result<Response, Refusal> {
    let wanted = Wanted::of(uri, headers)?;
    let kept = request_id(id)
        .and_then(|id| {
            gateway
                .receipts
                .find(id, holder.map(|holder| &holder.id), unix_now())
        })
        .ok_or_else(|| {
            let message = "there is no such receipt (any more): they are kept for a while, in memory, and only whoever asked the \
                           question may look";
            Refusal::new(Fault::NotFound, message)
        })?;
    if !wanted.bundle {
        return Ok(Json(kept.summary()).into_response());
    }
    let file = kept.bundle(wanted.salts).map_err(|error| {
        let fault = match error {
            // The usual clients come again by themselves.
            NotExported::Unsigned => Fault::Busy,
            NotExported::Malformed => Fault::Internal,
        };
        Refusal::new(fault, error.to_string())
    })?;
    let mut answer = Response::new(Body::from(file));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(BUNDLE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"receipt.cocoon\""),
    );
    Ok(answer)
}

/// What is asked of a receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    bundle: bool,
    /// With the salts whoever holds the file can test guesses at request and answer.
    salts: bool,
}

// === impl Wanted ===

impl Wanted {
    fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self, Refusal> {
        let accepts = headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok());
        let mut wanted = Self {
            bundle: accepts.is_some_and(|accept| accept.split(',').any(|kind| kind.trim() == BUNDLE)),
            salts: false,
        };
        for pair in uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            match pair {
                "format=json" => wanted.bundle = false,
                "format=bundle" => wanted.bundle = true,
                "salts=true" => wanted.salts = true,
                "salts=false" => wanted.salts = false,
                _ => {
                    let message =
                        "the query takes format=json or format=bundle, and salts=true or salts=false";
                    return Err(Refusal::new(Fault::InvalidRequest, message));
                }
            }
        }
        Ok(wanted)
    }
}

fn request_id(text: &str) -> Option<RequestId> {
    let mut id = [0; 32];
    hex::decode_to_slice(text, &mut id).ok().map(|()| RequestId(id))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, Uri};

    use super::{BUNDLE, Wanted, request_id};

    #[test]
    fn the_form_is_asked_for_by_name() {
        let of = |query: &str, accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("accept", accept.parse().unwrap());
            let uri: Uri = format!("/v1/receipts/00{query}").parse().unwrap();
            Wanted::of(&uri, &headers).map(|wanted| (wanted.bundle, wanted.salts))
        };
        assert_eq!(of("", "*/*").unwrap(), (false, false));
        assert_eq!(of("", BUNDLE).unwrap(), (true, false));
        assert_eq!(of("?format=bundle&salts=true", "*/*").unwrap(), (true, true));
        assert_eq!(of("?format=json", BUNDLE).unwrap(), (false, false));
        assert!(of("?format=xml", "*/*").is_err());
        assert!(of("?salt=true", "*/*").is_err());
    }

    #[test]
    fn an_id_is_the_requests() {
        assert!(request_id(&"ab".repeat(32)).is_some());
        for bad in ["", "ab", "zz", &"ab".repeat(33)] {
            assert!(request_id(bad).is_none());
        }
    }
}
