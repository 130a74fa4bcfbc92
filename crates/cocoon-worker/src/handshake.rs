//! The worker's side of the handshake: spec/network.md 6.4. Balances are compared where something is paid.

use std::{sync::Arc, time::Duration};

use cocoon_accounting::Pushed;
use cocoon_link::{Link, QueryError};
use cocoon_original::OLDEST_OFFERED;
use cocoon_tl::{TlFunction, TlObject as _, TlString, shared::ProtoVersions, worker};

use crate::{
    engine::Served,
    pay::{Pay, PayError},
    shop::Shop,
};

/// The protocol that our own nodes speak.
const PROTOCOL: i32 = 3;
/// Each question's deadline (spec/network.md 6.11).
const DEADLINE: Duration = Duration::from_secs(30);

/// Why the proxy and this worker do not come together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// No answer, or a refusal; its text says why.
    #[error("{question}: {source}")]
    Query {
        question: &'static str,
        #[source]
        source: QueryError,
    },
    /// The answer is not one.
    #[error("{question}: the answer does not parse")]
    Malformed { question: &'static str },
    /// Another kind of network.
    #[error("the proxy belongs to another kind of network (is_test differs)")]
    OtherNetwork,
    /// A protocol that was not offered.
    #[error("the proxy agreed on a protocol that was not offered")]
    Protocol,
    /// It would not be paid.
    #[error("the proxy's account data do not hold: {0}")]
    Pay(#[from] PayError),
}

/// A proxy that this worker works for.
#[derive(Debug)]
pub(crate) struct Introduced {
    /// The account there, where something is paid, and what this link's pushes are held against.
    pub(crate) pay: Option<(Arc<Pay>, Pushed)>,
    /// The protocol that was agreed on.
    pub(crate) version: i32,
}

/// Introduces this worker to a proxy. `enabled` is what it announces.
pub(crate) async fn introduce(
    link: &Link,
    shop: &Shop,
    served: &Served,
    enabled: bool,
    account: impl FnOnce(Pay) -> Arc<Pay>,
) -> Result<Introduced, HandshakeError> {
    let connected = ask(link, "worker.connectToProxy", &connect(shop, served)).await?;
    // 1. the same kind of network; 2. the protocol that was offered.
    if connected.params.is_test != Some(shop.is_test) {
        return Err(HandshakeError::OtherNetwork);
    }
    let version = connected.params.proto_version.unwrap_or(0);
    if !(oldest(shop)..=PROTOCOL).contains(&version) {
        return Err(HandshakeError::Protocol);
    }
    let pay = match &shop.till {
        None => None,
        Some(till) => {
            let pay = account(Pay::at(till, &connected.params, &connected.worker_sc_address)?);
            let pushed = compare(link, &pay, version).await?;
            Some((pay, pushed))
        }
    };
    let complete = worker::ProxyHandshakeComplete {
        is_disabled: !enabled,
    };
    ask(link, "worker.proxyHandshakeComplete", &complete).await?;
    Ok(Introduced { pay, version })
}

/// Proxies of the original insist on payments.
fn oldest(shop: &Shop) -> i32 {
    if shop.till.is_some() {
        OLDEST_OFFERED
    } else {
        PROTOCOL
    }
}

/// Holds what the proxy remembers against what we do (spec/ton.md 5.4).
async fn compare(link: &Link, pay: &Pay, version: i32) -> Result<Pushed, HandshakeError> {
    let levels = pay.levels();
    // A count that does not fit was never told by any proxy.
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let question = worker::CompareBalanceWithProxy {
        tokens_committed_to_blockchain: count(levels.chain),
        tokens_committed_to_db: count(levels.journal),
        // One that an old proxy has lost with its memory would keep it from us for ever (spec/network.md 6.4).
        max_tokens: count(if version < PROTOCOL {
            levels.journal
        } else {
            levels.memory
        }),
    };
    let told = ask(link, "worker.compareBalanceWithProxy", &question).await?;
    // A proxy that was ended by force has forgotten what was in its memory alone; the view knows how far it may fall.
    if ![0, 1].contains(&told.error_code) {
        return Err(PayError::Forgotten(told.error_code).into());
    }
    Ok(pay.greeted(
        levels,
        &told.signed_payment,
        told.tokens_committed_to_db,
        told.max_tokens,
    )?)
}

fn connect(shop: &Shop, served: &Served) -> worker::ConnectToProxy {
    worker::ConnectToProxy {
        params: worker::Params {
            worker_owner_address: shop
                .till
                .as_ref()
                .map_or(TlString::EMPTY, |till| TlString::from(till.owner.to_string())),
            model: TlString::from(served.model.as_str()),
            // Below 10^9, so that it fits.
            coefficient: i32::try_from(shop.coefficient.per_mille()).unwrap_or(i32::MAX),
            setup: Some(worker::Setup {
                is_test: shop.is_test,
                proxy_cnt: i32::try_from(shop.proxies).unwrap_or(i32::MAX),
                max_active_requests: i32::from(served.capacity),
            }),
            proto_versions: Some(ProtoVersions {
                min_proto_version: oldest(shop),
                max_proto_version: PROTOCOL,
            }),
        },
    }
}

async fn ask<Q: TlFunction>(
    link: &Link,
    name: &'static str,
    question: &Q,
) -> Result<Q::Answer, HandshakeError> {
    let answer = link.query(question.to_boxed(), DEADLINE).await;
    let answer = answer.map_err(|source| HandshakeError::Query {
        question: name,
        source,
    })?;
    Q::Answer::from_boxed(answer).map_err(|_| HandshakeError::Malformed { question: name })
}
