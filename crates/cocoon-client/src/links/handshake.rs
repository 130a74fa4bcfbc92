//! The client's side of the handshake (spec/network.md 6.3). Without a purse nothing is paid: no wallet, empty secret.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use cocoon_accounting::{ClientPolicy, Pushed};
use cocoon_chain::{Purse, ToldError};
use cocoon_link::{Link, QueryError};
use cocoon_original::OLDEST_OFFERED;
use cocoon_tl::{TlError, TlFunction, TlObject as _, TlString, client, proxy, shared::ProtoVersions, v3};

use crate::account::{Account, KeepError, Untrue};

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
    #[error(
        "the proxy speaks protocol {0}, in which it reads every request (allow_proxy_plaintext is not set)"
    )]
    OldProtocol(i32),
    #[error("the proxy wants payments, which this build does not make")]
    WantsPayment,
    #[error("the proxy's account data do not add up")]
    Account(#[from] ToldError),
    #[error("the account cannot be announced")]
    Announce(#[from] KeepError),
    #[error("the account is ready on the chain, and the proxy is asked again once it has seen it")]
    NotSeen,
    #[error("the proxy tells what cannot be true")]
    Untrue(#[from] Untrue),
    #[error("the proxy does not authorize this client: {words} (code {code})")]
    Unauthorized { code: i32, words: String },
}

/// Who pays, and the account that is known already.
pub(crate) struct Payer<'a> {
    pub(crate) purse: &'a Purse,
    pub(crate) policy: ClientPolicy,
    pub(crate) known: Option<Arc<Account>>,
    /// The proxy may need a moment to see on the chain what we did; it is waited for so long before we pay to be seen.
    pub(crate) may_wait: bool,
}

/// A proxy that takes requests.
pub(crate) struct Connected {
    /// The account there, where there is somebody who pays, and what this link's pushes are held against.
    pub(crate) account: Option<(Arc<Account>, Pushed)>,
    /// The protocol that was agreed on.
    pub(crate) version: i32,
}

/// Leads the handshake to its end: `connectToProxy`, then the short or the long authorization. A protocol of 2 or less is
/// offered when `allow_plaintext`, and there is somebody who pays.
pub(crate) async fn run(
    link: &Link,
    is_test: bool,
    allow_plaintext: bool,
    payer: Option<Payer<'_>>,
) -> Result<Connected, HandshakeError> {
    let oldest = if allow_plaintext && payer.is_some() {
        OLDEST_OFFERED
    } else {
        v3::VERSION
    };
    let (owner, version) = payer.as_ref().map_or((TlString::EMPTY, 0), |payer| {
        let owner = payer.purse.address().to_string();
        (TlString::from(owner), payer.purse.registry().version)
    });
    let connect = client::ConnectToProxy {
        params: client::Params {
            client_owner_address: owner,
            is_test: Some(is_test),
            proto_versions: Some(ProtoVersions {
                min_proto_version: oldest,
                max_proto_version: v3::VERSION,
            }),
        },
        min_config_version: version.cast_signed(),
    };
    let connected = ask(link, connect, CONNECT).await?;
    let version = check(&connected.params, is_test, oldest)?;
    let account = match payer {
        None => {
            unpaid(link, connected).await?;
            None
        }
        Some(payer) => Some(paid(link, connected, payer).await?),
    };
    Ok(Connected { account, version })
}

/// As the original where nothing is paid: the empty secret, the empty payment.
async fn unpaid(link: &Link, connected: client::ConnectedToProxy) -> Result<(), HandshakeError> {
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
    match success(authorized)?.signed_payment {
        proxy::SignedPayment::Empty(_) => Ok(()),
        proxy::SignedPayment::Payment(_) => Err(HandshakeError::WantsPayment),
    }
}

async fn paid(
    link: &Link,
    connected: client::ConnectedToProxy,
    payer: Payer<'_>,
) -> Result<(Arc<Account>, Pushed), HandshakeError> {
    let Payer {
        purse,
        policy,
        known,
        may_wait,
    } = payer;
    let found = Account::at(purse, &connected.params, &connected.client_sc_address, policy)?;
    let account = match known {
        Some(known) if known.is_same(&found) => known,
        _ => Arc::new(found),
    };
    if account.prepare(purse).await? {
        return Err(HandshakeError::NotSeen);
    }
    let storage = account.read(purse).await?;
    let secret = account.secret();
    let known = account.levels();
    let authorized = match connected.auth {
        // The hash must be ours on the chain too: a secret is shown only to whom it was set for.
        client::ProxyConnectionAuth::Short(short)
            if short.secret_hash == secret.hash()
                && storage.is_some_and(|storage| storage.secret_hash == short.secret_hash) =>
        {
            let data = Bytes::copy_from_slice(secret.expose().as_bytes());
            ask(link, client::AuthorizeWithProxyShort { data }, AUTHORIZE).await?
        }
        // Whoever sets the secret on the chain is the owner, so that a proxy which has seen it asks for no more.
        _ if may_wait => return Err(HandshakeError::NotSeen),
        client::ProxyConnectionAuth::Short(client::ProxyConnectionAuthShort { nonce, .. })
        | client::ProxyConnectionAuth::Long(client::ProxyConnectionAuthLong { nonce }) => {
            // The proxy waits for our message on the chain from the moment that we ask.
            let (announced, authorized) = tokio::join!(
                account.register(purse, nonce.cast_unsigned()),
                ask(link, client::AuthorizeWithProxyLong {}, AUTHORIZE)
            );
            announced?;
            authorized?
        }
    };
    let success = success(authorized)?;
    let pushed = account.greeted(
        known,
        &success.signed_payment,
        success.tokens_committed_to_db,
        success.max_tokens,
    )?;
    Ok((account, pushed))
}

fn success(
    authorized: client::AuthorizationWithProxy,
) -> Result<client::AuthorizationWithProxySuccess, HandshakeError> {
    match authorized {
        client::AuthorizationWithProxy::Success(success) => Ok(success),
        client::AuthorizationWithProxy::Failed(failed) => Err(HandshakeError::Unauthorized {
            code: failed.error_code,
            words: failed.error.lossy(WORDS),
        }),
    }
}

fn check(params: &proxy::Params, is_test: bool, oldest: i32) -> Result<i32, HandshakeError> {
    match (params.is_test, params.proto_version) {
        (Some(theirs), _) if theirs != is_test => Err(HandshakeError::OtherNetwork),
        (Some(_), Some(version)) if (oldest..=v3::VERSION).contains(&version) => Ok(version),
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
