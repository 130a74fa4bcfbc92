use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use cocoon_attest::{EvidenceRule, ImageRule, Policy, Simulated};
use cocoon_link::{
    AnswerEnd, AnswerHead, CurrentIdentity, EnginePlace, Event, Events, Hello, Identity, Inbox, Incoming,
    Link, LinkOptions, Listener, PowOptions, RequestHead, Serving, Session,
};
use cocoon_tl::{TlObject as _, TlString, client, peek_id, proxy};
use cocoon_types::{Coefficient, Fault, Tier, Usage};
use cocoon_web::clock::unix_now;
use tokio::task::JoinSet;

/// A proxy that hands every request to the test.
pub(crate) struct FakeProxy {
    pub(crate) addr: SocketAddr,
    heard: Arc<Heard>,
    _task: JoinSet<()>,
}

/// What the gateway has said so far.
#[derive(Default)]
pub(crate) struct Heard {
    requests: Mutex<Vec<(RequestHead, Bytes)>>,
    links: Mutex<Vec<Link>>,
}

/// How a proxy is.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) is_test: bool,
    pub(crate) version: i32,
    pub(crate) evidence: bool,
    /// Seconds for which the certificate of the first link holds; later ones hold a day.
    pub(crate) first_expires_in: Option<u64>,
    /// Name and price of each worker.
    pub(crate) workers: Vec<(&'static str, i32)>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            is_test: true,
            version: 3,
            evidence: true,
            first_expires_in: None,
            workers: vec![("m", 1000)],
        }
    }
}

impl FakeProxy {
    /// Serves each request with `serve`, whose second argument counts them from 0.
    pub(crate) async fn new<F>(serve: impl Fn(Serving, usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::with(Manner::default(), serve).await
    }

    pub(crate) async fn with<F>(
        manner: Manner,
        serve: impl Fn(Serving, usize) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let lasting = if manner.evidence {
            Identity::simulated(unix_now()).unwrap()
        } else {
            Identity::without_evidence(unix_now()).unwrap()
        };
        let (identity, lasting) = match manner.first_expires_in {
            None => (CurrentIdentity::new(lasting), None),
            Some(seconds) => {
                let not_after = unix_now() + seconds;
                let short = Identity::altered(unix_now(), |draft| draft.not_after = not_after).unwrap();
                (CurrentIdentity::new(short), Some(lasting))
            }
        };
        let policy = Policy {
            evidence: EvidenceRule::Optional {
                simulated: Simulated::AcceptOnTestNetwork,
            },
            image_hashes: ImageRule::Any,
            ..Policy::default()
        };
        let options = LinkOptions::new(identity.clone(), policy, unix_now).with_pow(PowOptions::NONE);
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), Arc::new(options))
            .await
            .unwrap();
        let addr = listener.local_addr();
        let heard = Arc::new(Heard::default());
        let mut task = JoinSet::new();
        let serve = Arc::new(
            move |serving, turn| -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
                Box::pin(serve(serving, turn))
            },
        );
        let renew = move || lasting.into_iter().for_each(|lasting| identity.replace(lasting));
        task.spawn(accept(listener, manner, Arc::clone(&heard), serve, renew));
        Self {
            addr,
            heard,
            _task: task,
        }
    }

    /// Heads and bodies that came, in order.
    pub(crate) fn requests(&self) -> Vec<(RequestHead, Bytes)> {
        self.heard.requests.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.heard.requests.lock().unwrap().len()
    }

    /// How many links were made, and how many of them still stand.
    pub(crate) fn links(&self) -> (usize, usize) {
        let links = self.heard.links.lock().unwrap();
        (links.len(), links.iter().filter(|link| !link.is_closed()).count())
    }

    /// Breaks every link.
    pub(crate) fn break_links(&self) {
        for link in self.heard.links.lock().unwrap().drain(..) {
            link.close("the test breaks the link");
        }
    }
}

type Serve = dyn Fn(Serving, usize) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

async fn accept(
    mut listener: Listener,
    manner: Manner,
    heard: Arc<Heard>,
    serve: Arc<Serve>,
    renew: impl FnOnce() + Send + 'static,
) {
    let mut links = JoinSet::new();
    let mut renew = Some(renew);
    loop {
        let (link, inbox) = listener.accept().await;
        if let Some(renew) = renew.take() {
            renew();
        }
        links.spawn(converse(
            link,
            inbox,
            manner.clone(),
            Arc::clone(&heard),
            Arc::clone(&serve),
        ));
    }
}

