//! Whatever can be said is understood again.

use std::collections::BTreeSet;

use cocoon_contracts::{
    Cell, Codes, Params, RegisteredProxy, RootConfig, Signed, boc, client, message, proxy, root,
    signed::Kind, wallet, worker,
};
use cocoon_types::{Address, Multipliers, Nanoton};
use proptest::prelude::*;
use tycho_types::cell::CellBuilder;

use crate::setup::key;

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 32]>().prop_map(Address::new)
}

/// Small amounts and large ones alike.
fn coins() -> impl Strategy<Value = Nanoton> {
    (any::<u64>(), 0..64).prop_map(|(nano, shift)| Nanoton::new(nano >> shift))
}

fn cell() -> impl Strategy<Value = Cell> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..=127);
    let leaf = bytes.prop_map(|bytes| {
        let mut builder = CellBuilder::new();
        let bits = u16::try_from(bytes.len()).unwrap() * 8;
        builder.store_raw(&bytes, bits).unwrap();
        builder
    });
    let tree = (leaf.clone(), proptest::collection::vec(leaf, 0..4)).prop_map(|(mut builder, children)| {
        for child in children {
            builder.store_reference(child.build().unwrap()).unwrap();
        }
        builder.build().unwrap()
    });
    tree.boxed()
}

prop_compose! {
    fn params()(
        struct_version in 0..=4_u8,
        (params_version, unique_id, is_test) in any::<(u32, u32, bool)>(),
        (price_per_token, worker_fee_per_token) in (coins(), coins()),
        [prompt, cached, completion, reasoning] in any::<[u32; 4]>(),
        [proxy_delay_before_close, client_delay_before_close] in any::<[u32; 2]>(),
        (min_proxy_stake, min_client_stake) in (coins(), coins()),
        (proxy, worker, client) in (
            proptest::option::of(cell()), proptest::option::of(cell()), proptest::option::of(cell()),
        ),
    ) -> Params {
        Params {
            struct_version,
            params_version,
            unique_id,
            is_test,
            price_per_token,
            worker_fee_per_token,
            multipliers: Multipliers { prompt, cached, completion, reasoning },
            proxy_delay_before_close,
            client_delay_before_close,
            min_proxy_stake,
            min_client_stake,
            codes: Codes { proxy, worker, client },
        }
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Charge),
        Just(Kind::GrantRefund),
        any::<u32>().prop_map(|generation| Kind::GrantRefundOf { generation }),
        Just(Kind::Payout),
        Just(Kind::LastPayout),
        Just(Kind::CloseRequest),
        Just(Kind::CloseComplete),
    ]
}

fn client_state() -> impl Strategy<Value = client::State> {
    prop_oneof![
        Just(client::State::Open),
        Just(client::State::Closing),
        Just(client::State::Closed)
    ]
}

fn proxy_state() -> impl Strategy<Value = proxy::State> {
    prop_oneof![
        Just(proxy::State::Open),
        Just(proxy::State::Closing),
        Just(proxy::State::Closed)
    ]
}

fn worker_state() -> impl Strategy<Value = worker::State> {
    prop_oneof![Just(worker::State::Open), Just(worker::State::Closed)]
}

fn hash() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>()
}

fn action() -> impl Strategy<Value = client::Action> {
    use client::Action;
    prop_oneof![
        any::<u64>().prop_map(|nonce| Action::Register { nonce }),
        coins().prop_map(|coins| Action::TopUp { coins }),
        hash().prop_map(|hash| Action::ChangeSecretHash { hash }),
        (coins(), hash()).prop_map(|(coins, hash)| Action::ChangeSecretHashAndTopUp { coins, hash }),
        coins().prop_map(|stake| Action::IncreaseStake { stake }),
        Just(Action::Withdraw),
        Just(Action::RequestRefund),
        coins().prop_map(|coins| Action::Reopen { coins }),
        Just(Action::Claim),
        coins().prop_map(|coins| Action::TopUpAccepted { coins }),
        coins().prop_map(|coins| Action::TopUpRefused { coins }),
        coins().prop_map(|coins| Action::RefundRefused { coins }),
    ]
}

