//! Keeps the link to one proxy up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cocoon_accounting::Pushed;
use cocoon_link::{EnginePlace, Event, Events, Hello, Identity, LinkOptions, Redial, Session, dial};
use cocoon_original::{Terms, VERSIONS, join_server};
use cocoon_seal::Digest;
use cocoon_tl::{TlObject as _, client, peek_id, proxy, v3};
use cocoon_types::{Fault, Tier, error_line};
use cocoon_web::clock::unix_now;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{Common, Live, Money, Target, handshake};
use crate::{
    account::{self, Account},
    metrics::GatewayMetrics,
    receipts::Receipts,
    sealed::Board,
};

/// Of answers through a proxy of protocols 0 to 2: nothing is known of its workers that we could appraise, and it reads
/// everything itself.
const ORIGINAL_TIER: Tier = Tier::Open;
/// A new link is dialled this long before the old one's evidence expires, or earlier: with a third of its life left. The
/// longest deadline of a request, so that requests can end on the old link.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 60);
/// How often a link that was replaced is looked at.
const DRAIN_STEP: Duration = Duration::from_secs(1);
/// Between two questions for what the proxy has signed, while it owes a signature.
const SIGNED_EVERY: Duration = Duration::from_secs(5);
const SIGNED_DEADLINE: Duration = Duration::from_secs(10);
/// Between two questions for a refund that a person wants.
const REFUND_EVERY: Duration = Duration::from_secs(1);
/// How often a proxy is asked again whether it has seen our account on the chain, a few seconds apart.
const MAX_WAITS: u32 = 5;
/// What a question of the proxy is answered with (spec/network.md 0: malformed or disallowed input).
const NOT_ANSWERED: i32 = 621;

/// The task that keeps one link up.
pub(super) struct Keeper {
    pub(super) target: Arc<Target>,
    pub(super) options: Arc<LinkOptions>,
    pub(super) common: Common,
}

/// What a proxy says on one link.
struct Told {
    events: Events,
    /// What it says of the account is held against this.
    pushed: Option<Pushed>,
}

/// Who takes what a proxy says.
struct Hearing {
    receipts: Arc<Receipts>,
    metrics: GatewayMetrics,
}

// === impl Keeper ===

impl Keeper {
    pub(super) async fn run(self) {
        let mut redial = Redial::new();
        let mut links = JoinSet::new();
        let mut last_failure = String::new();
        let mut waits = 0;
        // Outlives links: what a proxy said before is held against what it says next.
        let mut account: Option<Arc<Account>> = None;
        let mut board: Option<Arc<Board>> = None;
        let mut keeping = JoinSet::new();
        loop {
            while links.try_join_next().is_some() {}
            match self.connect(account.clone(), &mut board, &mut waits).await {
                Ok((live, told, mut identity)) => {
                    redial.up();
                    if let (Some(found), Some(money)) = (&live.account, &self.common.money)
                        && !account.as_ref().is_some_and(|known| Arc::ptr_eq(known, found))
                    {
                        keeping.spawn(account::keep(Arc::clone(found), Arc::clone(&money.purse)));
                        account = Some(Arc::clone(found));
                    }
                    last_failure.clear();
                    let link = live.session.link().clone();
                    tracing::info!(proxy = %self.target.addr, tier = %link.peer().tier(), sealed = live.board.is_some(), "linked");
                    if live.board.is_none() && self.common.allow_plaintext {
                        tracing::warn!(proxy = %self.target.addr, "this proxy reads requests and answers (allow_proxy_plaintext)");
                    }
                    let expires = self.expires(&live);
                    let left = expires.duration_since(Instant::now());
                    self.target.set(Arc::clone(&live));
                    let hearing = Hearing {
                        receipts: Arc::clone(&self.common.receipts),
                        metrics: self.common.metrics.clone(),
                    };
                    links.spawn(look_after(Arc::clone(&self.target), live, told, hearing, expires));
                    let renewal = async {
                        tokio::select! {
                            () = sleep(left - RENEW_BEFORE.min(left / 3)) => {}
                            Ok(()) = identity.changed() => {}
                        }
                    };
                    tokio::select! {
                        reason = link.closed() => {
                            tracing::info!(proxy = %self.target.addr, reason, "link lost");
                        }
                        // The old link is used until the new one stands; whatever went wrong before it stood is past.
                        () = renewal => redial = Redial::new(),
                    }
                }
                Err(failure) => {
                    self.common.metrics.link_failures.inc();
                    // The same failure every ten seconds is said once.
                    if failure != last_failure {
                        tracing::warn!(proxy = %self.target.addr, %failure, "no link");
                        last_failure = failure;
                    }
                }
            }
            redial.wait().await;
        }
    }

