//! What a hostile peer can do to a link: end it, with a name for what it did, and nothing else.

use std::time::Duration;

use bytes::Bytes;
use cocoon_attest::Side;
use cocoon_tl::tcp;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::LinkLimits;
use crate::link::Link;
use crate::testing::{PIPE, Raw, addr, noise, pair, peer};

/// Sends these bytes after the greeting; the reason that the link ends with.
async fn reason_after(bytes: &[u8]) -> String {
    let ((bystander, _b), (other_bystander, _o)) = pair().await;
    let ((link, _inbox), mut raw) = Raw::start(Side::Acceptor).await;
    // The link may end before all bytes are taken.
    drop(raw.io.write_all(bytes).await);
    let reason = tokio::time::timeout(Duration::from_secs(1), link.closed())
        .await
        .expect("the link must end at once");
    assert!(!bystander.is_closed() && !other_bystander.is_closed());
    reason
}

fn frame(seqno: i32, payload: &str) -> Vec<u8> {
    let payload = hex::decode(payload).unwrap();
    let mut frame = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    frame.extend_from_slice(&seqno.to_le_bytes());
    frame.extend_from_slice(&payload);
    frame
}

#[tokio::test(start_paused = true)]
async fn each_breach_ends_the_link_with_its_name() {
    let ping = "7c62e9bb0500000000000000";
    let cases = [
        (frame(2, ping), "frame number 2 instead of 1"),
        (frame(0, ping), "frame number 0 instead of 1"),
        (frame(1, &format!("{ping}00000000")), "4 bytes are left over"),
        (frame(1, "7c62e9bb05000000"), "cut off"),
        (frame(1, "78563412"), "constructor 12345678 is not a "),
        // tcp.packet whose data claims 16 MiB.
        (frame(1, "f8ba179cfeffffff"), "cut off"),
        (vec![3, 0, 0, 0, 1, 0, 0, 0], "a frame of 3 bytes"),
        (vec![4, 0, 0, 1, 1, 0, 0, 0], "a frame of 16777220 bytes"),
        (vec![0xff; 100], "a frame of 4294967295 bytes"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            "a frame of 542393671 bytes",
        ),
    ];
    for (bytes, expected) in cases {
        let reason = reason_after(&bytes).await;
        assert!(reason.contains(expected), "{reason:?} should say {expected:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_ends_the_link_whatever_it_is() {
    for seed in 0..200 {
        let ((link, _inbox), mut raw) = Raw::start(Side::Acceptor).await;
        drop(raw.io.write_all(&noise(4096, seed)).await);
        drop(raw);
        assert!(!link.closed().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_inside_a_frame_is_named() {
    for cut in 1..20 {
        let ((link, _inbox), mut raw) = Raw::start(Side::Acceptor).await;
        raw.bytes(&frame(1, "7c62e9bb0500000000000000")[..cut]).await;
        drop(raw);
        assert_eq!(
            link.closed().await,
            "the connection ended in the middle of a frame"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_first_packet_is_no_greeting() {
    for (side, payload) in [
        (Side::Acceptor, "7c62e9bb0500000000000000"),
        // Each side's own word from the other side.
        (Side::Acceptor, "d6416d630500000000000000"),
        (Side::Dialler, "61427ca50500000000000000"),
    ] {
        let (a, mut b) = tokio::io::duplex(PIPE);
        b.write_all(&frame(0, payload)).await.unwrap();
        let error = Link::establish(a, peer(), addr(), side, LinkLimits::default())
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("the first frame is not tcp.connect"),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn later_greetings_are_ignored() {
    let ((link, _inbox), mut raw) = Raw::start(Side::Acceptor).await;
    raw.packet(&tcp::Packet::Connect(tcp::Connect { id: 1 })).await;
    raw.packet(&tcp::Packet::Connected(tcp::Connected { id: 1 }))
        .await;
    raw.packet(&tcp::Packet::Ping(tcp::Ping { id: 9 })).await;
    assert!(matches!(
        raw.recv().await,
        Some(tcp::Packet::Pong(tcp::Pong { id: 9 }))
    ));
    assert!(!link.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_given_up_after_a_minute() {
    let ((link, _inbox), mut raw) = Raw::start(Side::Acceptor).await;
    let start = Instant::now();
    let send = async {
        let data = noise(10_000, 0);
        while link.send(data.clone()).await.is_ok() {}
        assert_eq!(start.elapsed().as_secs(), 60);
    };
    let live = async {
        // It stays alive in the other direction, so only the writer can notice.
        while raw
            .io
            .write_all(&frame(raw.seqno, "2c30d40b0500000000000000"))
            .await
            .is_ok()
            && !link.is_closed()
        {
            raw.seqno += 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::join!(send, live);
    assert_eq!(link.closed().await, "the peer took no bytes for 60s");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_no_dead_one() {
    use tokio::io::AsyncReadExt;
    let ((link, _inbox), mut raw) = Raw::start(Side::Acceptor).await;
    let send = async {
        for _ in 0..20 {
            link.send(noise(PIPE, 0)).await.unwrap();
        }
        link.close("done");
    };
    let read = async {
        let mut some = vec![0; 20_000];
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_secs(30)).await;
            drop(raw.io.read(&mut some).await);
            drop(
                raw.io
                    .write_all(&frame(raw.seqno, "2c30d40b0500000000000000"))
                    .await,
            );
            raw.seqno += 1;
        }
    };
    tokio::join!(send, read);
    assert_eq!(link.closed().await, "done");
}

#[tokio::test(start_paused = true)]
async fn pings_whose_answers_are_not_read_end_the_link() {
    let ((link, _inbox), mut raw) = Raw::start(Side::Acceptor).await;
    let ping = tcp::Packet::Ping(tcp::Ping { id: 1 });
    let flood = async {
        let mut frames = bytes::BytesMut::new();
        for seqno in 1..60_000 {
            cocoon_tl::frame::write_frame(&mut frames, seqno, &ping).unwrap();
        }
        drop(raw.io.write_all(&frames).await);
    };
    tokio::join!(flood, link.closed());
    assert_eq!(
        link.closed().await,
        "the peer makes us answer without reading the answers"
    );
}

#[tokio::test(start_paused = true)]
async fn answers_to_questions_never_asked_are_ignored() {
    let ((link, _inbox), mut raw) = Raw::start(Side::Acceptor).await;
    for id in 0..1000 {
        let data = Bytes::new();
        raw.packet(&tcp::Packet::QueryAnswer(tcp::QueryAnswer { id, data }))
            .await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!link.is_closed());
}
