use axum::http::Method;
use cocoon_types::{Endpoint, ModelName};

use super::account::Asked;

/// What a path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Inference(Endpoint),
    Models,
    /// One model; empty if the path's text cannot be a name.
    Model(String),
    /// The money.
    Account(Asked),
    /// The newest receipts.
    Receipts,
    /// One receipt.
    Receipt(String),
    /// What proxies have offered.
    Offers,
    Health,
    Metrics,
    Unknown,
}

const RECEIPT: &str = "/v1/receipts/";

// === impl Route ===

impl Route {
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/v1/models" => Self::Models,
            "/cocoon/v1/account" => Self::Account(Asked::Show),
            "/cocoon/v1/account/topup" => Self::Account(Asked::TopUp),
            "/cocoon/v1/account/withdraw" => Self::Account(Asked::Withdraw),
            "/cocoon/v1/account/close" => Self::Account(Asked::Close),
            "/cocoon/v1/offers" => Self::Offers,
            "/v1/receipts" => Self::Receipts,
            "/health" => Self::Health,
            "/metrics" => Self::Metrics,
            _ if path.starts_with(RECEIPT) && path.len() > RECEIPT.len() => {
                Self::Receipt(path[RECEIPT.len()..].to_owned())
            }
            _ => match (Endpoint::from_path(path), path.strip_prefix("/v1/models/")) {
                (Some(endpoint), _) => Self::Inference(endpoint),
                // Names hold slashes, which some SDKs encode and some do not.
                (None, Some(name)) if !name.is_empty() => Self::Model(decode(name).unwrap_or_default()),
                _ => Self::Unknown,
            },
        }
    }

    /// The endpoint, for metrics.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Self::Inference(endpoint) => Some(*endpoint),
            _ => None,
        }
    }

    /// The methods that the path takes; none for a path that does not exist.
    pub(super) fn methods(&self) -> &'static [Method] {
        match self {
            Self::Unknown => &[],
            Self::Account(Asked::Show) => &[Method::GET, Method::HEAD],
            Self::Inference(_) | Self::Account(_) => &[Method::POST],
            _ => &[Method::GET, Method::HEAD],
        }
    }
}

/// Undoes percent-encoding; nothing when it is broken, or longer than any name.
pub(super) fn decode(text: &str) -> Option<String> {
    if text.len() > 3 * ModelName::MAX_BYTES {
        return None;
    }
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        bytes.extend(hex::decode(code).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use cocoon_types::Endpoint;

    use super::Route;

    #[test]
    fn paths_are_exact() {
        assert_eq!(
            Route::of("/v1/chat/completions"),
            Route::Inference(Endpoint::ChatCompletions)
        );
        assert_eq!(Route::of("/v1/models"), Route::Models);
        assert_eq!(Route::of("/v1/models/a/b"), Route::Model("a/b".into()));
        assert_eq!(Route::of("/v1/models/a%2Fb%20"), Route::Model("a/b ".into()));
        for broken in [
            "/v1/models/%",
            "/v1/models/%zz",
            "/v1/models/%ff",
            "/v1/models/a%2",
        ] {
            assert_eq!(Route::of(broken), Route::Model(String::new()), "{broken}");
        }
        for unknown in [
            "",
            "/",
            "/v1",
            "/v1/models/",
            "/v1/chat/completions/",
            "/V1/models",
            "/chat/completions",
            "*",
        ] {
            assert_eq!(Route::of(unknown), Route::Unknown, "{unknown}");
        }
    }
}
