use std::time::Duration;

use cocoon_attest::Side;
use cocoon_tl::tcp;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep};

use crate::testing::{Raw, pair};

#[tokio::test(start_paused = true)]
async fn an_acceptor_dies_after_sixty_silent_seconds_and_never_pings() {
    let ((link, _inbox), mut raw) = Raw::start(Side::Acceptor).await;
    let start = Instant::now();
    assert_eq!(link.closed().await, "no complete frame for 60s");
    assert_eq!(start.elapsed().as_millis(), 60_000);
    assert!(raw.recv().await.is_none(), "no ping, only the end");
}

#[tokio::test(start_paused = true)]
async fn a_dialler_pings_once_after_ten_seconds_and_dies_after_twenty() {
    let ((link, _inbox), mut raw) = Raw::start(Side::Dialler).await;
    let start = Instant::now();
    assert!(matches!(raw.recv().await, Some(tcp::Packet::Ping(_))));
    assert_eq!(start.elapsed().as_millis(), 10_000);
    assert!(raw.recv().await.is_none(), "one ping per silence");
    assert_eq!(start.elapsed().as_millis(), 20_000);
    assert_eq!(link.closed().await, "no complete frame for 20s");
}

#[tokio::test(start_paused = true)]
async fn every_frame_begins_a_new_silence() {
    let ((link, _inbox), mut raw) = Raw::start(Side::Dialler).await;
    for _ in 0..20 {
        sleep(Duration::from_secs(15)).await;
        raw.packet(&tcp::Packet::Pong(tcp::Pong { id: 0 })).await;
        assert!(matches!(raw.recv().await, Some(tcp::Packet::Ping(_))));
    }
    assert!(!link.is_closed());
}

#[tokio::test(start_paused = true)]
async fn bytes_without_a_complete_frame_are_silence() {
    let ((link, _inbox), mut raw) = Raw::start(Side::Acceptor).await;
    let start = Instant::now();
    raw.bytes(&(1_u32 << 20).to_le_bytes()).await;
    raw.bytes(&1_i32.to_le_bytes()).await;
    while !link.is_closed() {
        // The link may close between the check and the write.
        drop(raw.io.write_all(&[0; 10]).await);
        sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(link.closed().await, "no complete frame for 60s");
    assert!(start.elapsed() < Duration::from_secs(61));
}

#[tokio::test(start_paused = true)]
async fn our_own_two_sides_keep_an_idle_link_alive() {
    let ((link, _inbox), (other, _other_inbox)) = pair().await;
    sleep(Duration::from_secs(3600)).await;
    assert!(!link.is_closed() && !other.is_closed());
}
