//! The addresses of a network with payments, for its table.

use std::time::Duration;

use cocoon_types::Address;

use super::{Ready, RoleEntry};
use crate::endpoint::Endpoint;

/// For a role to tell its contracts; the table is not held up longer.
const CONTRACTS_DEADLINE: Duration = Duration::from_secs(2);

/// Registry, contracts as far as the roles have them yet, wallets.
pub(super) async fn rows(ready: &Ready, root: Address) -> Vec<Vec<String>> {
    let mut rows = vec![["contract or wallet", "address", ""].map(str::to_owned).to_vec()];
    let mut row = |name: String, address: String, what: &str| rows.push(vec![name, address, what.to_owned()]);
    row("registry".into(), root.to_string(), "cocoon network show");
    for role in &ready.roles {
        for (name, address) in contracts_of(role).await {
            row(name, address, "");
        }
    }
    for wallet in &ready.wallets {
        row(
            format!("wallet {}", wallet.name),
            wallet.address.non_bounceable(),
            &wallet.file.display().to_string(),
        );
    }
    rows
}

/// The contracts that a role tells of; none while it has none, which is no error.
async fn contracts_of(role: &RoleEntry) -> Vec<(String, String)> {
    let (path, own) = match role.role.as_str() {
        "proxy" => ("/accounts", true),
        "worker" => ("/earnings", false),
        "client" => ("/cocoon/v1/account", false),
        _ => return Vec::new(),
    };
    let Ok(endpoint) = Endpoint::new(&role.name, &role.url, None) else {
        return Vec::new();
    };
    let read = endpoint.read::<serde_json::Value>(path);
    let Ok(Ok((value, _))) = tokio::time::timeout(CONTRACTS_DEADLINE, read).await else {
        return Vec::new();
    };
    let contract = |value: &serde_json::Value| {
        value
            .get("contract")
            .and_then(|text| text.as_str())
            .map(str::to_owned)
    };
    if own {
        return contract(&value)
            .map(|address| (role.name.clone(), address))
            .into_iter()
            .collect();
    }
    let proxies = value.get("proxies").and_then(|list| list.as_array());
    let contracts = proxies.into_iter().flatten().filter_map(contract);
    contracts
        .map(|address| (format!("{} at the proxy", role.name), address))
        .collect()
}
