use std::fmt;
use std::net::SocketAddr;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// Where HTTP is spoken when nothing else is said.
const HTTP_PORT: u16 = 80;

/// Where an engine listens: `http://host:port`, with a path before `/v1` if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineAddress {
    authority: Authority,
    /// What stands before `/v1`; empty, or begins with a slash and does not end with one.
    prefix: String,
}

/// The text is not an engine's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a URL with a host.
    #[error("not a URL such as http://127.0.0.1:8000")]
    NotAUrl,
    /// Another scheme than http.
    #[error(
        "only http:// is spoken to an engine; it belongs on this machine or a network of your own. \
         For https:// put a proxy of yours before it"
    )]
    Scheme,
    /// A user, a query or a fragment.
    #[error(
        "the URL must hold no user, password, query or fragment; the engine's key is an option of its own"
    )]
    Extra,
}

// === impl EngineAddress ===

impl EngineAddress {
    /// The address of a server that listens here.
    pub(crate) fn of(addr: SocketAddr) -> Self {
        let authority =
            Authority::try_from(addr.to_string()).expect("invariant: a socket address is an authority");
        Self {
            authority,
            prefix: String::new(),
        }
    }

    /// Host and port, as they were written.
    pub(crate) const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What to connect to.
    pub(crate) fn to_dial(&self) -> (String, u16) {
        let host = self.authority.host();
        // An IPv6 address stands in brackets in a URL, and without them everywhere else.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (host.to_owned(), self.authority.port_u16().unwrap_or(HTTP_PORT))
    }

    /// What is asked for at this engine, of a path that begins with a slash.
    pub(crate) fn target(&self, path: &'static str) -> Uri {
        let path = if self.prefix.is_empty() {
            PathAndQuery::from_static(path)
        } else {
            let joined = format!("{}{path}", self.prefix);
            PathAndQuery::try_from(joined).expect("invariant: two paths make a path")
        };
        Uri::from(path)
    }
}

impl std::str::FromStr for EngineAddress {
    type Err = AddressError;
    /// Takes `http://host:port`, with or without `/v1` at its end, as people copy it from their OpenAI settings.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.trim().parse().map_err(|_| AddressError::NotAUrl)?;
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => {}
            Some(_) => return Err(AddressError::Scheme),
            None => return Err(AddressError::NotAUrl),
        }
        let authority = uri.authority().cloned().ok_or(AddressError::NotAUrl)?;
        if authority.as_str().contains('@') || uri.query().is_some() || text.contains('#') {
            return Err(AddressError::Extra);
        }
        let path = uri.path().trim_end_matches('/');
        let prefix = path
            .strip_suffix("/v1")
            .unwrap_or(path)
            .trim_end_matches('/')
            .to_owned();
        Ok(Self { authority, prefix })
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressError, EngineAddress};

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        for (text, base) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            (" http://127.0.0.1:8000/v1/ ", "http://127.0.0.1:8000"),
            ("http://[::1]:80/a/b/v1", "http://[::1]:80/a/b"),
            ("http://gpu.lan", "http://gpu.lan"),
            ("HTTP://gpu.lan//", "http://gpu.lan"),
        ] {
            let address: EngineAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), base);
            let (host, port) = address.to_dial();
            assert!(base.contains(&host) && (base.contains(&port.to_string()) || port == 80));
            assert!(!host.contains('['), "{host}");
            let target = address.target("/v1/models").to_string();
            assert!(
                format!("{base}/v1/models").ends_with(&target) && target.starts_with('/'),
                "{target}"
            );
        }
    }

    #[test]
    fn others_are_refused() {
        for (text, error) in [
            ("", AddressError::NotAUrl),
            ("127.0.0.1:8000", AddressError::NotAUrl),
            ("/v1", AddressError::NotAUrl),
            ("http://", AddressError::NotAUrl),
            ("https://x", AddressError::Scheme),
            ("file:///x", AddressError::Scheme),
            ("http://u:p@x", AddressError::Extra),
            ("http://x/?a=b", AddressError::Extra),
            ("http://x/#a", AddressError::Extra),
        ] {
            let refused = text.parse::<EngineAddress>().unwrap_err();
            assert!(refused == error || text.starts_with("file"), "{text}: {refused}");
        }
    }
}
