//! One proxy: dialled again and again, introduced to, and served.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_link::{Event, Events, Hello, Link, LinkOptions, Redial, Session, dial};
use cocoon_original::{AskerRules, Bridge, Terms, VERSIONS, join_asker};
use cocoon_tl::{TlObject as _, peek_id, proxy, worker};
use cocoon_types::{Fault, Refusal, Tier, TierPolicy};
use cocoon_web::clock::unix_now;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    engine::{EngineView, Served},
    handshake::{self, Introduced},
    pay::Pay,
    serve,
    shop::Shop,
};

/// For the refusals of requests that a stopping worker cuts off; they need no round trip.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a link ends that is dialled again at once.
const RENEWAL: &str = "fresh evidence is due";

/// How long before the expiry of a proxy's evidence its link is given up, in seconds: time for running requests to end.
const RETIRE_BEFORE: u64 = 1800;

/// Works for one proxy until the worker stops.
pub(crate) async fn keep(shop: Arc<Shop>, options: Arc<LinkOptions>, proxy: String) {
    let mut redial = Redial::new();
    let mut was_told = false;
    loop {
        let leg = tokio::select! {
            leg = introduced(&shop, &options, &proxy, &mut redial, &mut was_told) => leg,
            () = shop.stopped.cancelled() => return,
        };
        if let Some((leg, events)) = leg {
            // Not raced with the worker's end: the conversation sees it itself, and has last words.
            let reason = leg.work(events).await;
            if reason == RENEWAL {
                tracing::info!(proxy, reason, "the link to a proxy is renewed");
                redial = Redial::new();
                continue;
            }
            tracing::warn!(proxy, reason, "the link to a proxy has ended");
        }
        tokio::select! {
            () = redial.wait() => {}
            () = shop.stopped.cancelled() => return,
        }
    }
}

/// Dials once, when there is something to announce; `None` (which was said) when the proxy cannot be worked for.
async fn introduced(
    shop: &Arc<Shop>,
    options: &LinkOptions,
    proxy: &str,
    redial: &mut Redial,
    was_told: &mut bool,
) -> Option<(Leg, Events)> {
    // Nothing can be announced before the engine has said what it serves.
    let served = first_offer(shop.engine.clone()).await;
    if let Err(error) = shop.trust.identity().renew_if_due(unix_now()).await {
        tracing::error!(%error, "this node's identity could not be renewed");
    }
    let renew_at = shop.trust.identity().get().renew_at();
    let (link, inbox) = match dial(proxy, options).await {
        Ok(dialled) => dialled,
        Err(error) => {
            tell(was_told, proxy, &error);
            return None;
        }
    };
    redial.up();
    let retire_in = retirement(unix_now(), renew_at, link.peer().expires_at());
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
    let leg = Leg {
        shop: Arc::clone(shop),
        served,
        session,
        pay,
        bridge,
        outer,
        announced: enabled,
        retire_in,
        retiring: false,
    };
    Some((leg, events))
}

