//! Peers that lie, are silent, or come in crowds.

use std::time::Duration;

use super::*;
use crate::pow::load::Overload;

/// Short deadline, for peers that are silent.
fn hurried(options: LinkOptions) -> LinkOptions {
    let mut options = options;
    options.handshakes.deadline = Duration::from_millis(150);
    options
}

/// A dialler that sends these bytes after the challenge and then is silent; what the acceptor says to that.
async fn dialler_says(bytes: &[u8], difficulty: u8) -> AcceptError {
    let (listener, addr) = listener().await;
    let mut acceptor = hurried(good());
    acceptor.pow.difficulty = difficulty;
    let load = PowLoad::new(acceptor.handshakes);
    let client = async {
        let mut tcp = TcpStream::connect(addr).await.unwrap();
        let mut challenge = [0; Challenge::BYTES];
        tcp.read_exact(&mut challenge).await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        // Stays open until the acceptor closes.
        let mut rest = Vec::new();
        let _ = tcp.read_to_end(&mut rest).await;
        rest
    };
    let server = async {
        let (tcp, _) = listener.accept().await.unwrap();
        accept(tcp, &acceptor, &load).await.unwrap_err()
    };
    let (rest, error) = tokio::join!(client, server);
    assert_eq!(load.in_flight(), 0);
    if !matches!(error, AcceptError::Stream(StreamError::Tls(_))) {
        assert!(rest.is_empty(), "{rest:02x?}");
    }
    error
}

/// An acceptor that sends these bytes and then is silent; what the dialler says to that, and what it sent.
async fn acceptor_says(bytes: &[u8]) -> (DialError, Vec<u8>) {
    let (listener, addr) = listener().await;
    let (addr, dialler) = (addr.to_string(), hurried(good()));
    let server = async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        let mut heard = Vec::new();
        let _ = tcp.read_to_end(&mut heard).await;
        heard
    };
    let client = async { connect(&addr, &dialler).await.unwrap_err() };
    tokio::join!(client, server)
}

fn challenge(difficulty: i32) -> [u8; Challenge::BYTES] {
    let salt = [3; 16];
    Challenge { difficulty, salt }.to_bytes()
}

#[tokio::test]
async fn diallers_that_lie_or_are_silent() {
    use StreamError::Deadline;
    let nonce = Solution { nonce: 0 }.to_bytes();
    let silent = dialler_says(&[], 0).await;
    assert!(
        matches!(silent, AcceptError::Stream(Deadline(Step::Pow))),
        "{silent:?}"
    );
    let halting = dialler_says(&nonce[..11], 0).await;
    assert!(
        matches!(halting, AcceptError::Stream(Deadline(Step::Pow))),
        "{halting:?}"
    );
    let stopping = dialler_says(&nonce, 0).await;
    assert!(
        matches!(stopping, AcceptError::Stream(Deadline(Step::Tls))),
        "{stopping:?}"
    );
    // The chance that nonce 0 solves it is 2^-60.
    let lying = dialler_says(&nonce, 60).await;
    assert!(matches!(lying, AcceptError::WrongWork), "{lying:?}");
    let stranger = dialler_says(b"GET / HTTP/1.1\r\n\r\n", 0).await;
    assert!(matches!(stranger, AcceptError::NotPow(_)), "{stranger:?}");
    let no_tls = dialler_says(&[&nonce[..], b"GET / HTTP/1.1\r\n\r\n"].concat(), 0).await;
    assert!(
        matches!(no_tls, AcceptError::Stream(StreamError::Tls(_))),
        "{no_tls:?}"
    );
}

