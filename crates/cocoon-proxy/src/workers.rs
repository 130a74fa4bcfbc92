//! The worker leg after the link stands: handshake, hello, then the place on the board.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use cocoon_accounting::Party;
use cocoon_link::{Event, Events, Hello, Inbox, Link, Session};
use cocoon_matching::{Offer, WorkerId};
use cocoon_tl::{TlObject as _, peek_id, v3, worker};
use cocoon_types::{Coefficient, Fault};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::{
    clients::{MOVED, hello},
    handshake::{
        self, PROTOCOL, UNCODED,
        worker::{Announced, WorkerHandshake, coefficient},
    },
    metrics::Leg,
    node::{Node, WorkerPeer},
    original::{self, Joined},
    sealed::Record,
    stated::{self, Stated},
    teller::Teller,
};

/// Time for a worker's hello, which needs no round trip.
const HELLO_DEADLINE: Duration = Duration::from_secs(10);

/// How often a worker that is to go is looked at.
const DRAIN_STEP: Duration = Duration::from_millis(100);

/// Between two changes that one worker makes to its offer; the first comes at once.
const BETWEEN_CHANGES: Duration = Duration::from_millis(250);

/// Serves one worker from its link to its end.
pub(crate) async fn serve(node: Arc<Node>, link: Link, mut inbox: Inbox) {
    let moved = node.moved();
    let handshake = WorkerHandshake::new(node.expected());
    let Some(announced) = handshake::drive(&link, &mut inbox, handshake).await else {
        node.metrics.denied.get_or_create(&Leg::WORKERS).inc();
        return;
    };
    let _counted = node.metrics.link(Leg::WORKERS);
    // With a translator between, the session is on another link than the worker.
    let outer = link.clone();
    let Some(Joined {
        link,
        inbox,
        bridge,
        place: _place,
    }) = original::worker(&node, link, inbox, announced.version).await
    else {
        return;
    };
    let (session, mut events) = Session::start(link, inbox, hello(), Fault::WorkerLost);
    let reason = match timeout(HELLO_DEADLINE, events.recv()).await {
        Ok(Some(Event::Hello(hello))) if hello.endpoints.is_empty() => "a worker without any endpoint",
        Ok(Some(Event::Hello(hello))) => {
            on_board(&node, &session, &outer, events, announced, hello, moved).await
        }
        Ok(Some(_)) => "the worker's first message is not its hello",
        Ok(None) => "its link ended",
        Err(_) => "no hello within 10 s",
    };
    session.link().close(reason);
    if let Some(bridge) = bridge {
        bridge.end().await;
    }
}

/// A worker on the board; it leaves when this is dropped, whatever the reason.
struct OnBoard<'a> {
    node: &'a Node,
    id: WorkerId,
}

impl Drop for OnBoard<'_> {
    fn drop(&mut self) {
        self.node.board.remove(self.id);
    }
}

async fn on_board(
    node: &Node,
    session: &Session,
    outer: &Link,
    mut events: Events,
    announced: Announced,
    hello: Hello,
    moved: impl Future<Output = ()>,
) -> &'static str {
    let plaintext = announced.version < PROTOCOL;
    let offer = Offer {
        model: announced.model,
        endpoints: hello.endpoints.iter().copied().collect(),
        tier: if plaintext {
            original::worker_tier(session.link().peer().tier())
        } else {
            hello.engine.serving_tier(session.link().peer().tier())
        },
        coefficient: announced.coefficient,
        capacity: announced.capacity,
        enabled: announced.enabled,
        plaintext,
    };
    let (model, tier, capacity) = (offer.model.clone(), offer.tier, offer.capacity);
    let peer = Arc::new(WorkerPeer {
        session: session.clone(),
        teller: Teller::default(),
        owner: announced.owner,
        software: hello.software,
        context_length: hello.context_length,
        engine: hello.engine,
        record: Record::default(),
        stated: Stated::default(),
        since: Instant::now(),
    });
    let disallowed = node.disallowed(&model);
    let unwanted = async {
        tokio::select! {
            () = moved => MOVED,
            () = disallowed => "the network does not allow its model any more",
        }
    };
    let id = node.board.add(offer, Arc::clone(&peer));
    let _on_board = OnBoard { node, id };
    tracing::info!(worker = %id, %model, %tier, capacity, enabled = announced.enabled, "a worker has come");
    let reason = tokio::select! {
        reason = converse(node, &peer, &mut events, id, unwanted) => reason,
        () = stated::keep(node, &peer, outer, id), if !plaintext => "its link ended",
        reason = no_longer_acceptable(node, outer, id) => {
            tracing::warn!(worker = %id, reason, "a worker is no longer acceptable");
            outer.close(&reason);
            "it is no longer acceptable"
        }
    };
    tracing::info!(worker = %id, reason, "a worker has gone");
    reason
}