fn worker_message() -> impl Strategy<Value = worker::Message> {
    use worker::Message;
    let parts = || (any::<u64>(), address());
    prop_oneof![
        parts().prop_map(|(query_id, excesses)| Message::Register { query_id, excesses }),
        parts().prop_map(|(query_id, excesses)| Message::Claim { query_id, excesses }),
        (any::<u64>(), parts()).prop_map(|(tokens, (query_id, excesses))| Message::PayoutRefused {
            query_id,
            tokens,
            excesses
        }),
    ]
}

fn proxy_message() -> impl Strategy<Value = proxy::Message> {
    use proxy::Message;
    let parts = || (any::<u64>(), address());
    prop_oneof![
        parts().prop_map(|(query_id, excesses)| Message::Payout { query_id, excesses }),
        parts().prop_map(|(query_id, excesses)| Message::OwnerClose { query_id, excesses }),
        (coins(), parts()).prop_map(|(coins, (query_id, excesses))| Message::IncreaseStake {
            query_id,
            coins,
            excesses
        }),
        (any::<u64>(), any::<u32>(), hash()).prop_map(|(query_id, seqno, session)| Message::Commit {
            query_id,
            commit: proxy::Commit { seqno, session }
        }),
    ]
}

fn registered(seqno: u32) -> impl Strategy<Value = RegisteredProxy> {
    any::<([u8; 4], [u8; 4], u16, u16)>().prop_map(move |(a, b, p, q)| {
        let text =
            |ip: [u8; 4], port: u16| format!("{}.{}.{}.{}:{}", ip[0] | 1, ip[1], ip[2], ip[3], port | 1);
        RegisteredProxy::from_text(seqno, &format!("{} {}", text(a, p), text(b, q))).unwrap()
    })
}

fn change() -> impl Strategy<Value = root::Change> {
    use root::Change;
    let terms = (coins(), coins(), any::<[u32; 2]>(), coins(), coins());
    let terms = terms.prop_map(
        |(price, fee, [proxy_delay, client_delay], min_proxy_stake, min_client_stake)| {
            Change::Params(root::Terms {
                price,
                fee,
                proxy_delay,
                client_delay,
                min_proxy_stake,
                min_client_stake,
            })
        },
    );
    prop_oneof![
        hash().prop_map(Change::AddWorkerHash),
        hash().prop_map(Change::DeleteWorkerHash),
        hash().prop_map(Change::AddModelHash),
        hash().prop_map(Change::DeleteModelHash),
        hash().prop_map(Change::AddProxyHash),
        hash().prop_map(Change::DeleteProxyHash),
        registered(0).prop_map(Change::RegisterProxy),
        any::<u32>().prop_map(Change::UnregisterProxy),
        any::<u32>()
            .prop_flat_map(registered)
            .prop_map(Change::UpdateProxy),
        (coins(), coins()).prop_map(|(price, fee)| Change::Price { price, fee }),
        terms,
        (cell(), cell(), cell()).prop_map(|(proxy, worker, client)| Change::UpgradeContracts {
            proxy,
            worker,
            client
        }),
        cell().prop_map(Change::UpgradeCode),
        (cell(), cell()).prop_map(|(data, code)| Change::UpgradeFull { data, code }),
        Just(Change::Reset),
        address().prop_map(Change::Owner),
    ]
}

