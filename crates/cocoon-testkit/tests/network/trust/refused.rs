//! Workers with bad evidence: each is refused, and both ends say why.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use cocoon_link::{Appraiser, Attester, DialError, Identity, LinkOptions, Presented, StreamError, dial};
use cocoon_tee::development::{
    Certificate, CertificateFault, DevelopmentTee, DomainFault, Fault, List, ListFault, QuoteFormat,
    TextFault, image,
};
use cocoon_testkit::network::{Network, WorkerNode, eventually, within};
use cocoon_trust::TeeChoice;
use cocoon_web::clock::unix_now;

use super::{Log, opened, shown_as, without_registry};
use crate::LIMIT;

/// Shows a good quote, with collateral that may be somebody else's or of another time.
#[derive(Debug)]
struct Mixed {
    tee: Arc<DevelopmentTee>,
    collateral: Arc<DevelopmentTee>,
    /// Seconds by which the collateral is made later than now.
    later: u64,
    /// Of another key, whatever key is asked for.
    replayed: bool,
}

impl Attester for Mixed {
    fn evidence(&self, report_data: &[u8; 64], now: u64) -> Result<Presented, Box<dyn Error + Send + Sync>> {
        let asked = if self.replayed { &[7; 64] } else { report_data };
        Ok(Presented {
            quote: self.tee.quote(QuoteFormat::V4, asked, &image("worker"))?,
            collateral: Some(self.collateral.collateral(now + self.later)?),
        })
    }
}

/// Each way in which a worker's evidence is bad, and the words of its refusal.
fn cases(home: &Path) -> anyhow::Result<Vec<(&'static str, TeeChoice, &'static str)>> {
    let tee = || anyhow::Ok(Arc::new(opened(home)?));
    let foreign = || anyhow::Ok(Arc::new(DevelopmentTee::new(unix_now())?));
    let mixed = |collateral: Arc<DevelopmentTee>, later, replayed| {
        anyhow::Ok(TeeChoice::Other(Arc::new(Mixed {
            tee: tee()?,
            collateral,
            later,
            replayed,
        })))
    };
    let bad = |fault| anyhow::Ok(shown_as(opened(home)?.with_other_fault(Some(fault)), "worker"));
    Ok(vec![
        (
            "another image",
            shown_as(opened(home)?, "other"),
            "not on the list of accepted images",
        ),
        (
            "a foreign root",
            shown_as(DevelopmentTee::new(unix_now())?, "worker"),
            "signature",
        ),
        ("a replayed quote", mixed(tee()?, 0, true)?, "report data"),
        ("foreign collateral", mixed(foreign()?, 0, false)?, "signature"),
        (
            "collateral from the future",
            mixed(tee()?, 86_400, false)?,
            "valid only from",
        ),
        (
            "a list from the future",
            bad(Fault::List(List::Pck, ListFault::NotYetValid))?,
            "valid only from",
        ),
        (
            "a forged TCB info",
            bad(Fault::TcbInfo(TextFault::ForeignKey))?,
            "signature",
        ),
        (
            "a revoked platform",
            bad(Fault::Certificate(Certificate::Pck, CertificateFault::Revoked))?,
            "revoked",
        ),
        ("a debug domain", bad(Fault::Domain(DomainFault::Debug))?, "debug"),
        ("no evidence", TeeChoice::None, "presented no evidence"),
        (
            "the original's simulated quote",
            TeeChoice::ReportData,
            "not on the list of accepted images",
        ),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_with_its_reason_in_the_proxys_and_the_workers_words() -> anyhow::Result<()> {
    let log = Log::start()?;
    within(LIMIT, async {
        let home = tempfile::tempdir()?;
        let images = vec![hex::encode(image("worker").image_hash())];
        let builder = Network::builder()
            .proxy(move |_, proxy| proxy.worker_images = images.clone())
            .without_gateway();
        let network = without_registry(builder, home.path().into()).start().await?;
        for (name, tee, words) in cases(home.path())? {
            let mut config = network.workers[0].config().clone();
            config.admin = ([127, 0, 0, 1], 0).into();
            config.trust.tee = tee;
            log.clear();
            let mut bad = WorkerNode::start(config).await?;
            let said = eventually(name, async || {
                log.says(&["a connection did not become a link", words])
                    && log.says(&["cannot work for a proxy", words])
            });
            let said = said.await;
            assert!(said.is_ok(), "{name}: {:#?}", log.0.lock().unwrap());
            bad.kill().await;
        }
        // The good one was not disturbed.
        network.wait_for_workers(0, 1).await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_certificate_is_refused_in_words() -> anyhow::Result<()> {
    within(LIMIT, async {
        let home = tempfile::tempdir()?;
        let network = without_registry(Network::builder().without_gateway(), home.path().into())
            .start()
            .await?;
        let now = unix_now();
        let old = Identity::attested(super::attester(opened(home.path())?, "worker"), now - 90_000)?;
        let policy = cocoon_attest::Policy {
            evidence: cocoon_attest::EvidenceRule::Optional {
                simulated: cocoon_attest::Simulated::AcceptOnTestNetwork,
            },
            image_hashes: cocoon_attest::ImageRule::Any,
            ..cocoon_attest::Policy::default()
        };
        let appraiser = Appraiser::new(policy, opened(home.path())?.roots()?);
        let options = LinkOptions::new(old, appraiser, unix_now);
        let dialled = dial(&network.proxies[0].workers_addr().to_string(), &options).await;
        let Err(DialError::Stream(StreamError::RefusedBecause(reason))) = dialled else {
            anyhow::bail!("{dialled:?}");
        };
        assert!(reason.contains("expired at"), "{reason}");
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_for_production_refuses_development_evidence_by_name() -> anyhow::Result<()> {
    let log = Log::start()?;
    within(LIMIT, async {
        let home = tempfile::tempdir()?;
        let tee = home.path().to_path_buf();
        let images = vec![hex::encode(image("worker").image_hash())];
        let proxies = vec![hex::encode(image("proxy").image_hash())];
        let network = Network::builder()
            .without_gateway()
            .proxy(move |_, proxy| {
                (proxy.is_test, proxy.accept_simulated) = (None, None);
                proxy.worker_images = images.clone();
            })
            .worker(move |_, worker| {
                (worker.is_test, worker.accept_simulated) = (None, None);
                worker.proxy_images = proxies.clone();
            })
            .trust(move |trust| trust.tee = shown_as(opened(&tee).unwrap(), "worker"))
            .start_at_once()
            .await?;
        // Up to the makers' roots it is nobody's evidence.
        eventually("the worker refuses the proxy", async || {
            log.says(&["cannot work for a proxy"])
        })
        .await?;
        assert_eq!(
            network.status(0).await?["workers"].as_array().map(Vec::len),
            Some(0)
        );
        network.stop().await
    })
    .await
}
