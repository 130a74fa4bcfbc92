use std::time::Duration;

use cocoon_tl::{TlObject as _, v3};
use tokio::time::{Instant, timeout};

use super::{pace::Pace, *};

fn message(name: &'static [u8], quote_bytes: usize) -> Bytes {
    let message = v3::Statement {
        statement: Bytes::from_static(name),
        quote: vec![0; quote_bytes].into(),
        endorsements: Bytes::new(),
        gpu_evidence: Bytes::new(),
    };
    message.to_boxed()
}

#[tokio::test]
async fn only_the_last_one_waits() {
    let stated = Stated::default();
    let nothing = timeout(Duration::from_millis(10), stated.pending()).await;
    assert!(nothing.is_err());
    for name in [&b"one"[..], b"two", b"three"] {
        stated.push(message(name, 1));
    }
    stated.pending().await;
    let taken = stated.take().unwrap().unwrap();
    assert_eq!(&taken.statement[..], b"three");
    assert!(stated.take().is_none());

    stated.put_back(taken.clone());
    assert!(stated.take().is_some());
    stated.push(message(b"four", 1));
    stated.put_back(taken);
    assert_eq!(&stated.take().unwrap().unwrap().statement[..], b"four");
}

#[test]
fn what_is_too_long_or_no_statement_waits_as_its_refusal() {
    let stated = Stated::default();
    stated.push(message(b"long", 100_000));
    assert_eq!(
        stated.take().unwrap().unwrap_err(),
        "the quote that came with the statement is too long"
    );
    stated.push(message(b"cut", 100).slice(..20));
    assert!(stated.take().unwrap().unwrap_err().contains("cannot be read"));
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_verified_now_and_then() {
    let mut pace = Pace::default();
    let begin = Instant::now();
    let mut began = 0;
    while begin.elapsed() < Duration::from_secs(600) {
        if let Some(at) = pace.next() {
            tokio::time::sleep_until(at).await;
        }
        pace.began(Instant::now());
        began += 1;
    }
    assert!((40..=44).contains(&began), "{began}");
}

#[test]
fn without_a_statement_the_link_decides() {
    for link in [Tier::Confidential, Tier::Attested, Tier::Open, Tier::Simulated] {
        assert_eq!(tier(EnginePlace::StartedByWorker, link, None), link);
        assert_eq!(tier(EnginePlace::Outside, link, None), Tier::Open);
    }
}
