//! Our gateway and our worker at a proxy of the original.

use cocoon_testkit::money::Money;
use cocoon_testkit::network::{Network, NetworkBuilder, eventually, get, post, within};
use cocoon_testkit::original::OldProxy;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{LIMIT, question, used};

const ANSWER: &str = r#"{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_cost":1040}}"#;

/// A gateway with a wallet whose one proxy is the old one.
async fn gateway(money: &Money, old: &OldProxy, allows: Option<bool>) -> anyhow::Result<NetworkBuilder> {
    let (wallet, _) = money.wallet("client").await?;
    let (url, root, addr) = (money.url.clone(), money.root.to_string(), old.addr().to_string());
    Ok(Network::builder().proxies(0).workers(0).client(move |options| {
        (options.chain, options.root) = (Some(url.clone()), Some(root.clone()));
        options.wallet_file = Some(wallet.clone());
        options.proxies = vec![addr.clone()];
        options.allow_proxy_plaintext = allows;
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_does_not_speak_so_old_a_protocol_by_itself() -> anyhow::Result<()> {
    within(LIMIT, async {
        let money = Money::start().await?;
        let mut old = OldProxy::listen(&money).await?;
        let network = gateway(&money, &old, None).await?.start().await?;
        let refused = old.accept_client(&money).await.unwrap_err();
        assert!(refused.to_string().contains("speaks 3 at least"), "{refused}");
        let answer = network.post("/chat/completions", &question()).await?;
        assert_eq!(answer.status, 503);
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_name_it_does_and_every_answer_says_so() -> anyhow::Result<()> {
    within(LIMIT, async {
        let money = Money::start().await?;
        let mut old = OldProxy::listen(&money).await?;
        let network = gateway(&money, &old, Some(true)).await?.start().await?;
        let mut leg = old.accept_client(&money).await?;
        let api = format!("{}/chat/completions", network.api());
        let ask = |members: Value| {
            let mut body = question();
            body["max_tokens"] = json!(50);
            body["cocoon"] = members;
            let api = api.clone();
            // Asked at once; the answer is waited for later.
            let mut asking = JoinSet::new();
            asking.spawn(async move { post(&api, &body).await });
            async move {
                let answer = asking.join_next().await;
                answer.ok_or_else(|| anyhow::anyhow!("it was asked"))??
            }
        };
        // What asks for more than open goes nowhere, also once the link is up.
        eventually("the link is up", async || {
            let answer = ask(json!({"tier": "attested"})).await;
            answer.is_ok_and(|answer| answer.text().contains("no connected proxy has a tier"))
        })
        .await?;
        for tier in ["confidential", "attested", "simulated"] {
            let answer = ask(json!({"tier": tier})).await?;
            assert_eq!(answer.status, 503, "{tier}");
            assert_eq!(answer.json()?["error"]["code"], "tier_unavailable");
        }
        let answer = ask(json!({}));
        let request = leg.next_request().await?;
        assert_eq!((&request.model_name, request.max_tokens), (&"canned".into(), 50));
        let query = cocoon_tl::TlObject::from_boxed(request.query.clone())?;
        let query: cocoon_tl::http::Request = query;
        let body: Value = serde_json::from_slice(&query.payload)?;
        assert_eq!((&body["max_tokens"], &body["cocoon"]), (&json!(50), &Value::Null));
        leg.serve(&request, ANSWER, used(12, 5)).await?;
        old.pay(&mut leg, request.request_id, 52).await?;
        let answer = answer.await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json()?;
        assert_eq!(
            answer["cocoon"],
            json!({"tier": "open", "sealed": false, "proxy_plaintext": true})
        );
        assert_eq!(answer["usage"]["total_cost"], 1040, "as its worker wrote it");
        let account = format!("{}/cocoon/v1/account", network.api().trim_end_matches("/v1"));
        eventually("the payment is taken", async || {
            let account = get(&account).await.and_then(|answer| answer.json());
            account.is_ok_and(|account| account["proxies"][0]["signed_tokens"] == 52)
        })
        .await?;
        // One that charges more than any receipt is left.
        old.pay(&mut leg, [0; 32], 1_000_000).await?;
        leg.peer.ended().await?;
        network.stop().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_protocol_3_works_for_an_old_proxy() -> anyhow::Result<()> {
    within(LIMIT, async {
        let money = Money::start().await?;
        let mut old = OldProxy::listen(&money).await?;
        let (wallet, _) = money.wallet("worker").await?;
        let (url, root, addr) = (money.url.clone(), money.root.to_string(), old.addr().to_string());
        let network = Network::builder()
            .without_gateway()
            .proxies(0)
            .worker(move |_, options| {
                (options.chain, options.root) = (Some(url.clone()), Some(root.clone()));
                options.wallet_file = Some(wallet.clone());
                options.proxies = vec![addr.clone()];
            })
            .start()
            .await?;
        let mut leg = old.accept_worker().await?;
        let mut body = question();
        body["max_tokens"] = json!(16);
        let id = leg.run(&body.to_string()).await?;
        let (status, answer, told) = leg.answer(id).await?;
        assert_eq!(status, 200);
        let answer: Value = serde_json::from_slice(&answer)?;
        let count = |name: &str| answer["usage"][name].as_i64().unwrap_or(0);
        let tokens = count("prompt_tokens") + 8 * count("completion_tokens");
        assert!(tokens > 0 && told == used(count("prompt_tokens"), count("completion_tokens")));
        old.pay(&mut leg, id, tokens.unsigned_abs()).await?;
        let earnings = format!("http://{}/earnings", network.workers[0].admin_addr());
        eventually("the payment is taken", async || {
            let earnings = get(&earnings).await.and_then(|answer| answer.json());
            earnings.is_ok_and(|earnings| earnings["proxies"][0]["signed_tokens"] == tokens)
        })
        .await?;
        // A streamed answer comes in parts; another model, and what is no request, in a form that the proxy survives.
        body["stream"] = json!(true);
        let id = leg.run(&body.to_string()).await?;
        let (status, answer, _) = leg.answer(id).await?;
        assert!(status == 200 && answer.ends_with(b"data: [DONE]\n\n"));
        body["model"] = json!("another");
        let id = leg.run(&body.to_string()).await?;
        assert_eq!(leg.answer(id).await?.0, 621);
        let id = leg.run("no JSON").await?;
        assert_eq!(leg.answer(id).await?.0, 621);
        network.stop().await
    })
    .await
}
