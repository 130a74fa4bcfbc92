//! What the contracts wrote and sent in the official emulator (contracts/recordings) is what this crate reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cocoon_contracts::{
    Cell, CellError, Deployment, Flaw, Params, RootConfig, client, code, message, proxy, root, worker,
};
use cocoon_types::Address;
use serde_json::Value;
use tycho_types::{
    boc::Boc,
    models::{AccountState, ShardAccount},
};

/// A stolen key signs for so many tokens that their price does not fit 64 bits; the original's nodes refuse it too.
const HUGE: &str = "payout of 2^64 - 1 tokens";

/// Accounts of owners outside workchain 0: the contracts refuse them, and we do not read them.
fn is_foreign(data: &Cell) -> bool {
    let flaws = [
        client::Storage::parse(data).err().map(|error| error.flaw),
        worker::Storage::parse(data).err().map(|error| error.flaw),
    ];
    flaws
        .iter()
        .any(|flaw| matches!(flaw, Some(Flaw::Workchain(-1 | 5))))
}

/// Written by an account and written again by us.
fn storage(contract: &str, data: &Cell) -> Result<Cell, CellError> {
    Ok(match contract {
        "root" => RootConfig::parse(data)?.to_cell(),
        "proxy" => proxy::Storage::parse(data)?.to_cell(),
        "client" => client::Storage::parse(data)?.to_cell(),
        _ => worker::Storage::parse(data)?.to_cell(),
    })
}

/// Sent to an account and written again by us.
fn body(contract: &str, body: &Cell) -> Result<Option<Cell>, CellError> {
    Ok(Some(match contract {
        "root" => root::Message::parse(body)?.to_cell(),
        "client" => client::Message::parse(body)?.to_cell(),
        "worker" => worker::Message::parse(body)?.to_cell(),
        _ => match proxy::Event::parse(body)? {
            proxy::Event::Client(event) => event.to_cell(),
            proxy::Event::Settled(event) => event.to_cell(),
            proxy::Event::Worker(event) => event.to_cell(),
            proxy::Event::Message(message) => message.to_cell(),
            proxy::Event::Empty | proxy::Event::Other { .. } => return Ok(None),
        },
    }))
}

fn cell(text: &Value) -> Cell {
    Boc::decode(STANDARD.decode(text.as_str().unwrap()).unwrap()).unwrap()
}

/// Which contract of ours lives at an address with this data: the one whose first state leads there. Some attacks replace
/// codes, so the code does not tell.
fn contract(data: &Cell, address: Address) -> &'static str {
    let deployment = |params: &Params, root| {
        let codes = code::codes();
        Deployment::new(
            root,
            Params {
                codes,
                ..params.clone()
            },
        )
        .unwrap()
    };
    if let Ok(it) = client::Storage::parse(data) {
        let init = deployment(&it.params, address).client(&it.owner, &it.proxy, &it.proxy_key);
        assert_eq!(init.address(), address);
        return "client";
    }
    if let Ok(it) = worker::Storage::parse(data) {
        let init = deployment(&it.params, address).worker(&it.owner, &it.proxy, &it.proxy_key);
        assert_eq!(init.address(), address);
        return "worker";
    }
    if let Ok(it) = proxy::Storage::parse(data) {
        let init = deployment(&it.params, it.root).proxy(&it.owner, &it.key);
        assert_eq!(init.address(), address);
        return "proxy";
    }
    "root"
}

/// Whether the account has a field of ours.
fn has_own(contract: &str, data: &Cell) -> bool {
    match contract {
        "client" => client::Storage::parse(data).unwrap().own.is_some(),
        "proxy" => proxy::Storage::parse(data).unwrap().pool.is_some(),
        "worker" => worker::Storage::parse(data).unwrap().owed_tokens.is_some(),
        _ => false,
    }
}

#[test]
fn storages_and_bodies() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/recordings");
    let (mut storages, mut bodies) = (BTreeMap::new(), BTreeMap::new());
    let mut own = BTreeSet::new();
    let mut foreign = 0;
    for file in fs::read_dir(directory).unwrap() {
        let recorded: Value = serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap();
        for step in recorded["steps"].as_array().unwrap() {
            let name = &step["name"];
            let shard: ShardAccount = cell(&step["before"]).parse().unwrap();
            let Some(account) = shard.load_account().unwrap() else {
                continue;
            };
            let AccountState::Active(state) = account.state else {
                continue;
            };
            let data = state.data.unwrap();
            if is_foreign(&data) {
                foreign += 1;
                continue;
            }
            let contract = contract(&data, step["address"].as_str().unwrap().parse().unwrap());
            assert_eq!(storage(contract, &data).as_ref(), Ok(&data), "{name}: {contract}");
            *storages.entry(contract).or_insert(0) += 1;
            if has_own(contract, &data) {
                own.insert(contract);
            }

            let message = cell(&step["message"]);
            let inbound = message::Inbound::parse(&message).unwrap();
            let is_taken = step["expected"]["exit"] == 0 && !inbound.bounced;
            let op = inbound.body.as_slice().unwrap().load_u32().ok();
            // Log entries are free text to all but the proxy's node; text is for people.
            if !is_taken || matches!(op, None | Some(0 | 0x9a12_47c0)) {
                continue;
            }
            // The float of a closed account of such an owner.
            let is_far = name.as_str().is_some_and(|name| name.starts_with("masterchain:"));
            if is_far
                && contract == "proxy"
                && let Err(error) = body(contract, &inbound.body)
            {
                assert_eq!(error.flaw, Flaw::Workchain(-1), "{name}");
                continue;
            }
            if name.as_str().is_some_and(|name| name.contains(HUGE)) && contract == "proxy" {
                let error = body(contract, &inbound.body).unwrap_err();
                assert_eq!(error.flaw, Flaw::CoinsTooLarge, "{name}");
                continue;
            }
            let again = body(contract, &inbound.body).map(|again| again.unwrap_or(inbound.body.clone()));
            assert_eq!(again.as_ref(), Ok(&inbound.body), "{name}: to the {contract}");
            *bodies.entry((contract, op)).or_insert(0) += 1;
        }
    }
    assert!(
        storages.len() == 4 && storages.values().all(|count| *count >= 5),
        "{storages:?}"
    );
    assert!(bodies.len() >= 30, "{bodies:?}");
    assert!(foreign >= 5, "the owners elsewhere are in the recordings");
    assert_eq!(
        own,
        BTreeSet::from(["client", "proxy", "worker"]),
        "nothing of ours is in the recordings"
    );
}
