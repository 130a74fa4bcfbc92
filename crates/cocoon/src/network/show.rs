//! The registry for people and for scripts.

use std::collections::BTreeSet;

use cocoon_contracts::RootConfig;
use cocoon_types::Address;
use serde_json::{Value, json};

use crate::text::{data, table};

pub(super) fn print(root: Address, config: &RootConfig, as_json: bool) {
    if as_json {
        data!("{}", to_json(root, config));
    } else {
        data!("{}", table(&rows(root, config)));
    }
}

fn to_json(root: Address, config: &RootConfig) -> Value {
    let params = &config.params;
    let hashes = |set: &BTreeSet<[u8; 32]>| set.iter().map(hex).collect::<Vec<_>>();
    let proxies = config.proxies.iter();
    let proxies = proxies
        .map(|proxy| json!({"seqno": proxy.seqno, "workers": proxy.workers, "clients": proxy.clients}));
    json!({
        "root": root, "owner": config.owner, "version": config.version,
        "is_test": params.is_test, "unique_id": params.unique_id,
        "struct_version": params.struct_version, "params_version": params.params_version,
        "price_per_token": params.price_per_token.nano().to_string(),
        "worker_fee_per_token": params.worker_fee_per_token.nano().to_string(),
        "multipliers": params.multipliers,
        "proxy_delay_s": params.proxy_delay_before_close, "client_delay_s": params.client_delay_before_close,
        "min_proxy_stake": params.min_proxy_stake.nano().to_string(),
        "min_client_stake": params.min_client_stake.nano().to_string(),
        "proxies": proxies.collect::<Vec<_>>(),
        "proxy_images": hashes(&config.proxy_hashes),
        "worker_images": hashes(&config.worker_hashes),
        "models": hashes(&config.model_hashes),
    })
}

fn rows(root: Address, config: &RootConfig) -> Vec<Vec<String>> {
    let params = &config.params;
    let weights = &params.multipliers;
    let kind = if params.is_test {
        "test network"
    } else {
        "real network: evidence is required"
    };
    let mut rows = vec![
        ("root", root.to_string()),
        ("owner", config.owner.to_string()),
        ("kind", format!("{kind}, id {}", params.unique_id)),
        (
            "version",
            format!("{} (parameters {})", config.version, params.params_version),
        ),
        (
            "price",
            format!(
                "{} nanoTON an adjusted token, {} of it for the worker",
                params.price_per_token.nano(),
                params.worker_fee_per_token.nano()
            ),
        ),
        (
            "weights",
            format!(
                "prompt {}, cached {}, completion {}, reasoning {}",
                decimal(weights.prompt),
                decimal(weights.cached),
                decimal(weights.completion),
                decimal(weights.reasoning)
            ),
        ),
        (
            "stakes",
            format!(
                "proxy {}, client {}",
                params.min_proxy_stake, params.min_client_stake
            ),
        ),
        (
            "delays",
            format!(
                "client {} s, proxy {} s",
                params.client_delay_before_close, params.proxy_delay_before_close
            ),
        ),
    ];
    for proxy in &config.proxies {
        let text = format!(
            "{}: workers {}, clients {}",
            proxy.seqno, proxy.workers, proxy.clients
        );
        rows.push(("proxy", text));
    }
    let lists = [
        ("proxy image", &config.proxy_hashes),
        ("worker image", &config.worker_hashes),
        ("model", &config.model_hashes),
    ];
    for (name, list) in lists {
        rows.extend(list.iter().map(|hash| (name, hex(hash))));
    }
    rows.into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect()
}

/// 1/10000 as a decimal without zeros at the end.
fn decimal(value: u32) -> String {
    let decimals = format!("{:04}", value % 10_000);
    let decimals = decimals.trim_end_matches('0');
    format!(
        "{}.{}",
        value / 10_000,
        if decimals.is_empty() { "0" } else { decimals }
    )
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
