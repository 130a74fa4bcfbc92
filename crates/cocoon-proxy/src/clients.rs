//! The client leg after the link stands: handshake, then a session whose requests are relayed.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use cocoon_link::{EnginePlace, Event, Events, Hello, Inbox, Link, Session};
use cocoon_seal::Digest;
use cocoon_tl::{TlObject as _, client, peek_id, v3};
use cocoon_types::{Address, Fault, ModelName};
use tokio::{task::JoinSet, time::timeout};

use cocoon_accounting as accounts;

use crate::{
    accounting::Party,
    handshake::{self, UNCODED, client as leg},
    listing,
    metrics::Leg,
    node::Node,
    original::{self, Joined},
    relay,
    sealed::NoOffers,
    teller::Teller,
};

/// Why a link ends whose peer has its account at a contract that is not in force any more.
pub(crate) const MOVED: &str = "the network has new terms";
/// For the refusals of requests that a stopping proxy cuts off; they need no round trip.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves one client from its link to its end.
pub(crate) async fn serve(node: Arc<Node>, link: Link, mut inbox: Inbox) {
    let moved = node.moved();
    let handshake = leg::ClientHandshake::new(node.expected());
    let Some(leg::Authorized { owner, version }) = handshake::drive(&link, &mut inbox, handshake).await
    else {
        node.metrics.denied.get_or_create(&Leg::CLIENTS).inc();
        return;
    };
    let _counted = node.metrics.link(Leg::CLIENTS);
    let Some(Joined {
        link,
        inbox,
        bridge,
        place: _place,
    }) = original::client(&node, link, inbox, version).await
    else {
        return;
    };
    let (session, events) = Session::start(link, inbox, hello(), Fault::ProxyLost);
    let client = relay::Client {
        party: Party {
            peer: session.link().peer().clone(),
            owner,
        },
        link: session.link().clone(),
        teller: Arc::new(Teller::default()),
        asker: node.new_asker(),
        plaintext: bridge.is_some(),
    };
    converse(&node, &session, client, events, moved).await;
    if let Some(bridge) = bridge {
        bridge.end().await;
    }
}

/// What this proxy says of itself to either leg.
pub(crate) fn hello() -> Hello {
    Hello {
        software: concat!("cocoon-proxy/", env!("CARGO_PKG_VERSION")).to_owned(),
        capabilities: Vec::new(),
        endpoints: Vec::new(),
        context_length: 0,
        engine: EnginePlace::None,
    }
}

async fn converse(
    node: &Arc<Node>,
    session: &Session,
    client: relay::Client,
    mut events: Events,
    moved: impl Future<Output = ()>,
) {
    let mut moved = pin!(moved);
    // Requests end with their client: dropping the set drops them, and every guard in them.
    let mut requests = JoinSet::new();
    loop {
        let event = tokio::select! {
            Some(_) = requests.join_next() => continue,
            () = &mut moved => return session.link().close(MOVED),
            () = node.stopped.cancelled() => {
                // What is still open refuses now; the link closes behind the last of it.
                let refused = async { while requests.join_next().await.is_some() {} };
                let _ = timeout(LAST_WORDS, refused).await;
                return session.link().close("the proxy stops");
            }
            event = events.recv() => event,
        };
        match event {
            None => return,
            Some(Event::Request(serving)) => {
                let (node, client) = (Arc::clone(node), client.clone());
                requests.spawn(async move { relay::serve(&node, &client, serving).await });
            }
            Some(Event::Query { id, question })
                if peek_id(&question) == Some(client::UpdatePaymentStatus::ID) =>
            {
                let statement = node
                    .statement(client.party.owner.map(accounts::Party::client))
                    .await;
                let told = client.teller.tell(statement, async |told| {
                    let status = client::PaymentStatus {
                        signed_payment: told.signed_payment(),
                        db_tokens: told.journal(),
                        max_tokens: told.memory(),
                    };
                    session.link().answer(id, Ok(status.to_boxed())).await
                });
                if told.await.is_err() {
                    return;
                }
            }
            Some(Event::Message(message)) if peek_id(&message) == Some(v3::Dispute::ID) => {
                node.metrics.disputes.inc();
                let sealed = node.sealed.as_ref();
                let counted = sealed.and_then(|sealed| sealed.receipts.disputed(client.asker, message));
                if let Some((_, field)) = counted {
                    tracing::warn!(field, "a client disagrees with a worker's receipt");
                }
            }
            Some(Event::Query { id, question }) => {
                let answer = answer(node, client.party.owner, question).await;
                let ends = matches!(&answer, Err(Denial::Fatal(_)));
                let answer = answer.map_err(|denial| denial.into_answer());
                if session.link().answer(id, answer).await.is_err() {
                    return;
                }
                if ends {
                    session.link().close("a handshake message after the handshake");
                }
            }
            // Clients have nothing else to say one-way; capabilities are none yet.
            Some(Event::Message(_) | Event::Hello(_)) => {}
        }
    }
}

