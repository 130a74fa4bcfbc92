//! Requests of an old peer become streams of a session.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cocoon_link::{AnswerEvent, AnswerReceiver, Event, Events, Inbox, Incoming, Link, RequestHead, Session};
use cocoon_openai::{RequestBody, error_body};
use cocoon_tl::TlString;
use cocoon_types::{Coefficient, Endpoint, Fault, ModelName, Refusal, RequestId};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    codes,
    join::{AskerRules, Terms},
    pass::Questions,
    plain, usage,
    words::{Asked, AskedByClient, Form, Leg, Said, passes},
};

/// Requests of one peer at once; as many again are told that they are too many, and one more ends the link.
const MAX_OPEN: usize = 1024;
/// Bytes of the open requests of one peer: four of the largest.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Nobody waits longer for an answer; what a peer says may be anything (spec/network.md 10.3, 29).
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// What the original sets aside for a request that names no limit (spec/network.md 6.5.1).
const DEFAULT_MAX_TOKENS: u32 = 1000;
/// For what open requests still have to be told when the role has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The peer that asks.
#[derive(Debug)]
pub(crate) struct Asker {
    link: Link,
    terms: Terms,
    rules: AskerRules,
    /// Ids of the open requests: an id has one answer.
    open: Mutex<HashSet<[u8; 32]>>,
    bytes: AtomicUsize,
}

/// An open request; its id and its bytes are free again when this is dropped.
struct Open {
    asker: Arc<Asker>,
    id: [u8; 32],
    bytes: usize,
}

/// One request on its way.
struct Request {
    open: Open,
    began: u64,
    /// Whether the peer has been told the head of an answer.
    begun: bool,
}

/// Translates until one of the two links ends.
pub(crate) async fn run(asker: Arc<Asker>, mut inbox: Inbox, session: Session, mut events: Events) {
    let mut requests = JoinSet::new();
    let mut questions = Questions::default();
    let reason = loop {
        tokio::select! {
            Some(_) = requests.join_next() => {}
            incoming = inbox.recv() => match incoming {
                // The requests are dropped, which cancels them.
                None => break asker.link.closed().await,
                Some(Incoming::Query { id, question }) => {
                    questions.pass(&asker.link, id, question, session.link());
                }
                Some(Incoming::Packet(message)) => match Asked::read(asker.terms.leg, &message) {
                    Some(Ok(asked)) => {
                        if let Err(reason) = asker.take(asked, &session, &mut requests) {
                            break reason.to_owned();
                        }
                    }
                    Some(Err(_)) => break "a request that does not parse".to_owned(),
                    None if passes(asker.terms.leg, &message) => {
                        if session.link().send(message).await.is_err() {
                            break session.link().closed().await;
                        }
                    }
                    None => tracing::debug!("a message of an unknown kind is ignored"),
                },
            },
            event = events.recv() => match event {
                None => {
                    let told = async { while requests.join_next().await.is_some() {} };
                    let _ = timeout(LAST_WORDS, told).await;
                    break session.link().closed().await;
                }
                Some(Event::Message(message)) => {
                    if asker.link.send(message).await.is_err() {
                        break asker.link.closed().await;
                    }
                }
                Some(Event::Query { id, question }) => {
                    questions.pass(session.link(), id, question, &asker.link);
                }
                Some(Event::Hello(_) | Event::Request(_)) => {}
            },
        }
    };
    asker.link.close(&reason);
    session.link().close(&reason);
}

// === impl Asker ===

impl Asker {
    pub(crate) fn new(link: Link, terms: Terms, rules: AskerRules) -> Self {
        Self {
            link,
            terms,
            rules,
            open: Mutex::default(),
            bytes: AtomicUsize::new(0),
        }
    }

    /// Begins a request; an error ends the link.
    fn take(
        self: &Arc<Self>,
        asked: Asked,
        session: &Session,
        requests: &mut JoinSet<()>,
    ) -> Result<(), &'static str> {
        let bytes = asked.query.len();
        let is_full = {
            let mut open = self.ids();
            if open.contains(&asked.id) {
                // The first one has the id, and gets the one answer that the peer can tell from others.
                tracing::warn!("a second request of the same id is ignored");
                return Ok(());
            }
            if open.len() >= MAX_OPEN.saturating_mul(2) {
                return Err("too many requests at once");
            }
            let held = self.bytes.load(Ordering::Relaxed).saturating_add(bytes);
            let is_full = open.len() >= MAX_OPEN || held > MAX_BYTES;
            open.insert(asked.id);
            is_full
        };
        // What is refused holds no bytes.
        let bytes = if is_full { 0 } else { bytes };
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let mut request = Request {
            open: Open {
                asker: Arc::clone(self),
                id: asked.id,
                bytes,
            },
            began: (self.terms.clock)(),
            begun: false,
        };
        let session = session.clone();
        requests.spawn(async move {
            let served = if is_full {
                Err(Refusal::new(
                    Fault::Busy,
                    "too many requests at once on this link",
                ))
            } else {
                request.serve(&session, asked).await
            };
            if let Err(refusal) = served {
                request.refuse(&refusal).await;
            }
        });
        Ok(())
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<[u8; 32]>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the session needs to know of a request, and its body.
    fn understand(&self, asked: Asked) -> Result<(RequestHead, Bytes), Refusal> {
        let (endpoint, body) = plain::read_request(asked.query)?;
        let (model, max_tokens) = match asked.client {
            Some(client) => self.by_client(&client)?,
            None => self.by_proxy(endpoint, &body)?,
        };
        let timeout = Duration::try_from_secs_f64(asked.timeout)
            .map_err(|_| invalid("the timeout is no time"))?
            .min(LONGEST);
        let max_coefficient = u32::try_from(asked.coefficient)
            .map_err(|_| invalid("the coefficient is negative, or no price"))?
            .min(Coefficient::LIMIT - 1);
        let head = RequestHead {
            request_id: RequestId(asked.id),
            endpoint,
            model,
            max_tokens,
            tier: self.rules.tier,
            max_coefficient: Coefficient::new(max_coefficient).unwrap_or(Coefficient::ONE),
            timeout,
            body_bytes: body.len() as u64,
            sealed: None,
        };
        Ok((head, body))
    }