    /// When the peer's evidence ceases to hold.
    fn expires(&self, live: &Live) -> Instant {
        let expires = live.session.link().peer().expires_at();
        Instant::now() + Duration::from_secs(expires.saturating_sub(self.options.now()))
    }

    async fn connect(
        &self,
        known: Option<Arc<Account>>,
        board: &mut Option<Arc<Board>>,
        waits: &mut u32,
    ) -> Result<(Arc<Live>, Told, watch::Receiver<Arc<Identity>>), String> {
        let identity = self.options.identity();
        identity
            .renew_if_due(self.options.now())
            .await
            .map_err(|error| error_line(&error))?;
        // From before the dial, so that no change is missed.
        let presented = identity.subscribe();
        let (link, inbox) = dial(&self.target.addr, &self.options)
            .await
            .map_err(|error| error_line(&error))?;
        let payer = self.common.money.as_ref().map(|money| handshake::Payer {
            purse: &money.purse,
            policy: money.policy,
            known,
            may_wait: *waits < MAX_WAITS,
        });
        let run = handshake::run(&link, self.common.is_test, self.common.allow_plaintext, payer);
        let handshake::Connected { account, version } = match run.await {
            Ok(connected) => connected,
            Err(error) => {
                *waits = match error {
                    handshake::HandshakeError::NotSeen => *waits + 1,
                    _ => 0,
                };
                let reason = error_line(&error);
                link.close(&reason);
                return Err(reason);
            }
        };
        *waits = 0;
        let outer = link.clone();
        let (link, inbox, bridge) = match &self.common.money {
            Some(money) if VERSIONS.contains(&version) => {
                let (link, inbox, bridge) = join_server((link, inbox), terms(money, version), ORIGINAL_TIER)
                    .await
                    .map_err(|closed| error_line(&closed))?;
                (link, inbox, Some(bridge))
            }
            _ => (link, inbox, None),
        };
        let hello = Hello {
            software: concat!("cocoon/", env!("CARGO_PKG_VERSION")).to_owned(),
            capabilities: Vec::new(),
            endpoints: Vec::new(),
            context_length: 0,
            engine: EnginePlace::None,
        };
        let (session, events) = Session::start(link, inbox, hello, Fault::ProxyLost);
        let (account, pushed) = account.unzip();
        // Offers are signed with the key that the chain names for the proxy's payments.
        if let Some(proxy) = account.as_ref().map(|account| account.proxy_key())
            && bridge.is_none()
            && board.as_ref().is_none_or(|board| board.proxy() != proxy)
        {
            let (trust, metrics) = (Arc::clone(&self.common.trust), self.common.metrics.clone());
            *board = Some(Arc::new(Board::new(proxy, trust, metrics)));
        }
        let open = AtomicUsize::new(0);
        let live = Live {
            addr: self.target.addr.as_str().into(),
            board: board.clone().filter(|_| account.is_some() && bridge.is_none()),
            allow_plaintext: self.common.allow_plaintext,
            session,
            open,
            account,
            bridge,
            outer,
        };
        Ok((Arc::new(live), Told { events, pushed }, presented))
    }
}

/// How a proxy of protocol 2 or less is spoken with.
fn terms(money: &Money, version: i32) -> Terms {
    let purse = Arc::clone(&money.purse);
    Terms {
        leg: cocoon_original::Leg::Client,
        version,
        multipliers: purse.registry().params.multipliers,
        config_version: Arc::new(move || purse.registry().version),
        clock: unix_now,
    }
}

/// Reads a link until it ends; closes it when its evidence expires, or when it was replaced and its requests have ended.
async fn look_after(target: Arc<Target>, live: Arc<Live>, told: Told, hearing: Hearing, expires: Instant) {
    let offers = async {
        match &live.board {
            Some(board) => board.keep(live.session.link()).await,
            None => std::future::pending().await,
        }
    };
    let replaced = async {
        while target.offers(&live) || live.open.load(Ordering::Relaxed) > 0 {
            sleep(DRAIN_STEP).await;
        }
    };
    // Nothing new goes to a proxy that is no longer acceptable; then it is as if it had been replaced.
    let unacceptable = async {
        let reason = live.outer.withdrawn().await;
        tracing::warn!(proxy = %target.addr, reason, "a proxy is no longer acceptable");
        target.withdraw(&live);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = listen(&live, told, &hearing) => {}
        () = offers => {}
        () = ask_what_is_signed(&live) => {}
        () = ask_for_refund(&live) => {}
        () = replaced => match live.outer.withdrawal() {
            Some(reason) => live.outer.close(&reason),
            None => live.session.link().close("replaced by a link with fresh evidence"),
        },
        () = unacceptable => {}
        () = sleep_until(expires) => live.session.link().close("the peer's evidence has expired"),
    }
    target.withdraw(&live);
}

