//! Statements: made, pushed, verified, and what comes of bad ones.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use cocoon_attest::statement::{Block, StatedEngine, Statement};
use cocoon_attest::{EvidenceRule, ImageRule, Policy, Simulated};
use cocoon_chain::{Chain as _, Head, PurseOptions};
use cocoon_contracts::root::Change;
use cocoon_link::{Appraiser, Attester, Identity, LinkOptions, Presented};
use cocoon_tee::development::{DevelopmentTee, QuoteFormat, image};
use cocoon_testkit::hostile::Peer;
use cocoon_testkit::money::Money;
use cocoon_testkit::network::{Network, WorkerNode, eventually, get, within};
use cocoon_tl::{TlString, v3};
use cocoon_trust::{Peers, StatedContent, TeeChoice, Trust, TrustConfig, TrustKeys};
use cocoon_types::Tier;
use cocoon_web::clock::unix_now;
use serde_json::{Value, json};

use super::{Log, POLL, attester, opened, with_registry};
use crate::LIMIT;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_states_and_both_ends_show_it() -> anyhow::Result<()> {
    let log = Log::start()?;
    within(LIMIT, async {
        let money = Money::start().await?;
        let network = with_registry(Network::builder(), &money).await?.start().await?;
        let shown = async || {
            let status = network.status(0).await?;
            anyhow::Ok(status["workers"][0]["statement"].clone())
        };
        eventually("the statement is verified", async || {
            shown().await.is_ok_and(|statement| statement != Value::Null)
        })
        .await?;
        let statement = shown().await?;
        assert_eq!(statement["engine"], "outside", "the canned one");
        assert!(statement["until"].as_u64().unwrap() <= unix_now() + 3600);
        assert!(log.says(&["a worker's statement is verified", "open"]));

        let own = format!("http://{}/status", network.workers[0].admin_addr());
        eventually("the worker knows", async || {
            let status = get(&own).await.and_then(|answer| answer.json());
            status.is_ok_and(|status| status["statement"]["verdicts"][0]["tier"] == "open")
        })
        .await?;
        let status = get(&own).await?.json()?;
        assert_eq!(status["statement"]["digest"], statement["digest"]);
        assert_eq!(status["statement"]["until"], statement["until"]);
        network.stop().await
    })
    .await
}

/// Shows good evidence in its certificate, and another image's afterwards.
#[derive(Debug)]
struct TwoFaced {
    tee: DevelopmentTee,
    asked: AtomicUsize,
}

