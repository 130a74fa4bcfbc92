//! A hostile proxy: all that a real one does, but for what it changes on the way between that and its clients.
//!
//! It has a link of its own to either side, and sees every message in clear, as a proxy does. What a gateway checks of a proxy's
//! payments passes unchanged, so that it is taken for the real one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cocoon_attest::{EvidenceRule, ImageRule, Policy, Simulated};
use cocoon_link::{Identity, Inbox, Incoming, Link, LinkOptions, Listener, PowOptions};
use cocoon_tl::TlObject as _;
use cocoon_tl::v3::Message;
use cocoon_web::clock::unix_now;
use tokio::task::JoinSet;

use crate::network::dial_as;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client.
    Up,
    /// To the client.
    Down,
}

/// What becomes of a message of protocol 3: these go on in its place.
pub type Tamper = Box<dyn FnMut(Way, Message) -> Vec<Message> + Send>;

/// The proxy in the middle. It ends when it is dropped.
pub struct Relay {
    addr: SocketAddr,
    tamper: Arc<Mutex<Tamper>>,
    seen: Arc<Mutex<Vec<u8>>>,
    _tasks: JoinSet<()>,
}

/// For questions that the real proxy answers.
const PATIENCE: Duration = Duration::from_secs(60);

// === impl Relay ===

impl Relay {
    /// Stands before this proxy, and changes nothing yet.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn before(proxy: SocketAddr) -> anyhow::Result<Self> {
        let policy = Policy {
            evidence: EvidenceRule::Optional {
                simulated: Simulated::AcceptOnTestNetwork,
            },
            image_hashes: ImageRule::Any,
            ..Policy::default()
        };
        let identity = Identity::simulated(unix_now())?;
        let options = LinkOptions::new(identity, policy, unix_now).with_pow(PowOptions::NONE);
        let mut listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Arc::new(options)).await?;
        let addr = listener.local_addr();
        let tamper: Arc<Mutex<Tamper>> = Arc::new(Mutex::new(Box::new(|_, message| vec![message])));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (shared, heard) = (Arc::clone(&tamper), Arc::clone(&seen));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut links = JoinSet::new();
            loop {
                let client = listener.accept().await;
                let Ok(identity) = Identity::simulated(unix_now()) else {
                    return;
                };
                let Ok(real) = dial_as(proxy, identity).await else {
                    continue;
                };
                links.spawn(join(client, real, Arc::clone(&shared), Arc::clone(&heard)));
            }
        });
        Ok(Self {
            addr,
            tamper,
            seen,
            _tasks: tasks,
        })
    }

    /// Where gateways dial it.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// From now on messages are changed like this.
    pub fn tamper(&self, tamper: impl FnMut(Way, Message) -> Vec<Message> + Send + 'static) {
        *self.tamper.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(tamper);
    }

    /// Whether these bytes were in anything that passed.
    pub fn saw(&self, bytes: &[u8]) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.windows(bytes.len()).any(|window| window == bytes)
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Relay({})", self.addr)
    }
}

async fn join(
    client: (Link, Inbox),
    real: (Link, Inbox),
    tamper: Arc<Mutex<Tamper>>,
    seen: Arc<Mutex<Vec<u8>>>,
) {
    let (client_link, client_inbox) = client;
    let (real_link, real_inbox) = real;
    let up = carry(client_inbox, &client_link, &real_link, Way::Up, &tamper, &seen);
    let down = carry(real_inbox, &real_link, &client_link, Way::Down, &tamper, &seen);
    tokio::select! {
        () = up => {}
        () = down => {}
    }
    client_link.close("the other side has ended");
    real_link.close("the other side has ended");
}

async fn carry(
    mut from: Inbox,
    near: &Link,
    to: &Link,
    way: Way,
    tamper: &Mutex<Tamper>,
    seen: &Mutex<Vec<u8>>,
) {
    let mut questions = JoinSet::new();
    loop {
        let incoming = tokio::select! {
            incoming = from.recv() => incoming,
            Some(_) = questions.join_next() => continue,
        };
        match incoming {
            None => return,
            Some(Incoming::Packet(packet)) => {
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(&packet);
                let out: Vec<Bytes> = match Message::from_boxed(packet.clone()) {
                    Ok(message) => {
                        let mut tamper = tamper.lock().unwrap_or_else(PoisonError::into_inner);
                        (*tamper)(way, message)
                            .into_iter()
                            .map(|message| message.to_boxed())
                            .collect()
                    }
                    Err(_) => vec![packet],
                };
                for packet in out {
                    if to.send(packet).await.is_err() {
                        return;
                    }
                }
            }
            Some(Incoming::Query { id, question }) => {
                let (near, to) = (near.clone(), to.clone());
                questions.spawn(async move {
                    let answer = match to.query(question, PATIENCE).await {
                        Ok(answer) => Ok(answer),
                        Err(cocoon_link::QueryError::Refused { code, message }) => Err((code, message)),
                        Err(error) => Err((1, error.to_string())),
                    };
                    let _ = near.answer(id, answer).await;
                });
            }
        }
    }
}
