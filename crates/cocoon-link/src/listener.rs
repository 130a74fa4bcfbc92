use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cocoon_attest::Side;
use cocoon_types::error_line;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::error::{AcceptError, StreamError};
use crate::pow::load::PowLoad;
use crate::{Inbox, Link, LinkOptions, ListenError, secure};

/// Finished links that wait for [`Listener::accept`]. Roles accept in a loop that does nothing else.
const MAX_FINISHED: usize = 16;
/// Connections beyond the admitted handshakes: those that are turned away in this moment, greet, or are finished and wait.
const MAX_BESIDE: usize = 256;
/// How long to wait when the system gives no connection, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Failures that are logged each in the same second; a flood of connections must not become a flood of lines.
const LOGGED_PER_SECOND: u32 = 20;

/// A listening port that hands out finished links only. Dropping it closes the port and what is not finished.
#[derive(Debug)]
pub struct Listener {
    local_addr: SocketAddr,
    links: mpsc::Receiver<(Link, Inbox)>,
    _tasks: JoinSet<()>,
}

/// The task behind a listener.
struct Porter {
    listener: TcpListener,
    options: Arc<LinkOptions>,
    load: Arc<PowLoad>,
    links: mpsc::Sender<(Link, Inbox)>,
    handshakes: JoinSet<Result<(), AcceptError>>,
    log: FailureLog,
}

/// Logs failures, at most so many a second.
#[derive(Debug)]
struct FailureLog {
    second: tokio::time::Instant,
    count: u32,
}

// === impl Listener ===

impl Listener {
    /// Starts to listen. Handshakes run in the background and are bounded in time and number, in total and per address.
    ///
    /// # Errors
    /// [`ListenError`] when the address cannot be bound.
    pub async fn bind(addr: SocketAddr, options: Arc<LinkOptions>) -> Result<Self, ListenError> {
        let listener = TcpListener::bind(addr).await.map_err(ListenError)?;
        let local_addr = listener.local_addr().map_err(ListenError)?;
        let (sender, links) = mpsc::channel(MAX_FINISHED);
        let porter = Porter {
            listener,
            load: Arc::new(PowLoad::new(options.handshakes)),
            options,
            links: sender,
            handshakes: JoinSet::new(),
            log: FailureLog {
                second: tokio::time::Instant::now(),
                count: 0,
            },
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(porter.run());
        Ok(Self {
            local_addr,
            links,
            _tasks: tasks,
        })
    }

    /// The address that is listened on; the port is real even if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The next finished link. Handshakes that fail are logged with a reason and forgotten. Cancel-safe.
    pub async fn accept(&mut self) -> (Link, Inbox) {
        loop {
            if let Some(link) = self.links.recv().await {
                // One that ended while it waited is of no use to anybody.
                if !link.0.is_closed() {
                    return link;
                }
            } else {
                // The task ends only with this listener, with the runtime, or by a defect.
                tracing::error!("the listener's task is gone: no more links on this port");
                std::future::pending::<()>().await;
            }
        }
    }
}

// === impl Porter ===

impl Porter {
    async fn run(mut self) {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((tcp, remote)) => self.begin(tcp, remote),
                    Err(error) => {
                        tracing::warn!(%error, "no connection can be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(result) = self.handshakes.join_next() => match result {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => self.log.failed(&error),
                    Err(error) => tracing::error!(%error, "a handshake panicked"),
                },
            }
        }
    }

    fn begin(&mut self, tcp: TcpStream, remote: SocketAddr) {
        if self.handshakes.len() >= self.options.handshakes.at_once.saturating_add(MAX_BESIDE) {
            self.log.failed(&crate::pow::load::Overload::Total);
            return;
        }
        let options = Arc::clone(&self.options);
        let load = Arc::clone(&self.load);
        let links = self.links.clone();
        self.handshakes.spawn(async move {
            let (stream, attested) = secure::accept(tcp, &options, &load).await?;
            let limits = options.limits_for(&attested.peer);
            let link = Link::establish(stream, attested, remote, Side::Acceptor, limits)
                .await
                .map_err(StreamError::from)?;
            // An error means that the listener is gone, and the link with it.
            drop(links.send(link).await);
            Ok(())
        });
    }
}

// === impl FailureLog ===

impl FailureLog {
    fn failed(&mut self, error: &dyn Error) {
        if self.second.elapsed() >= Duration::from_secs(1) {
            let unlogged = self.count.saturating_sub(LOGGED_PER_SECOND);
            if unlogged > 0 {
                tracing::info!(unlogged, "more connections did not become links");
            }
            self.second = tokio::time::Instant::now();
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        if self.count <= LOGGED_PER_SECOND {
            tracing::info!(reason = error_line(error), "a connection did not become a link");
        }
    }
}