/// When a link should end so that the next one carries fresh evidence: before the proxy's evidence expires, which ends the
/// link in any case, and when ours is due to be renewed (DESIGN section 2: links outlive no evidence). All in Unix seconds.
fn retirement(now: u64, renew_at: u64, proxy_expires_at: u64) -> Duration {
    let left = proxy_expires_at.saturating_sub(now);
    let before_expiry = left.saturating_sub(RETIRE_BEFORE.min(left / 2));
    Duration::from_secs(before_expiry.min(renew_at.saturating_sub(now)))
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

/// Between two questions for what the proxy has signed, while it owes a signature.
const SIGNED_EVERY: Duration = Duration::from_secs(5);
const SIGNED_DEADLINE: Duration = Duration::from_secs(10);

/// Asks now and then what the proxy has signed by now: the payment for the last request is signed some time after it.
async fn ask_what_is_signed(session: Session, pay: Arc<Pay>) {
    loop {
        sleep(SIGNED_EVERY).await;
        let levels = pay.levels();
        if levels.chain >= levels.memory {
            continue;
        }
        let question = worker::UpdatePaymentStatus {}.to_boxed();
        let Ok(answer) = session.link().query(question, SIGNED_DEADLINE).await else {
            // The link is dead, or the proxy slow; the next question will show.
            continue;
        };
        let told = worker::PaymentStatus::from_boxed(answer)
            .map_err(|_| "a worker.paymentStatus that does not parse".to_owned())
            .and_then(|told| {
                pay.answered(levels, &told.signed_payment, told.db_tokens, told.max_tokens)
                    .map_err(|error| error.to_string())
            });
        if let Err(reason) = told {
            tracing::warn!(reason, "the proxy is left");
            return session.link().close(&reason);
        }
    }
}

/// One life of the link.
struct Leg {
    shop: Arc<Shop>,
    served: Arc<Served>,
    session: Session,
    /// The account at this proxy, where something is paid.
    pay: Option<Arc<Pay>>,
    /// Between us and a proxy of protocol 2 or less.
    bridge: Option<Bridge>,
    /// The link to the proxy itself.
    outer: Link,
    /// Whether the proxy believes us to be enabled.
    announced: bool,
    /// From its beginning to its retirement.
    retire_in: Duration,
    /// Nothing new is taken on this link; it ends with its last request.
    retiring: bool,
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

impl Leg {
    async fn work(mut self, events: Events) -> &'static str {
        let bridge = self.bridge.take();
        let reason = self.converse(events).await;
        if let Some(bridge) = bridge {
            bridge.end().await;
        }
        reason
    }

    async fn converse(mut self, mut events: Events) -> &'static str {
        let _counted = self.shop.metrics.link();
        let mut engine = self.shop.engine.clone();
        let mut clock = self.shop.trust.clock_faults();
        // Requests end with their link: dropping the set drops them, and the engine's connections in them.
        let mut requests = JoinSet::new();
        let mut chores = JoinSet::new();
        if let Some(pay) = &self.pay {
            chores.spawn(ask_what_is_signed(self.session.clone(), Arc::clone(pay)));
        }
        let mut draining = false;
        let mut retire = pin!(sleep(self.retire_in));
        loop {
            if let Err(reason) = self.announce(&engine).await {
                self.session.link().close(reason);
                return reason;
            }
            if self.retiring && requests.is_empty() {
                if let Some(reason) = self.outer.withdrawal() {
                    self.outer.close(&reason);
                    return "the proxy is no longer acceptable";
                }
                self.session.link().close(RENEWAL);
                return RENEWAL;
            }
            let event = tokio::select! {
                Some(_) = requests.join_next() => continue,
                Some(_) = chores.join_next() => continue,
                Ok(()) = engine.changed() => continue,
                () = &mut retire, if !self.retiring => {
                    self.retiring = true;
                    continue;
                }
                reason = self.outer.withdrawn(), if !self.retiring => {
                    tracing::warn!(reason, "a proxy is no longer acceptable");
                    self.retiring = true;
                    continue;
                }
                Ok(()) = clock.changed() => continue,
                () = self.shop.draining.cancelled(), if !draining => {
                    draining = true;
                    continue;
                }
                () = self.shop.stopped.cancelled() => {
                    // What still runs refuses now; the link closes behind the last of it.
                    let refused = async { while requests.join_next().await.is_some() {} };
                    let _ = timeout(LAST_WORDS, refused).await;
                    self.session.link().close("the worker stops");
                    return "the worker stops";
                }
                event = events.recv() => event,
            };
            match event {
                None => return "the link broke",
                Some(Event::Request(serving)) if self.retiring => {
                    let refusal = Refusal::new(Fault::Draining, "the worker renews its link");
                    // The proxy may be gone by now; then there is nobody left to tell.
                    let _ = serving.answer.refuse(refusal).await;
                }
                Some(Event::Request(serving)) => {
                    let (shop, pay) = (Arc::clone(&self.shop), self.pay.clone());
                    requests.spawn(async move { serve::serve(&shop, pay.as_ref(), serving).await });
                }
                Some(Event::Query { id, .. }) => {
                    // What the original's reply object says when nobody answers it (spec/network.md 1.5).
                    let answer = self
                        .session
                        .link()
                        .answer(id, Err((0, "Lost promise".to_owned())));
                    if answer.await.is_err() {
                        return "the link broke";
                    }
                }
                Some(Event::Message(message)) => {
                    if let Err(reason) = self.hear(message) {
                        tracing::warn!(reason, "the proxy is left");
                        self.session.link().close(&reason);
                        return "the proxy told what cannot be true";
                    }
                }
                Some(Event::Hello(_)) => {}
            }
        }
    }

    /// What a proxy says one-way: what it has signed after each request.
    fn hear(&self, message: Bytes) -> Result<(), String> {
        let Some(pay) = &self.pay else {
            return Ok(());
        };
        if peek_id(&message) != Some(proxy::WorkerRequestPaymentData::ID) {
            // A newer proxy may say things that we do not know.
            return Ok(());
        }
        let told = proxy::WorkerRequestPaymentData::from_boxed(message)
            .map_err(|_| "a proxy.workerRequestPayment that does not parse".to_owned())?;
        pay.pushed(&told.signed_payment, told.db_tokens, told.max_tokens)
            .map_err(|error| error.to_string())
    }

    /// Tells the proxy when something has changed.
    async fn announce(&mut self, engine: &watch::Receiver<EngineView>) -> Result<(), &'static str> {
        let is_same = engine
            .borrow()
            .served
            .as_ref()
            .is_some_and(|served| Arc::ptr_eq(served, &self.served));
        if !is_same {
            // What is served stands in the handshake, so that it takes another one.
            return Err("the engine serves something else now");
        }
        let enabled = self.shop.is_enabled() && !self.retiring;
        if enabled != self.announced {
            self.announced = enabled;
            let message = worker::EnabledDisabled {
                disabled: i32::from(!enabled),
            };
            let sent = self.session.link().send(message.to_boxed()).await;
            return sent.map_err(|_| "the link broke");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::retirement;

    #[test]
    fn a_link_ends_before_the_evidence_at_either_end_of_it() {
        assert_eq!(
            retirement(0, 57_600, 86_400).as_secs(),
            57_600,
            "ours is due first"
        );
        assert_eq!(
            retirement(0, 57_600, 10_000).as_secs(),
            8_200,
            "half an hour before the proxy's"
        );
        assert_eq!(
            retirement(0, 57_600, 10).as_secs(),
            5,
            "short ones at half of their life"
        );
        assert_eq!(retirement(100, 50, 86_400).as_secs(), 0);
        assert_eq!(retirement(100, 57_600, 99).as_secs(), 0);
    }
}
