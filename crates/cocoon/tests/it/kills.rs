//! A proxy that is killed by signal 9 again and again under load: nothing is lost, nothing is charged twice.
//!
//! Ten times in every run; `COCOON_KILLS=300 cargo nextest run -p cocoon -E 'test(kills)'` is the long one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cocoon_contracts::{client, worker};
use serde_json::{Value, json};

use crate::ledger::ChainReader;
use crate::network::{Up, cocoon, nap, signal};
use crate::workers::Canned;

/// Askers at once.
const LOAD: usize = 3;
/// From a kill to the next answer: the proxy starts, reads its journal, and sees its commit on the chain.
const BACK: Duration = Duration::from_secs(120);
/// From the last request to the last figure on the chain.
const SETTLED: Duration = Duration::from_secs(90);

/// What one asker knows at the end.
#[derive(Debug, Default)]
struct Told {
    /// Adjusted tokens of the answers that came whole.
    tokens: u64,
    answers: u64,
    failures: u64,
    /// The most that each request which failed may have been charged.
    unknown: u64,
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how often is the recipe's argument")]
fn kills_under_load_lose_and_double_nothing() {
    let kills: u32 = std::env::var("COCOON_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let canned = Canned::start();
    let mut up = Up::start(&[
        "up",
        "--engine",
        &canned.url,
        "--model",
        canned.model(),
        "--settle",
        "5",
    ]);
    let api = up.ready().api;
    let chain = ChainReader::new(&up.money().ledger);
    // Enough for the whole run: each top-up is a message, and the sum is what tokens are drawn from.
    let (code, _, err) = cocoon(&["account", "topup", "--api", &api, "2"]);
    assert_eq!(code, Some(0), "{err}");

    let done = AtomicBool::new(false);
    let told = thread::scope(|scope| {
        let askers: Vec<_> = (0..LOAD)
            .map(|index| {
                scope.spawn({
                    let (canned, api, done) = (&canned, &api, &done);
                    move || ask(canned, api, index, done)
                })
            })
            .collect();
        for _ in 0..kills {
            served_again(&up, &canned, &api);
            // At any moment of a request, a commit or a settlement.
            let moment = Duration::from_millis(fastrand::u64(0..1500));
            let until = Instant::now() + moment;
            while Instant::now() < until {
                nap();
            }
            let proxy = up.roles("proxy").remove(0).pid;
            signal("KILL", proxy);
            up.wait_until("another proxy", |up| {
                up.roles("proxy").first().is_some_and(|role| role.pid != proxy)
            });
        }
        served_again(&up, &canned, &api);
        done.store(true, Ordering::Relaxed);
        askers
            .into_iter()
            .map(|asker| asker.join().unwrap())
            .collect::<Vec<_>>()
    });
    let sum = |of: fn(&Told) -> u64| told.iter().map(of).sum::<u64>();
    assert!(sum(|told| told.answers) > u64::from(kills), "{told:?}");

    let figures = settled(&up, &api, &chain);
    // An answer that came whole was on disk before it ended, so no kill takes it back.
    let served_by_us = sum(|told| told.tokens);
    assert!(
        figures.charged >= served_by_us,
        "work was lost: {figures:?} {told:?}"
    );
    assert!(
        figures.charged <= served_by_us + sum(|told| told.unknown),
        "somebody paid twice: {figures:?} {told:?}"
    );
    assert_eq!(figures.charged, figures.paid, "{figures:?}");
    assert!(!up.log().contains("panicked"), "{}", up.log());
}

/// Waits until a request is answered.
fn served_again(up: &Up, canned: &Canned, api: &str) {
    let deadline = Instant::now() + BACK;
    while canned.get(&format!("{}/health", api.trim_end_matches("/v1"))) != 200 {
        assert!(
            Instant::now() < deadline,
            "the proxy did not come back\n{}",
            up.log()
        );
        nap();
    }
}

/// Asks until it is told to stop.
fn ask(canned: &Canned, api: &str, index: usize, done: &AtomicBool) -> Told {
    let mut told = Told::default();
    while !done.load(Ordering::Relaxed) {
        let body = json!({
            "model": canned.model(),
            "messages": [{"role": "user", "content": "Hi"}],
            "max_tokens": 64,
            "stream": index == 0,
            "stream_options": (index == 0).then(|| json!({"include_usage": true})),
        });
        let answer = canned.post(api, &body);
        let usage = usage(&answer.text).filter(|_| answer.status == 200 && answer.whole);
        match usage {
            Some(tokens) => {
                told.tokens += tokens;
                told.answers += 1;
            }
            None => {
                told.failures += 1;
                // Bytes of the body bound its prompt; an answer token weighs eight.
                told.unknown += body.to_string().len() as u64 + 1000 + 8 * 64;
                nap();
            }
        }
    }
    told
}

/// Adjusted tokens of an answer that told its usage.
fn usage(text: &str) -> Option<u64> {
    let whole = |text: &str| serde_json::from_str::<Value>(text).ok();
    let object = whole(text).or_else(|| {
        let mut events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        text.contains("[DONE]").then_some(())?;
        events
            .by_ref()
            .filter_map(whole)
            .rfind(|event| event["usage"].is_object())
    })?;
    let count = |name: &str| object["usage"][name].as_u64();
    Some(count("prompt_tokens")? + 8 * count("completion_tokens")?)
}

#[derive(Debug, PartialEq, Eq)]
struct Figures {
    charged: u64,
    paid: u64,
}

/// What the contracts say once everything that was used is charged and paid.
fn settled(up: &Up, api: &str, chain: &ChainReader) -> Figures {
    let show = |arguments: &[&str]| -> Value {
        let (code, out, err) = cocoon(&[arguments, &["--json"]].concat());
        assert_eq!(code, Some(0), "{err}");
        serde_json::from_str(&out).unwrap()
    };
    let deadline = Instant::now() + SETTLED;
    loop {
        let admin = up.roles("proxy").remove(0).url;
        show(&["settle", "--admin", &admin]);
        let account = show(&["account", "show", "--api", api])["proxies"][0].clone();
        let worker = up.roles("worker").remove(0).url;
        let earnings = show(&["earnings", "--admin", &worker])[0]["proxies"][0].clone();
        let data = |value: &Value| chain.account(value["contract"].as_str().unwrap()).data;
        if let (Some(client), Some(worker)) = (data(&account), data(&earnings)) {
            let figures = Figures {
                charged: client::Storage::parse(&client).unwrap().tokens_used,
                paid: worker::Storage::parse(&worker).unwrap().tokens,
            };
            let used = account["used_tokens"].as_u64().unwrap();
            if figures.charged == used && figures.paid == used {
                return figures;
            }
        }
        assert!(Instant::now() < deadline, "never settled\n{}", up.log());
        nap();
    }
}
