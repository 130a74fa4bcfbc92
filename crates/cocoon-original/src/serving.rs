//! Streams of a session become requests to an old peer.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cocoon_link::{
    AnswerEnd, AnswerHead, AnswerSender, BodyReceiver, Event, Events, Inbox, Incoming, Link, RequestHead,
    Serving, Session, StreamGone,
};
use cocoon_openai::RequestBody;
use cocoon_tl::{TlString, shared::TokensUsed};
use cocoon_types::{Coefficient, Fault, MAX_BODY_BYTES, Refusal};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    codes,
    join::{ServerRules, Terms},
    pass::Questions,
    plain, usage,
    words::{Asked, AskedByClient, Leg, Said, passes},
};

/// Bytes of one answer that may wait for a slow reader: the peer knows no windows, and may send a whole answer in one
/// message of up to 16 MiB.
const MAX_WAITING: usize = 32 * 1024 * 1024;
/// Steps of one answer that wait for a slow reader: more than the parts of any answer that is not made to hurt.
const MAX_STEPS: usize = 65_536;
/// An old peer has a timer of its own, a little shorter; this one is for peers whose timer does not go off.
const GRACE: Duration = Duration::from_secs(2);
/// For what open requests still have to be told when the peer's link has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The peer that serves.
#[derive(Debug)]
pub(crate) struct Server {
    link: Link,
    terms: Terms,
    rules: ServerRules,
    /// Where the answers go, by request id. Ids are looked up on their own link only (spec/network.md 10.4, 53).
    desk: Mutex<HashMap<[u8; 32], Tray>>,
}

/// Where the steps of one answer are put.
#[derive(Debug)]
struct Tray {
    steps: mpsc::Sender<Said>,
    waiting: Arc<AtomicUsize>,
}

/// The other end of a tray; dropping it takes the tray away.
struct Reading {
    server: Arc<Server>,
    id: [u8; 32],
    steps: mpsc::Receiver<Said>,
    waiting: Arc<AtomicUsize>,
}

