//! The links to one proxy: dialled again and again, introduced to, and renewed before the evidence at either end is over.

use std::sync::Arc;
use std::time::Duration;

use cocoon_link::{Events, Hello, Identity, LinkOptions, Redial, Session, dial};
use cocoon_original::{AskerRules, Terms, VERSIONS, join_asker};
use cocoon_types::{Fault, Tier, TierPolicy};
use cocoon_web::clock::unix_now;
use tokio::{
    sync::watch,
    task::{self, JoinSet},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{EngineView, Served},
    handshake::{self, Introduced},
    leg::Leg,
    shop::Shop,
};

/// How long before the expiry of a proxy's evidence another link is dialled, in seconds: time for running requests to end.
const RENEW_BEFORE: u64 = 1800;

/// Works for one proxy until the worker stops. A link is used until the one with fresh evidence stands, so that the proxy is never
/// without this worker.
pub(crate) async fn keep(shop: Arc<Shop>, options: Arc<LinkOptions>, proxy: String) {
    let mut redial = Redial::new();
    let mut was_told = false;
    let mut legs = Legs::default();
    loop {
        let leg = tokio::select! {
            leg = introduced(&shop, &options, &proxy, &mut redial, &mut was_told) => leg,
            () = shop.stopped.cancelled() => break,
        };
        if let Some((leg, events, mut renewal)) = leg {
            legs.start(leg, events);
            tokio::select! {
                () = renewal.due() => {
                    tracing::info!(proxy, "the link to a proxy is to be renewed");
                    // Whatever went wrong before it stood.
                    redial = Redial::new();
                }
                reason = legs.newest_ended() => tracing::warn!(proxy, reason, "the link to a proxy has ended"),
                () = shop.stopped.cancelled() => break,
            }
        }
        tokio::select! {
            () = redial.wait() => {}
            () = shop.stopped.cancelled() => break,
        }
    }
    // Each has seen the worker's end itself, and has last words.
    while legs.tasks.join_next().await.is_some() {}
}

/// The links to one proxy: the one that works, and those before it on which something still runs.
#[derive(Debug, Default)]
struct Legs {
    tasks: JoinSet<&'static str>,
    newest: Option<(task::Id, CancellationToken)>,
}

/// When a link should be replaced by another one (DESIGN section 2: links outlive no evidence).
#[derive(Debug)]
struct Renewal {
    /// Ours has come anew since the dial.
    identity: watch::Receiver<Arc<Identity>>,
    /// The proxy's is about to end.
    at: Instant,
}

/// Dials once, when there is something to announce; `None` (which was said) when the proxy cannot be worked for.
async fn introduced(
    shop: &Arc<Shop>,
    options: &LinkOptions,
    proxy: &str,
    redial: &mut Redial,
    was_told: &mut bool,
) -> Option<(Leg, Events, Renewal)> {
    // Nothing can be announced before the engine has said what it serves.
    let served = first_offer(shop.engine.clone()).await;
    if let Err(error) = shop.trust.identity().renew_if_due(unix_now()).await {
        tracing::error!(%error, "this node's identity could not be renewed");
    }
    // From before the dial, so that no change is missed.
    let identity = shop.trust.identity().subscribe();
    let (link, inbox) = match dial(proxy, options).await {
        Ok(dialled) => dialled,
        Err(error) => {
            tell(was_told, proxy, &error);
            return None;
        }
    };
    redial.up();
    let (renew_in, retire_in) = ends(unix_now(), link.peer().expires_at());
    let now = Instant::now();
    let enabled = shop.is_enabled();
    let account = |found| shop.account(proxy, found);
    let introduced = handshake::introduce(&link, shop, &served, enabled, account).await;
    let Introduced { pay, version } = match introduced {
        Ok(introduced) => introduced,
        Err(error) => {
            link.close("the handshake failed");
            tell(was_told, proxy, &error);
            return None;
        }
    };
    *was_told = false;
    tracing::info!(proxy, model = %served.model, enabled, version, "working for a proxy");
    // With a translator between, the session is on another link than the proxy.
    let outer = link.clone();
    let (link, inbox, bridge) = if VERSIONS.contains(&version) {
        let (link, inbox, bridge) = join_asker((link, inbox), terms(shop, version)?, rules(&served))
            .await
            .ok()?;
        (link, inbox, Some(bridge))
    } else {
        (link, inbox, None)
    };
    let (session, events) = Session::start(link, inbox, hello(&served), Fault::ProxyLost);
    let (pay, pushed) = pay.unzip();
    // By the identity from before the dial: if it was renewed meanwhile, this link is replaced at once.
    let shown = Arc::clone(&identity.borrow());
    let leg = Leg {
        shop: Arc::clone(shop),
        standing: shop.stating.stand(),
        shown,
        served,
        session,
        pay,
        pushed,
        bridge,
        outer,
        announced: enabled,
        replaced: CancellationToken::new(),
        replaced_now: false,
        retire_at: now + retire_in,
        retiring: None,
    };
    let at = now + renew_in;
    Some((leg, events, Renewal { identity, at }))
}

