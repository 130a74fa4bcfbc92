//! No byte of a prompt, an answer or a key in any log at any level. Listens to the tracing of the whole test binary.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::support::{FakeProxy, Gateway, parts, whole};
use cocoon_types::{Fault, Refusal};
use tracing_subscriber::fmt::MakeWriter;

const PLANT: &str = "planted-9b1f";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn nothing_private_is_logged_at_any_level() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .init();
    let proxy = FakeProxy::new(|serving, turn| async move {
        match turn {
            0 => whole(serving, 200, r#"{"text":"planted-9b1f"}"#).await,
            1 => {
                parts(
                    serving,
                    Duration::ZERO,
                    &["data: planted-9b1f\n\n", "data: [DONE]\n\n"],
                )
                .await
            }
            2 => whole(serving, 400, r#"{"error":{"message":"planted-9b1f"}}"#).await,
            // A hostile peer puts content into the words of its refusal.
            _ => drop(
                serving
                    .answer
                    .refuse(Refusal::new(Fault::EngineFailed, PLANT))
                    .await,
            ),
        }
    })
    .await;
    let gateway = Gateway::to(&[&proxy]).await;
    let chat =
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{PLANT}"}}],"user":"{PLANT}"}}"#);
    let headers = [
        ("authorization", "Bearer planted-9b1f"),
        ("x-planted-9b1f", PLANT),
        ("idempotency-key", PLANT),
        ("x-cocoon-tier", "simulated"),
    ];
    for turn in 0..4 {
        let key = format!("{PLANT}{turn}");
        let mut headers = headers;
        headers[2].1 = &key;
        gateway
            .post("/v1/chat/completions?q=planted-9b1f", &headers, &chat)
            .await;
    }
    let broken = [
        format!("{{\"model\":\"{PLANT}\",\"messages\":[],\"cocoon\":{{\"{PLANT}\":1}}}}"),
        format!("{{\"{PLANT}\""),
        format!("{{\"model\":\"{PLANT} x\",\"messages\":[]}}"),
        PLANT.to_owned(),
    ];
    for body in &broken {
        let reply = gateway
            .post("/v1/chat/completions", &[("x-cocoon-timeout", PLANT)], body)
            .await;
        assert_eq!(reply.status / 100, 4);
        let reply = gateway.post("/v1/chat/completions", &[], body).await;
        assert!(
            reply.status / 100 == 4 && !reply.text().contains(PLANT),
            "{}",
            reply.text()
        );
    }
    gateway.get("/planted-9b1f").await;
    gateway.get("/v1/models/planted-9b1f").await;
    gateway
        .post("/v1/chat/completions", &[("host", PLANT)], &chat)
        .await;
    assert_eq!(proxy.count(), 4);
    let metrics = gateway.get("/metrics").await.text();
    gateway.shutdown.cancel();
    proxy.break_links();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(
        log.contains("linked") && log.contains("refused"),
        "the log is not listened to:\n{log}"
    );
    assert!(!metrics.contains(PLANT));
    if let Some(line) = log.lines().find(|line| line.contains(PLANT)) {
        panic!("logged: {line}");
    }
}
