//! Streams of a session become requests to an old peer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cocoon_link::{
    AnswerEnd, AnswerHead, AnswerSender, BodyReceiver, Event, Events, Inbox, Incoming, Link, RequestHead,
    Serving, Session, Unfinished,
};
use cocoon_openai::RequestBody;
use cocoon_tl::{TlString, shared::TokensUsed};
use cocoon_types::{Coefficient, Fault, MAX_BODY_BYTES, Refusal, Tier};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    codes,
    join::{ENDPOINTS, Terms},
    pass::Questions,
    plain, usage,
    words::{Asked, AskedByClient, Leg, Said, passes},
};

mod desk;

use desk::{Desk, Reading};

/// An old peer has a timer of its own, a little shorter; this one is for peers whose timer does not go off.
const GRACE: Duration = Duration::from_secs(2);
/// For what open requests still have to be told when the peer's link has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The peer that serves.
#[derive(Debug)]
pub(crate) struct Server {
    link: Link,
    terms: Terms,
    /// Of its answers.
    tier: Tier,
    /// Ids are looked up on their own link only (spec/network.md 10.4, 53).
    desk: Arc<Desk>,
}

/// Translates until one of the two links ends.
pub(crate) async fn run(server: Arc<Server>, mut inbox: Inbox, session: Session, mut events: Events) {
    let mut requests = JoinSet::new();
    let mut questions = Questions::default();
    let reason = loop {
        tokio::select! {
            Some(_) = requests.join_next() => {}
            incoming = inbox.recv() => match incoming {
                None => {
                    // Without its tray every request ends, and says so.
                    server.desk.clear();
                    let told = async { while requests.join_next().await.is_some() {} };
                    let _ = timeout(LAST_WORDS, told).await;
                    break server.link.closed().await;
                }
                Some(Incoming::Query { id, question }) => {
                    questions.pass(&server.link, id, question, session.link());
                }
                Some(Incoming::Packet(message)) => match Said::read(server.terms.leg, &message) {
                    Some(Ok((id, said))) => server.desk.put(id, said),
                    // It ended the original's process (spec/network.md 10.1, 3).
                    Some(Err(_)) => break "an answer that does not parse".to_owned(),
                    None if passes(server.terms.leg, &message) => {
                        if session.link().send(message).await.is_err() {
                            break session.link().closed().await;
                        }
                    }
                    None => tracing::debug!("a message of an unknown kind is ignored"),
                },
            },
            event = events.recv() => match event {
                None => break session.link().closed().await,
                Some(Event::Request(serving)) => {
                    let server = Arc::clone(&server);
                    requests.spawn(async move { server.serve(serving).await });
                }
                Some(Event::Message(message)) => {
                    if server.link.send(message).await.is_err() {
                        break server.link.closed().await;
                    }
                }
                Some(Event::Query { id, question }) => {
                    questions.pass(session.link(), id, question, &server.link);
                }
                Some(Event::Hello(_)) => {}
            },
        }
    };
    server.link.close(&reason);
    session.link().close(&reason);
}

// === impl Server ===

impl Server {
    pub(crate) fn new(link: Link, terms: Terms, tier: Tier) -> Self {
        Self {
            link,
            terms,
            tier,
            desk: Arc::default(),
        }
    }

    async fn serve(self: Arc<Self>, serving: Serving) {
        let Serving {
            head,
            body,
            mut answer,
        } = serving;
        let started = Instant::now();
        let deadline = started + head.timeout + GRACE;
        let relayed = timeout_at(deadline, self.relay(&head, body, &mut answer)).await;
        let outcome = match relayed {
            Ok(usage) => usage.map(|usage| AnswerEnd {
                usage,
                engine_time: started.elapsed(),
                receipt: None,
            }),
            Err(_) => Err(Refusal::new(Fault::Timeout, "the answer was not complete in time").into()),
        };
        answer.finish(outcome).await;
    }