impl Attester for TwoFaced {
    fn evidence(&self, report_data: &[u8; 64], now: u64) -> Result<Presented, Box<dyn Error + Send + Sync>> {
        let is_first = self.asked.fetch_add(1, Ordering::Relaxed) == 0;
        let shown = image(if is_first { "worker" } else { "other" });
        Ok(Presented {
            quote: self.tee.quote(QuoteFormat::V4, report_data, &shown)?,
            collateral: Some(self.tee.collateral(now)?),
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_statement_has_its_reason_in_both_ends_words_and_costs_the_worker_nothing_else()
-> anyhow::Result<()> {
    let log = Log::start()?;
    within(
        LIMIT,
        Box::pin(async {
            let money = Money::start().await?;
            let builder = with_registry(Network::builder().without_gateway(), &money).await?;
            let network = builder.start().await?;
            let mut config = network.workers[0].config().clone();
            config.admin = ([127, 0, 0, 1], 0).into();
            config.trust.tee = TeeChoice::Other(Arc::new(TwoFaced {
                tee: opened(&money.state_dir("tee")?)?,
                asked: AtomicUsize::new(0),
            }));
            let mut bad = WorkerNode::start(config).await?;
            network.wait_for_workers(0, 2).await?;
            let words = "not on the list of accepted images";
            eventually("both have said why", async || {
                log.says(&["a worker's statement is refused", words])
                    && log.says(&["a proxy refuses this worker's statement", words])
            })
            .await?;
            let status = network.status(0).await?;
            let workers = status["workers"].as_array().unwrap();
            let refused = |worker: &&Value| {
                worker["statement_refused"]
                    .as_str()
                    .is_some_and(|it| it.contains(words))
            };
            let shown = workers.iter().find(refused).unwrap();
            assert_eq!(
                (&shown["enabled"], &shown["tier"]),
                (&json!(true), &json!("open"))
            );
            bad.kill().await;
            network.stop().await
        }),
    )
    .await
}

/// A worker played by hand, with a development TEE.
struct Stater {
    peer: Peer,
    key: [u8; 32],
    tee: Arc<DevelopmentTee>,
}

/// What is sent, before a test spoils it.
struct Sent {
    statement: Statement,
    image: &'static str,
    /// What the quote is over, if not the statement.
    report_data: Option<[u8; 64]>,
    gpu_evidence: Bytes,
}

impl Stater {
    async fn new(network: &Network, money: &Money, owner: &TlString) -> anyhow::Result<Self> {
        let home = money.state_dir("tee")?;
        let tee = Arc::new(opened(&home)?);
        let identity = Identity::attested(attester(opened(&home)?, "worker"), unix_now())?;
        let key = *identity.public_key();
        let policy = Policy {
            evidence: EvidenceRule::Optional {
                simulated: Simulated::AcceptOnTestNetwork,
            },
            image_hashes: ImageRule::Any,
            ..Policy::default()
        };
        let options = LinkOptions::new(identity, Appraiser::new(policy, tee.roots()?), unix_now);
        let peer = Peer::dial_with(network.proxies[0].workers_addr(), &options).await?;
        let peer = peer.into_worker_of(owner.clone()).await?;
        Ok(Self { peer, key, tee })
    }

    fn good(&self, block: Head) -> Sent {
        let now = unix_now();
        Sent {
            statement: Statement {
                key: self.key,
                block: named(block),
                accelerators: 0,
                gpu_evidence: None,
                engine: StatedEngine::OfImage,
                model: None,
                engine_digest: None,
                valid_from: now,
                valid_until: now + 600,
                sealing_key: Vec::new(),
            },
            image: "worker",
            report_data: None,
            gpu_evidence: Bytes::new(),
        }
    }

    /// Sends it, and waits for the verdict.
    async fn state(&mut self, sent: Sent) -> anyhow::Result<v3::StatementJudged> {
        let statement = sent.statement.encode()?;
        let report_data = sent
            .report_data
            .unwrap_or_else(|| Statement::report_data(&statement));
        let message = v3::Statement {
            quote: self
                .tee
                .quote(QuoteFormat::V4, &report_data, &image(sent.image))?
                .into(),
            endorsements: self.tee.collateral(unix_now())?.to_compact()?.into(),
            statement: statement.into(),
            gpu_evidence: sent.gpu_evidence,
        };
        self.peer.say(&message).await?;
        self.peer.next_of::<v3::StatementJudged>().await
    }
}

const fn named(block: Head) -> Block {
    Block {
        seqno: block.seqno,
        id: block.id,
        time: block.time,
    }
}

async fn without_workers(money: &Money) -> anyhow::Result<(Network, TlString)> {
    let (_, owner) = money.wallet("worker").await?;
    let builder = Network::builder().workers(0).without_gateway();
    let network = with_registry(builder, money).await?.start().await?;
    Ok((network, TlString::from(owner.to_string())))
}

async fn worker(network: &Network) -> anyhow::Result<Value> {
    Ok(network.status(0).await?["workers"][0].clone())
}

type Spoil = fn(&mut Sent, Head);

/// Each way in which a statement is bad here, and the words of its refusal.
const BAD: [(&str, Spoil, &str); 12] = [
    (
        "another key",
        |sent, _| sent.statement.key[0] ^= 1,
        "about another peer",
    ),
    (
        "a block that is not there yet",
        |sent, _| sent.statement.block.seqno += 1000,
        "does not exist yet",
    ),
    (
        "another block's id",
        |sent, _| sent.statement.block.id[31] ^= 1,
        "not on the chain",
    ),
    (
        "another time of the block",
        |sent, _| sent.statement.block.time -= 1,
        "not on the chain",
    ),
    (
        "an old block",
        |sent, first| sent.statement.block = named(first),
        "an hour is allowed",
    ),
    (
        "over",
        |sent, _| {
            sent.statement.valid_from -= 100;
            sent.statement.block.time -= 200;
            sent.statement.valid_until = sent.statement.valid_from + 50;
        },
        "the statement ended at",
    ),
    (
        "longer than an hour",
        |sent, _| sent.statement.valid_until += 3600,
        "window is impossible",
    ),
    ("another image", |sent, _| sent.image = "other", "not on the list"),
    (
        "the image of a proxy",
        |sent, _| sent.image = "proxy",
        "not on the list",
    ),
    (
        "a quote over something else",
        |sent, _| sent.report_data = Some([7; 64]),
        "report data",
    ),
    (
        "GPU evidence that it does not name",
        |sent, _| sent.gpu_evidence = Bytes::from_static(b"\x01"),
        "GPU evidence is not the one",
    ),
    (
        "GPU evidence that is none",
        |sent, _| {
            sent.gpu_evidence = Bytes::from_static(b"evidence");
            sent.statement.accelerators = 1;
            sent.statement.gpu_evidence = Some(cocoon_attest::gpu::evidence_digest(b"evidence"));
        },
        "GPU evidence",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_statement_is_refused_by_name_and_the_tier_stays() -> anyhow::Result<()> {
    let log = Log::start()?;
    within(LIMIT, async {
        let money = Money::start().await?;
        let (network, owner) = without_workers(&money).await?;
        let first = money.chain.block_at(0).await?;
        for (name, spoil, words) in BAD {
            log.clear();
            let mut stater = Stater::new(&network, &money, &owner).await?;
            network.wait_for_workers(0, 1).await?;
            let mut sent = stater.good(money.chain.head().await?);
            spoil(&mut sent, first);
            let verdict = stater.state(sent).await?;
            let refusal = verdict.refusal.lossy(1000);
            assert!(refusal.contains(words), "{name}: {refusal}");
            assert!(
                log.says(&["a worker's statement is refused", words]),
                "{name}: {:#?}",
                log.0.lock().unwrap()
            );
            let shown = worker(&network).await?;
            assert_eq!(
                (&shown["tier"], &shown["statement"]),
                (&json!("simulated"), &Value::Null),
                "{name}"
            );
            assert_eq!(shown["statement_refused"], refusal, "{name}");

            // The same worker with a good one, on the same link.
            let verdict = stater.state(stater.good(money.chain.head().await?)).await?;
            assert!(
                verdict.refusal.is_empty(),
                "{name}: {}",
                verdict.refusal.lossy(1000)
            );
            assert_eq!(verdict.tier, Tier::Simulated.wire_code());
            stater.peer.link.close("done");
            network.wait_for_workers(0, 0).await?;
        }
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tier_is_the_statements_while_it_holds_and_the_links_after() -> anyhow::Result<()> {
    let log = Log::start()?;
    within(LIMIT, async {
        let money = Money::start().await?;
        let (network, owner) = without_workers(&money).await?;
        let mut stater = Stater::new(&network, &money, &owner).await?;
        network.wait_for_workers(0, 1).await?;
        assert_eq!(worker(&network).await?["tier"], "simulated");

        // It says that its engine is from outside the image after all.
        let mut sent = stater.good(money.chain.head().await?);
        sent.statement.engine = StatedEngine::Outside;
        sent.statement.valid_until = unix_now() + 4;
        let verdict = stater.state(sent).await?;
        assert!(verdict.refusal.is_empty(), "{}", verdict.refusal.lossy(1000));
        assert_eq!(verdict.tier, Tier::Open.wire_code());
        assert_eq!(worker(&network).await?["tier"], "open");

        // A bad one in between changes nothing.
        let mut sent = stater.good(money.chain.head().await?);
        sent.statement.key[0] ^= 1;
        assert!(!stater.state(sent).await?.refusal.is_empty());
        assert_eq!(worker(&network).await?["tier"], "open");

        eventually("it has ended", async || {
            worker(&network)
                .await
                .is_ok_and(|shown| shown["tier"] == "simulated" && shown["statement"] == Value::Null)
        })
        .await?;
        assert!(log.says(&["a worker's statement has ended"]));
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_sealing_key_is_a_new_statement() -> anyhow::Result<()> {
    let log = Log::start()?;
    let shown = async |network: &Network| anyhow::Ok(worker(network).await?["statement"].clone());
    within(LIMIT, async {
        let money = Money::start().await?;
        let (network, owner) = without_workers(&money).await?;
        let mut stater = Stater::new(&network, &money, &owner).await?;
        network.wait_for_workers(0, 1).await?;
        let mut names = Vec::new();
        for key in 1..=3 {
            let mut sent = stater.good(money.chain.head().await?);
            sent.statement.sealing_key = vec![key; 1216];
            let verdict = stater.state(sent).await?;
            assert!(verdict.refusal.is_empty(), "{}", verdict.refusal.lossy(1000));
            let shown = worker(&network).await?;
            assert_eq!(shown["statement"]["seals"], true);
            assert_eq!(shown["statement"]["digest"], hex::encode(verdict.statement));
            names.push(verdict.statement);
        }
        names.dedup();
        assert_eq!(names.len(), 3);

        // The registry says something else that does not concern it: it was looked at again, and is still believed.
        let verified = shown(&network).await?;
        log.clear();
        money.change(Change::AddWorkerHash([9; 32])).await?;
        eventually("the proxy follows", async || {
            log.says(&["the registry has changed"])
        })
        .await?;
        tokio::time::sleep(POLL * 5).await;
        assert_eq!(shown(&network).await?, verified);
        assert!(!log.says(&["a worker's statement is refused"]));
        network.stop().await
    })
    .await
}

/// Its configuration, and where its money is.
fn client_trust(money: &Money) -> anyhow::Result<(TrustConfig, PurseOptions)> {
    let keys = TrustKeys {
        tee: Some("none".into()),
        development_tee: Some(money.state_dir("tee")?),
        is_test: true,
        accept_simulated: true,
        has_registry: true,
        // Says nothing about workers.
        proxy_images: vec![hex::encode(image("proxy").image_hash())],
        ..TrustKeys::default()
    };
    let mut config = keys.build()?;
    config.poll = POLL;
    let purse = PurseOptions {
        chain: money.url.clone(),
        root: money.root,
        wallet_file: money.state_dir("client")?.join("wallet.toml"),
        is_test: true,
    };
    Ok((config, purse))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_handed_a_statement_verifies_it_and_forgets_when_the_registry_changes()
-> anyhow::Result<()> {
    within(LIMIT, async {
        let money = Money::start().await?;
        let (config, purse) = client_trust(&money)?;
        let trust = Arc::new(Trust::start(&config, "client", Some(&purse), unix_now).await?);
        let mut chores = tokio::task::JoinSet::new();
        let kept = Arc::clone(&trust);
        chores.spawn(async move { kept.keep().await });

        // A worker's own, made as workers make theirs.
        let mut worker = config.clone();
        worker.tee = TeeChoice::Development;
        let worker = Trust::start(&worker, "worker", Some(&purse), unix_now).await?;
        let content = StatedContent {
            engine: StatedEngine::OfImage,
            sealing_key: vec![5; 1216],
            ..StatedContent::default()
        };
        let evidence = worker.state(&content).await?;
        let identity = worker.identity().get();
        let certificate = identity.certificate_der();

        let mut times = Vec::new();
        for _ in 0..2 {
            let begin = std::time::Instant::now();
            let verified = trust
                .appraise_presented(Peers::Workers, certificate, &evidence)
                .await?;
            times.push(begin.elapsed());
            assert_eq!(verified.tier(), Tier::Simulated);
            assert_eq!(verified.statement().sealing_key, content.sealing_key);
            assert_eq!(verified.peer().key(), identity.public_key());
        }
        assert!(times[1] < times[0] / 4, "the second comes from memory: {times:?}");

        // Somebody else's certificate, even a good one of the same machine.
        let other = Trust::start(&config, "worker", Some(&purse), unix_now).await?;
        let other = other.identity().get();
        let refused = trust
            .appraise_presented(Peers::Workers, other.certificate_der(), &evidence)
            .await
            .unwrap_err();
        assert!(refused.is_refusal(), "{refused}");
        let same_machine =
            Identity::attested(attester(opened(&money.state_dir("tee")?)?, "worker"), unix_now())?;
        let refused = trust
            .appraise_presented(Peers::Workers, same_machine.certificate_der(), &evidence)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("about another peer"), "{refused}");
        // The same statement with another quote is not what was verified.
        let mut altered = evidence.clone();
        let another = StatedContent {
            sealing_key: vec![6; 1216],
            ..content.clone()
        };
        altered.quote = worker.state(&another).await?.quote;
        let refused = trust
            .appraise_presented(Peers::Workers, certificate, &altered)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("report data"), "{refused}");

        let mut rules = trust.rules();
        rules.borrow_and_update();
        money
            .change(Change::DeleteWorkerHash(image("worker").image_hash()))
            .await?;
        rules.changed().await?;
        let refused = trust
            .appraise_presented(Peers::Workers, certificate, &evidence)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("not on the list"), "{refused}");
        Ok(())
    })
    .await
}