/// Reads what the proxy says until the link ends.
async fn listen(live: &Live, told: Told, hearing: &Hearing) {
    let link = live.session.link();
    let Told {
        mut events,
        mut pushed,
    } = told;
    while let Some(event) = events.recv().await {
        match event {
            Event::Hello(_) => {}
            Event::Message(message) => {
                if let Err(reason) = hearing.hear(live, pushed.as_mut(), message) {
                    tracing::warn!(reason, "the proxy is left");
                    link.close(&reason);
                    return;
                }
            }
            Event::Query { id, .. } => {
                let answer = Err((NOT_ANSWERED, "a client answers no questions".to_owned()));
                if link.answer(id, answer).await.is_err() {
                    return;
                }
            }
            Event::Request(_) => {
                link.close("a proxy sent a request to a client");
                return;
            }
        }
    }
}

/// Asks now and then what the proxy has signed by now: the payment for the last request is signed some time after it.
async fn ask_what_is_signed(live: &Live) {
    let Some(account) = &live.account else {
        return std::future::pending().await;
    };
    loop {
        sleep(SIGNED_EVERY).await;
        let levels = account.levels();
        if levels.chain >= levels.memory {
            continue;
        }
        let question = client::UpdatePaymentStatus {}.to_boxed();
        let Ok(answer) = live.session.link().query(question, SIGNED_DEADLINE).await else {
            // The link is dead, or the proxy slow; the next question will show.
            continue;
        };
        let told = client::PaymentStatus::from_boxed(answer)
            .map_err(|_| "a client.paymentStatus that does not parse".to_owned())
            .and_then(|told| {
                account
                    .answered(levels, &told.signed_payment, told.db_tokens, told.max_tokens)
                    .map_err(|untrue| untrue.to_string())
            });
        if let Err(reason) = told {
            tracing::warn!(reason, "the proxy is left");
            return live.session.link().close(&reason);
        }
    }
}

/// Asks the proxy for everything back, when a person wants that.
async fn ask_for_refund(live: &Live) {
    let Some(account) = &live.account else {
        return std::future::pending().await;
    };
    loop {
        sleep(REFUND_EVERY).await;
        if !account.wants_refund() {
            continue;
        }
        let question = client::RequestRefund {}.to_boxed();
        let Ok(answer) = live.session.link().query(question, SIGNED_DEADLINE).await else {
            // The link is dead, or the proxy does not want to; the contract gives the refund after its delay.
            continue;
        };
        let granted = match client::Refund::from_boxed(answer) {
            Ok(client::Refund::Refunded(refund)) => {
                account.granted(&refund.data).map_err(|untrue| untrue.to_string())
            }
            // Requests run; it is asked again when they have ended.
            Ok(client::Refund::Rejected(_)) => Ok(()),
            Err(_) => Err("a client.refund that does not parse".to_owned()),
        };
        if let Err(reason) = granted {
            tracing::warn!(reason, "the proxy is left");
            return live.session.link().close(&reason);
        }
    }
}

// === impl Hearing ===

impl Hearing {
    /// What a proxy says one-way: what it has signed after each request, and the signatures over receipts.
    fn hear(&self, live: &Live, pushed: Option<&mut Pushed>, message: Bytes) -> Result<(), String> {
        let Some((account, pushed)) = live.account.as_ref().zip(pushed) else {
            return Ok(());
        };
        match peek_id(&message) {
            Some(proxy::ClientRequestPayment::ID) => {
                let told = proxy::ClientRequestPayment::from_boxed(message)
                    .map_err(|_| "a proxy.clientRequestPayment that does not parse".to_owned())?;
                account
                    .settled(pushed, &told)
                    .map_err(|untrue| untrue.to_string())
            }
            Some(v3::Settled::ID) => {
                let settled = v3::Settled::from_boxed(message)
                    .map_err(|_| "a cocoon.settled that does not parse".to_owned())?;
                self.settled(&settled.receipts);
                Ok(())
            }
            // A newer proxy may say things that we do not know.
            _ => Ok(()),
        }
    }

    /// A signature that is wrong makes the receipt worth no less, and its proxy no better: it is counted, and the receipt stays
    /// without it.
    fn settled(&self, receipts: &[v3::Charged]) {
        for one in receipts {
            let leaf = Digest(one.leaf);
            let settled = self.receipts.settled(leaf, &one.worker, &one.charge, &one.proxy);
            self.metrics.settled(settled.is_ok());
            if let Err(error) = settled {
                tracing::warn!(receipt = %leaf, error = error_line(&error), "a receipt is not signed as it should be");
            }
        }
    }
}
