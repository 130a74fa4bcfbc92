use std::time::Duration;

use tokio::time::timeout;

use super::{Limits, Mailbox, Pushed};

fn mailbox(count: usize, bytes: usize) -> Mailbox<u32> {
    Mailbox::new(Limits { count, bytes })
}

#[tokio::test(start_paused = true)]
async fn is_bounded_by_count_and_by_bytes() {
    let by_count = mailbox(2, 100);
    assert!(matches!(by_count.push(1, 1), Pushed::Done));
    assert!(matches!(by_count.push(2, 1), Pushed::Done));
    assert!(matches!(by_count.push(3, 1), Pushed::Full(3)));

    let by_bytes = mailbox(100, 10);
    assert!(matches!(by_bytes.push(1, 1000), Pushed::Done), "one of any size");
    assert!(matches!(by_bytes.push(2, 0), Pushed::Full(2)));
    assert_eq!(by_bytes.recv().await, Some(1));
    assert!(matches!(by_bytes.push(2, 0), Pushed::Done));
}

#[tokio::test(start_paused = true)]
async fn room_and_items_are_waited_for() {
    let mailbox = mailbox(1, 100);
    assert!(timeout(Duration::from_secs(1), mailbox.recv()).await.is_err());
    assert!(matches!(mailbox.push(1, 1), Pushed::Done));
    assert!(timeout(Duration::from_secs(1), mailbox.room()).await.is_err());
    let ((), item) = tokio::join!(mailbox.room(), mailbox.recv());
    assert_eq!(item, Some(1));
    let (item, ()) = tokio::join!(mailbox.recv(), async {
        assert!(matches!(mailbox.push(2, 1), Pushed::Done));
    });
    assert_eq!(item, Some(2));
}

#[tokio::test(start_paused = true)]
async fn an_ended_one_hands_out_what_it_holds() {
    let mailbox = mailbox(1, 100);
    assert!(matches!(mailbox.push(1, 1), Pushed::Done));
    mailbox.end();
    assert!(
        matches!(mailbox.push(2, 1), Pushed::Done),
        "dropped, and nobody waits"
    );
    assert_eq!(mailbox.recv().await, Some(1));
    assert_eq!(mailbox.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn an_end_wakes_both_sides() {
    let mailbox = mailbox(1, 100);
    let (item, ()) = tokio::join!(mailbox.recv(), async { mailbox.end() });
    assert_eq!(item, None);
    let full = self::mailbox(1, 100);
    assert!(matches!(full.push(1, 1), Pushed::Done));
    tokio::join!(full.room(), async { full.abandon() });
    assert!(matches!(full.push(2, 1), Pushed::Done), "dropped");
}

#[tokio::test(start_paused = true)]
async fn is_taken_over_when_it_is_empty() {
    let mailbox = mailbox(10, 100);
    assert!(matches!(mailbox.push(1, 1), Pushed::Done));
    assert_eq!(mailbox.pop_or_forward(), Some(1));
    assert!(matches!(mailbox.push(2, 1), Pushed::Done));
    assert_eq!(mailbox.pop_or_forward(), Some(2));
    assert_eq!(mailbox.pop_or_forward(), None);
    mailbox.abandon();
    assert!(matches!(mailbox.push(3, 1), Pushed::Forward(3)));
}
