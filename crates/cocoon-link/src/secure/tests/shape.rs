//! What the handshake looks like from outside (spec/network.md 2, 3.1).

use rustls::server::Acceptor;
use rustls::{CipherSuite, ClientConnection, NamedGroup, ProtocolVersion, SignatureScheme};

use super::*;

#[tokio::test]
async fn what_is_negotiated() {
    let (dialled, accepted) = meet(&good(), &good()).await;
    let (mut near, _) = dialled.unwrap();
    let (mut far, _) = accepted.unwrap();
    assert!(near.get_ref().0.nodelay().unwrap() && far.get_ref().0.nodelay().unwrap());
    // Tickets would come behind the handshake, so something is read first.
    far.write_u8(1).await.unwrap();
    near.read_u8().await.unwrap();
    let connection = near.get_ref().1;
    assert_eq!(connection.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(
        connection.negotiated_key_exchange_group().unwrap().name(),
        NamedGroup::X25519MLKEM768
    );
    assert_eq!(
        connection.negotiated_cipher_suite().unwrap().suite(),
        CipherSuite::TLS13_AES_256_GCM_SHA384
    );
    assert_eq!(connection.alpn_protocol(), None);
    assert_eq!(connection.tls13_tickets_received(), 0);
    assert!(!connection.is_early_data_accepted());
}

#[tokio::test]
async fn what_the_dialler_says_first() {
    let (listener, addr) = listener().await;
    let server = async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        demand_work(&mut tcp, 0).await.unwrap();
        let hello = tokio_rustls::LazyConfigAcceptor::new(Acceptor::default(), tcp)
            .await
            .unwrap();
        let hello = hello.client_hello();
        assert_eq!(hello.server_name(), None);
        assert_eq!(hello.signature_schemes(), [SignatureScheme::ED25519]);
        assert!(hello.alpn().is_none());
        assert_eq!(hello.named_groups().unwrap()[0], NamedGroup::X25519MLKEM768);
        let suites = hello.cipher_suites();
        assert!(suites.contains(&CipherSuite::TLS13_AES_128_GCM_SHA256));
        assert!(suites.contains(&CipherSuite::TLS13_AES_256_GCM_SHA384));
        assert!(!suites.contains(&CipherSuite::TLS13_CHACHA20_POLY1305_SHA256));
    };
    let (addr, dialler) = (addr.to_string(), good());
    let (dialled, ()) = tokio::join!(connect(&addr, &dialler), server);
    assert!(dialled.is_err());
}

#[tokio::test]
async fn work_is_asked_for_and_done() {
    let pow = PowOptions {
        difficulty: 12,
        max_difficulty: 13,
    };
    let (dialled, accepted) = meet(&good().with_pow(pow), &good().with_pow(pow)).await;
    assert!(dialled.is_ok() && accepted.is_ok());
}

/// The original sends both at once; nothing of the second may be lost with the first.
#[tokio::test]
async fn solution_and_client_hello_in_one_segment() {
    let (listener, addr) = listener().await;
    let dialler = good();
    let mut connection = ClientConnection::new(
        Arc::clone(&dialler.tls().client),
        ServerName::try_from("127.0.0.1").unwrap(),
    )
    .unwrap();
    let client = async {
        let mut tcp = TcpStream::connect(addr).await.unwrap();
        let mut challenge = [0; Challenge::BYTES];
        tcp.read_exact(&mut challenge).await.unwrap();
        let mut both = Solution { nonce: 0 }.to_bytes().to_vec();
        connection.write_tls(&mut both).unwrap();
        tcp.write_all(&both).await.unwrap();
        // A record of type handshake: the ServerHello.
        assert_eq!(tcp.read_u8().await.unwrap(), 0x16);
    };
    let (acceptor, load) = (good(), PowLoad::new(Default::default()));
    let server = async {
        let (tcp, _) = listener.accept().await.unwrap();
        accept(tcp, &acceptor, &load).await
    };
    let ((), accepted) = tokio::join!(client, server);
    assert!(accepted.is_err());
}

#[tokio::test]
async fn the_end_without_a_word_is_an_ordinary_end() {
    let (dialled, accepted) = meet(&good(), &good()).await;
    let (mut near, _) = dialled.unwrap();
    // Neither flushes nor says close_notify.
    let (tcp, _) = accepted.unwrap().0.into_inner();
    drop(tcp);
    match near.read_u8().await {
        Err(error) => assert!(crate::error::is_end(&error), "{error:?}"),
        Ok(byte) => panic!("{byte}"),
    }
}

#[tokio::test]
async fn a_dialler_without_certificate_is_refused() {
    let (listener, addr) = listener().await;
    let client = async {
        let mut tcp = TcpStream::connect(addr).await.unwrap();
        do_work(&mut tcp, 28).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TlsConnector::from(crate::tls::anonymous(simulated(), clock))
            .connect(name, tcp)
            .await;
        after_handshake(stream.unwrap()).await
    };
    let (acceptor, load) = (good(), PowLoad::new(Default::default()));
    let server = async {
        let (tcp, _) = listener.accept().await.unwrap();
        accept(tcp, &acceptor, &load).await.unwrap_err()
    };
    let (learnt, refused) = tokio::join!(client, server);
    assert!(matches!(learnt, StreamError::RefusedByPeer(_)), "{learnt:?}");
    assert!(
        matches!(refused, AcceptError::Stream(StreamError::Tls(_))),
        "{refused:?}"
    );
}
