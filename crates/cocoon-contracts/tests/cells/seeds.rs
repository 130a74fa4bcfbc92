//! Writes the seeds of the fuzz targets `contracts_*`: `cargo test -p cocoon-contracts --test cells -- --ignored seeds`.

use std::{fs, path::Path};

use cocoon_contracts::{
    Cell, Params, RegisteredProxy, RootConfig, Signed, boc, client, message, proxy, root,
    signed::Kind,
    wallet::{Network, Outgoing, Wallet},
    worker,
};
use cocoon_types::Nanoton;

use crate::setup::{at, key, params};

fn write(target: &str, name: &str, bytes: &[u8]) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), bytes).unwrap();
}

fn cells(target: &str, seeds: &[(&str, Cell)]) {
    for (name, cell) in seeds {
        write(target, name, &boc::encode(cell));
    }
}

/// Codes are empty: they are never read.
fn small() -> Params {
    let mut params = params();
    params.codes.proxy = Some(Cell::default());
    params.codes.worker = Some(Cell::default());
    params.codes.client = Some(Cell::default());
    params
}

fn request(action: client::Action) -> Cell {
    client::Message::Request {
        query_id: 1,
        action,
        excesses: at(3),
    }
    .to_cell()
}

fn event(request: Option<proxy::ClientRequest>) -> Cell {
    let state = proxy::ClientState {
        state: client::State::Open,
        balance: Nanoton::new(300),
        stake: Nanoton::new(70_000),
        tokens_used: 5,
        secret_hash: [6; 32],
    };
    proxy::ClientEvent {
        query_id: 1,
        owner: at(2),
        state,
        request,
    }
    .to_cell()
}

