use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::batch::Batch;
use super::{Broken, Core};

/// A peer that takes not a single byte for this long is gone; the acceptor's own patience (spec/network.md 1.6).
pub(super) const STALL: Duration = Duration::from_secs(60);
/// How long a closed link goes on writing what was queued before: an error message and its acknowledgement.
const LINGER: Duration = Duration::from_secs(2);

/// Writes what the outbox holds until the link ends, then what is left of it, then closes the stream.
pub(super) async fn run(mut io: impl AsyncWrite + Unpin, core: Arc<Core>, first_seqno: i32) {
    let lingered = async {
        core.ended().await;
        tokio::time::sleep(LINGER).await;
    };
    let result = tokio::select! {
        biased;
        result = write(&mut io, &core, first_seqno) => result,
        () = lingered => Ok(()),
    };
    if let Err(broken) = result {
        core.fail(broken);
    }
}

async fn write(io: &mut (impl AsyncWrite + Unpin), core: &Core, first_seqno: i32) -> Result<(), Broken> {
    let mut batch = Batch::starting_at(first_seqno);
    let mut entries = Vec::new();
    let mut flushed = true;
    while core.outbox.take(&mut entries) {
        if entries.is_empty() {
            // Everything that was there together has shared its writes; what is alone must not wait.
            if flushed {
                core.outbox.ready().await;
            } else {
                within(io.flush()).await?;
                flushed = true;
            }
            continue;
        }
        flushed = false;
        let mut rest = entries.drain(..).peekable();
        while rest.peek().is_some() {
            let (mut room, mut urgent) = (0, 0);
            while !batch.is_full()
                && let Some((outgoing, cost)) = rest.next()
            {
                match cost {
                    0 => urgent += 1,
                    cost => room += cost as usize,
                }
                batch.encode(outgoing);
            }
            batch.seal();
            while batch.has_remaining() {
                if within(io.write_buf(&mut batch)).await? == 0 {
                    return Err(Broken::Write(std::io::ErrorKind::WriteZero.into()));
                }
            }
            core.outbox.written(room, urgent);
        }
    }
    within(io.flush()).await?;
    within(io.shutdown()).await
}

/// One step of writing, with its deadline.
async fn within<T>(step: impl Future<Output = std::io::Result<T>>) -> Result<T, Broken> {
    timeout(STALL, step)
        .await
        .map_err(|_| Broken::Stalled(STALL))?
        .map_err(Broken::Write)
}