async fn converse(link: Link, mut inbox: Inbox, manner: Manner, heard: Arc<Heard>, serve: Arc<Serve>) {
    while let Some(Incoming::Query { id, question }) = inbox.recv().await {
        let short = peek_id(&question) == Some(client::AuthorizeWithProxyShort::ID);
        let answer = if short {
            success()
        } else {
            connected(&manner, question)
        };
        if link.answer(id, Ok(answer)).await.is_err() {
            return;
        }
        if short {
            break;
        }
    }
    heard.links.lock().unwrap().push(link.clone());
    let hello = Hello {
        software: "fake".into(),
        capabilities: Vec::new(),
        endpoints: Vec::new(),
        context_length: 0,
        engine: EnginePlace::None,
    };
    let (session, events) = Session::start(link, inbox, hello, Fault::ProxyLost);
    listen(session, events, manner, heard, serve).await;
}

async fn listen(session: Session, mut events: Events, manner: Manner, heard: Arc<Heard>, serve: Arc<Serve>) {
    let mut requests = JoinSet::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::Request(serving) => {
                let (heard, serve) = (Arc::clone(&heard), Arc::clone(&serve));
                requests.spawn(async move {
                    let Serving {
                        head,
                        mut body,
                        answer,
                    } = serving;
                    let mut bytes = Vec::new();
                    while let Ok(Some(piece)) = body.next().await {
                        bytes.extend_from_slice(&piece);
                    }
                    let turn = {
                        let mut requests = heard.requests.lock().unwrap();
                        requests.push((head.clone(), bytes.into()));
                        requests.len() - 1
                    };
                    serve(Serving { head, body, answer }, turn).await;
                });
            }
            Event::Query { id, .. } => {
                let _ = session.link().answer(id, Ok(listing(&manner))).await;
            }
            Event::Hello(_) | Event::Message(_) => {}
        }
    }
}

fn connected(manner: &Manner, question: Bytes) -> Bytes {
    let question = client::ConnectToProxy::from_boxed(question).unwrap();
    assert_eq!(
        question
            .params
            .proto_versions
            .map(|versions| versions.max_proto_version),
        Some(3)
    );
    let mut secret_hash = [0; 32];
    secret_hash.copy_from_slice(digest(&SHA256, b"").as_ref());
    client::ConnectedToProxy {
        params: proxy::Params {
            proxy_public_key: [0; 32],
            proxy_owner_address: TlString::EMPTY,
            proxy_sc_address: TlString::EMPTY,
            is_test: Some(manner.is_test),
            proto_version: Some(manner.version),
        },
        client_sc_address: TlString::EMPTY,
        auth: client::ProxyConnectionAuth::Short(client::ProxyConnectionAuthShort {
            secret_hash,
            nonce: 0,
        }),
        signed_payment: proxy::SignedPayment::Empty(proxy::SignedPaymentEmpty {}),
    }
    .to_boxed()
}

fn success() -> Bytes {
    client::AuthorizationWithProxy::Success(client::AuthorizationWithProxySuccess {
        signed_payment: proxy::SignedPayment::Empty(proxy::SignedPaymentEmpty {}),
        tokens_committed_to_db: 0,
        max_tokens: 0,
    })
    .to_boxed()
}

fn listing(manner: &Manner) -> Bytes {
    let types = manner
        .workers
        .iter()
        .map(|(name, coefficient)| client::WorkerTypeV2 {
            name: TlString::from_static(name),
            workers: vec![client::WorkerInstanceV2 {
                flags: 0,
                coefficient: *coefficient,
                active_requests: 0,
                max_active_requests: 4,
            }],
        });
    client::WorkerTypesV2 {
        types: types.collect(),
    }
    .to_boxed()
}

pub(crate) fn head(status: u16, content_type: &str) -> AnswerHead {
    AnswerHead {
        status,
        content_type: content_type.into(),
        tier: Tier::Simulated,
        coefficient: Coefficient::ONE,
        sealed: None,
    }
}

pub(crate) fn end() -> AnswerEnd {
    AnswerEnd {
        usage: Usage::new(3, 0, 5, 0).unwrap(),
        engine_time: Duration::from_millis(1),
        receipt: None,
    }
}

/// Answers in one piece.
pub(crate) async fn whole(serving: Serving, status: u16, body: &'static str) {
    let mut answer = serving.answer;
    let _ = answer.head(head(status, "application/json")).await;
    let _ = answer.part(Bytes::from_static(body.as_bytes())).await;
    let _ = answer.end(end()).await;
}

/// Answers with events, a pause before each but the first.
pub(crate) async fn parts(serving: Serving, pause: Duration, parts: &'static [&'static str]) {
    let mut answer = serving.answer;
    let _ = answer.head(head(200, "text/event-stream")).await;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            tokio::time::sleep(pause).await;
        }
        if answer.part(Bytes::from_static(part.as_bytes())).await.is_err() {
            return;
        }
    }
    let _ = answer.end(end()).await;
}
