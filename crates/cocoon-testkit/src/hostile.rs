//! Peers that do not keep to the rules: they speak as much of the protocol as it takes to get in, and then what they like.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use cocoon_attest::{EvidenceRule, ImageRule, Policy, Simulated};
use cocoon_link::{Identity, Inbox, Incoming, Link, LinkOptions, Listener, PowOptions};
use cocoon_tl::shared::ProtoVersions;
use cocoon_tl::v3::{self, Message};
use cocoon_tl::{TlFunction, TlObject as _, TlString, client, proxy, worker};
use cocoon_web::clock::unix_now;
use tokio::time::timeout;

use crate::network::{ask, connect_client, dial_as};

/// No test waits longer for a message.
const PATIENCE: Duration = Duration::from_secs(20);

/// A bare link to a proxy.
#[derive(Debug)]
pub struct Peer {
    /// The link.
    pub link: Link,
    /// What comes on it.
    pub inbox: Inbox,
}

// === impl Peer ===

impl Peer {
    /// A link to a listener of a proxy, with simulated evidence, and nothing said yet.
    ///
    /// # Errors
    /// When there is no link.
    pub async fn dial(proxy: SocketAddr) -> anyhow::Result<Self> {
        let (link, inbox) = dial_as(proxy, Identity::simulated(unix_now())?).await?;
        Ok(Self { link, inbox })
    }

    /// A link to a listener of a proxy, without evidence, and nothing said yet.
    ///
    /// # Errors
    /// When there is no link.
    pub async fn dial_without_evidence(proxy: SocketAddr) -> anyhow::Result<Self> {
        let (link, inbox) = dial_as(proxy, Identity::without_evidence(unix_now())?).await?;
        Ok(Self { link, inbox })
    }

