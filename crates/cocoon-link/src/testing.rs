//! Test tools: links over in-memory streams, and a peer that sends whatever bytes it likes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cocoon_attest::Side;
use cocoon_tl::frame::{write_frame, write_packet};
use cocoon_tl::{TlObject, tcp, v3};
use cocoon_types::Fault;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::{EnginePlace, Events, Hello, Inbox, Link, LinkLimits, Session};

/// What the in-memory stream holds, like a pair of socket buffers.
pub(crate) const PIPE: usize = 64 * 1024;

pub(crate) fn addr() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

pub(crate) use crate::fuzzing::peer;

pub(crate) async fn establish(io: DuplexStream, side: Side) -> (Link, Inbox) {
    Link::establish(io, peer(), addr(), side, LinkLimits::default())
        .await
        .unwrap()
}

/// Dialler and acceptor, connected.
pub(crate) async fn pair() -> ((Link, Inbox), (Link, Inbox)) {
    let (a, b) = tokio::io::duplex(PIPE);
    tokio::join!(establish(a, Side::Dialler), establish(b, Side::Acceptor))
}

pub(crate) fn hello() -> Hello {
    Hello {
        software: "test".into(),
        capabilities: Vec::new(),
        endpoints: Vec::new(),
        context_length: 0,
        engine: EnginePlace::None,
    }
}

/// Asking and serving session, after their hellos.
pub(crate) async fn sessions() -> ((Session, Events), (Session, Events)) {
    let ((link, inbox), (other_link, other_inbox)) = pair().await;
    let (session, mut events) = Session::start(link, inbox, hello(), Fault::ProxyLost);
    let (other_session, mut other_events) =
        Session::start(other_link, other_inbox, hello(), Fault::WorkerLost);
    assert!(matches!(events.recv().await, Some(crate::Event::Hello(_))));
    assert!(matches!(other_events.recv().await, Some(crate::Event::Hello(_))));
    ((session, events), (other_session, other_events))
}

/// The other end of a link, in the test's hands.
pub(crate) struct Raw {
    pub(crate) io: DuplexStream,
    pub(crate) seqno: i32,
}

impl Raw {
    /// A link of this side and the raw end of it, after the greeting.
    pub(crate) async fn start(side: Side) -> ((Link, Inbox), Self) {
        let (a, io) = tokio::io::duplex(PIPE);
        let mut raw = Self { io, seqno: 0 };
        let greeting = async {
            match side {
                Side::Dialler => {
                    let _connect = raw.recv().await.unwrap();
                    raw.packet(&tcp::Packet::Connected(tcp::Connected { id: 1 }))
                        .await;
                }
                Side::Acceptor => {
                    raw.packet(&tcp::Packet::Connect(tcp::Connect { id: 1 })).await;
                    let _connected = raw.recv().await.unwrap();
                }
            }
            raw
        };
        tokio::join!(establish(a, side), greeting)
    }

    /// A session on an acceptor's link, with the raw peer's hello already sent.
    pub(crate) async fn session() -> ((Session, Events), Self) {
        Self::start_session_with(raw_hello()).await
    }

    pub(crate) async fn start_session_with(said: v3::Hello) -> ((Session, Events), Self) {
        let ((link, inbox), mut raw) = Self::start(Side::Acceptor).await;
        let (session, events) = Session::start(link, inbox, hello(), Fault::WorkerLost);
        raw.message(&said).await;
        ((session, events), raw)
    }

    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn packet(&mut self, packet: &tcp::Packet) {
        let mut frame = BytesMut::new();
        write_frame(&mut frame, self.seqno, packet).unwrap();
        self.seqno += 1;
        self.bytes(&frame).await;
    }

    pub(crate) async fn message(&mut self, message: &impl TlObject) {
        let mut frame = BytesMut::new();
        write_packet(&mut frame, self.seqno, message).unwrap();
        self.seqno += 1;
        self.bytes(&frame).await;
    }

    /// The next packet from the link; nothing at the end of the stream.
    pub(crate) async fn recv(&mut self) -> Option<tcp::Packet> {
        let mut header = [0; 8];
        self.io.read_exact(&mut header).await.ok()?;
        let length = u32::from_le_bytes(*header.first_chunk().unwrap());
        let mut payload = vec![0; length as usize];
        self.io.read_exact(&mut payload).await.ok()?;
        Some(tcp::Packet::from_boxed(Bytes::from(payload)).unwrap())
    }

    /// The next message of protocol 3, hellos left out.
    pub(crate) async fn recv_message(&mut self) -> Option<v3::Message> {
        loop {
            let tcp::Packet::Packet(packet) = self.recv().await? else {
                panic!("not a tcp.packet");
            };
            if let Ok(message) = v3::Message::from_boxed(packet.data) {
                return Some(message);
            }
        }
    }
}

pub(crate) fn raw_hello() -> v3::Hello {
    v3::Hello {
        flags: 0,
        capabilities: vec!["x".to_owned().into()],
        software: "raw".to_owned().into(),
        endpoints: vec!["/v1/embeddings".to_owned().into(), "/v9/new".to_owned().into()],
        context_length: 4096,
        engine: 1,
    }
}

/// Bytes that differ everywhere.
pub(crate) fn noise(length: usize, seed: u64) -> Bytes {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    Bytes::from(bytes)
}

/// Fails a test that hangs, in virtual time.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), future)
        .await
        .expect("hangs")
}
