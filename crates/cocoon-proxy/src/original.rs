//! Peers of the original at this proxy (protocols 0 to 2): a translator makes each of them a peer of protocol 3.
//!
//! What they may do is decided in docs/adr/0006: requests of such clients go to workers of the tiers that the operator
//! names, never `confidential` by name; requests of protocol 3 never go to such workers, which the board holds.

use std::sync::Arc;

use cocoon_link::{Inbox, Link};
use cocoon_original::{AskerRules, Bridge, Leg, Terms, join_asker, join_server};
use cocoon_types::Tier;
use cocoon_web::clock::unix_now;
use tokio::sync::OwnedSemaphorePermit;

use crate::{accounting::Books, handshake::PROTOCOL, node::Node};

/// Links to such peers at once: 4 GiB, should each hold the largest frame.
pub(crate) const MAX_LINKS: usize = 256;

/// A link on which protocol 3 is spoken, and the translator behind it, if there is one.
pub(crate) struct Joined {
    pub(crate) link: Link,
    pub(crate) inbox: Inbox,
    pub(crate) bridge: Option<Bridge>,
    /// One of those that such links may be.
    pub(crate) place: Option<OwnedSemaphorePermit>,
}

/// A client past its handshake. `None` when it cannot be served; its link is closed then.
pub(crate) async fn client(node: &Node, link: Link, inbox: Inbox, version: i32) -> Option<Joined> {
    if version >= PROTOCOL {
        return Some(Joined::as_it_is(link, inbox));
    }
    let place = place(node, &link)?;
    let rules = AskerRules {
        tier: node.original_policy()?,
        model: None,
    };
    let joined = join_asker((link, inbox), terms(node, Leg::Client, version)?, rules).await;
    Some(Joined::through(joined.ok()?, place))
}

/// A worker past its handshake. `None` when it cannot be used; its link is closed then.
pub(crate) async fn worker(node: &Node, link: Link, inbox: Inbox, version: i32) -> Option<Joined> {
    if version >= PROTOCOL {
        return Some(Joined::as_it_is(link, inbox));
    }
    let place = place(node, &link)?;
    let tier = worker_tier(link.peer().tier());
    let joined = join_server((link, inbox), terms(node, Leg::Worker, version)?, tier).await;
    Some(Joined::through(joined.ok()?, place))
}

/// Each such link may hold a frame of 16 MiB that is not complete, where others hold 256 KiB.
fn place(node: &Node, link: &Link) -> Option<OwnedSemaphorePermit> {
    let place = Arc::clone(&node.original_links).try_acquire_owned();
    if place.is_err() {
        tracing::warn!("too many links of protocol 2 or less, one was turned away");
        link.close("too many links of protocol 2 or less");
    }
    place.ok()
}

/// The tier of such a worker's answers: what its evidence earns, but never `confidential`, since the proxy reads them.
pub(crate) fn worker_tier(appraised: Tier) -> Tier {
    match appraised {
        Tier::Confidential => Tier::Attested,
        tier => tier,
    }
}

/// `None` without accounts: the handshake has refused the peer then.
fn terms(node: &Node, leg: Leg, version: i32) -> Option<Terms> {
    let books: Books = node.ledger.books()?.clone();
    Some(Terms {
        leg,
        version,
        multipliers: books.multipliers(),
        config_version: Arc::new(move || books.version()),
        clock: unix_now,
    })
}

// === impl Joined ===

impl Joined {
    fn as_it_is(link: Link, inbox: Inbox) -> Self {
        Self {
            link,
            inbox,
            bridge: None,
            place: None,
        }
    }

    fn through((link, inbox, bridge): (Link, Inbox, Bridge), place: OwnedSemaphorePermit) -> Self {
        Self {
            link,
            inbox,
            bridge: Some(bridge),
            place: Some(place),
        }
    }
}
