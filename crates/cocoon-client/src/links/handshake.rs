//! The client's side of the handshake (spec/network.md 6.3), as without payments: no wallet, empty secret.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use cocoon_link::{Link, QueryError};
use cocoon_tl::{TlError, TlFunction, TlObject as _, TlString, client, proxy, shared::ProtoVersions, v3};

/// `connectToProxy` (spec/network.md 6.11).
const CONNECT: Duration = Duration::from_secs(30);
/// Authorization; the long way may wait for the chain (spec/network.md 6.11).
const AUTHORIZE: Duration = Duration::from_secs(300);
/// Most bytes of the proxy's own words that are logged.
const WORDS: usize = 200;

/// A proxy and we do not come together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the question went unanswered")]
    Query(#[from] QueryError),
    #[error("the answer does not parse")]
    Answer(#[from] TlError),
    #[error("the proxy names no network or no protocol")]
    Params,
    #[error("the proxy belongs to another kind of network (is_test differs)")]
    OtherNetwork,
    #[error("the proxy speaks protocol {0}, this build needs 3")]
    OldProtocol(i32),
    #[error("the proxy wants payments, which this build does not make")]
    WantsPayment,
    #[error("the proxy does not authorize this client: {words} (code {code})")]
    Unauthorized { code: i32, words: String },
}

/// Leads the handshake to its end: `connectToProxy`, then the short or the long authorization.
pub(crate) async fn run(link: &Link, is_test: bool) -> Result<(), HandshakeError> {
    let connect = client::ConnectToProxy {
        params: client::Params {
            client_owner_address: TlString::EMPTY,
            is_test: Some(is_test),
            proto_versions: Some(ProtoVersions {
                min_proto_version: v3::VERSION,
                max_proto_version: v3::VERSION,
            }),
        },
        min_config_version: 0,
    };
    let connected = ask(link, connect, CONNECT).await?;
    check(&connected.params, is_test)?;
    let authorized = match connected.auth {
        client::ProxyConnectionAuth::Short(short)
            if short.secret_hash[..] == *digest(&SHA256, b"").as_ref() =>
        {
            let data = Bytes::new();
            ask(link, client::AuthorizeWithProxyShort { data }, AUTHORIZE).await?
        }
        // A secret that is not ours: the long way, as the original (spec/network.md 6.3).
        _ => ask(link, client::AuthorizeWithProxyLong {}, AUTHORIZE).await?,
    };
    match authorized {
        client::AuthorizationWithProxy::Success(success) => match success.signed_payment {
            proxy::SignedPayment::Empty(_) => Ok(()),
            _ => Err(HandshakeError::WantsPayment),
        },
        client::AuthorizationWithProxy::Failed(failed) => Err(HandshakeError::Unauthorized {
            code: failed.error_code,
            words: failed.error.lossy(WORDS),
        }),
    }
}

fn check(params: &proxy::Params, is_test: bool) -> Result<(), HandshakeError> {
    match (params.is_test, params.proto_version) {
        (Some(theirs), _) if theirs != is_test => Err(HandshakeError::OtherNetwork),
        (Some(_), Some(v3::VERSION)) => Ok(()),
        (Some(_), Some(version)) => Err(HandshakeError::OldProtocol(version)),
        _ => Err(HandshakeError::Params),
    }
}

async fn ask<F: TlFunction>(
    link: &Link,
    question: F,
    deadline: Duration,
) -> Result<F::Answer, HandshakeError> {
    let answer = link.query(question.to_boxed(), deadline).await?;
    Ok(F::Answer::from_boxed(answer)?)
}
