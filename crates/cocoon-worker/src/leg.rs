//! One link to a proxy, while it works: what is announced, what is asked, and how it ends.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_accounting::Pushed;
use cocoon_link::{Event, Events, Identity, Link, LinkClosed, Session};
use cocoon_original::Bridge;
use cocoon_tl::{TlObject as _, peek_id, proxy, v3, worker};
use cocoon_trust::StatedEvidence;
use cocoon_types::{Fault, Refusal};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{EngineView, Served},
    pay::Pay,
    sealing::{Batches, reply::turn_away},
    serve,
    shop::Shop,
    stating::{self, Standing},
};

/// A link that another one has replaced serves so long what was still sealed for it: offers name its statement for two epochs of the
/// proxy's, 30 s each, and what was drawn at the end of that has to come.
const HAND_OVER: Duration = Duration::from_secs(90);

/// For the refusals of requests that a stopping worker cuts off; they need no round trip.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One life of the link.
pub(crate) struct Leg {
    pub(crate) shop: Arc<Shop>,
    pub(crate) served: Arc<Served>,
    pub(crate) session: Session,
    /// What the proxy thinks of this worker's statement.
    pub(crate) standing: Arc<Standing>,
    /// The identity that this link began with.
    pub(crate) shown: Arc<Identity>,
    /// The account at this proxy, where something is paid.
    pub(crate) pay: Option<Arc<Pay>>,
    /// Between us and a proxy of protocol 2 or less.
    pub(crate) bridge: Option<Bridge>,
    /// The link to the proxy itself.
    pub(crate) outer: Link,
    /// Whether the proxy believes us to be enabled.
    pub(crate) announced: bool,
    /// What the proxy pushes on this link is held against this.
    pub(crate) pushed: Option<Pushed>,
    /// Another link takes its place.
    pub(crate) replaced: CancellationToken,
    /// It has: only what was sealed for this one still comes.
    pub(crate) replaced_now: bool,
    /// It is given up, replaced or not.
    pub(crate) retire_at: Instant,
    /// Why nothing new is taken on this link; it ends with its last request.
    pub(crate) retiring: Option<&'static str>,
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

// === impl Leg ===

impl Leg {
    /// Works until the link is over; says why it is.
    pub(crate) async fn work(mut self, events: Events) -> &'static str {
        let bridge = self.bridge.take();
        let speaks_3 = bridge.is_none();
        let reason = self.converse(events, speaks_3).await;
        if let Some(bridge) = bridge {
            bridge.end().await;
        }
        reason
    }

