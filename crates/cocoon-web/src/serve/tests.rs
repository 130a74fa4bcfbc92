use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Bytes, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{ServeOptions, serve};

struct Served {
    addr: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test joins or aborts the task itself"
)]
async fn start(options: ServeOptions) -> Served {
    let router = Router::new()
        .route("/", get(|| async { "fine" }))
        .route(
            "/slow",
            get(|| async {
                sleep(Duration::from_millis(300)).await;
                "late"
            }),
        )
        .route("/big", get(|| async { Bytes::from(vec![0; 64 << 20]) }))
        .route("/hang", get(std::future::pending::<()>));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve(router, listener, options, shutdown.clone()));
    Served { addr, shutdown, task }
}

async fn say(addr: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Everything until the server closes; fails the test when it does not.
async fn rest(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut all))
        .await
        .unwrap();
    // A reset after the answer is an end too.
    let _ = read;
    String::from_utf8_lossy(&all).into_owned()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let served = start(ServeOptions::default()).await;
    let garbage: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\r\n\r\n\x00\x00\x00",
        b"\x00\x00\x00\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGARBAGE GARBAGE\r\n\r\n",
    ];
    for bytes in garbage {
        rest(say(served.addr, bytes).await).await;
        assert!(rest(say(served.addr, GET).await).await.ends_with("fine"));
    }
}

#[tokio::test]
async fn a_head_without_end_is_cut_off_by_time_and_by_size() {
    let options = ServeOptions {
        header_timeout: Duration::from_millis(100),
        ..ServeOptions::default()
    };
    let served = start(options).await;
    rest(say(served.addr, b"GET / HTTP/1.1\r\nhost: loc").await).await;
    rest(say(served.addr, b"").await).await;
    let mut long = b"GET / HTTP/1.1\r\nx: ".to_vec();
    long.resize(128 * 1024, b'a');
    let mut stream = TcpStream::connect(served.addr).await.unwrap();
    let _ = stream.write_all(&long).await;
    rest(stream).await;
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(200));
    assert!(
        rest(say(served.addr, many.as_bytes()).await)
            .await
            .starts_with("HTTP/1.1 431")
    );
}

#[tokio::test]
async fn the_connection_past_the_limit_is_told_so() {
    let options = ServeOptions {
        max_connections: 1,
        ..ServeOptions::default()
    };
    let served = start(options).await;
    let first = say(served.addr, b"GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await;
    sleep(Duration::from_millis(50)).await;
    assert!(
        rest(TcpStream::connect(served.addr).await.unwrap())
            .await
            .starts_with("HTTP/1.1 503")
    );
    drop(first);
    sleep(Duration::from_millis(50)).await;
    assert!(rest(say(served.addr, GET).await).await.ends_with("fine"));
}

#[tokio::test]
async fn shutdown_lets_open_requests_end_and_cuts_off_the_rest() {
    let options = ServeOptions {
        drain: Duration::from_millis(600),
        ..ServeOptions::default()
    };
    let served = start(options).await;
    let slow = say(served.addr, b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let hang = say(served.addr, b"GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let idle = say(served.addr, b"").await;
    sleep(Duration::from_millis(50)).await;
    served.shutdown.cancel();
    assert!(rest(slow).await.ends_with("late"));
    assert_eq!(rest(hang).await, "");
    assert_eq!(rest(idle).await, "");
    timeout(Duration::from_secs(2), served.task)
        .await
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(served.addr).await.is_err());
}

#[tokio::test]
async fn who_takes_nothing_is_cut_off() {
    let options = ServeOptions {
        write_stall: Duration::from_millis(200),
        ..ServeOptions::default()
    };
    let served = start(options).await;
    let stream = say(served.addr, b"GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
    sleep(Duration::from_millis(600)).await;
    let got = rest(stream).await;
    assert!(got.len() < 64 << 20, "the whole body arrived");
}
