use std::time::Duration;

use bytes::Bytes;
use cocoon_attest::Side;
use cocoon_tl::{TlObject, client, tcp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::{Broken, Incoming, Link, QueryError};
use crate::testing::{PIPE, Raw, addr, noise, pair, peer, soon};
use crate::{Inbox, LinkLimits};

mod hostile;
mod queries;
mod timers;

async fn packet(inbox: &mut Inbox) -> Bytes {
    match soon(inbox.recv()).await {
        Some(Incoming::Packet(data)) => data,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_greeting_is_as_specified() {
    let (a, mut b) = tokio::io::duplex(PIPE);
    let dialler = tokio::task::JoinSet::from_iter([Link::establish(
        a,
        peer(),
        addr(),
        Side::Dialler,
        LinkLimits::default(),
    )]);
    let mut connect = [0; 20];
    b.read_exact(&mut connect).await.unwrap();
    assert_eq!(hex::encode(&connect[..12]), "0c0000000000000061427ca5");

    let (c, mut d) = tokio::io::duplex(PIPE);
    d.write_all(&connect).await.unwrap();
    let (acceptor, _inbox) = Link::establish(c, peer(), addr(), Side::Acceptor, LinkLimits::default())
        .await
        .unwrap();
    let mut connected = [0; 20];
    d.read_exact(&mut connected).await.unwrap();
    assert_eq!(hex::encode(&connected[..12]), "0c00000000000000d6416d63");
    assert_eq!(connected[12..], connect[12..], "the number comes back");

    b.write_all(&connected).await.unwrap();
    let links = dialler.join_all().await;
    assert!(links[0].is_ok() && !acceptor.is_closed());
}

#[tokio::test(start_paused = true)]
async fn the_specification_s_query_is_received_as_second_frame() {
    let ((_link, mut inbox), mut raw) = Raw::start(Side::Acceptor).await;
    let frame = hex::decode("14000000010000000819f53a01000000000000000497c6d19e000000").unwrap();
    raw.bytes(&frame).await;
    match soon(inbox.recv()).await {
        Some(Incoming::Query { id: 1, question }) => {
            assert_eq!(question, client::UpdatePaymentStatus {}.to_boxed());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_byte_for_byte() {
    let ((_link, _inbox), mut raw) = Raw::start(Side::Acceptor).await;
    raw.packet(&tcp::Packet::Ping(tcp::Ping { id: 5 })).await;
    let mut pong = [0; 20];
    raw.io.read_exact(&mut pong).await.unwrap();
    assert_eq!(hex::encode(pong), "0c000000010000002c30d40b0500000000000000");
}

#[tokio::test(start_paused = true)]
async fn messages_arrive_whole_and_in_order_whatever_their_size() {
    let ((link, _inbox), (_other, mut inbox)) = pair().await;
    let sizes = [
        4,
        5,
        6,
        7,
        253,
        254,
        8191,
        8192,
        8193,
        65_536,
        300_001,
        1 << 24,
        16,
    ];
    let sizes = sizes.map(|size: usize| size.min(cocoon_tl::frame::MAX_PACKET));
    let send = async {
        for (seed, size) in (0..).zip(sizes) {
            link.send(noise(size, seed)).await.unwrap();
        }
    };
    let receive = async {
        for (seed, size) in (0..).zip(sizes) {
            assert!(packet(&mut inbox).await == noise(size, seed), "size {size}");
        }
    };
    tokio::join!(send, receive);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fits_no_frame_is_an_error_and_the_link_lives() {
    let ((link, _inbox), (_other, mut inbox)) = pair().await;
    let too_long = noise(cocoon_tl::frame::MAX_PACKET + 1, 0);
    assert!(
        link.send(too_long)
            .await
            .unwrap_err()
            .reason
            .contains("fits no frame")
    );
    link.send(Bytes::from_static(b"next")).await.unwrap();
    assert_eq!(packet(&mut inbox).await, "next");
}

#[tokio::test(start_paused = true)]
async fn closing_writes_what_is_queued() {
    let ((link, inbox), mut raw) = Raw::start(Side::Acceptor).await;
    for _ in 0..10 {
        link.send(Bytes::from_static(b"last words")).await.unwrap();
    }
    link.close("done");
    assert_eq!(link.closed().await, "done");
    assert!(link.send(Bytes::new()).await.unwrap_err().reason == "done");
    for _ in 0..10 {
        assert!(matches!(soon(raw.recv()).await, Some(tcp::Packet::Packet(_))));
    }
    assert!(soon(raw.recv()).await.is_none());
    drop(inbox);
}

#[tokio::test(start_paused = true)]
async fn dropping_every_handle_ends_the_link_after_its_last_words() {
    let ((link, inbox), mut raw) = Raw::start(Side::Dialler).await;
    link.send(Bytes::from_static(b"last words")).await.unwrap();
    drop(link);
    drop(inbox);
    assert!(matches!(soon(raw.recv()).await, Some(tcp::Packet::Packet(_))));
    assert!(soon(raw.recv()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_end_is_still_read() {
    let ((_link, mut inbox), mut raw) = Raw::start(Side::Acceptor).await;
    for _ in 0..3 {
        let data = Bytes::from_static(b"word");
        raw.packet(&tcp::Packet::Packet(tcp::PacketData { data })).await;
    }
    drop(raw);
    for _ in 0..3 {
        assert_eq!(packet(&mut inbox).await, "word");
    }
    assert!(soon(inbox.recv()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_full_inbox_slows_the_peer_down_and_loses_nothing() {
    let ((link, _inbox), (_other, mut inbox)) = pair().await;
    let count = 5000_u32;
    let send = async {
        for number in 0..count {
            let mut data = number.to_le_bytes().to_vec();
            data.resize(1000, 0);
            link.send(data.into()).await.unwrap();
        }
    };
    let receive = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for number in 0..count {
            assert_eq!(packet(&mut inbox).await[..4], number.to_le_bytes());
        }
    };
    tokio::join!(send, receive);
}

#[tokio::test(start_paused = true)]
async fn an_inbox_that_nobody_reads_ends_the_link() {
    let ((link, inbox), mut raw) = Raw::start(Side::Acceptor).await;
    let data = Bytes::from_static(b"word");
    for _ in 0..300 {
        raw.packet(&tcp::Packet::Packet(tcp::PacketData { data: data.clone() }))
            .await;
    }
    let start = Instant::now();
    assert!(link.closed().await.contains("inbox"));
    assert_eq!(start.elapsed().as_secs(), 60);
    drop(inbox);
}

#[tokio::test(start_paused = true)]
async fn without_an_inbox_messages_are_dropped_and_the_link_lives() {
    let ((link, inbox), (other, _other_inbox)) = pair().await;
    drop(inbox);
    for _ in 0..1000 {
        other.send(Bytes::from_static(b"word")).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(!link.is_closed() && !other.is_closed());
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_together_shares_a_write_and_one_alone_leaves_at_once() {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

    struct Counting(DuplexStream, Arc<AtomicUsize>);
    impl AsyncRead for Counting {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }
    impl AsyncWrite for Counting {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut self.0).poll_write(cx, buf)
        }
        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }
        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }

    let (a, b) = tokio::io::duplex(PIPE);
    let writes = Arc::new(AtomicUsize::new(0));
    let (one, two) = tokio::join!(
        Link::establish(
            Counting(a, Arc::clone(&writes)),
            peer(),
            addr(),
            Side::Dialler,
            LinkLimits::default()
        ),
        crate::testing::establish(b, Side::Acceptor)
    );
    let ((link, _inbox), (_other, mut inbox)) = (one.unwrap(), two);
    let before = writes.load(Ordering::Relaxed);
    for _ in 0..100 {
        link.send(Bytes::from_static(b"part")).await.unwrap();
    }
    for _ in 0..100 {
        packet(&mut inbox).await;
    }
    assert_eq!(writes.load(Ordering::Relaxed) - before, 1);

    let start = Instant::now();
    for _ in 0..10 {
        link.send(Bytes::from_static(b"part")).await.unwrap();
        packet(&mut inbox).await;
    }
    assert_eq!(writes.load(Ordering::Relaxed) - before, 11);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn establishing_with_a_silent_peer_ends_in_time() {
    for side in [Side::Dialler, Side::Acceptor] {
        let (a, _b) = tokio::io::duplex(PIPE);
        let start = Instant::now();
        let error = Link::establish(a, peer(), addr(), side, LinkLimits::default())
            .await
            .unwrap_err();
        assert!(matches!(error, Broken::GreetingTimeout(_)), "{error}");
        assert_eq!(start.elapsed().as_secs(), 20);
    }
}

#[test]
fn nothing_that_is_printed_shows_content() {
    let secret = Bytes::from_static(b"planted");
    let texts = [
        format!("{:?}", Incoming::Packet(secret.clone())),
        format!(
            "{:?}",
            Incoming::Query {
                id: 1,
                question: secret.clone()
            }
        ),
        format!("{:?}", super::Outgoing::Packet(secret.clone())),
        format!("{:?}", crate::AnswerEvent::Part(secret)),
        QueryError::Timeout(Duration::ZERO).to_string(),
    ];
    assert!(
        texts
            .iter()
            .all(|text| !text.contains("planted") && !text.contains("112, 108"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_link_ends_when_the_evidence_behind_it_does() {
    let (a, b) = tokio::io::duplex(4096);
    let limits = LinkLimits {
        longest_life: Duration::from_secs(3600),
        ..LinkLimits::default()
    };
    let started = tokio::time::Instant::now();
    let (ours, theirs) = tokio::join!(
        Link::establish(a, peer(), addr(), Side::Dialler, limits),
        crate::testing::establish(b, Side::Acceptor)
    );
    let (link, _inbox) = ours.unwrap();
    assert_eq!(link.closed().await, "the peer's evidence has expired");
    assert_eq!(started.elapsed().as_secs(), 3600);
    theirs.0.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_pair_carries_messages_and_ends_together() {
    let [(near, mut near_inbox), (far, mut far_inbox)] = Link::pair(&peer(), addr()).await.unwrap();
    near.send(Bytes::from_static(b"four")).await.unwrap();
    far.send(Bytes::from_static(b"back")).await.unwrap();
    assert_eq!(packet(&mut far_inbox).await, "four");
    assert_eq!(packet(&mut near_inbox).await, "back");
    near.close("over");
    soon(far.closed()).await;
}

#[tokio::test(start_paused = true)]
async fn a_larger_frame_is_taken_once_it_is_allowed() {
    for allowed in [false, true] {
        let (a, b) = tokio::io::duplex(PIPE);
        let narrow = LinkLimits {
            largest_frame: 1024,
            ..LinkLimits::default()
        };
        let (one, two) = tokio::join!(
            Link::establish(a, peer(), addr(), Side::Dialler, LinkLimits::default()),
            Link::establish(b, peer(), addr(), Side::Acceptor, narrow),
        );
        let ((sender, _inbox), (receiver, mut inbox)) = (one.unwrap(), two.unwrap());
        if allowed {
            receiver.allow_frames(4096);
        }
        sender.send(noise(2000, 1)).await.unwrap();
        if allowed {
            assert_eq!(packet(&mut inbox).await, noise(2000, 1));
        } else {
            assert!(soon(receiver.closed()).await.contains("1024"));
        }
    }
}
