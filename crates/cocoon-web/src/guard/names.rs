//! Which names are loopback: `localhost` and loopback IP literals, never a name that DNS could answer.

use std::net::{IpAddr, Ipv6Addr};

/// Whether a Host header or URL authority (`host[:port]`) names loopback.
pub(super) fn is_loopback_authority(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, port.strip_prefix(':').or(Some("?"))),
            None => return false,
        },
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return false;
    }
    if authority.starts_with('[') {
        return host
            .parse::<Ipv6Addr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback());
    }
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether an Origin header (`scheme://host[:port]`) is a page served from loopback.
pub(super) fn is_loopback_origin(origin: &str) -> bool {
    ["http://", "https://"]
        .into_iter()
        .find_map(|scheme| origin.strip_prefix(scheme))
        .is_some_and(is_loopback_authority)
}

/// Whether the text has the form of an origin: no path, no space, no wildcard.
pub(super) fn is_origin(origin: &str) -> bool {
    origin.split_once("://").is_some_and(|(scheme, authority)| {
        let plain =
            |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'*' | b',' | b'?' | b'#' | b'@');
        !scheme.is_empty()
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            && !authority.is_empty()
            && authority.bytes().all(plain)
    })
}