/// Why a question is not answered.
#[derive(Debug, PartialEq, Eq)]
enum Denial {
    /// It is told so, and that is all.
    Ordinary(&'static str),
    /// It is told so, with the kind of fault.
    Fault(Fault, &'static str),
    /// The link ends too.
    Fatal(&'static str),
}

impl Denial {
    fn into_answer(self) -> (i32, String) {
        let (code, text) = match self {
            Self::Ordinary(text) | Self::Fatal(text) => (UNCODED, text),
            Self::Fault(fault, text) => (fault.wire_code(), text),
        };
        (code, text.to_owned())
    }
}

async fn answer(node: &Node, owner: Option<Address>, question: Bytes) -> Result<Bytes, Denial> {
    let account = node.ledger.books().zip(owner);
    match peek_id(&question) {
        Some(client::GetWorkerTypesV2::ID) => Ok(node
            .listing
            .types_v2(|| node.board.view(|table, _| listing::types_v2(table)))),
        Some(client::GetWorkerTypes::ID) => Ok(node
            .listing
            .types(|| node.board.view(|table, _| listing::types(table)))),
        Some(v3::GetOffers::ID) => offers(node, question).await,
        Some(v3::GetEvidence::ID) => evidence(node, question),
        Some(client::RequestRefund::ID) => {
            let (books, owner) = account.ok_or(Denial::Ordinary("nothing is paid here"))?;
            let refund = books
                .refund(owner)
                .await
                .map_err(|_| Denial::Ordinary("Lost promise"))?;
            Ok(match refund {
                Ok(data) => client::Refund::Refunded(client::RefundData { data }),
                Err(open) => client::Refund::Rejected(client::RefundRejected {
                    active_queries: i64::try_from(open).unwrap_or(i64::MAX),
                }),
            }
            .to_boxed())
        }
        Some(
            client::ConnectToProxy::ID
            | client::AuthorizeWithProxyShort::ID
            | client::AuthorizeWithProxyLong::ID,
        ) => Err(Denial::Fatal("already authorized")),
        // What the original's reply object says when nobody answers it (spec/network.md 1.5).
        _ => Err(Denial::Ordinary("Lost promise")),
    }
}

/// The offer list of a model.
async fn offers(node: &Node, question: Bytes) -> Result<Bytes, Denial> {
    let sealed = node.sealed.as_ref();
    let sealed = sealed.ok_or(Denial::Ordinary("this proxy offers nothing without payments"))?;
    let unparsable = Denial::Ordinary("not the name of a model");
    let question = v3::GetOffers::from_boxed(question).ok();
    let model = question.and_then(|question| question.model.as_str().map(ModelName::new)?.ok());
    let model = model.ok_or(unparsable)?;
    let published = sealed.offers.current(node, &model).await;
    let published = published.map_err(|error| {
        let fault = match error {
            NoOffers::Nobody if !node.board.knows(model.base()) => Fault::UnknownModel,
            NoOffers::Nobody | NoOffers::NextEpoch | NoOffers::Disk => Fault::NoWorker,
        };
        Denial::Fault(fault, error.text())
    })?;
    let list = published.list.bytes().clone();
    Ok(v3::Offers { list }.to_boxed())
}

/// All that stands behind a statement that was offered.
fn evidence(node: &Node, question: Bytes) -> Result<Bytes, Denial> {
    let gone = Denial::Ordinary("no such statement is held any more");
    let question = v3::GetEvidence::from_boxed(question);
    let question = question.map_err(|_| Denial::Ordinary("not the name of a statement"))?;
    let sealed = node.sealed.as_ref();
    let held = sealed.and_then(|sealed| sealed.offers.evidence(node, Digest(question.statement)));
    let held = held.ok_or(gone)?;
    Ok(v3::Evidence {
        certificate: Bytes::copy_from_slice(&held.certificate),
        statement: held.evidence.statement.clone(),
        quote: held.evidence.quote.clone(),
        endorsements: held.evidence.endorsements.clone(),
        gpu_evidence: held.evidence.gpu_evidence.clone(),
    }
    .to_boxed())
}
