use std::time::Duration;

use super::Redial;

#[tokio::test(start_paused = true)]
async fn doubles_to_the_limit_and_starts_over_after_a_good_life() {
    let mut redial = Redial::new();
    let mut waits = Vec::new();
    for _ in 0..8 {
        waits.push(redial.delay(1.0).as_millis());
    }
    assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);

    redial.up();
    tokio::time::advance(Duration::from_secs(29)).await;
    assert_eq!(redial.delay(1.0), Redial::LAST, "a short life does not reset");

    redial.up();
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(redial.delay(1.0), Redial::FIRST);
}

#[test]
fn jitter_is_full() {
    let mut redial = Redial::new();
    assert_eq!(redial.delay(0.0), Duration::ZERO);
    assert_eq!(redial.delay(0.5), Duration::from_millis(250));
}
