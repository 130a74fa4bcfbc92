//! Why a dialler is refused, said to it.
//!
//! TLS 1.3 lets the dialler finish before the acceptor has judged its certificate, and an alert has no room for a reason. So
//! the acceptor's first frame is a `tcp.queryError` in place of `tcp.connected`: a peer of the original fails on it as it would
//! on the end of the stream (spec/network.md 1.4, 3.7).

use std::error::Error as _;
use std::time::Duration;

use bytes::BytesMut;
use cocoon_tl::frame::write_frame;
use cocoon_tl::{TlString, tcp};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::error::StreamError;

/// For a refused dialler to hear why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What it may have sent meanwhile, in bytes: what nobody reads would make the system cut our words off.
const LAST_READS: u64 = 64 * 1024;

/// Ordinary application refusal (spec/network.md 0).
const REFUSED: i32 = 602;

/// Says it and closes. Whether it was heard changes nothing.
pub(super) async fn say(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), error: &StreamError) {
    // The refusal's own words; they name the check and hold nothing of the peer's.
    let reason = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    let packet = tcp::Packet::QueryError(tcp::QueryError {
        id: 0,
        code: REFUSED,
        message: TlString::from(reason),
    });
    let mut frame = BytesMut::new();
    if write_frame(&mut frame, 0, &packet).is_err() {
        return;
    }
    let said = async {
        stream.write_all(&frame).await?;
        stream.shutdown().await?;
        let mut rest = stream.take(LAST_READS);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    // Gone already, or slow: then it does not learn why.
    let _ = timeout(LAST_WORDS, said).await;
}
