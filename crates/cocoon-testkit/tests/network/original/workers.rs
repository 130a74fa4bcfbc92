//! Workers of the original at our proxy.

use std::time::Duration;

use anyhow::Context as _;
use cocoon_testkit::money::Money;
use cocoon_testkit::network::{eventually, within};
use cocoon_testkit::original::{OldRequest, OldWorker};
use serde_json::Value;
use tokio::time::timeout;

use super::{LIMIT, Old, books, entry, old, proxy, question, ready, used};

const ANSWER: &[&str] = &[
    "{\"choices\":[],",
    "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":5}}\n",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_client_and_an_old_worker_trade_in_every_version() -> anyhow::Result<()> {
    within(LIMIT * 2, async {
        for version in [0, 1, 2] {
            let Old {
                network,
                mut client,
                mut worker,
                ..
            } = old(version).await?;
            let request = OldRequest::chat(&question())?;
            client.send(&request).await?;
            let work = worker.next().await?;
            // spec/network.md 11: a fresh id, the connection's coefficient, a timeout below the client's.
            assert_ne!(work.id, request.id);
            assert_eq!(work.coefficient, 1000);
            assert!(work.timeout > 10.0 && work.timeout <= 19.0, "{}", work.timeout);
            // Neither the caller's headers nor an unlimited answer go on.
            let names: Vec<_> = work
                .request
                .headers
                .iter()
                .map(|header| header.name.clone())
                .collect();
            assert!(
                names
                    .iter()
                    .all(|name| *name != "Authorization" && *name != "Host")
            );
            let body: Value = serde_json::from_slice(&work.request.payload)?;
            assert_eq!(body["max_tokens"], 100);
            worker.serve(&work, ANSWER, used(12, 5)).await?;
            let answer = client.read(request.id, usize::MAX).await?;
            assert_eq!((answer.status, answer.broken), (200, false));
            assert_eq!(answer.body, ANSWER.concat().as_bytes());
            assert_eq!(answer.used, used(12, 5));
            // Charged what the worker told, 12 + 8 * 5, on both sides, to the token.
            worker.paid(work.id).await?;
            client.update().await?;
            assert_eq!((client.told()[2], worker.told()[2]), (52, 52));
            let books = books(&network).await?;
            assert_eq!(entry(&books["clients"], client.owner())["used_tokens"], 52);
            assert_eq!(entry(&books["workers"], worker.owner())["earned_tokens"], 52);
            network.stop().await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_protocol_3_is_refused_for_an_old_worker() -> anyhow::Result<()> {
    within(LIMIT, async {
        let money = Money::start().await?;
        let (wallet, _) = money.wallet("client").await?;
        let (url, root) = (money.url.clone(), money.root.to_string());
        let network = proxy(&money)
            .await?
            .client(move |options| {
                (options.chain, options.root) = (Some(url.clone()), Some(root.clone()));
                options.wallet_file = Some(wallet.clone());
            })
            .start()
            .await?;
        ready(&network).await?;
        let worker = network.proxies[0].workers_addr();
        let mut worker = OldWorker::connect(&money, worker, "worker", 2).await?;
        network.wait_for_workers(0, 1).await?;
        // At any tier that there is: the gateway asks for open or simulated.
        let mut told = String::new();
        eventually("the request is refused, since nobody can open it", async || {
            let answer = network.post("/chat/completions", &question()).await;
            told = answer.map_or_else(|error| error.to_string(), |answer| answer.text().to_string());
            told.contains("stated a sealing key") && told.contains("no_worker")
        })
        .await
        .with_context(|| told.clone())?;
        let silent = timeout(Duration::from_millis(300), worker.next()).await;
        assert!(silent.is_err(), "the worker sees nothing of it");
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_come_in_the_form_that_old_clients_survive() -> anyhow::Result<()> {
    within(LIMIT, async {
        let Old {
            network,
            mut client,
            mut worker,
            ..
        } = old(2).await?;
        // Before an answer: an answer that is one, whatever the reason.
        let mut unknown = OldRequest::chat(&question())?;
        unknown.query = bytes::Bytes::from_static(b"garbage");
        let answer = client.ask(&unknown).await?;
        assert_eq!((answer.status, answer.broken), (400, false));
        let mut greedy = OldRequest::chat(&question())?;
        greedy.max_tokens = i32::MAX;
        assert_eq!(client.ask(&greedy).await?.status, 402);
        let request = OldRequest::chat(&question())?;
        client.send(&request).await?;
        let work = worker.next().await?;
        worker.fail(&work, 621).await?;
        let answer = client.read(request.id, usize::MAX).await?;
        assert_eq!(answer.status, 400, "{:?}", answer.body);
        // After the first bytes: an error with its final_info.
        let request = OldRequest::chat(&question())?;
        client.send(&request).await?;
        let work = worker.next().await?;
        worker.begin(&work).await?;
        worker.part(&work, "{\"choices\"", None).await?;
        worker.fail(&work, 652).await?;
        let answer = client.read(request.id, usize::MAX).await?;
        assert!(answer.broken && answer.status == 200);
        client.update().await?;
        assert_eq!(client.told()[2], 0, "what failed costs nothing");
        network.wait_until_idle().await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_client_that_goes_away_in_the_middle_pays_nothing() -> anyhow::Result<()> {
    within(LIMIT, async {
        let Old {
            network,
            mut client,
            mut worker,
            ..
        } = old(2).await?;
        let request = OldRequest::chat(&question())?;
        client.send(&request).await?;
        let work = worker.next().await?;
        worker.begin(&work).await?;
        worker.part(&work, "{\"choices\"", None).await?;
        client.read(request.id, 2).await?;
        let owner = client.owner();
        client.peer.link.close("goes away");
        network.wait_until_idle().await?;
        // The worker knows no cancel; what it still says is late.
        worker.part(&work, ":[]}", Some(used(12, 5))).await?;
        let books = books(&network).await?;
        let account = entry(&books["clients"], owner);
        assert_eq!(
            (&account["used_tokens"], &account["reserved_tokens"]),
            (&0.into(), &0.into())
        );
        assert!(!worker.peer.link.is_closed());
        network.stop().await
    })
    .await
}
