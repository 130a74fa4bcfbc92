//! A client that speaks to a proxy itself: for what a gateway would never send.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::{Bytes, BytesMut};
use cocoon_attest::{EvidenceRule, ImageRule, Policy, Simulated};
use cocoon_link::{
    AnswerEnd, AnswerEvent, AnswerHead, EnginePlace, Events, Exchange, Hello, Identity, Inbox, Link,
    LinkOptions, RequestHead, Session, dial,
};
use cocoon_tl::shared::ProtoVersions;
use cocoon_tl::{TlFunction, TlObject as _, TlString, client};
use cocoon_types::{Coefficient, Endpoint, Fault, ModelName, Refusal, RequestId, Tier, TierPolicy};
use cocoon_web::clock::unix_now;
use serde_json::Value;

/// No test waits longer for an answer to a question.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client with a session at one proxy.
#[derive(Debug)]
pub struct Asker {
    /// The session, for requests of any kind.
    pub session: Session,
    /// What the proxy says; a test that does not read it must keep it all the same.
    pub events: Events,
}

/// A request of an [`Asker`].
#[derive(Clone, Debug)]
pub struct Request {
    /// What precedes the body; its length is filled in.
    pub head: RequestHead,
    /// The body.
    pub body: Bytes,
}

/// A whole answer to an [`Asker`].
#[derive(Clone, Debug)]
pub struct Reply {
    /// What preceded it.
    pub head: AnswerHead,
    /// Its bytes.
    pub body: Bytes,
    /// What followed.
    pub end: AnswerEnd,
}

// === impl Asker ===

impl Asker {
    /// Dials a proxy and introduces itself.
    ///
    /// # Errors
    /// When one of the steps fails.
    pub async fn connect(proxy: SocketAddr) -> anyhow::Result<Self> {
        let (link, inbox) = dial_as(proxy, Identity::without_evidence(unix_now())?).await?;
        let connected = ask(&link, &connect_client()).await?;
        ensure!(connected.params.proto_version == Some(3), "protocol 3 is agreed");
        ask(&link, &client::AuthorizeWithProxyShort { data: Bytes::new() }).await?;
        Ok(Self::start(link, inbox))
    }

    fn start(link: Link, inbox: Inbox) -> Self {
        let hello = Hello {
            software: "testkit".into(),
            capabilities: Vec::new(),
            endpoints: Vec::new(),
            context_length: 0,
            engine: EnginePlace::None,
        };
        let (session, events) = Session::start(link, inbox, hello, Fault::ProxyLost);
        Self { session, events }
    }

    /// Asks and collects the answer.
    ///
    /// # Errors
    /// The refusal that ended it.
    pub async fn ask(&self, request: Request) -> Result<Reply, Refusal> {
        let (mut body, mut answer) = self.open(&request).await?.split();
        // The answer's side tells why a body was not taken.
        let _ = body.send(request.body, true).await;
        let head = answer.head().await?;
        let mut whole = BytesMut::new();
        loop {
            match answer.next().await? {
                AnswerEvent::Part(part) => whole.extend_from_slice(&part),
                AnswerEvent::End(end) => {
                    return Ok(Reply {
                        head,
                        body: whole.freeze(),
                        end,
                    });
                }
            }
        }
    }

    /// Sends the head of a request; body and answer are the caller's.
    ///
    /// # Errors
    /// [`Fault::ProxyLost`] when the link has ended.
    pub async fn open(&self, request: &Request) -> Result<Exchange, Refusal> {
        let head = RequestHead {
            body_bytes: request.body.len() as u64,
            sealed: None,
            ..request.head.clone()
        };
        let opened = self.session.open(head).await;
        opened.map_err(|closed| Refusal::new(Fault::ProxyLost, closed.reason))
    }

    /// Asks the proxy a question of the handshake's kind.
    ///
    /// # Errors
    /// When it is not answered.
    pub async fn question<Q: TlFunction>(&self, question: &Q) -> anyhow::Result<Q::Answer> {
        ask(self.session.link(), question).await
    }
}

// === impl Request ===

impl Request {
    /// A chat request to the canned model, at tier open or simulated.
    ///
    /// # Panics
    /// When the randomness of the system fails.
    pub fn chat(body: &Value) -> Self {
        let mut id = [0; 32];
        aws_lc_rs::rand::fill(&mut id).expect("the system gives random bytes");
        Self {
            head: RequestHead {
                request_id: RequestId(id),
                endpoint: Endpoint::ChatCompletions,
                model: ModelName::new("canned").expect("invariant: a model's name"),
                max_tokens: 1000,
                tier: TierPolicy::at_least(Tier::Open).and_simulated(),
                max_coefficient: Coefficient::DEFAULT_LIMIT,
                timeout: Duration::from_secs(20),
                body_bytes: 0,
                sealed: None,
            },
            body: body.to_string().into(),
        }
    }

    /// The same with another head.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut RequestHead)) -> Self {
        change(&mut self.head);
        self
    }
}

/// What a client of protocol 3 says first.
pub fn connect_client() -> client::ConnectToProxy {
    client::ConnectToProxy {
        params: client::Params {
            client_owner_address: TlString::EMPTY,
            is_test: Some(true),
            proto_versions: Some(ProtoVersions {
                min_proto_version: 3,
                max_proto_version: 3,
            }),
        },
        min_config_version: 0,
    }
}

/// A link to a node of a test network, before any handshake of the roles.
pub(crate) async fn dial_as(addr: SocketAddr, identity: Identity) -> anyhow::Result<(Link, Inbox)> {
    let policy = Policy {
        evidence: EvidenceRule::Optional {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let options = LinkOptions::new(identity, policy, unix_now);
    dial(&addr.to_string(), &options).await.context("no link")
}

/// Asks one question on a bare link.
pub(crate) async fn ask<Q: TlFunction>(link: &Link, question: &Q) -> anyhow::Result<Q::Answer> {
    let answer = link.query(question.to_boxed(), PATIENCE).await?;
    Ok(Q::Answer::from_boxed(answer)?)
}