/// When a link should be renewed, and when it is given up though it could not be: both before the proxy's evidence expires, which
/// ends the link in any case. Arguments in Unix seconds.
fn ends(now: u64, proxy_expires_at: u64) -> (Duration, Duration) {
    let left = proxy_expires_at.saturating_sub(now);
    let before = RENEW_BEFORE.min(left / 2);
    (
        Duration::from_secs(left - before),
        Duration::from_secs(left - before / 2),
    )
}

/// Says once loudly, then quietly, that a proxy cannot be worked for.
fn tell(was_told: &mut bool, proxy: &str, error: &dyn std::error::Error) {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    if *was_told {
        tracing::debug!(proxy, %error, cause, "still no proxy");
    } else {
        tracing::warn!(proxy, %error, cause, "cannot work for a proxy; trying again");
        *was_told = true;
    }
}

async fn first_offer(mut engine: watch::Receiver<EngineView>) -> Arc<Served> {
    let known = engine.wait_for(|view| view.served.is_some()).await;
    match known.ok().and_then(|view| view.served.clone()) {
        Some(served) => served,
        // The engine's task has ended, which ends the worker.
        None => std::future::pending().await,
    }
}

fn hello(served: &Served) -> Hello {
    Hello {
        software: concat!("cocoon-worker/", env!("CARGO_PKG_VERSION")).to_owned(),
        capabilities: Vec::new(),
        endpoints: served.endpoints.clone(),
        context_length: served.context_length,
        engine: served.place,
    }
}

/// How a proxy of protocol 2 or less is spoken with; `None` where nothing is paid, and none was offered.
fn terms(shop: &Shop, version: i32) -> Option<Terms> {
    let purse = Arc::clone(&shop.till.as_ref()?.purse);
    Some(Terms {
        leg: cocoon_original::Leg::Worker,
        version,
        multipliers: purse.registry().params.multipliers,
        config_version: Arc::new(move || purse.registry().version),
        clock: unix_now,
    })
}

/// It has appraised this worker, and chosen it for a client that can name no tier.
fn rules(served: &Served) -> AskerRules {
    AskerRules {
        tier: TierPolicy::at_least(Tier::Open).and_simulated(),
        model: Some(served.model.clone()),
    }
}

// === impl Legs ===

impl Legs {
    /// Has a link work; the one before it takes nothing new any more.
    fn start(&mut self, leg: Leg, events: Events) {
        let replaced = leg.replaced.clone();
        let task = self.tasks.spawn(leg.work(events));
        if let Some((_, before)) = self.newest.replace((task.id(), replaced)) {
            before.cancel();
        }
    }

    /// Waits until the newest link has ended; says why.
    async fn newest_ended(&mut self) -> &'static str {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            let (id, reason) = ended.unwrap_or_else(|error| (error.id(), "it panicked"));
            if self.newest.as_ref().is_some_and(|(newest, _)| *newest == id) {
                return reason;
            }
            tracing::debug!(
                reason,
                "a link to a proxy has ended that another one had replaced"
            );
        }
        "it has ended"
    }
}

// === impl Renewal ===

impl Renewal {
    async fn due(&mut self) {
        tokio::select! {
            Ok(_) = self.identity.changed() => {}
            () = sleep_until(self.at) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ends;

    #[test]
    fn a_link_is_replaced_before_the_evidence_at_its_other_end_expires() {
        let seconds = |now, expires| {
            let (renew, retire) = ends(now, expires);
            (renew.as_secs(), retire.as_secs())
        };
        assert_eq!(seconds(0, 10_000), (8_200, 9_100), "half an hour before");
        assert_eq!(seconds(0, 10), (5, 8), "short ones at half of their life");
        assert_eq!(seconds(100, 99), (0, 0));
    }
}