/// Why an answer is not complete.
enum Broken {
    Refused(Refusal),
    /// The asker cancelled or its link ended: there is nobody to tell.
    Gone,
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
                    server.desk().clear();
                    let told = async { while requests.join_next().await.is_some() {} };
                    let _ = timeout(LAST_WORDS, told).await;
                    break server.link.closed().await;
                }
                Some(Incoming::Query { id, question }) => {
                    questions.pass(&server.link, id, question, session.link());
                }
                Some(Incoming::Packet(message)) => match Said::read(server.terms.leg, &message) {
                    Some(Ok((id, said))) => server.deliver(id, said),
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
    pub(crate) fn new(link: Link, terms: Terms, rules: ServerRules) -> Self {
        Self {
            link,
            terms,
            rules,
            desk: Mutex::default(),
        }
    }

    fn desk(&self) -> MutexGuard<'_, HashMap<[u8; 32], Tray>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a step where it belongs. What belongs nowhere (any more) is late or made up, and is ignored.
    fn deliver(&self, id: [u8; 32], said: Said) {
        let mut desk = self.desk();
        let Some(tray) = desk.get(&id) else {
            tracing::debug!("an answer to no open request is ignored");
            return;
        };
        let bytes = said.bytes();
        let waiting = tray.waiting.fetch_add(bytes, Ordering::Relaxed);
        // Whoever reads it may have gone in this moment, or be too slow for a peer that cannot be slowed.
        let is_lost = tray.steps.try_send(said).is_err();
        if is_lost || waiting.saturating_add(bytes) > MAX_WAITING {
            // The reader finds the end of the tray after what it holds.
            desk.remove(&id);
        }
    }

    fn open(self: &Arc<Self>, id: [u8; 32]) -> Reading {
        let (sender, steps) = mpsc::channel(MAX_STEPS);
        let waiting = Arc::new(AtomicUsize::new(0));
        let tray = Tray {
            steps: sender,
            waiting: Arc::clone(&waiting),
        };
        self.desk().insert(id, tray);
        Reading {
            server: Arc::clone(self),
            id,
            steps,
            waiting,
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
        let refusal = match relayed {
            Ok(Ok(usage)) => {
                let end = AnswerEnd {
                    usage,
                    engine_time: started.elapsed(),
                };
                // The asker may be gone by now; then there is nobody left to tell.
                let _ = answer.end(end).await;
                return;
            }
            Ok(Err(Broken::Refused(refusal))) => refusal,
            Ok(Err(Broken::Gone)) => Refusal::new(Fault::Cancelled, "the request was cancelled"),
            Err(_) => Refusal::new(Fault::Timeout, "the answer was not complete in time"),
        };
        let _ = answer.refuse(refusal).await;
    }

    async fn relay(
        self: &Arc<Self>,
        head: &RequestHead,
        body: BodyReceiver,
        answer: &mut AnswerSender,
    ) -> Result<cocoon_types::Usage, Broken> {
        // The role has looked already; a request that asks for more than such a peer can promise must not get this far.
        if !head.tier.accepts(self.rules.tier) {
            let message = format!("a peer of protocol 2 or less serves at tier {}", self.rules.tier);
            return Err(Refusal::new(Fault::TierUnavailable, message).into());
        }
        if !self.rules.endpoints.contains(&head.endpoint) {
            let message = format!("a peer of protocol 2 or less does not serve {}", head.endpoint);
            return Err(Refusal::new(Fault::UnknownModel, message).into());
        }
        let body = unless_cancelled(answer, body.collect(MAX_BODY_BYTES)).await??;
        // Nobody after this node holds it to what was agreed (spec/network.md 10.2, 13).
        let mut request = RequestBody::parse(head.endpoint, &body)?;
        drop(body);
        request.agree(head.model.base(), head.max_tokens)?;
        let mut reading = self.open(head.request_id.0);
        let asked = self.ask(head, request.to_bytes());
        drop(request);
        let sent = unless_cancelled(answer, self.link.send(asked)).await?;
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
    ) -> Result<cocoon_types::Usage, Broken> {
        let mut begun = false;
        loop {
            let said = unless_cancelled(answer, reading.next()).await?;
            let (bytes, last) = match said {
                None => return Err(Refusal::new(self.lost(), reading.why()).into()),
                Some(Said::Answer { .. }) if begun => return Err(violation("a second answer")),
                Some(Said::Part { .. }) if !begun => return Err(violation("a part before the answer")),
                Some(Said::Answer { payload, last }) => {
                    let (response, bytes) = plain::read_response(payload)
                        .ok_or_else(|| violation("an answer that is no http.response"))?;
                    answer
                        .head(AnswerHead {
                            status: response.status,
                            content_type: response.content_type,
                            tier: self.rules.tier,
                            coefficient: self.coefficient(head),
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

    fn meant(&self, told: &TokensUsed, coefficient: Coefficient) -> Result<cocoon_types::Usage, Broken> {
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

    fn lost(&self) -> Fault {
        match self.terms.leg {
            Leg::Client => Fault::ProxyLost,
            Leg::Worker => Fault::WorkerLost,
        }
    }
}

/// Waits for something as long as somebody waits for the answer.
async fn unless_cancelled<T>(answer: &AnswerSender, work: impl Future<Output = T>) -> Result<T, Broken> {
    tokio::select! {
        biased;
        () = answer.cancelled() => Err(Broken::Gone),
        done = work => Ok(done),
    }
}

fn violation(what: &str) -> Broken {
    Refusal::new(Fault::ProtocolViolation, format!("the peer sent {what}")).into()
}

// === impl Reading ===

impl Reading {
    /// The next step; nothing when there will be none. Cancel-safe.
    async fn next(&mut self) -> Option<Said> {
        let said = self.steps.recv().await?;
        self.waiting.fetch_sub(said.bytes(), Ordering::Relaxed);
        Some(said)
    }

    fn why(&self) -> &'static str {
        if self.server.link.is_closed() {
            "the link to the peer broke"
        } else {
            "the answer came faster than it was read"
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.server.desk().remove(&self.id);
    }
}

// === impl Broken ===

impl From<Refusal> for Broken {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StreamGone> for Broken {
    fn from(_: StreamGone) -> Self {
        Self::Gone
    }
}
