use bytes::Bytes;

use super::*;

/// As large as one message can be.
const LARGE: usize = 16 * 1024 * 1024;

fn part(bytes: usize) -> Said {
    Said::Part {
        payload: Bytes::from(vec![0; bytes]),
        last: None,
    }
}

async fn count(reading: &mut Reading) -> usize {
    let mut steps = 0;
    while reading.next().await.is_some() {
        steps += 1;
    }
    steps
}

#[tokio::test]
async fn a_flood_over_many_requests_is_held_to_one_bound() {
    let desk = Arc::new(Desk::default());
    let mut readings: Vec<_> = (0..8).map(|id| desk.open([id; 32])).collect();
    for id in 0..8 {
        desk.put([id; 32], part(LARGE));
    }
    assert_eq!(desk.waiting.load(Ordering::Relaxed), MAX_WAITING);
    desk.clear();
    let mut got = Vec::new();
    for reading in &mut readings {
        got.push(count(reading).await);
    }
    assert_eq!(
        got,
        [1, 1, 1, 1, 0, 0, 0, 0],
        "what was there is read, what came over it ends its answer"
    );
    assert_eq!(desk.waiting.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_is_read_or_left_makes_room() {
    let desk = Arc::new(Desk::default());
    let (mut slow, left) = (desk.open([1; 32]), desk.open([2; 32]));
    for _ in 0..2 {
        desk.put([1; 32], part(LARGE));
        desk.put([2; 32], part(LARGE));
    }
    drop(left);
    assert_eq!(
        desk.waiting.load(Ordering::Relaxed),
        2 * LARGE,
        "nobody reads the other two"
    );
    assert!(slow.next().await.is_some());
    assert_eq!(desk.waiting.load(Ordering::Relaxed), LARGE);
    desk.put([2; 32], part(LARGE));
    assert_eq!(desk.waiting.load(Ordering::Relaxed), LARGE, "its tray is gone");
}

#[tokio::test]
async fn a_tray_holds_only_so_many_steps() {
    let desk = Arc::new(Desk::default());
    let mut reading = desk.open([1; 32]);
    for _ in 0..=MAX_STEPS {
        desk.put([1; 32], part(0));
    }
    assert_eq!(count(&mut reading).await, MAX_STEPS);
}