    /// A client past its handshake, which says nothing more by itself.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn client(proxy: SocketAddr) -> anyhow::Result<Self> {
        let peer = Self::dial(proxy).await?;
        peer.ask(&connect_client()).await?;
        peer.ask(&client::AuthorizeWithProxyShort { data: Bytes::new() })
            .await?;
        peer.say(&silent_hello()).await?;
        Ok(peer)
    }

    /// A worker past its handshake and hello: it is on the proxy's board, enabled, for `canned`.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn worker(proxy: SocketAddr) -> anyhow::Result<Self> {
        Self::dial(proxy).await?.into_worker().await
    }

    /// The same with evidence that expires after so many seconds.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn worker_for(proxy: SocketAddr, seconds: u64) -> anyhow::Result<Self> {
        let (link, inbox) = dial_as(proxy, short_lived(seconds)?).await?;
        Self { link, inbox }.into_worker().await
    }

    /// A link of one's own making.
    ///
    /// # Errors
    /// When there is no link.
    pub async fn dial_with(proxy: SocketAddr, options: &LinkOptions) -> anyhow::Result<Self> {
        let (link, inbox) = cocoon_link::dial(&proxy.to_string(), options).await?;
        Ok(Self { link, inbox })
    }

    async fn into_worker(self) -> anyhow::Result<Self> {
        self.into_worker_of(TlString::EMPTY).await
    }

    /// As [`Peer::worker`], for a network in which this owner is paid.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn into_worker_of(self, owner: TlString) -> anyhow::Result<Self> {
        let peer = self;
        let mut connect = connect_worker("canned");
        connect.params.worker_owner_address = owner;
        peer.ask(&connect).await?;
        peer.ask(&worker::ProxyHandshakeComplete { is_disabled: false })
            .await?;
        peer.say(&worker_hello()).await?;
        Ok(peer)
    }

    /// Asks a question.
    ///
    /// # Errors
    /// When it is not answered, or with an error.
    pub async fn ask<Q: TlFunction>(&self, question: &Q) -> anyhow::Result<Q::Answer> {
        ask(&self.link, question).await
    }

    /// Asks a question that must be refused; the code and the text.
    ///
    /// # Errors
    /// When it is not refused.
    pub async fn ask_in_vain(&self, question: Bytes) -> anyhow::Result<(i32, String)> {
        match self.link.query(question, PATIENCE).await {
            Err(cocoon_link::QueryError::Refused { code, message }) => Ok((code, message)),
            Err(error) => Err(error).context("no refusal"),
            Ok(_) => anyhow::bail!("it was answered"),
        }
    }

    /// Says something one-way.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn say(&self, message: &impl cocoon_tl::TlObject) -> anyhow::Result<()> {
        Ok(self.link.send(message.to_boxed()).await?)
    }

    /// Says bytes one-way.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn say_bytes(&self, message: impl Into<Bytes>) -> anyhow::Result<()> {
        Ok(self.link.send(message.into()).await?)
    }

    /// The next message of a stream, hellos and credits left out.
    ///
    /// # Errors
    /// When the link ends first, or nothing comes.
    pub async fn next(&mut self) -> anyhow::Result<Message> {
        loop {
            let incoming = timeout(PATIENCE, self.inbox.recv()).await.context("silence")?;
            let Incoming::Packet(packet) = incoming.context("the link has ended")? else {
                continue;
            };
            match Message::from_boxed(packet) {
                Ok(Message::Credit(_)) | Err(_) => {}
                Ok(message) => return Ok(message),
            }
        }
    }

    /// The number of the next request's stream, once its body has come.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn next_request(&mut self) -> anyhow::Result<i64> {
        loop {
            if let Message::Body(body) = self.next().await?
                && body.flags & v3::Body::LAST != 0
            {
                return Ok(body.stream);
            }
        }
    }

    /// The next question of the peer.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn next_question(&mut self) -> anyhow::Result<(i64, Bytes)> {
        loop {
            let incoming = timeout(PATIENCE, self.inbox.recv()).await.context("silence")?;
            if let Incoming::Query { id, question } = incoming.context("the link has ended")? {
                return Ok((id, question));
            }
        }
    }

    /// Waits for a one-way message of this kind, and leaves out all others.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn next_of<T: cocoon_tl::TlObject>(&mut self) -> anyhow::Result<T> {
        loop {
            let incoming = timeout(PATIENCE, self.inbox.recv()).await.context("silence")?;
            if let Incoming::Packet(packet) = incoming.context("the link has ended")?
                && let Ok(message) = T::from_boxed(packet)
            {
                return Ok(message);
            }
        }
    }

    /// Sends a whole request on this stream.
    ///
    /// # Errors
    /// When the link has ended.
    pub async fn request(
        &self,
        stream: i64,
        body: &'static str,
        change: impl FnOnce(&mut v3::Request),
    ) -> anyhow::Result<()> {
        let mut head = request_head(stream, body.len());
        change(&mut head);
        self.say(&head).await?;
        let data = Bytes::from_static(body.as_bytes());
        self.say(&v3::Body {
            stream,
            flags: v3::Body::LAST,
            data,
        })
        .await
    }

    /// Waits for the end of the link and says why it came.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn ended(&self) -> anyhow::Result<String> {
        timeout(PATIENCE, self.link.closed())
            .await
            .context("the link lives on")
    }
}

/// The head of a request to `canned`, at any tier.
pub fn request_head(stream: i64, body_bytes: usize) -> v3::Request {
    v3::Request {
        stream,
        request_id: [7; 32],
        endpoint: TlString::from("/v1/chat/completions"),
        model: TlString::from("canned"),
        max_tokens: 100,
        floor: cocoon_types::Tier::Open.wire_code(),
        flags: v3::Request::SIMULATED_ACCEPTED,
        max_coefficient: 4000,
        timeout_ms: 20_000,
        body_bytes: i64::try_from(body_bytes).unwrap_or(i64::MAX),
    }
}

/// A proxy that a test plays by hand: it takes links, and says what the test says.
#[derive(Debug)]
pub struct FakeProxy {
    listener: Listener,
}

// === impl FakeProxy ===

