//! The gateway's API as this program's own commands use it: plain HTTP to a listener of the user's choice.

use std::time::Duration;

use serde::Deserialize;

use crate::exit::Hinted;
use crate::running::Running;

const USUAL: &str = "http://127.0.0.1:10000/v1";

/// The base URL: what was given, else the running `cocoon up` of this user, else the usual port.
pub(crate) fn base(given: Option<&str>) -> String {
    match given {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => Running::find().map_or_else(|| USUAL.to_owned(), |running| running.api),
    }
}

/// An HTTP client with this program's TLS.
pub(crate) fn http_client() -> anyhow::Result<reqwest::Client> {
    // Fails only when some provider is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Ok(reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .tcp_nodelay(true)
        .no_proxy()
        .build()?)
}

/// The names of the models that the gateway can reach now.
pub(crate) async fn models(
    client: &reqwest::Client,
    base: &str,
    key: Option<&str>,
) -> anyhow::Result<Vec<String>> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<Model>,
    }
    #[derive(Deserialize)]
    struct Model {
        id: String,
    }
    let mut request = client
        .get(format!("{base}/models"))
        .timeout(Duration::from_secs(10));
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let answer = request.send().await.map_err(|error| unreachable(base, &error))?;
    if !answer.status().is_success() {
        return Err(refused(answer).await);
    }
    Ok(answer
        .json::<List>()
        .await?
        .data
        .into_iter()
        .map(|model| model.id)
        .collect())
}

/// Waits until the gateway lists the model (or any), and gives its name.
pub(crate) async fn wait_for_model(
    base: &str,
    name: Option<&str>,
    deadline: Duration,
) -> anyhow::Result<String> {
    let client = http_client()?;
    let poll = async {
        let mut last = String::from("the gateway lists none");
        loop {
            match models(&client, base, None).await {
                Ok(models) => {
                    if let Some(found) = models
                        .into_iter()
                        .find(|model| name.is_none_or(|name| name == model))
                    {
                        return found;
                    }
                }
                Err(error) => last = error.to_string(),
            }
            tracing::debug!(%last, "no model yet");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(deadline, poll).await.map_err(|_| {
        anyhow::anyhow!(
            "waited {} s for {}",
            deadline.as_secs(),
            name.unwrap_or("any model")
        )
    })
}

/// Nobody listens there.
pub(crate) fn unreachable(base: &str, error: &reqwest::Error) -> anyhow::Error {
    let reason = if error.is_timeout() {
        "it does not answer"
    } else {
        "nothing listens there"
    };
    Hinted::failed(
        format!("cannot reach the gateway at {base}: {reason}"),
        "start a network with `cocoon up`, or name your gateway with --api URL",
    )
}

/// The gateway's own words for a refusal.
pub(crate) async fn refused(answer: reqwest::Response) -> anyhow::Error {
    #[derive(Deserialize)]
    struct Body {
        error: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        message: String,
        code: Option<String>,
    }
    let status = answer.status();
    match answer.json::<Body>().await {
        Ok(Body { error }) => {
            let code = error.code.unwrap_or_default();
            Hinted::failed(format!("{} ({status})", error.message), hint_for(&code))
        }
        Err(_) => Hinted::failed(
            format!("the gateway answered {status}"),
            "is that address a Cocoon gateway?",
        ),
    }
}

fn hint_for(code: &str) -> &'static str {
    match code {
        "model_not_found" => "`curl API/models` or `cocoon chat --list` shows which models are served",
        "invalid_api_key" => "make a key with `cocoon key new` and give it with --key or COCOON_API_KEY",
        "tier_unavailable" => {
            "see which tiers are served with `cocoon chat --list`; --tier names the lowest one to accept"
        }
        "no_worker" | "workers_busy" => "try again in a moment; the proxy's /status page shows its workers",
        _ => "the gateway's log has the request id and the reason",
    }
}
