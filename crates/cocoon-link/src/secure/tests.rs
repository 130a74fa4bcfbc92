use std::net::SocketAddr;

use cocoon_attest::{EvidenceRule, ImageRule, Policy, Simulated};
use cocoon_types::Tier;
use tokio::net::TcpListener;

use super::*;
use crate::identity::{CurrentIdentity, Identity};
use crate::options::PowOptions;

const NOW: u64 = 1_790_000_000;

fn clock() -> u64 {
    NOW
}

fn simulated() -> Policy {
    Policy {
        evidence: EvidenceRule::Required {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    }
}

fn options(identity: impl Into<CurrentIdentity>, policy: Policy) -> LinkOptions {
    LinkOptions::new(identity, policy, clock).with_pow(PowOptions::NONE)
}

fn good() -> LinkOptions {
    options(Identity::simulated(NOW).unwrap(), simulated())
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

type Dialled = Result<(client::TlsStream<TcpStream>, Attested), DialError>;
type Accepted = Result<(server::TlsStream<TcpStream>, Attested), AcceptError>;

/// Brings one connection up over loopback and tells how both ends saw it.
async fn meet(dialler: &LinkOptions, acceptor: &LinkOptions) -> (Dialled, Accepted) {
    let (listener, addr) = listener().await;
    let load = PowLoad::new(acceptor.handshakes);
    let addr = addr.to_string();
    tokio::join!(connect(&addr, dialler), async {
        let (tcp, _) = listener.accept().await.unwrap();
        accept(tcp, acceptor, &load).await
    })
}

#[tokio::test]
async fn both_ends_know_each_other() {
    let (dialler, acceptor) = (good(), good());
    let (dialled, accepted) = meet(&dialler, &acceptor).await;
    let (mut near, acceptor_seen) = dialled.unwrap();
    let (mut far, dialler_seen) = accepted.unwrap();
    assert_eq!(acceptor_seen.peer.key(), acceptor.identity().get().public_key());
    assert_eq!(dialler_seen.peer.key(), dialler.identity().get().public_key());
    assert_eq!(acceptor_seen.peer.tier(), Tier::Simulated);
    assert_eq!(acceptor_seen.peer.expires_at(), NOW + 86_400);
    near.write_all(b"to the acceptor").await.unwrap();
    far.write_all(b"to the dialler!").await.unwrap();
    let (mut heard, mut answered) = ([0; 15], [0; 15]);
    far.read_exact(&mut heard).await.unwrap();
    near.read_exact(&mut answered).await.unwrap();
    assert_eq!((&heard, &answered), (b"to the acceptor", b"to the dialler!"));
}

/// What a read tells a dialler that was refused after its own handshake had ended.
async fn after_handshake(mut stream: client::TlsStream<TcpStream>) -> StreamError {
    let error = stream.read_u8().await.unwrap_err();
    StreamError::of(Step::Link, error)
}

mod hostile;
mod refusals;
mod shape;