    async fn converse(mut self, mut events: Events, speaks_3: bool) -> &'static str {
        let _counted = self.shop.metrics.link();
        let mut engine = self.shop.engine.clone();
        let mut clock = self.shop.trust.clock_faults();
        let mut statement = self.shop.stating.subscribe();
        if speaks_3 {
            statement.mark_changed();
        }
        // Requests end with their link: dropping the set drops them, and the engine's connections in them.
        let mut requests = JoinSet::new();
        let mut chores = JoinSet::new();
        if let Some(pay) = &self.pay {
            chores.spawn(ask_what_is_signed(self.session.clone(), Arc::clone(pay)));
        }
        let batches = Arc::new(Batches::default());
        let (shop, signed, session) = (Arc::clone(&self.shop), Arc::clone(&batches), self.session.clone());
        chores.spawn(async move { signed.keep(&shop.sealing, &session).await });
        let mut draining = false;
        let mut retire = pin!(sleep_until(self.retire_at));
        let replaced = self.replaced.clone();
        loop {
            if let Err(reason) = self.announce(&engine).await {
                self.session.link().close(reason);
                return reason;
            }
            if let Some(reason) = self.retiring.filter(|_| requests.is_empty()) {
                batches.flush(&self.shop.sealing, &self.session).await;
                match self.outer.withdrawal() {
                    Some(reason) => self.outer.close(&reason),
                    None => self.session.link().close(reason),
                }
                return reason;
            }
            let event = tokio::select! {
                Some(_) = requests.join_next() => continue,
                Some(_) = chores.join_next() => continue,
                Ok(()) = engine.changed() => continue,
                () = replaced.cancelled(), if !self.replaced_now => {
                    self.replaced_now = true;
                    let over = Instant::now() + HAND_OVER;
                    retire.as_mut().reset(self.retire_at.min(over));
                    continue;
                }
                () = &mut retire, if self.retiring.is_none() => {
                    self.retiring = Some(if self.replaced_now {
                        "replaced by a link with fresh evidence"
                    } else {
                        "the proxy's evidence is about to expire"
                    });
                    continue;
                }
                reason = self.outer.withdrawn(), if self.retiring.is_none() => {
                    tracing::warn!(reason, "a proxy is no longer acceptable");
                    self.retiring = Some("the proxy is no longer acceptable");
                    continue;
                }
                Ok(()) = clock.changed() => continue,
                Ok(()) = statement.changed(), if speaks_3 => {
                    let stated = statement.borrow_and_update().clone();
                    if self.push(stated).await.is_err() {
                        return "the link broke";
                    }
                    continue;
                }
                () = self.shop.draining.cancelled(), if !draining => {
                    draining = true;
                    continue;
                }
                () = self.shop.stopped.cancelled() => {
                    // What still runs refuses now; the link closes behind the last of it.
                    let refused = async { while requests.join_next().await.is_some() {} };
                    let _ = timeout(LAST_WORDS, refused).await;
                    let signed = batches.flush(&self.shop.sealing, &self.session);
                    let _ = timeout(LAST_WORDS, signed).await;
                    self.session.link().close("the worker stops");
                    return "the worker stops";
                }
                event = events.recv() => event,
            };
            match event {
                None => return "the link broke",
                Some(Event::Request(serving)) if self.retiring.is_some() => {
                    let refusal = Refusal::new(Fault::Draining, "the worker gives up this link");
                    // The proxy may be gone by now; then there is nobody left to tell.
                    turn_away(&self.shop.sealing, serving, refusal).await;
                }
                Some(Event::Request(serving)) => {
                    let (shop, pay) = (Arc::clone(&self.shop), self.pay.clone());
                    let standing = Arc::clone(&self.standing);
                    let batches = Arc::clone(&batches);
                    requests.spawn(async move {
                        serve::serve(&shop, &standing, &batches, pay.as_ref(), serving).await;
                    });
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

    /// Pushes the statement, if it is about the key of this link.
    async fn push(&self, statement: Option<Arc<StatedEvidence>>) -> Result<(), LinkClosed> {
        match statement {
            Some(statement) if stating::is_about(&statement, &self.shown) => {
                self.session.link().send(statement.to_boxed()).await
            }
            // After a renewal, the next link takes this one's place.
            _ => Ok(()),
        }
    }

    /// What a proxy says one-way: what it thinks of the statement, and what it has signed after each request.
    fn hear(&mut self, message: Bytes) -> Result<(), String> {
        if peek_id(&message) == Some(v3::StatementJudged::ID) {
            return self.standing.hear(message);
        }
        let Some((pay, pushed)) = self.pay.as_ref().zip(self.pushed.as_mut()) else {
            return Ok(());
        };
        if peek_id(&message) != Some(proxy::WorkerRequestPaymentData::ID) {
            // A newer proxy may say things that we do not know.
            return Ok(());
        }
        let told = proxy::WorkerRequestPaymentData::from_boxed(message)
            .map_err(|_| "a proxy.workerRequestPayment that does not parse".to_owned())?;
        pay.pushed(pushed, &told.signed_payment, told.db_tokens, told.max_tokens)
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
        let enabled = self.shop.is_enabled() && !self.replaced_now && self.retiring.is_none();
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
