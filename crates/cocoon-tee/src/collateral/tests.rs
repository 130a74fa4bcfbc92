//! Against a server on this machine that speaks Intel's interface with development collateral, well or badly.

use std::cell::Cell;

use cocoon_attest::tdx::{TdxPolicy, TdxRefusal};

use super::*;
use crate::development::{DevelopmentTee, Fault, PlatformFault, QuoteFormat};

mod server;

use server::{Behaviour, Server};

/// Beginning of the collateral's life; it holds for 30 days.
pub(crate) const NOW: u64 = 1_795_400_000;
pub(crate) const DAY: u64 = 86_400;

thread_local! {
    static TIME: Cell<u64> = const { Cell::new(NOW) };
}

/// On this thread.
pub(crate) fn set_clock(now: u64) {
    TIME.set(now);
}

fn clock() -> u64 {
    TIME.get()
}

/// A TEE, its quote, a server with its collateral, and a directory.
pub(crate) struct Scene {
    pub(crate) tee: DevelopmentTee,
    pub(crate) quote: Vec<u8>,
    server: Server,
    directory: tempfile::TempDir,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::of(DevelopmentTee::new(NOW).unwrap()).await
    }

    async fn of(tee: DevelopmentTee) -> Self {
        let image = cocoon_attest::Measurements::ZERO;
        let quote = tee.quote(QuoteFormat::V4, &[7; 64], &image).unwrap();
        let server = Server::start(tee.collateral(NOW).unwrap()).await;
        Self {
            tee,
            quote,
            server,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A service that has just been started.
    pub(crate) fn service(&self) -> CollateralService {
        let options = CollateralOptions {
            url: self.server.url(),
            connect: Duration::from_secs(2),
            deadline: Duration::from_millis(500),
            attempts: 2,
            pause: Duration::from_millis(1),
            ..CollateralOptions::intel(Some(self.directory.path().join("collateral")))
        };
        CollateralService::new(options, self.tee.root_der(), clock).unwrap()
    }

    /// The server's collateral is of another day from now on.
    pub(crate) fn serve(&self, made_at: u64) {
        self.server.serve(self.tee.collateral(made_at).unwrap());
    }

    /// It answers nothing useful any more.
    pub(crate) fn fail(&self) {
        self.server.behave(Behaviour::Status(503));
    }

    async fn fails(&self) -> FetchError {
        match self.service().of(&self.quote).await {
            Err(CollateralServiceError::None { error, .. }) => error,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_fetched_verifies_and_is_asked_for_once() {
    let scene = Scene::new().await;
    let service = scene.service();
    let collateral = service.of(&scene.quote).await.unwrap();
    let policy = TdxPolicy::default();
    tdx::verify(&scene.quote, &collateral, scene.tee.root_der(), &policy, NOW).unwrap();
    assert_eq!(scene.server.asked(), 4, "one question for each part");
    let again = service.of(&scene.quote).await.unwrap();
    assert!(Arc::ptr_eq(&collateral, &again));
    assert_eq!(scene.server.asked(), 4, "from memory");
    let lines = scene.server.lines();
    assert!(
        lines[1].starts_with("GET /tdx/certification/v4/tcb?fmspc=444556000000 "),
        "{lines:?}"
    );
    assert!(
        lines[0].starts_with("GET /sgx/certification/v4/pckcrl?ca=platform&encoding=der "),
        "{lines:?}"
    );
}

#[tokio::test]
async fn many_ask_and_one_fetches() {
    let scene = Scene::new().await;
    let service = scene.service();
    let (a, b, c) = tokio::join!(
        service.of(&scene.quote),
        service.of(&scene.quote),
        service.of(&scene.quote)
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(scene.server.asked(), 4);
}

#[tokio::test]
async fn a_restart_needs_no_server_until_the_end() {
    let scene = Scene::new().await;
    let first = scene.service().of(&scene.quote).await.unwrap();
    scene.server.behave(Behaviour::Status(503));
    let asked = scene.server.asked();
    let service = scene.service();
    assert_eq!(service.of(&scene.quote).await.unwrap(), first);
    assert_eq!(scene.server.asked(), asked, "from disk");
    // Half its life: newer is asked for, does not come, and what is there still holds.
    TIME.set(NOW + 20 * DAY);
    assert_eq!(service.of(&scene.quote).await.unwrap(), first);
    assert!(scene.server.asked() > asked);
    let asked = scene.server.asked();
    assert_eq!(service.of(&scene.quote).await.unwrap(), first);
    assert_eq!(scene.server.asked(), asked, "not at every question");
    let renew_at = service.renew_at(&scene.quote).await;
    assert_eq!(renew_at, NOW + 20 * DAY + RETRY_RENEWAL);
    // Its end: then there is none, in words.
    TIME.set(NOW + 31 * DAY);
    for service in [service, scene.service()] {
        let error = service.of(&scene.quote).await.unwrap_err();
        let words = error.to_string();
        assert!(words.contains("what is on disk ended at"), "{words}");
        assert!(!error.hint().is_empty());
    }
}

#[tokio::test]
async fn from_half_its_life_on_newer_replaces_it() {
    let scene = Scene::new().await;
    let service = scene.service();
    let first = service.of(&scene.quote).await.unwrap();
    let renew_at = service.renew_at(&scene.quote).await;
    assert!(
        (14 * DAY..=15 * DAY).contains(&(renew_at - NOW)),
        "half of 30 days"
    );
    TIME.set(renew_at);
    scene.server.serve(scene.tee.collateral(renew_at).unwrap());
    let second = service.of(&scene.quote).await.unwrap();
    assert_ne!(first, second);
    scene.server.behave(Behaviour::Status(500));
    TIME.set(NOW + 31 * DAY);
    let restarted = scene.service().of(&scene.quote).await.unwrap();
    assert_eq!(restarted, second, "the newer one is on disk");
}

#[tokio::test]
async fn bad_answers_are_named() {
    let scene = Scene::new().await;
    let status = |status| FetchError::Status {
        part: "PCK revocation list",
        status,
    };
    let cases = [
        (Behaviour::Status(404), status(404).to_string(), 1),
        (Behaviour::Status(500), status(500).to_string(), 2),
        // Followed, it would be a way to this machine's other servers.
        (Behaviour::Redirect, status(302).to_string(), 1),
        (
            Behaviour::Huge,
            FetchError::TooLarge("PCK revocation list").to_string(),
            1,
        ),
        (
            Behaviour::NoHeader,
            FetchError::Form("PCK revocation list").to_string(),
            1,
        ),
    ];
    for (behaviour, words, questions) in cases {
        let asked = scene.server.asked();
        scene.server.behave(behaviour);
        assert_eq!(scene.fails().await.to_string(), words);
        assert_eq!(scene.server.asked() - asked, questions, "{behaviour:?}");
    }
    for behaviour in [Behaviour::Cut, Behaviour::Hang] {
        scene.server.behave(behaviour);
        let started = tokio::time::Instant::now();
        let error = scene.fails().await;
        assert!(matches!(error, FetchError::Cut { .. }), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{behaviour:?}");
    }
    for behaviour in [Behaviour::Garbage, Behaviour::BadChain] {
        scene.server.behave(behaviour);
        let error = scene.fails().await;
        assert!(
            matches!(error, FetchError::Form(_) | FetchError::Refused(_)),
            "{error:?}"
        );
    }
    let none = std::fs::read_dir(scene.directory.path()).unwrap().count();
    assert_eq!(none, 0, "nothing of it is kept");
    scene.server.behave(Behaviour::Good);
    scene.service().of(&scene.quote).await.unwrap();
}

#[tokio::test]
async fn nobody_there() {
    let scene = Scene::new().await;
    scene.server.stop();
    let error = scene.fails().await;
    assert!(matches!(error, FetchError::Connect(_)), "{error:?}");
}

#[tokio::test]
async fn what_does_not_verify_never_replaces_what_does() {
    let scene = Scene::new().await;
    let service = scene.service();
    let good = service.of(&scene.quote).await.unwrap();
    TIME.set(NOW + 16 * DAY);
    // Another root's, genuine in its own eyes.
    let foreign = DevelopmentTee::new(NOW).unwrap();
    scene.server.serve(foreign.collateral(NOW + 16 * DAY).unwrap());
    assert_eq!(service.of(&scene.quote).await.unwrap(), good);
    // Our own from before: a way to hide what was revoked since.
    TIME.set(NOW + 17 * DAY);
    scene.server.serve(scene.tee.collateral(NOW - 2 * DAY).unwrap());
    assert_eq!(service.of(&scene.quote).await.unwrap(), good);
    scene.server.behave(Behaviour::Status(500));
    assert_eq!(scene.service().of(&scene.quote).await.unwrap(), good, "on disk");
    // With nothing there, foreign collateral is a refusal of its own.
    let fresh = Scene::new().await;
    TIME.set(NOW);
    fresh.server.serve(foreign.collateral(NOW).unwrap());
    assert!(matches!(fresh.fails().await, FetchError::Refused(_)));
}

#[tokio::test]
async fn what_somebody_wrote_to_the_disk_is_verified_again() {
    let scene = Scene::new().await;
    let good = scene.service().of(&scene.quote).await.unwrap();
    let platform = tdx::platform_of(&scene.quote).unwrap();
    let foreign = DevelopmentTee::new(NOW).unwrap().collateral(NOW).unwrap();
    let store = store::Store::new(Some(scene.directory.path().join("collateral")));
    store.write(platform, &foreign).await.unwrap();
    assert_eq!(scene.service().of(&scene.quote).await.unwrap(), good);
    let file = scene
        .directory
        .path()
        .join("collateral/tdx-444556000000-platform.json");
    for damaged in [&b"{}"[..], b"", &[0xff; 300_000]] {
        std::fs::write(&file, damaged).unwrap();
        assert_eq!(scene.service().of(&scene.quote).await.unwrap(), good);
    }
}

/// What says that this very platform is out of date or set up badly is genuine, and everybody must hear it.
#[tokio::test]
async fn bad_news_is_kept() {
    for fault in [
        PlatformFault::OutOfDate,
        PlatformFault::Revoked,
        PlatformFault::Smt,
    ] {
        let tee = DevelopmentTee::with_fault(NOW, Fault::Platform(fault)).unwrap();
        let scene = Scene::of(tee).await;
        let collateral = scene.service().of(&scene.quote).await.unwrap();
        let found = tdx::verify(
            &scene.quote,
            &collateral,
            scene.tee.root_der(),
            &TdxPolicy::default(),
            NOW,
        );
        assert!(found.is_err(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_list_in_hexadecimal_is_read() {
    let scene = Scene::new().await;
    scene.server.behave(Behaviour::Hexadecimal);
    scene.service().of(&scene.quote).await.unwrap();
}

#[tokio::test]
async fn addresses_and_quotes_are_checked_first() {
    let scene = Scene::new().await;
    for url in ["", "ftp://host", "file:///etc/passwd", "host:80", "http://"] {
        let options = CollateralOptions {
            url: url.to_owned(),
            ..CollateralOptions::intel(None)
        };
        let refused = CollateralService::new(options, scene.tee.root_der(), clock);
        assert!(matches!(refused, Err(CollateralServiceError::Url(_))), "{url}");
    }
    let refused = scene.service().of(b"no quote").await;
    assert!(matches!(
        refused,
        Err(CollateralServiceError::Quote(TdxRefusal::QuoteTruncated(_)))
    ));
    assert_eq!(scene.server.asked(), 0);
}
