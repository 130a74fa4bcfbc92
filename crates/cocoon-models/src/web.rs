//! The HTTP client, and what its failures are called.

use std::path::Path;
use std::sync::Arc;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::fetch::SourceError;
use crate::settings::Limits;

/// Most hops from a source to its file: the hub takes two.
const MAX_REDIRECTS: usize = 10;
const AGENT: &str = concat!("cocoon/", env!("CARGO_PKG_VERSION"));

/// A client that trusts the roots of this machine (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured) and those of
/// `extra`, a PEM file. Proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`) are used.
pub(crate) fn client(limits: &Limits, extra: Option<&Path>) -> Result<Client, SourceError> {
    let mut roots = Vec::new();
    if let Some(path) = extra {
        let unreadable = || SourceError::Certificates(format!("{} cannot be read", path.display()));
        for certificate in CertificateDer::pem_file_iter(path).map_err(|_| unreadable())? {
            roots.push(certificate.map_err(|_| unreadable())?);
        }
    }
    let fault = |error: rustls::Error| SourceError::Certificates(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(roots, Arc::clone(&provider));
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(fault)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier.map_err(fault)?))
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(AGENT)
        .connect_timeout(limits.connect)
        .redirect(Policy::custom(|attempt| {
            let downgrade = attempt
                .previous()
                .last()
                .is_some_and(|url| url.scheme() == "https")
                && attempt.url().scheme() != "https";
            match () {
                () if attempt.previous().len() > MAX_REDIRECTS => attempt.error("too many redirects"),
                () if downgrade => attempt.error("redirect from https to http"),
                () => attempt.follow(),
            }
        }))
        .build()
        .map_err(|error| SourceError::from_client(&error))
}

/// Carries the name and password of `index` over to `url` when both are the same server.
pub(crate) fn with_password_of(index: &Url, mut url: Url) -> Url {
    if index.origin() == url.origin() && url.username().is_empty() && url.password().is_none() {
        // Neither fails on an address with a host, and without one nothing is sent.
        let _ = url.set_username(index.username());
        let _ = url.set_password(index.password());
    }
    url
}

/// A short body as text: at most `limit` bytes.
pub(crate) async fn text(mut response: Response, limit: usize) -> Result<String, SourceError> {
    let mut body = Vec::new();
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|error| SourceError::from_client(&error))?
    {
        if body.len() + piece.len() > limit {
            return Err(SourceError::Index("its page is too long"));
        }
        body.extend_from_slice(&piece);
    }
    String::from_utf8(body).map_err(|_| SourceError::Index("its page is not text"))
}

// === impl SourceError ===

impl SourceError {
    /// Names a failure of the client. The address stays out: it may hold a password or a signature.
    pub(crate) fn from_client(error: &reqwest::Error) -> Self {
        if error.is_redirect() {
            Self::Redirects
        } else if error.is_timeout() && error.is_connect() {
            Self::Connect("no answer in time".into())
        } else if error.is_connect() {
            Self::Connect(root(error))
        } else if error.is_timeout() {
            Self::Stalled
        } else {
            Self::Cut(root(error))
        }
    }
}

/// The innermost reason, cut: it is the operating system's or the TLS library's word and names no address.
fn root(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    if std::ptr::addr_eq(inner, error) {
        return "the exchange failed".into();
    }
    inner
        .to_string()
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_stays_with_its_server() {
        let index = Url::parse("https://u:p@a.example/simple/").unwrap();
        let with = |text: &str| with_password_of(&index, Url::parse(text).unwrap()).to_string();
        assert_eq!(with("https://a.example/f.whl"), "https://u:p@a.example/f.whl");
        assert_eq!(with("https://b.example/f.whl"), "https://b.example/f.whl");
        assert_eq!(with("http://a.example/f.whl"), "http://a.example/f.whl");
        assert_eq!(with("https://a.example:444/f.whl"), "https://a.example:444/f.whl");
        assert_eq!(with("https://x@a.example/f.whl"), "https://x@a.example/f.whl");
    }

    #[test]
    fn a_certificate_file_that_is_none_is_named() {
        let error = client(&Limits::default(), Some(Path::new("/nonexistent.pem"))).unwrap_err();
        assert!(error.to_string().contains("/nonexistent.pem"), "{error}");
    }
}
