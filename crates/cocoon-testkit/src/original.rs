//! Peers of the original (protocols 0 to 2), as spec/network.md and spec/ton.md describe them, with a wallet each.
//!
//! They insist on what the original insists on, and say so when they do not get it: addresses that they derive
//! themselves, in their own spelling; signed payments that are there, verify, and never fall; the order of an answer's
//! messages; errors in forms that do not end their process.

mod client;
mod money;
mod proxy;
mod worker;

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use cocoon_link::Incoming;
use cocoon_tl::shared::ProtoVersions;
use cocoon_tl::{TlObject as _, TlString, http};
use tokio::time::timeout;

pub use client::{OldAnswer, OldClient, OldRequest};
pub use proxy::{OldProxy, OldServing};
pub use worker::{OldWork, OldWorker};

use crate::hostile::Peer;

/// No test waits longer for a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// A range of versions; the original's peers speak 1 to 2, older ones name none.
fn versions(most: i32) -> Option<ProtoVersions> {
    (most > 0).then_some(ProtoVersions {
        min_proto_version: 1,
        max_proto_version: most,
    })
}

/// The next one-way message.
async fn packet(peer: &mut Peer) -> anyhow::Result<Bytes> {
    loop {
        let incoming = timeout(PATIENCE, peer.inbox.recv()).await.context("silence")?;
        if let Incoming::Packet(packet) = incoming.context("the link has ended")? {
            return Ok(packet);
        }
    }
}

/// A chat request as the original's client wraps it, the caller's headers with it.
fn http_request(body: &str) -> Bytes {
    let header = |name: &str, value: &str| http::Header {
        name: TlString::from(name),
        value: TlString::from(value),
    };
    http::Request {
        method: TlString::from("POST"),
        url: TlString::from("/v1/chat/completions"),
        http_version: TlString::from("HTTP/1.1"),
        headers: vec![
            header("Host", "127.0.0.1:10000"),
            header("Authorization", "Bearer planted-secret"),
            header("Content-Length", &body.len().to_string()),
        ],
        payload: Bytes::copy_from_slice(body.as_bytes()),
    }
    .to_boxed()
}

/// The head of an answer as the original's worker makes it: its bytes follow in parts.
fn http_response(content_type: &str) -> Bytes {
    let header = |name: &str, value: &str| http::Header {
        name: TlString::from(name),
        value: TlString::from(value),
    };
    http::Response {
        http_version: TlString::from("HTTP/1.1"),
        status_code: 200,
        reason: TlString::from("OK"),
        headers: vec![
            header("content-type", content_type),
            header("X-Cocoon-Worker-Start", "1.000000"),
            header("Transfer-Encoding", "chunked"),
        ],
        payload: Bytes::new(),
    }
    .to_boxed()
}

/// A random id of a request.
fn fresh_id() -> anyhow::Result<[u8; 32]> {
    let mut id = [0; 32];
    aws_lc_rs::rand::fill(&mut id).ok().context("no random bytes")?;
    Ok(id)
}
