use std::net::SocketAddr;

use cocoon_attest::{EvidenceRule, ImageRule, Policy, Simulated};
use tokio::net::TcpListener;

use super::*;
use crate::{LinkOptions, Listener, PowOptions};

const NOW: u64 = 1_790_000_000;

fn clock() -> u64 {
    NOW
}

async fn look(addr: SocketAddr) -> Result<Inspection, DialError> {
    let nobody = Identity::without_evidence(NOW).unwrap();
    inspect(&addr.to_string(), nobody, 20, Duration::from_secs(5)).await
}

/// A listener whose policy refuses everybody, us too.
async fn acceptor(identity: Identity) -> Listener {
    let options = LinkOptions::new(identity, Policy::default(), clock).with_pow(PowOptions::NONE);
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    Listener::bind(anywhere, Arc::new(options)).await.unwrap()
}

#[tokio::test]
async fn what_an_acceptor_presents_is_seen_even_if_it_refuses_us() {
    let identity = Identity::simulated(NOW).unwrap();
    let certificate = identity.certificate_der().to_vec();
    let mut listener = acceptor(identity).await;
    let addr = listener.local_addr();
    let seen = tokio::select! {
        seen = look(addr) => seen.unwrap(),
        _ = listener.accept() => panic!("it accepts nobody"),
    };
    assert_eq!(seen.certificate, certificate);
    let policy = Policy {
        evidence: EvidenceRule::Required {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Any,
        ..Policy::default()
    };
    let side = cocoon_attest::Side::Acceptor;
    cocoon_attest::appraise_certificate(&seen.certificate, side, &policy, NOW).unwrap();
}

/// Who shows somebody else's certificate cannot prove that it holds the key.
#[tokio::test]
async fn a_stolen_certificate_is_not_shown() {
    let victim = Identity::simulated(NOW).unwrap();
    let thief = Identity::simulated(NOW)
        .unwrap()
        .under_stolen_certificate(&victim);
    let mut listener = acceptor(thief).await;
    let addr = listener.local_addr();
    let seen = tokio::select! {
        seen = look(addr) => seen,
        _ = listener.accept() => panic!("it accepts nobody"),
    };
    assert!(
        matches!(seen, Err(DialError::Stream(StreamError::Tls(_)))),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = silent.local_addr().unwrap().to_string();
    let nobody = Identity::without_evidence(NOW).unwrap();
    let seen = inspect(&addr, nobody, 20, Duration::from_millis(200)).await;
    assert!(
        matches!(seen, Err(DialError::Stream(StreamError::Deadline(Step::Pow)))),
        "{seen:?}"
    );
}
