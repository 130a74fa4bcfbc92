use std::{convert::Infallible, time::Duration};

use axum::{body::Body, http::HeaderMap};
use bytes::Bytes;
use cocoon_types::{Fault, Refusal};
use futures_util::{StreamExt as _, stream};

use super::{Bounds, Budget, DISCARD_BYTES, Taken, Unread};

async fn take(body: Body, headers: &HeaderMap, budget: usize) -> Result<Taken, (Refusal, Unread)> {
    let bounds = Bounds {
        bytes: 100_000,
        time: Duration::from_secs(60),
        budget: &Budget::new(budget),
    };
    Unread::new(body, headers).take(bounds).await
}

fn pieces(count: usize, size: usize) -> Body {
    let piece = Bytes::from(vec![b' '; size]);
    Body::from_stream(stream::iter(
        (0..count).map(move |_| Ok::<_, Infallible>(piece.clone())),
    ))
}

async fn fault(body: Body, budget: usize) -> (Fault, bool) {
    let Err((refusal, mut rest)) = take(body, &HeaderMap::new(), budget).await else {
        panic!("the body was taken")
    };
    (refusal.fault, rest.discard().await)
}

#[tokio::test]
async fn bodies_are_taken_up_to_the_limit() {
    let taken = take(pieces(100, 1000), &HeaderMap::new(), 1 << 20).await;
    assert_eq!(taken.ok().map(|taken| taken.bytes.len()), Some(100_000));
    assert_eq!(
        fault(pieces(101, 1000), 1 << 20).await,
        (Fault::BodyTooLarge, true)
    );
    assert_eq!(
        fault(Body::from(vec![0; 100_001]), 1 << 20).await,
        (Fault::BodyTooLarge, true)
    );
    // Endless bodies are not read for ever.
    let endless = Body::from_stream(stream::repeat(Bytes::from(vec![0; 65536])).map(Ok::<_, Infallible>));
    assert_eq!(fault(endless, 1 << 20).await, (Fault::BodyTooLarge, false));
    assert_eq!(
        fault(Body::from(vec![0; DISCARD_BYTES + 1]), 1 << 20).await,
        (Fault::BodyTooLarge, false)
    );
}

#[tokio::test]
async fn all_bodies_together_are_bounded() {
    assert_eq!(fault(pieces(10, 4096), 8192).await, (Fault::Busy, true));
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_given_up() {
    let slow = stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_secs(25)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
    });
    let begun = tokio::time::Instant::now();
    assert_eq!(
        fault(Body::from_stream(slow), 1 << 20).await,
        (Fault::InvalidRequest, false)
    );
    assert_eq!(begun.elapsed(), Duration::from_secs(60));
}

#[tokio::test]
async fn who_waits_for_a_go_ahead_is_not_made_to_send() {
    let mut headers = HeaderMap::new();
    headers.insert("expect", "100-continue".parse().unwrap());
    let Err((refusal, mut rest)) = take(Body::from(vec![0; 200_000]), &headers, 1 << 20).await else {
        panic!("the body was taken")
    };
    assert_eq!(refusal.fault, Fault::BodyTooLarge);
    assert!(!rest.discard().await);
}

#[tokio::test]
async fn compressed_bodies_are_refused() {
    let mut headers = HeaderMap::new();
    headers.insert("content-encoding", "gzip".parse().unwrap());
    let Err((refusal, _)) = take(Body::from("x"), &headers, 1 << 20).await else {
        panic!("the body was taken")
    };
    assert_eq!(refusal.fault, Fault::InvalidRequest);
}
