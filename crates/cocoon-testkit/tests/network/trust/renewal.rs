//! Certificates that live for seconds: links are renewed again and again, and no request notices.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cocoon_link::{Attester, Presented};
use cocoon_tee::development::{DevelopmentTee, QuoteFormat, image};
use cocoon_testkit::network::{Network, post, within};
use cocoon_trust::TeeChoice;
use serde_json::json;
use tokio::task::JoinSet;

use super::opened;
use crate::{LIMIT, chat};

/// How long certificates hold here.
const LIFE_SECONDS: u64 = 6;
/// Collateral holds for this long from its making.
const COLLATERAL_SECONDS: u64 = 30 * 86_400;
/// Three lives of a certificate and some more.
const LOAD: Duration = Duration::from_secs(20);

/// Evidence whose collateral, and with it the certificate, ends in some seconds.
#[derive(Debug)]
struct ShortLived(Arc<DevelopmentTee>);

impl Attester for ShortLived {
    fn evidence(&self, report_data: &[u8; 64], now: u64) -> Result<Presented, Box<dyn Error + Send + Sync>> {
        Ok(Presented {
            quote: self.0.quote(QuoteFormat::V5, report_data, &image("any"))?,
            collateral: Some(self.0.collateral(now + LIFE_SECONDS + 1 - COLLATERAL_SECONDS)?),
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_under_load_loses_no_request() -> anyhow::Result<()> {
    within(LIMIT, async {
        let home = tempfile::tempdir()?;
        let directory: PathBuf = home.path().into();
        opened(&directory)?;
        let network = Network::builder()
            .workers(2)
            .trust(move |trust| {
                let tee = DevelopmentTee::open(&directory).unwrap();
                trust.tee = TeeChoice::Other(Arc::new(ShortLived(Arc::new(tee))));
                trust.development_tee = Some(directory.clone());
            })
            .start()
            .await?;
        let url = format!("{}/chat/completions", network.api());
        let done = Arc::new(AtomicBool::new(false));
        let mut askers = JoinSet::new();
        for _ in 0..4 {
            let (url, done) = (url.clone(), Arc::clone(&done));
            askers.spawn(async move {
                let mut served = 0;
                while !done.load(Ordering::Relaxed) {
                    let answer = post(&url, &chat(json!({"x_parts": 4, "x_pace_ms": 20}))).await?;
                    let body = String::from_utf8_lossy(&answer.body);
                    anyhow::ensure!(answer.status == 200, "{} {body}", answer.status);
                    served += 1;
                }
                anyhow::Ok(served)
            });
        }
        tokio::time::sleep(LOAD).await;
        done.store(true, Ordering::Relaxed);
        let mut served = 0;
        while let Some(asked) = askers.join_next().await {
            served += asked??;
        }
        assert!(served > 50, "{served}");
        network.stop().await
    })
    .await
}