    fn by_client(&self, client: &AskedByClient) -> Result<(ModelName, u32), Refusal> {
        if client.config_version.cast_unsigned() > (self.terms.config_version)() {
            let message = "this proxy runs with an older root configuration";
            return Err(Refusal::new(Fault::PaymentsUnavailable, message));
        }
        let model = client
            .model
            .as_str()
            .and_then(|name| ModelName::new(name).ok())
            .ok_or_else(|| Refusal::new(Fault::UnknownModel, "the model's name is none"))?;
        // A negative one was unlimited credit, and later the end of the process (spec/network.md 10.1, 5).
        let max_tokens = u32::try_from(client.max_tokens).map_err(|_| invalid("max_tokens is negative"))?;
        Ok((model, max_tokens))
    }

    /// A proxy has chosen this worker for its model; what the client allowed is in the body alone.
    fn by_proxy(&self, endpoint: Endpoint, body: &Bytes) -> Result<(ModelName, u32), Refusal> {
        let request = RequestBody::parse(endpoint, body)?;
        let model = self
            .rules
            .model
            .as_ref()
            .filter(|served| served.base() == request.model())
            .ok_or_else(|| Refusal::new(Fault::UnknownModel, "this worker serves another model"))?;
        let max_tokens = match request.token_limit() {
            Some(_) => request.worst_case_tokens()?,
            None => DEFAULT_MAX_TOKENS,
        };
        Ok((model.clone(), max_tokens))
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(Fault::InvalidRequest, message)
}

// === impl Request ===

impl Request {
    async fn serve(&mut self, session: &Session, asked: Asked) -> Result<(), Refusal> {
        let (head, body) = self.open.asker.understand(asked)?;
        let gone = |_| Refusal::new(Fault::Draining, "this node ends the conversation");
        let (mut up, down) = session.open(head).await.map_err(gone)?.split();
        // When the body is not taken, the answer's side tells why.
        let (_, told) = tokio::join!(up.send(body, true), self.answer(down));
        told
    }

    async fn answer(&mut self, mut down: AnswerReceiver) -> Result<(), Refusal> {
        let head = down.head().await?;
        self.say(Said::Answer {
            payload: plain::write_response(head.status, &head.content_type, None),
            last: None,
        })
        .await;
        self.begun = true;
        loop {
            match down.next().await? {
                AnswerEvent::Part(payload) => self.say(Said::Part { payload, last: None }).await,
                AnswerEvent::End(end) => {
                    let multipliers = &self.open.asker.terms.multipliers;
                    let last = usage::told(&end.usage, head.coefficient, multipliers);
                    let payload = Bytes::new();
                    let last = Some(last);
                    self.say(Said::Part { payload, last }).await;
                    return Ok(());
                }
            }
        }
    }

    /// In the form that the peer survives (spec/network.md 6.13): a client of version 1 or 2 ends with an error before an
    /// answer, so that it gets an answer that is one.
    async fn refuse(&self, refusal: &Refusal) {
        let terms = &self.open.asker.terms;
        let said = if terms.leg == Leg::Client && terms.version > 0 && !self.begun {
            let body = error_body(refusal, RequestId(self.open.id));
            let status = refusal.fault.http_status();
            Said::Answer {
                payload: plain::write_response(status, "application/json", Some(body)),
                last: Some(usage::NOTHING),
            }
        } else {
            Said::Failed {
                code: codes::code(refusal.fault),
                words: TlString::from(refusal.message.as_str()),
                begun: self.begun,
            }
        };
        self.say(said).await;
    }

    async fn say(&self, said: Said) {
        let Asker { link, terms, .. } = &*self.open.asker;
        let form = Form {
            leg: terms.leg,
            version: terms.version,
            times: (self.began, (terms.clock)()),
        };
        // A peer that is gone ends the whole conversation, which is noticed there.
        let _ = link.send(said.write(self.open.id, form)).await;
    }
}

// === impl Open ===

impl Drop for Open {
    fn drop(&mut self) {
        self.asker.ids().remove(&self.id);
        self.asker.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