    async fn relay(
        self: &Arc<Self>,
        head: &RequestHead,
        body: BodyReceiver,
        answer: &mut AnswerSender,
    ) -> Result<cocoon_types::Usage, Unfinished> {
        if head.sealed.is_some() {
            let message = "a peer of protocol 2 or less opens nothing that is sealed";
            return Err(Refusal::new(Fault::TierUnavailable, message).into());
        }
        // The role has looked already; a request that asks for more than such a peer can promise must not get this far.
        if !head.tier.accepts(self.tier) {
            let message = format!("a peer of protocol 2 or less serves at tier {}", self.tier);
            return Err(Refusal::new(Fault::TierUnavailable, message).into());
        }
        if !ENDPOINTS.contains(&head.endpoint) {
            let message = format!("a peer of protocol 2 or less does not serve {}", head.endpoint);
            return Err(Refusal::new(Fault::UnknownModel, message).into());
        }
        let body = answer.unless_cancelled(body.collect(MAX_BODY_BYTES)).await??;
        // Nobody after this node holds it to what was agreed (spec/network.md 10.2, 13).
        let mut request = RequestBody::parse(head.endpoint, &body)?;
        drop(body);
        request.agree(head.model.base(), head.max_tokens)?;
        let mut reading = self.desk.open(head.request_id.0);
        let asked = self.ask(head, request.to_bytes());
        drop(request);
        let sent = answer.unless_cancelled(self.link.send(asked)).await?;
        sent.map_err(|_| Refusal::new(self.lost(), "the request could not be sent"))?;
        self.read(&mut reading, head, answer).await
    }

    fn ask(&self, head: &RequestHead, body: Bytes) -> Bytes {
        let client = (self.terms.leg == Leg::Client).then(|| AskedByClient {
            model: TlString::from(head.model.base()),
            max_tokens: i32::try_from(head.max_tokens).unwrap_or(i32::MAX),
            config_version: (self.terms.config_version)().cast_signed(),
        });
        Asked {
            id: head.request_id.0,
            query: plain::write_request(head.endpoint, body),
            coefficient: i64::from(head.max_coefficient.per_mille()),
            timeout: head.timeout.as_secs_f64(),
            client,
        }
        .write(self.terms.version)
    }

    async fn read(
        &self,
        reading: &mut Reading,
        head: &RequestHead,
        answer: &mut AnswerSender,
    ) -> Result<cocoon_types::Usage, Unfinished> {
        let mut begun = false;
        loop {
            let said = answer.unless_cancelled(reading.next()).await?;
            let (bytes, last) = match said {
                None => return Err(Refusal::new(self.lost(), self.why()).into()),
                Some(Said::Answer { .. }) if begun => return Err(violation("a second answer")),
                Some(Said::Part { .. }) if !begun => return Err(violation("a part before the answer")),
                Some(Said::Answer { payload, last }) => {
                    let (response, bytes) = plain::read_response(payload)
                        .ok_or_else(|| violation("an answer that is no http.response"))?;
                    answer
                        .head(AnswerHead {
                            status: response.status,
                            content_type: response.content_type,
                            tier: self.tier,
                            coefficient: self.coefficient(head),
                            sealed: None,
                        })
                        .await?;
                    begun = true;
                    (bytes, last)
                }
                Some(Said::Part { payload, last }) => (payload, last),
                Some(Said::Failed { code, words, .. }) => {
                    return Err(codes::refusal(self.terms.leg, code, &words).into());
                }
            };
            answer.part(bytes).await?;
            if let Some(last) = last {
                return self.meant(&last, self.coefficient(head));
            }
        }
    }

    fn meant(&self, told: &TokensUsed, coefficient: Coefficient) -> Result<cocoon_types::Usage, Unfinished> {
        usage::meant(told, coefficient, &self.terms.multipliers)
            .ok_or_else(|| violation("token counts that cannot be true"))
    }

    /// A worker is told its price. Which price a proxy has agreed on it does not tell: at the usual one the counts are whole, and
    /// never less than what is charged.
    fn coefficient(&self, head: &RequestHead) -> Coefficient {
        match self.terms.leg {
            Leg::Client => head.max_coefficient.min(Coefficient::ONE),
            Leg::Worker => head.max_coefficient,
        }
    }

    fn why(&self) -> &'static str {
        if self.link.is_closed() {
            "the link to the peer broke"
        } else {
            "the answer came faster than it was read"
        }
    }

    fn lost(&self) -> Fault {
        match self.terms.leg {
            Leg::Client => Fault::ProxyLost,
            Leg::Worker => Fault::WorkerLost,
        }
    }
}

fn violation(what: &str) -> Unfinished {
    Refusal::new(Fault::ProtocolViolation, format!("the peer sent {what}")).into()
}