#[test]
#[ignore = "writes into fuzz/corpus"]
fn seeds() {
    let coins = Nanoton::new(300);
    let sign = |kind| Signed::sign(&key(1), kind, 7, 8, at(3), at(4)).to_cell();
    let payout = proxy::WorkerPayout {
        worker_part: coins,
        proxy_part: coins,
        excesses: at(1),
    };
    let worker_event = proxy::WorkerEvent {
        query_id: 1,
        owner: at(2),
        state: worker::State::Open,
        tokens: 9,
        payout: Some(payout),
    };
    let commit = proxy::Commit {
        seqno: 1,
        session: [5; 32],
    };
    let listed = RegisteredProxy::from_text(1, "10.0.0.1:9001 10.0.0.1:9002").unwrap();
    let change = |change| root::Message { query_id: 1, change }.to_cell();
    let settled = proxy::ClientSettled {
        query_id: 1,
        owner: at(1),
        coins,
        excesses: at(3),
    };
    cells(
        "contracts_body",
        &[
            ("top-up", request(client::Action::TopUp { coins })),
            (
                "secret-top-up",
                request(client::Action::ChangeSecretHashAndTopUp { coins, hash: [1; 32] }),
            ),
            ("withdraw", request(client::Action::Withdraw)),
            ("reopen", request(client::Action::Reopen { coins })),
            ("charge", sign(Kind::Charge)),
            ("last-payout", sign(Kind::LastPayout)),
            ("client-log", event(None)),
            (
                "client-top-up",
                event(Some(proxy::ClientRequest::TopUp {
                    coins,
                    excesses: at(1),
                })),
            ),
            (
                "client-register",
                event(Some(proxy::ClientRequest::Register { nonce: 4 })),
            ),
            ("settled", settled.to_cell()),
            ("worker-payout", worker_event.to_cell()),
            ("commit", proxy::Message::Commit { query_id: 1, commit }.to_cell()),
            (
                "stake",
                proxy::Message::IncreaseStake {
                    query_id: 1,
                    coins,
                    excesses: at(1),
                }
                .to_cell(),
            ),
            (
                "refused",
                worker::Message::PayoutRefused {
                    query_id: 1,
                    tokens: 4,
                    excesses: at(1),
                }
                .to_cell(),
            ),
            ("register", change(root::Change::RegisterProxy(listed.clone()))),
            ("update", change(root::Change::UpdateProxy(listed.clone()))),
            ("upgrade", change(root::Change::UpgradeCode(Cell::default()))),
            (
                "price",
                change(root::Change::Price {
                    price: coins,
                    fee: coins,
                }),
            ),
        ],
    );

    let wallet = Wallet::new(key(2), Network::Main);
    let outgoing = Outgoing {
        to: at(1),
        value: coins,
        bounce: true,
        state_init: None,
        body: Some(sign(Kind::Payout)),
        mode: 0,
        comment: None,
    };
    let inline = request(client::Action::Withdraw);
    cells(
        "contracts_message",
        &[
            (
                "inline",
                message::internal(&at(1), coins, true, None, Some(&inline)),
            ),
            (
                "apart",
                message::internal(&at(1), coins, true, None, Some(&sign(Kind::Charge))),
            ),
            ("empty", message::internal(&at(1), coins, false, None, None)),
            (
                "deploy",
                message::internal(&at(1), coins, false, Some(wallet.state_init()), None),
            ),
            (
                "external",
                wallet
                    .external(3, 4, std::slice::from_ref(&outgoing))
                    .unwrap()
                    .message,
            ),
            (
                "external-deploy",
                wallet.external(0, 4, &[outgoing]).unwrap().message,
            ),
        ],
    );

    let mut config = RootConfig {
        owner: at(1),
        version: 2,
        proxies: vec![listed.clone(), RegisteredProxy { seqno: 900, ..listed }],
        last_proxy_seqno: 900,
        proxy_hashes: [[0x11; 32], [0x12; 32]].into(),
        worker_hashes: [[0x22; 32]].into(),
        model_hashes: [[0x33; 32], [0xf3; 32], [0x37; 32]].into(),
        params: small(),
        key_manager: None,
    };
    cells("contracts_root", &[("lists", config.to_cell())]);
    config.params.struct_version = 4;
    config.key_manager = Some(Cell::default());
    cells("contracts_root", &[("key-manager", config.to_cell())]);
    config.proxies.clear();
    config.proxy_hashes.clear();
    cells("contracts_root", &[("fewer", config.to_cell())]);

    let kinds = [
        ("charge", Kind::Charge),
        ("grant", Kind::GrantRefund),
        ("grant-again", Kind::GrantRefundOf { generation: 1 }),
        ("payout", Kind::Payout),
        ("close", Kind::CloseRequest),
    ];
    for (name, kind) in kinds {
        cells("contracts_signed", &[(name, sign(kind))]);
    }

    let own = client::Own {
        secured: coins,
        unreported: coins,
        generation: 1,
    };
    let client = client::Storage::initial(at(1), at(2), [3; 32], &small());
    let worker = worker::Storage::initial(at(1), at(2), [3; 32], &small());
    let proxy = proxy::Storage::initial(at(1), [3; 32], at(2), &small());
    let pool = proxy::Pool {
        prepaid: coins,
        payable: coins,
        advance: coins,
    };
    let versioned = |struct_version| {
        Params {
            struct_version,
            ..small()
        }
        .to_cell()
    };
    cells(
        "contracts_storage",
        &[
            ("client", client.to_cell()),
            (
                "client-own",
                client::Storage {
                    own: Some(own),
                    ..client
                }
                .to_cell(),
            ),
            ("worker", worker.to_cell()),
            (
                "worker-owed",
                worker::Storage {
                    owed_tokens: Some(3),
                    ..worker
                }
                .to_cell(),
            ),
            ("proxy", proxy.to_cell()),
            (
                "proxy-pool",
                proxy::Storage {
                    pool: Some(pool),
                    ..proxy
                }
                .to_cell(),
            ),
            ("wallet", wallet.state_init().data.clone()),
            ("params-0", versioned(0)),
            ("params-2", versioned(2)),
            ("params-4", versioned(4)),
        ],
    );

    write("contracts_text", "one", b"10.0.0.1:9001");
    write("contracts_text", "two", b"[10.0.0.1:9001] 10.0.0.2:9002");
    write("contracts_text", "words", "zoo ".repeat(24).as_bytes());
}