impl FakeProxy {
    /// Listens on a free port with simulated evidence; the peer may be anybody.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn listen() -> anyhow::Result<Self> {
        Self::listen_as(Identity::simulated(unix_now())?).await
    }

    /// The same with evidence that expires after so many seconds.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn listen_for(seconds: u64) -> anyhow::Result<Self> {
        Self::listen_as(short_lived(seconds)?).await
    }

    async fn listen_as(identity: Identity) -> anyhow::Result<Self> {
        let policy = Policy {
            evidence: EvidenceRule::Optional {
                simulated: Simulated::AcceptOnTestNetwork,
            },
            image_hashes: ImageRule::Any,
            ..Policy::default()
        };
        let options = LinkOptions::new(identity, policy, unix_now).with_pow(PowOptions::NONE);
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::new(options)).await?;
        Ok(Self { listener })
    }

    /// Where to dial it.
    pub fn addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// The next link, before any word of the roles.
    ///
    /// # Errors
    /// When nobody dials.
    pub async fn accept(&mut self) -> anyhow::Result<Peer> {
        let (link, inbox) = timeout(PATIENCE, self.listener.accept())
            .await
            .context("nobody dials")?;
        Ok(Peer { link, inbox })
    }

    /// The next worker, past its handshake, with this proxy's hello said; and what it announced.
    ///
    /// # Errors
    /// When nobody dials, or it is no worker.
    pub async fn accept_worker(&mut self) -> anyhow::Result<(Peer, worker::Params)> {
        let mut peer = self.accept().await?;
        let (id, question) = peer.next_question().await?;
        let params = worker::ConnectToProxy::from_boxed(question)?.params;
        peer.link
            .answer(id, Ok(connected_worker(true, 3).to_boxed()))
            .await?;
        let (id, question) = peer.next_question().await?;
        worker::ProxyHandshakeComplete::from_boxed(question)?;
        peer.link
            .answer(id, Ok(worker::ProxyHandshakeCompleted {}.to_boxed()))
            .await?;
        peer.say(&silent_hello()).await?;
        Ok((peer, params))
    }
}

/// Simulated evidence that expires after so many seconds.
fn short_lived(seconds: u64) -> anyhow::Result<Identity> {
    let now = unix_now();
    Ok(Identity::altered(now, |draft| draft.not_after = now + seconds)?)
}

/// What a proxy answers to a worker's first question.
pub fn connected_worker(is_test: bool, version: i32) -> worker::ConnectedToProxy {
    worker::ConnectedToProxy {
        params: proxy::Params {
            proxy_public_key: [0; 32],
            proxy_owner_address: TlString::EMPTY,
            proxy_sc_address: TlString::EMPTY,
            is_test: Some(is_test),
            proto_version: Some(version),
        },
        worker_sc_address: TlString::EMPTY,
    }
}

/// What a worker of protocol 3 says first; two requests at once.
pub fn connect_worker(model: &str) -> worker::ConnectToProxy {
    worker::ConnectToProxy {
        params: worker::Params {
            worker_owner_address: TlString::EMPTY,
            model: TlString::from(model),
            coefficient: 1000,
            setup: Some(worker::Setup {
                is_test: true,
                proxy_cnt: 1,
                max_active_requests: 2,
            }),
            proto_versions: Some(ProtoVersions {
                min_proto_version: 3,
                max_proto_version: 3,
            }),
        },
    }
}

/// The hello of a client or a proxy.
pub fn silent_hello() -> v3::Hello {
    v3::Hello {
        endpoints: Vec::new(),
        context_length: 0,
        engine: v3::Hello::ENGINE_NONE,
        ..worker_hello()
    }
}

/// The hello of a worker that serves chat with an engine of its own.
pub fn worker_hello() -> v3::Hello {
    v3::Hello {
        flags: 0,
        capabilities: Vec::new(),
        software: TlString::from("hostile"),
        endpoints: vec![TlString::from("/v1/chat/completions")],
        context_length: 4096,
        engine: v3::Hello::ENGINE_STARTED_BY_WORKER,
    }
}