proptest! {
    #[test]
    fn parameters(params in params()) {
        let cell = params.to_cell();
        let read = Params::parse(&cell).unwrap();
        prop_assert_eq!(read.to_cell(), cell);
        if params.struct_version >= 3 {
            prop_assert_eq!(read, params);
        }
    }

    #[test]
    fn codes_of_a_mask(params in params(), mask in 0..8_u8) {
        let kept = params.with_codes(mask).codes;
        prop_assert_eq!(kept.proxy, params.codes.proxy.filter(|_| mask & 1 != 0));
        prop_assert_eq!(kept.worker, params.codes.worker.filter(|_| mask & 2 != 0));
        prop_assert_eq!(kept.client, params.codes.client.filter(|_| mask & 4 != 0));
    }

    #[test]
    fn client_storage(
        state in client_state(),
        (balance, stake, tokens_used, unlock_at) in (coins(), coins(), any::<u64>(), any::<u32>()),
        (secret_hash, owner, proxy, proxy_key) in (hash(), address(), address(), hash()),
        own in proptest::option::of((coins(), coins(), any::<u32>())),
    ) {
        let own = own.map(|(secured, unreported, generation)| client::Own { secured, unreported, generation });
        let params = crate::setup::params().with_codes(0);
        let storage = client::Storage {
            state, balance, stake, tokens_used, unlock_at, secret_hash, owner, proxy, proxy_key, params, own,
        };
        prop_assert_eq!(client::Storage::parse(&storage.to_cell()), Ok(storage));
    }

    #[test]
    fn worker_storage(
        (owner, proxy, proxy_key) in (address(), address(), hash()),
        (state, tokens, owed_tokens) in (worker_state(), any::<u64>(), any::<Option<u64>>()),
    ) {
        let params = crate::setup::params().with_codes(0);
        let storage = worker::Storage { owner, proxy, proxy_key, state, tokens, params, owed_tokens };
        prop_assert_eq!(worker::Storage::parse(&storage.to_cell()), Ok(storage));
    }

    #[test]
    fn proxy_storage(
        (owner, key, root, state) in (address(), hash(), address(), proxy_state()),
        (balance, stake, unlock_at) in (coins(), coins(), any::<u32>()),
        pool in proptest::option::of((coins(), coins(), coins())),
        params in params(),
    ) {
        let pool = pool.map(|(prepaid, payable, advance)| proxy::Pool { prepaid, payable, advance });
        let params = Params { struct_version: 3, ..params };
        let storage = proxy::Storage { owner, key, root, state, balance, stake, unlock_at, params, pool };
        prop_assert_eq!(proxy::Storage::parse(&storage.to_cell()), Ok(storage));
    }

    #[test]
    fn root_data(
        (owner, version, last_proxy_seqno) in (address(), any::<u32>(), any::<u32>()),
        seqnos in proptest::collection::btree_set(any::<u32>(), 0..5),
        entries in proptest::collection::vec(registered(0), 5),
        [proxy_hashes, worker_hashes, model_hashes] in
            [0; 3].map(|_| proptest::collection::btree_set(hash(), 0..6)),
        (params, key_manager) in (params(), proptest::option::of(cell())),
    ) {
        let number = |(seqno, proxy)| RegisteredProxy { seqno, ..proxy };
        let proxies = seqnos.into_iter().zip(entries).map(number).collect();
        let params = Params { struct_version: params.struct_version.max(3), ..params };
        let key_manager = key_manager.filter(|_| params.struct_version == 4);
        let config = RootConfig {
            owner, version, proxies, last_proxy_seqno, proxy_hashes, worker_hashes, model_hashes, params, key_manager,
        };
        let sets: [&BTreeSet<[u8; 32]>; 3] = [&config.proxy_hashes, &config.worker_hashes, &config.model_hashes];
        prop_assert!(sets.iter().all(|set| set.len() < 6));
        prop_assert_eq!(RootConfig::parse(&config.to_cell()), Ok(config));
    }

    #[test]
    fn signed_messages(
        (kind, query_id, tokens) in (kind(), any::<u64>(), any::<u64>()),
        (contract, excesses, other) in (address(), address(), address()),
        seed in any::<[u8; 32]>(),
    ) {
        let key = cocoon_contracts::SigningKey::from_seed(seed).unwrap();
        let signed = Signed::sign(&key, kind, query_id, tokens, contract, excesses);
        let read = Signed::from_boc(&signed.to_boc()).unwrap();
        prop_assert_eq!(&read, &signed);
        prop_assert_eq!(read.verify(&key.public(), kind, &contract), Ok(()));
        let repacked = Signed::parse(&read.repack(other)).unwrap();
        prop_assert_eq!(repacked.verify(&key.public(), kind, &contract), Ok(()));
        prop_assert_eq!(repacked, Signed { excesses: other, ..signed });
    }

    #[test]
    fn client_messages(query_id: u64, action in action(), excesses in address()) {
        let message = client::Message::Request { query_id, action, excesses };
        prop_assert_eq!(client::Message::parse(&message.to_cell()), Ok(message));
    }

    #[test]
    fn worker_messages(message in worker_message()) {
        prop_assert_eq!(worker::Message::parse(&message.to_cell()), Ok(message));
    }

    #[test]
    fn proxy_messages(message in proxy_message()) {
        let cell = message.to_cell();
        prop_assert_eq!(proxy::Message::parse(&cell), Ok(message.clone()));
        prop_assert_eq!(proxy::Event::parse(&cell), Ok(proxy::Event::Message(message)));
    }

    #[test]
    fn root_messages(query_id: u64, change in change()) {
        let message = root::Message { query_id, change };
        prop_assert_eq!(root::Message::parse(&message.to_cell()), Ok(message));
    }

    #[test]
    fn client_events(
        (query_id, owner, state) in (any::<u64>(), address(), client_state()),
        (balance, stake, tokens_used, secret_hash) in (coins(), coins(), any::<u64>(), hash()),
        (which, coins, nonce, excesses) in (0..5, coins(), any::<u64>(), address()),
    ) {
        let request = match which {
            0 => None,
            1 => Some(proxy::ClientRequest::TopUp { coins, excesses }),
            2 => Some(proxy::ClientRequest::Register { nonce }),
            3 => Some(proxy::ClientRequest::RefundGranted { coins, excesses }),
            _ => Some(proxy::ClientRequest::RefundForced { coins, excesses }),
        };
        let state = proxy::ClientState { state, balance, stake, tokens_used, secret_hash };
        let event = proxy::ClientEvent { query_id, owner, state, request };
        prop_assert_eq!(proxy::Event::parse(&event.to_cell()), Ok(proxy::Event::Client(event)));
        let settled = proxy::ClientSettled { query_id, owner, coins, excesses };
        prop_assert_eq!(proxy::Event::parse(&settled.to_cell()), Ok(proxy::Event::Settled(settled)));
    }

    #[test]
    fn worker_events(
        (query_id, owner, state, tokens) in (any::<u64>(), address(), worker_state(), any::<u64>()),
        payout in proptest::option::of((coins(), coins(), address())),
    ) {
        let payout = payout.map(|(worker_part, proxy_part, excesses)| proxy::WorkerPayout {
            worker_part, proxy_part, excesses,
        });
        let event = proxy::WorkerEvent { query_id, owner, state, tokens, payout };
        prop_assert_eq!(proxy::Event::parse(&event.to_cell()), Ok(proxy::Event::Worker(event)));
    }

    #[test]
    fn messages(
        (to, value, bounce) in (address(), coins(), any::<bool>()),
        (body, init) in (proptest::option::of(cell()), proptest::option::of((cell(), cell()))),
    ) {
        let init = init.map(|(code, data)| cocoon_contracts::StateInit { code, data });
        let cell = message::internal(&to, value, bounce, init.as_ref(), body.as_ref());
        let read = message::Inbound::parse(&cell).unwrap();
        let expected = message::Inbound {
            source: None,
            destination: to,
            external: false,
            value,
            bounce,
            bounced: false,
            created_lt: 0,
            deploys: init.is_some(),
            body: body.clone().unwrap_or_default(),
        };
        prop_assert_eq!(read, expected);
        let cell = message::external(&to, init.as_ref(), &body.clone().unwrap_or_default());
        let read = message::Inbound::parse(&cell).unwrap();
        prop_assert!(read.external && read.source.is_none());
        prop_assert_eq!((read.destination, read.body), (to, body.unwrap_or_default()));
    }

    #[test]
    fn bags(cell in cell()) {
        prop_assert_eq!(boc::decode(&boc::encode(&cell)), Ok(cell));
    }

    #[test]
    fn wallet_storage(is_signature_allowed: bool, seqno: u32, id: u32, public_key in hash()) {
        let storage = wallet::Storage { is_signature_allowed, seqno, id, public_key };
        prop_assert_eq!(wallet::Storage::parse(&storage.to_cell()), Ok(storage));
    }

    #[test]
    fn externals(
        (seqno, valid_until) in any::<(u32, u32)>(),
        sent in proptest::collection::vec((address(), coins(), any::<u8>(), proptest::option::of(cell())), 0..5),
    ) {
        let wallet = wallet::Wallet::new(key(2), wallet::Network::Main);
        let outgoing = |(to, value, mode, body)| wallet::Outgoing {
            to, value, bounce: true, state_init: None, body, mode, comment: None,
        };
        let sent: Vec<_> = sent.into_iter().map(outgoing).collect();
        let external = wallet.external(seqno, valid_until, &sent).unwrap();
        let read = message::Inbound::parse(&external.message).unwrap();
        prop_assert_eq!(cocoon_contracts::hash(&read.body), external.body_hash);
        prop_assert_eq!(read.destination, wallet.address());
        prop_assert_eq!(read.deploys, seqno == 0);
        prop_assert!(boc::decode(&boc::encode(&external.message)).is_ok());
    }
}