/// Waits until the worker's evidence no longer satisfies the rules, gives it nothing new, and waits for what it has begun; the
/// link ends soon in any case. Gives the reason.
async fn no_longer_acceptable(node: &Node, outer: &Link, id: WorkerId) -> String {
    let reason = outer.withdrawn().await;
    loop {
        // Again and again: the worker may announce itself meanwhile.
        node.board.set_enabled(id, false);
        let running = node.board.view(|table, _| {
            table
                .workers()
                .find(|worker| worker.id == id)
                .map_or(0, |worker| worker.load.running())
        });
        if running == 0 {
            return reason;
        }
        sleep(DRAIN_STEP).await;
    }
}

async fn converse(
    node: &Node,
    peer: &WorkerPeer,
    events: &mut Events,
    id: WorkerId,
    unwanted: impl Future<Output = &'static str>,
) -> &'static str {
    let mut wishes = Wishes::default();
    let mut unwanted = pin!(unwanted);
    loop {
        let event = tokio::select! {
            () = node.stopped.cancelled() => return "the proxy stops",
            reason = &mut unwanted => return reason,
            () = wishes.due() => {
                wishes.grant(node, id);
                continue;
            }
            event = events.recv() => event,
        };
        match event {
            None => return "its link ended",
            Some(Event::Message(message)) if peek_id(&message) == Some(v3::Countersigns::ID) => {
                let is_good = node
                    .sealed
                    .as_ref()
                    .is_none_or(|sealed| sealed.receipts.signed(message));
                if !is_good {
                    return "it signs receipts that are not its own";
                }
            }
            Some(Event::Message(message)) if peek_id(&message) == Some(v3::Statement::ID) => {
                peer.stated.push(message);
            }
            Some(Event::Message(message)) => {
                if let Err(reason) = wishes.hear(id, message) {
                    return reason;
                }
            }
            Some(Event::Query { id: query, question })
                if peek_id(&question) == Some(worker::UpdatePaymentStatus::ID) =>
            {
                let statement = node.statement(peer.owner.map(Party::worker)).await;
                let told = peer.teller.tell(statement, async |told| {
                    let status = worker::PaymentStatus {
                        signed_payment: told.signed_payment(),
                        db_tokens: told.journal(),
                        max_tokens: told.memory(),
                    };
                    peer.session.link().answer(query, Ok(status.to_boxed())).await
                });
                if told.await.is_err() {
                    return "its link ended";
                }
            }
            Some(Event::Query { id: query, .. }) => {
                // What the original's reply object says when nobody answers it (spec/network.md 1.5).
                let nobody = Err((UNCODED, "Lost promise".to_owned()));
                if peer.session.link().answer(query, nobody).await.is_err() {
                    return "its link ended";
                }
            }
            Some(Event::Hello(_)) => return "a second hello",
            // Whoever opens the first stream of a link is its asker, and no request could go to this worker any more.
            Some(Event::Request(_)) => return "a worker that asks",
        }
    }
}

/// What a worker wants changed and has not got yet.
///
/// A change makes the board look at a whole line again, so that a worker gets few of them, and the last word counts.
#[derive(Debug, Default)]
struct Wishes {
    enabled: Option<bool>,
    coefficient: Option<Coefficient>,
    granted: Option<Instant>,
}

// === impl Wishes ===

impl Wishes {
    /// Takes a message. Anything malformed ends the link (spec/network.md 10.1, 3: it ended the process).
    fn hear(&mut self, id: WorkerId, message: Bytes) -> Result<(), &'static str> {
        match peek_id(&message) {
            Some(worker::EnabledDisabled::ID) => {
                let message = worker::EnabledDisabled::from_boxed(message)
                    .map_err(|_| "a worker.enabledDisabled that does not parse")?;
                self.enabled = Some(match message.disabled {
                    0 => true,
                    1 => false,
                    _ => return Err("a worker.enabledDisabled that is neither"),
                });
            }
            Some(worker::NewCoefficient::ID) => {
                let message = worker::NewCoefficient::from_boxed(message)
                    .map_err(|_| "a worker.newCoefficient that does not parse")?;
                let coefficient = coefficient(message.new_coefficient)
                    .map_err(|_| "a coefficient that is not between 0 and 999999999")?;
                self.coefficient = Some(coefficient);
            }
            // A newer worker may say things that we do not know.
            _ => tracing::debug!(worker = %id, "a message of an unknown kind is ignored"),
        }
        Ok(())
    }

    /// When there is something to grant and enough time has passed; never, while there is nothing. Cancel-safe.
    async fn due(&self) {
        if self.enabled.is_none() && self.coefficient.is_none() {
            return std::future::pending().await;
        }
        if let Some(granted) = self.granted {
            sleep_until(granted + BETWEEN_CHANGES).await;
        }
    }

    fn grant(&mut self, node: &Node, id: WorkerId) {
        self.granted = Some(Instant::now());
        if let Some(enabled) = self.enabled.take() {
            tracing::info!(worker = %id, enabled, "a worker changes");
            node.board.set_enabled(id, enabled);
        }
        if let Some(coefficient) = self.coefficient.take() {
            tracing::info!(worker = %id, %coefficient, "a worker changes");
            node.board.set_coefficient(id, coefficient);
        }
    }
}
