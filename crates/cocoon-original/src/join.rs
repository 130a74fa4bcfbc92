//! Puts a translator between a link and a role.

use std::{fmt, sync::Arc, time::Duration};

use cocoon_link::{EnginePlace, Hello, Inbox, Link, LinkClosed, Session};
use cocoon_types::{Endpoint, Fault, ModelName, Multipliers, Tier, TierPolicy};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    asking::{self, Asker},
    serving::{self, Server},
    words::Leg,
};

/// For what is still to be said to the peer when the role has ended; it needs no round trip.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What was agreed with a peer.
#[derive(Clone)]
pub struct Terms {
    /// Whose messages are spoken.
    pub leg: Leg,
    /// The version: 0, 1 or 2.
    pub version: i32,
    /// What tokens of each class weigh; the peer tells adjusted ones.
    pub multipliers: Multipliers,
    /// Version of the registry that this node goes by.
    pub config_version: Arc<dyn Fn() -> u32 + Send + Sync>,
    /// Unix seconds.
    pub clock: fn() -> u64,
}

/// What holds for the requests of a peer that asks.
#[derive(Clone, Debug)]
pub struct AskerRules {
    /// The tiers that may serve them: such a peer names none.
    pub tier: TierPolicy,
    /// For a proxy, which names no model either: the one that is served here.
    pub model: Option<ModelName>,
}

/// What a peer of protocols 0 to 2 serves (spec/network.md 6.7).
pub(crate) const ENDPOINTS: [Endpoint; 2] = [Endpoint::ChatCompletions, Endpoint::Completions];

/// A running translator. Dropping it ends it at once.
#[derive(Debug)]
pub struct Bridge(JoinSet<()>);

/// The links to a peer that asks, from the role's side.
///
/// # Errors
/// A defect of ours.
pub async fn join_asker(
    (link, inbox): (Link, Inbox),
    terms: Terms,
    rules: AskerRules,
) -> Result<(Link, Inbox, Bridge), LinkClosed> {
    let [near, (far, far_inbox)] = Link::pair(link.peer(), link.remote_addr()).await?;
    let hello = hello(&terms, Vec::new(), EnginePlace::None);
    let mut tasks = JoinSet::new();
    let asker = Asker::new(link, terms, rules);
    tasks.spawn(async move {
        let (session, events) = Session::start(far, far_inbox, hello, Fault::Draining);
        asking::run(Arc::new(asker), inbox, session, events).await;
    });
    Ok((near.0, near.1, Bridge(tasks)))
}

/// The links to a peer that serves, from the role's side; `tier` is that of its answers.
///
/// # Errors
/// A defect of ours.
pub async fn join_server(
    (link, inbox): (Link, Inbox),
    terms: Terms,
    tier: Tier,
) -> Result<(Link, Inbox, Bridge), LinkClosed> {
    let [near, (far, far_inbox)] = Link::pair(link.peer(), link.remote_addr()).await?;
    // Whether its engine is inside its image is for the image list to know; the tier was capped for it.
    let hello = hello(&terms, ENDPOINTS.to_vec(), EnginePlace::StartedByWorker);
    let mut tasks = JoinSet::new();
    let server = Server::new(link, terms, tier);
    tasks.spawn(async move {
        let (session, events) = Session::start(far, far_inbox, hello, Fault::Draining);
        serving::run(Arc::new(server), inbox, session, events).await;
    });
    Ok((near.0, near.1, Bridge(tasks)))
}

fn hello(terms: &Terms, endpoints: Vec<Endpoint>, engine: EnginePlace) -> Hello {
    Hello {
        software: format!("original, protocol {}", terms.version),
        capabilities: Vec::new(),
        endpoints,
        context_length: 0,
        engine,
    }
}

// === impl Bridge ===

impl Bridge {
    /// To be called when the role is done with its link: the peer is told what is still to be told.
    pub async fn end(mut self) {
        // What is not said by then is not said.
        let _ = timeout(LAST_WORDS, self.0.join_next()).await;
    }
}

// === impl Terms ===

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms")
            .field("leg", &self.leg)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
