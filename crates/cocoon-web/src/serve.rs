use std::{pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::stall::StallGuard;

/// Bounds of an HTTP listener. The defaults fit every listener of a node.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Open connections at most; the next one is told 503 and closed.
    pub max_connections: usize,
    /// Time for the head of a request; also how long a connection may idle between two requests.
    pub header_timeout: Duration,
    /// Header fields of a request at most; more is answered with 431.
    pub max_headers: usize,
    /// Bytes of a request's head at most; more is answered with 431. Also bounds what is buffered per direction.
    pub max_head_bytes: usize,
    /// A caller that takes no byte of an answer for this long is cut off.
    pub write_stall: Duration,
    /// Time for open requests to end after the shutdown signal.
    pub drain: Duration,
}

/// What a connection past the limit is told; small enough for the empty send buffer of a new socket.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// Rest after an accept that failed (no file descriptors left, usually), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

// === impl ServeOptions ===

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            // Two sockets per request in flight at most; leaves room under the usual limit of 65,536 descriptors.
            max_connections: 8192,
            // Longer than the 5 s for which the usual SDKs keep a connection, short for a slow loris.
            header_timeout: Duration::from_secs(30),
            max_headers: 100,
            max_head_bytes: 64 * 1024,
            // A page that a person has paused may take nothing for a while; two minutes is gone.
            write_stall: Duration::from_secs(120),
            drain: Duration::from_secs(10),
        }
    }
}

/// Serves `router` on `listener` until `shutdown`; then closes the door, lets open requests end within
/// `options.drain`, and cuts off the rest.
///
/// Malformed HTTP ends its own connection and nothing else. Returns when every connection has ended.
pub async fn serve(
    router: Router,
    listener: TcpListener,
    options: ServeOptions,
    shutdown: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(options.max_connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            tracing::warn!(
                limit = options.max_connections,
                "too many connections, one was turned away"
            );
            // Best effort: who is turned away may also find the connection closed.
            let _ = stream.try_write(FULL);
            continue;
        };
        connections.spawn(connection(
            stream,
            slot,
            router.clone(),
            options.clone(),
            shutdown.clone(),
        ));
    }
    drop(listener);
    let drained = timeout(options.drain, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
    if drained.is_err() {
        tracing::warn!(
            open = connections.len(),
            "requests still open after the drain are cut off"
        );
        connections.shutdown().await;
    }
}

async fn connection(
    stream: TcpStream,
    _slot: OwnedSemaphorePermit,
    router: Router,
    options: ServeOptions,
    shutdown: CancellationToken,
) {
    // Parts of a streamed answer are small and each is wanted at once.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service =
        service_fn(move |request: Request<Incoming>| router.clone().oneshot(request.map(Body::new)));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_headers(options.max_headers)
        .max_buf_size(options.max_head_bytes.max(MIN_BUFFER));
    let io = TokioIo::new(StallGuard::new(stream, options.write_stall));
    let mut connection = pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The peer's address is not ours to write down; the kind of failure is enough.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Smallest buffer that hyper takes, in bytes.
const MIN_BUFFER: usize = 8192;

#[cfg(test)]
mod tests;