#[tokio::test]
async fn acceptors_that_lie_or_are_silent() {
    use StreamError::Deadline;
    let (silent, _) = acceptor_says(&[]).await;
    assert!(
        matches!(silent, DialError::Stream(Deadline(Step::Pow))),
        "{silent:?}"
    );
    let (stopping, heard) = acceptor_says(&challenge(0)).await;
    assert!(
        matches!(stopping, DialError::Stream(Deadline(Step::Tls))),
        "{stopping:?}"
    );
    assert_eq!(heard[..12], Solution { nonce: 0 }.to_bytes());
    let (stranger, heard) = acceptor_says(b"SSH-2.0-OpenSSH_9.6 and so on").await;
    assert!(matches!(stranger, DialError::NotPow(_)), "{stranger:?}");
    assert!(heard.is_empty());
    let (other, _) = acceptor_says(&[&challenge(0)[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"].concat()).await;
    assert!(
        matches!(other, DialError::Stream(StreamError::Tls(_))),
        "{other:?}"
    );
}

#[tokio::test]
async fn too_much_work_is_refused_without_answer() {
    for asked in [29, 65, i32::MAX] {
        let (refused, heard) = acceptor_says(&challenge(asked)).await;
        match refused {
            DialError::TooMuchWork { asked: said, limit } => assert_eq!((said, limit), (asked, 28)),
            other => panic!("{other:?}"),
        }
        assert!(heard.is_empty());
    }
    // Less than nothing is nothing.
    let (refused, heard) = acceptor_says(&challenge(-5)).await;
    assert!(
        matches!(refused, DialError::Stream(StreamError::Deadline(Step::Tls))),
        "{refused:?}"
    );
    assert_eq!(heard[..12], Solution { nonce: 0 }.to_bytes());
}

/// Without the stop flag the search for 64 bits would keep the runtime's thread, and so this test, for ever.
#[test]
fn a_search_ends_with_the_one_who_waits_for_it() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let began = std::time::Instant::now();
    runtime.block_on(async {
        let (listener, addr) = listener().await;
        let mut dialler = hurried(good());
        dialler.pow.max_difficulty = 64;
        let server = async {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(&challenge(64)).await.unwrap();
            let _ = tcp.read_u8().await;
        };
        let addr = addr.to_string();
        let (dialled, ()) = tokio::join!(connect(&addr, &dialler), server);
        let error = dialled.unwrap_err();
        assert!(
            matches!(error, DialError::Stream(StreamError::Deadline(Step::Pow))),
            "{error:?}"
        );
    });
    drop(runtime);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn nobody_listens() {
    let (listener, addr) = listener().await;
    drop(listener);
    let error = connect(&addr.to_string(), &good()).await.unwrap_err();
    assert!(matches!(error, DialError::Tcp(_)), "{error:?}");
    for nonsense in ["", "nowhere", "127.0.0.1", "127.0.0.1:x"] {
        let error = connect(nonsense, &good()).await.unwrap_err();
        assert!(matches!(error, DialError::Tcp(_)), "{error:?}");
    }
}

#[tokio::test]
async fn one_address_cannot_take_all_places() {
    let (listener, addr) = listener().await;
    let mut acceptor = hurried(good());
    acceptor.handshakes.at_once_per_source = 1;
    let load = PowLoad::new(acceptor.handshakes);
    let _silent = TcpStream::connect(addr).await.unwrap();
    let (first, _) = listener.accept().await.unwrap();
    let mut second_end = TcpStream::connect(addr).await.unwrap();
    let (second, _) = listener.accept().await.unwrap();
    let (first, second) = tokio::join!(accept(first, &acceptor, &load), accept(second, &acceptor, &load));
    let (first, second) = (first.unwrap_err(), second.unwrap_err());
    assert!(
        matches!(second, AcceptError::Overload(Overload::Source)),
        "{second:?}"
    );
    assert!(
        matches!(first, AcceptError::Stream(StreamError::Deadline(Step::Pow))),
        "{first:?}"
    );
    // Not even a challenge was spent on it.
    let mut heard = Vec::new();
    let _ = second_end.read_to_end(&mut heard).await;
    assert!(heard.is_empty());
    assert_eq!(load.in_flight(), 0);
}
