use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cocoon_testkit::canned::CannedFault;
use cocoon_testkit::network::{Network, within};
use serde_json::json;

use crate::{LIMIT, chat};

/// Words that are asked and answered, and must stand nowhere else.
const PLANTED: &str = "xyzzy-plugh-7391";

/// Counts lines, and those that hold the planted words.
#[derive(Clone, Default)]
struct Watch {
    lines: Arc<AtomicUsize>,
    leaks: Arc<AtomicUsize>,
}

impl Write for Watch {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.lines.fetch_add(1, Ordering::Relaxed);
        if line
            .windows(PLANTED.len())
            .any(|window| window == PLANTED.as_bytes())
        {
            self.leaks.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_of_a_prompt_or_an_answer_reaches_a_log_at_any_level() -> anyhow::Result<()> {
    let watch = Watch::default();
    let writer = watch.clone();
    // For the whole process: every role has threads of its own.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .try_init()
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    within(LIMIT, async {
        let mut network = Network::builder().start().await?;
        let faults = [
            None,
            Some(CannedFault::Cut),
            Some(CannedFault::Garbage),
            Some(CannedFault::Status(400)),
            Some(CannedFault::Status(500)),
            Some(CannedFault::ErrorEvent),
            Some(CannedFault::WrongUsage),
        ];
        for fault in faults {
            network.engine(0).set_fault(fault);
            for stream in [false, true] {
                let body = json!({"model": "canned", "stream": stream, "x_echo": true, "user": PLANTED,
                    "messages": [{"role": "user", "content": PLANTED}]});
                let answer = network.post("/chat/completions", &body).await?;
                if fault.is_none() {
                    assert!(answer.text().contains(PLANTED), "it was asked and answered");
                }
            }
        }
        // Errors about the body must not quote it either.
        for body in [
            json!({"model": PLANTED, "messages": [{"role": "user", "content": PLANTED}]}),
            json!([PLANTED]),
            json!({"model": "canned", "messages": PLANTED, "n": PLANTED, PLANTED: 1}),
        ] {
            network.post("/chat/completions", &body).await?;
        }
        network.workers[0].kill().await;
        network
            .post("/chat/completions", &chat(json!({"user": PLANTED})))
            .await?;
        let proxy_metrics = format!("http://{}/metrics", network.proxies[0].admin_addr());
        assert!(
            !cocoon_testkit::network::get(&proxy_metrics)
                .await?
                .text()
                .contains(PLANTED)
        );
        network.stop().await
    })
    .await?;
    assert!(watch.lines.load(Ordering::Relaxed) > 50, "the logs were watched");
    assert_eq!(watch.leaks.load(Ordering::Relaxed), 0, "content in a log");
    Ok(())
}
