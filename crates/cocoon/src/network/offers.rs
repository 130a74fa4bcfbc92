//! `cocoon network offers`: what the gateway's proxies have shown it, to be compared with what others were shown.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;

use crate::api;
use crate::endpoint::Endpoint;
use crate::exit::FAILED;
use crate::text::{data, say, table};

#[derive(Debug, Args)]
pub(super) struct OffersArgs {
    /// The model [default: those that the gateway was asked for lately]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The gateway; without it the running `cocoon up`, else 127.0.0.1:10000
    #[arg(long, value_name = "URL", env = "COCOON_API")]
    api: Option<String>,
    /// An API key of the gateway, if it wants one
    #[arg(long, value_name = "KEY", env = "COCOON_API_KEY", hide_env_values = true)]
    key: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Offers {
    proxies: Vec<AtProxy>,
}

#[derive(Debug, Deserialize)]
struct AtProxy {
    proxy: String,
    key: String,
    models: Vec<OfModel>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct OfModel {
    model: String,
    epoch_seconds: Option<u16>,
    workers: Option<u64>,
    epochs: Vec<Epoch>,
    conflict: Option<(String, String)>,
}

#[derive(Debug, Deserialize)]
struct Epoch {
    epoch: u64,
    digest: String,
}

pub(super) async fn run(args: &OffersArgs, json: bool) -> anyhow::Result<ExitCode> {
    let base = api::base(args.api.as_deref());
    let gateway = Endpoint::new("the gateway", base.trim_end_matches("/v1"), args.key.as_deref())?;
    let path = match &args.model {
        None => "/cocoon/v1/offers".to_owned(),
        Some(model) => format!("/cocoon/v1/offers?model={}", encoded(model)),
    };
    let (value, offers) = gateway.read::<Offers>(&path).await?;
    let failed = offers.proxies.iter().any(AtProxy::is_bad);
    if json {
        data!("{value}");
    } else {
        offers.proxies.iter().for_each(AtProxy::print);
        if offers.proxies.is_empty() {
            say!("no linked proxy offers anything: this network has no chain, or the gateway has no link");
        } else {
            say!(
                "compare epoch and digest with those of another client: a proxy shows everybody the same list"
            );
        }
    }
    Ok(if failed {
        ExitCode::from(FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

// === impl AtProxy ===

impl AtProxy {
    /// Whether its offers were refused, or it showed two lists for one epoch.
    fn is_bad(&self) -> bool {
        self.error.is_some() || self.models.iter().any(|model| model.conflict.is_some())
    }

    fn print(&self) {
        data!("{} (key {})", self.proxy, self.key);
        if let Some(error) = &self.error {
            data!("  REFUSED: {error}");
        }
        for model in &self.models {
            let workers = model.workers.unwrap_or(0);
            let seconds = model.epoch_seconds.unwrap_or(0);
            data!("  {}: {workers} workers, epochs of {seconds} s", model.model);
            let rows: Vec<Vec<String>> = model
                .epochs
                .iter()
                .map(|epoch| vec![epoch.epoch.to_string(), epoch.digest.clone()])
                .collect();
            data!("{}", table(&rows));
            if let Some((first, second)) = &model.conflict {
                data!("  TWO LISTS FOR ONE EPOCH, both signed by the proxy:");
                data!("    {first}");
                data!("    {second}");
            }
        }
    }
}

/// A name in a query.
fn encoded(name: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let one = |byte: u8| {
        if plain(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02x}")
        }
    };
    name.bytes().map(one).collect()
}
