//! Links under rules that change: who no longer fits is withdrawn, drained and closed; others notice nothing.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_attest::{EvidenceRule, ImageRule, Measurements, Policy, Roots, Simulated};
use cocoon_link::{
    Appraiser, DialError, Identity, Inbox, Incoming, Link, LinkOptions, Listener, PowOptions, StreamError,
    dial,
};
use cocoon_tee::Tee;
use cocoon_tee::development::{DevelopmentTee, Fault, TextFault, image};
use cocoon_types::Tier;

fn now() -> u64 {
    1_800_000_000
}

fn policy(images: &[&Measurements]) -> Policy {
    Policy {
        evidence: EvidenceRule::Required {
            simulated: Simulated::AcceptOnTestNetwork,
        },
        image_hashes: ImageRule::Listed(images.iter().map(|image| image.image_hash()).collect()),
        ..Policy::default()
    }
}

fn identity(tee: &Arc<DevelopmentTee>, role: &str) -> Identity {
    let tee = Tee::Development(Arc::clone(tee), Box::new(image(role)));
    Identity::attested(Arc::new(tee), now()).unwrap()
}

struct Scene {
    acceptor: Appraiser,
    listener: Listener,
    dialling: LinkOptions,
}

/// A worker that may dial a proxy, and the proxy.
async fn scene(worker: Identity, tee: &Arc<DevelopmentTee>) -> Scene {
    let roots: Roots = tee.roots().unwrap();
    let acceptor = Appraiser::new(policy(&[&image("worker")]), roots.clone());
    let options = LinkOptions::new(identity(tee, "proxy"), acceptor.clone(), now).with_pow(PowOptions::NONE);
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), Arc::new(options))
        .await
        .unwrap();
    let dialler = Appraiser::new(policy(&[&image("proxy")]), roots);
    Scene {
        acceptor,
        listener,
        dialling: LinkOptions::new(worker, dialler, now),
    }
}

impl Scene {
    async fn dial(&self) -> Result<(Link, Inbox), DialError> {
        dial(&self.listener.local_addr().to_string(), &self.dialling).await
    }

    async fn meet(&mut self) -> ((Link, Inbox), (Link, Inbox)) {
        let addr = self.listener.local_addr().to_string();
        let (dialled, accepted) = tokio::join!(dial(&addr, &self.dialling), self.listener.accept());
        (dialled.unwrap(), accepted)
    }

    async fn refusal(&self) -> String {
        match self.dial().await.unwrap_err() {
            DialError::Stream(StreamError::RefusedBecause(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn development_evidence_on_both_sides_and_its_collateral_with_it() {
    let tee = Arc::new(DevelopmentTee::new(now()).unwrap());
    let mut scene = scene(identity(&tee, "worker"), &tee).await;
    let ((near, _inbox), (far, _other_inbox)) = scene.meet().await;
    for (link, role) in [(&near, "proxy"), (&far, "worker")] {
        assert_eq!(link.peer().tier(), Tier::Simulated);
        assert_eq!(link.peer().image_hash(), &image(role).image_hash());
        assert_eq!(link.peer().expires_at(), now() + 86_400);
    }
}

#[tokio::test]
async fn an_image_that_leaves_the_list_is_withdrawn_and_drained() {
    let tee = Arc::new(DevelopmentTee::new(now()).unwrap());
    let mut scene = scene(identity(&tee, "worker"), &tee).await;
    let ((near, _inbox), (far, mut other_inbox)) = scene.meet().await;
    // Another list with the same image in it disturbs nobody.
    scene
        .acceptor
        .replace_policy(policy(&[&image("worker"), &image("other")]));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(far.withdrawal().is_none());

    scene.acceptor.replace_policy(policy(&[&image("other")]));
    let reason = tokio::time::timeout(Duration::from_secs(10), far.withdrawn())
        .await
        .unwrap();
    assert!(reason.contains("not on the list of accepted images"), "{reason}");
    // What runs goes on for a while.
    assert!(!far.is_closed());
    near.send(Bytes::from_static(b"last words")).await.unwrap();
    assert!(matches!(other_inbox.recv().await, Some(Incoming::Packet(_))));
    // The same peer gets no other link, and hears why.
    assert!(
        scene
            .refusal()
            .await
            .contains("not on the list of accepted images")
    );
    // Whoever is done ends it with the reason.
    far.close(&reason);
    near.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_link_ends_by_itself() {
    let tee = Arc::new(DevelopmentTee::new(now()).unwrap());
    let mut scene = scene(identity(&tee, "worker"), &tee).await;
    let ((_near, _inbox), (far, _other_inbox)) = scene.meet().await;
    scene.acceptor.replace_policy(policy(&[]));
    let begun = tokio::time::Instant::now();
    let reason = far.closed().await;
    assert!(reason.contains("not on the list of accepted images"), "{reason}");
    assert!(
        begun.elapsed() <= Duration::from_secs(21),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn other_roots_end_links_too() {
    let tee = Arc::new(DevelopmentTee::new(now()).unwrap());
    let mut scene = scene(identity(&tee, "worker"), &tee).await;
    let ((_near, _inbox), (far, _other_inbox)) = scene.meet().await;
    scene.acceptor.replace_roots(Roots::makers());
    let reason = far.withdrawn().await;
    assert!(reason.contains("refused by the rules that hold now"), "{reason}");
}

#[tokio::test]
async fn bad_evidence_is_refused_in_words_that_reach_the_dialler() {
    let home = Arc::new(DevelopmentTee::new(now()).unwrap());
    let foreign = Arc::new(DevelopmentTee::new(now()).unwrap());
    let quote_of_another_key = Identity::altered(now(), |draft| {
        let tee = Tee::Development(Arc::clone(&home), Box::new(image("worker")));
        draft.extensions[0].value = tee.quote(&[9; 64]).unwrap();
        let collateral = home.collateral(now()).unwrap().to_compact().unwrap();
        *draft = draft.clone().with_collateral(collateral);
    })
    .unwrap();
    let without_collateral = {
        #[derive(Debug)]
        struct Bare(Tee);
        impl cocoon_link::Attester for Bare {
            fn evidence(
                &self,
                report_data: &[u8; 64],
                _now: u64,
            ) -> Result<cocoon_link::Presented, Box<dyn std::error::Error + Send + Sync>> {
                Ok(cocoon_link::Presented {
                    quote: self.0.quote(report_data)?,
                    collateral: None,
                })
            }
        }
        let tee = Tee::Development(Arc::clone(&home), Box::new(image("worker")));
        Identity::attested(Arc::new(Bare(tee)), now()).unwrap()
    };
    for (worker, words) in [
        (identity(&home, "other"), "not on the list of accepted images"),
        (identity(&foreign, "worker"), "signature"),
        (quote_of_another_key, "report data"),
        (without_collateral, "without collateral"),
        (
            Identity::simulated(now()).unwrap(),
            "not on the list of accepted images",
        ),
        (Identity::without_evidence(now()).unwrap(), "no evidence"),
    ] {
        let scene = scene(worker, &home).await;
        let reason = scene.refusal().await;
        assert!(reason.contains(words), "{words}: {reason}");
    }
}

#[tokio::test]
async fn collateral_that_has_ended_makes_no_identity() {
    let tee = Arc::new(DevelopmentTee::with_fault(now(), Fault::TcbInfo(TextFault::Expired)).unwrap());
    let tee = Tee::Development(tee, Box::new(image("worker")));
    let made = Identity::attested(Arc::new(tee), now());
    assert!(
        matches!(made, Err(cocoon_link::IdentityError::Ended(_))),
        "{made:?}"
    );
}
