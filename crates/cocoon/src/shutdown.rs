//! When a process of ours stops: Ctrl-C, SIGTERM, or the end of its stdin when its parent holds that.

use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels the token at the first signal; with `with_stdin`, also when stdin ends (the parent is gone).
pub(crate) async fn watch(token: CancellationToken, with_stdin: bool) {
    let reason = tokio::select! {
        reason = asked(with_stdin) => reason,
        () = token.cancelled() => return,
    };
    tracing::info!(reason, "stopping");
    token.cancel();
}

/// Resolves when this process is to stop, with the reason.
pub(crate) async fn asked(with_stdin: bool) -> &'static str {
    tokio::select! {
        () = interrupted() => "asked to stop",
        () = stdin_ended(), if with_stdin => "the parent process is gone or asked to stop",
    }
}

/// Resolves at Ctrl-C or SIGTERM.
pub(crate) async fn interrupted() {
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        },
        // No signals can be had: never resolves, the process ends the default way.
        _ => std::future::pending().await,
    }
}

async fn stdin_ended() {
    let mut stdin = tokio::io::stdin();
    let mut scratch = [0u8; 64];
    while !matches!(stdin.read(&mut scratch).await, Ok(0) | Err(_)) {}
}
