//! The guard at the door of a listener: Host, Origin, API key.
//!
//! On a loopback listener the Host must name loopback, which is what stops DNS rebinding (a web page whose name
//! suddenly points at 127.0.0.1). An Origin, where a browser sends one, must be loopback or configured. An API key
//! is required on every other address, and on loopback when asked for; otherwise `Authorization` is not looked at,
//! because unmodified SDKs always send some key.

mod names;

use std::{net::SocketAddr, path::PathBuf};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use cocoon_types::{Fault, Refusal};

use crate::keys::{self, Holder, KeyError, KeyFile, KeyRing};

/// What a listener may be told about its door. The default is loopback without keys.
#[derive(Clone, Debug, Default)]
pub struct GuardOptions {
    /// Where `api-keys.toml` is, as soon as keys are needed; [`keys::default_dir`] unless named.
    pub state_dir: Option<PathBuf>,
    /// Require keys on loopback too.
    pub api_keys: bool,
    /// Origins (`https://app.example.org`) that may call beside those on loopback; compared exactly.
    pub allowed_origins: Vec<String>,
}

/// Decides for each request whether it comes in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Guard {
    loopback: bool,
    keys: Option<KeyRing>,
    origins: Vec<String>,
}

/// A request that was let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// The key that opened the door; none where no key is required.
    pub key: Option<Holder>,
    /// The browser's origin, to be named in the answer so that the browser shows it to the page.
    pub origin: Option<HeaderValue>,
}

/// A listener that must not open like this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The address needs a key and there is none.
    #[error(
        "{listen} requires an API key and there is none (hint: make one with `cocoon key new --state-dir {}`, or listen on 127.0.0.1)",
        state_dir.display()
    )]
    NoKey {
        /// The address.
        listen: SocketAddr,
        /// Where keys were looked for.
        state_dir: PathBuf,
    },
    /// The address needs a key and no directory was named.
    #[error(
        "{listen} requires API keys (hint: there is no home directory, so name the state directory that holds them)"
    )]
    NoStateDir {
        /// The address.
        listen: SocketAddr,
    },
    /// An allowed origin is not one.
    #[error("not an origin: {0:?} (expected scheme://host[:port], as in https://app.example.org)")]
    Origin(String),
    /// The key file is not readable.
    #[error("cannot read the API keys")]
    Keys(#[from] KeyError),
}

// === impl Guard ===

impl Guard {
    /// The guard of a listener at this address. Reads the key file; for start-up, before anything is bound.
    ///
    /// # Errors
    /// [`GuardError`] when the address must not be opened like this.
    pub fn new(listen: SocketAddr, options: GuardOptions) -> Result<Self, GuardError> {
        let loopback = listen.ip().to_canonical().is_loopback();
        if let Some(bad) = options
            .allowed_origins
            .iter()
            .find(|origin| !names::is_origin(origin))
        {
            return Err(GuardError::Origin(bad.clone()));
        }
        let keys = if loopback && !options.api_keys {
            None
        } else {
            let dir = options
                .state_dir
                .or_else(keys::default_dir)
                .ok_or(GuardError::NoStateDir { listen })?;
            let ring = KeyRing::open(KeyFile::in_dir(&dir))?;
            if !ring.has_active() {
                return Err(GuardError::NoKey {
                    listen,
                    state_dir: dir,
                });
            }
            Some(ring)
        };
        Ok(Self {
            loopback,
            keys,
            origins: options.allowed_origins,
        })
    }

    /// Whether every request must bring a key.
    pub fn requires_key(&self) -> bool {
        self.keys.is_some()
    }

    /// Lets a request in, or says why not.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] for Host and Origin, [`Fault::Unauthorized`] for the key.
    pub async fn admit(&self, request: &Parts) -> Result<Admitted, Refusal> {
        let origin = self.admit_without_key(request)?.origin;
        let key = match &self.keys {
            None => None,
            Some(keys) => Some(authorize(keys, &request.headers).await?),
        };
        Ok(Admitted { key, origin })
    }

    /// As [`Guard::admit`] without the key: for `/health`, which a load balancer asks without one.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when Host or Origin is wrong.
    pub fn admit_without_key(&self, request: &Parts) -> Result<Admitted, Refusal> {
        if self.loopback {
            check_host(request)?;
        }
        let origin = self.check_origin(&request.headers)?;
        Ok(Admitted { key: None, origin })
    }

    fn check_origin(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Refusal> {
        let Some(value) = single(headers, header::ORIGIN)? else {
            return Ok(None);
        };
        let text = value.to_str().unwrap_or_default();
        if names::is_loopback_origin(text) || self.origins.iter().any(|origin| origin == text) {
            Ok(Some(value.clone()))
        } else {
            Err(forbidden(
                "pages of this origin may not call this node (hint: allowed_origins)",
            ))
        }
    }
}

// === impl Admitted ===

impl Admitted {
    /// The answer to a browser's preflight question, if the request is one.
    pub fn preflight(&self, request: &Parts) -> Option<Response> {
        let asks = request
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if request.method != Method::OPTIONS || self.origin.is_none() || !asks {
            return None;
        }
        let headers = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
            // The wildcard would not cover Authorization, so the headers that SDKs send in a browser are echoed by name.
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type, idempotency-key, x-cocoon-tier, x-cocoon-timeout, x-cocoon-max-coefficient, \
                 x-request-id, x-stainless-arch, x-stainless-async, x-stainless-helper-method, x-stainless-lang, \
                 x-stainless-os, x-stainless-package-version, x-stainless-retry-count, x-stainless-runtime, \
                 x-stainless-runtime-version, x-stainless-timeout",
            ),
        ];
        Some((StatusCode::NO_CONTENT, headers).into_response())
    }

    /// Adds what a browser needs to show the answer to the page that asked.
    pub fn mark(&self, headers: &mut HeaderMap) {
        if let Some(origin) = &self.origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("x-request-id, x-cocoon-tier, retry-after"),
            );
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
    }
}

async fn authorize(keys: &KeyRing, headers: &HeaderMap) -> Result<Holder, Refusal> {
    let wrong = |message: &str| Refusal::new(Fault::Unauthorized, message);
    let value = single(headers, header::AUTHORIZATION)?.ok_or_else(|| {
        wrong("an API key is required: Authorization: Bearer ck_... (hint: cocoon key new)")
    })?;
    let text = value.to_str().unwrap_or_default();
    let key = match text.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => {
            return Err(wrong(
                "the Authorization header is not of the form: Bearer ck_...",
            ));
        }
    };
    keys.verify(key)
        .await
        .ok_or_else(|| wrong("the API key is unknown or revoked"))
}

fn check_host(request: &Parts) -> Result<(), Refusal> {
    let host = single(&request.headers, header::HOST)?
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| forbidden("the request names no Host"))?;
    // A request line with a whole URL names the host a second time; a proxy would follow that one.
    let target = request.uri.authority().map(|authority| authority.as_str());
    if [Some(host), target]
        .into_iter()
        .flatten()
        .all(names::is_loopback_authority)
    {
        Ok(())
    } else {
        Err(forbidden(
            "this node listens on loopback: the Host must be localhost, 127.0.0.1 or [::1]",
        ))
    }
}

/// The header's only value: two of them mean that somebody between us reads another one than we do.
fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&HeaderValue>, Refusal> {
    let mut values = headers.get_all(&name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(forbidden("a header that must stand once stands twice")),
    }
}

fn forbidden(message: &str) -> Refusal {
    Refusal::new(Fault::Forbidden, message)
}

#[cfg(test)]
mod tests;
