//! Each way in which a cell can be wrong, refused under its name.

use cocoon_contracts::{
    Cell, CellError, Flaw, Params, RootConfig, Signed, StateInit, client, message, proxy, root, signed::Kind,
    wallet, worker,
};
use cocoon_types::Nanoton;
use tycho_types::cell::CellBuilder;

use crate::setup::{TON, at, contracts, key, launch, params};

type Parser = fn(&Cell) -> Result<(), CellError>;

fn open(cell: &Cell) -> CellBuilder {
    let mut builder = CellBuilder::new();
    builder.store_slice(cell.as_slice().unwrap()).unwrap();
    builder
}

/// The cell with these bits written over its own from an offset on.
fn patched(cell: &Cell, offset: u16, value: u64, bits: u16) -> Cell {
    let mut slice = cell.as_slice().unwrap();
    let mut builder = CellBuilder::new();
    builder
        .store_slice(slice.load_prefix(offset, 0).unwrap())
        .unwrap();
    builder.store_uint(value, bits).unwrap();
    slice.skip_first(bits, 0).unwrap();
    builder.store_slice(slice).unwrap();
    builder.build().unwrap()
}

/// The cell with another one in the place of a reference.
fn grafted(cell: &Cell, index: u8, graft: &Cell) -> Cell {
    let mut builder = CellBuilder::new();
    let mut slice = cell.as_slice().unwrap();
    builder
        .store_slice(slice.load_prefix(slice.size_bits(), 0).unwrap())
        .unwrap();
    for other in 0..cell.reference_count() {
        let kept = cell.reference_cloned(other).unwrap();
        builder
            .store_reference(if other == index { graft.clone() } else { kept })
            .unwrap();
    }
    builder.build().unwrap()
}

fn flaw(result: Result<(), CellError>) -> (&'static str, Flaw) {
    let error = result.unwrap_err();
    (error.field, error.flaw)
}

fn client_event(request: Option<proxy::ClientRequest>) -> Cell {
    let state = proxy::ClientState {
        state: client::State::Closing,
        balance: Nanoton::new(TON),
        stake: Nanoton::new(5),
        tokens_used: 7,
        secret_hash: [9; 32],
    };
    proxy::ClientEvent {
        query_id: 1,
        owner: at(1),
        state,
        request,
    }
    .to_cell()
}

fn worker_event() -> Cell {
    let payout = proxy::WorkerPayout {
        worker_part: Nanoton::new(19),
        proxy_part: Nanoton::new(1),
        excesses: at(3),
    };
    let event = proxy::WorkerEvent {
        query_id: 1,
        owner: at(1),
        state: worker::State::Open,
        tokens: 7,
        payout: Some(payout),
    };
    event.to_cell()
}

fn signed(kind: Kind) -> Signed {
    Signed::sign(&key(1), kind, 1, 2, at(3), at(4))
}

fn top_up(coins: u64) -> Cell {
    let action = client::Action::TopUp {
        coins: Nanoton::new(coins),
    };
    client::Message::Request {
        query_id: 1,
        action,
        excesses: at(3),
    }
    .to_cell()
}

/// Parsers whose cell has nothing after its last field, with a sound sample.
fn strict() -> Vec<(Parser, Cell)> {
    let top_up_event = proxy::ClientRequest::TopUp {
        coins: Nanoton::new(3),
        excesses: at(1),
    };
    let commit = proxy::Commit {
        seqno: 1,
        session: [2; 32],
    };
    let owner = root::Message {
        query_id: 1,
        change: root::Change::Owner(at(3)),
    };
    let settled = proxy::ClientSettled {
        query_id: 1,
        owner: at(2),
        coins: Nanoton::new(1),
        excesses: at(1),
    };
    vec![
        (|cell| Params::parse(cell).map(drop), params().to_cell()),
        (
            |cell| Signed::parse(cell).map(drop),
            signed(Kind::Charge).to_cell(),
        ),
        (
            |cell| Signed::parse(cell).map(drop),
            signed(Kind::CloseRequest).to_cell(),
        ),
        (
            |cell| StateInit::parse(cell).map(drop),
            contracts().proxy.to_cell(),
        ),
        (
            |cell| proxy::Event::parse(cell).map(drop),
            client_event(Some(top_up_event)),
        ),
        (|cell| proxy::Event::parse(cell).map(drop), worker_event()),
        (|cell| proxy::Event::parse(cell).map(drop), settled.to_cell()),
        (
            |cell| proxy::Message::parse(cell).map(drop),
            proxy::Message::Commit { query_id: 1, commit }.to_cell(),
        ),
        (|cell| client::Message::parse(cell).map(drop), top_up(300)),
        (|cell| root::Message::parse(cell).map(drop), owner.to_cell()),
        (
            |cell| worker::Message::parse(cell).map(drop),
            worker::Message::Claim {
                query_id: 1,
                excesses: at(1),
            }
            .to_cell(),
        ),
    ]
}

#[test]
fn too_short_and_too_long() {
    for (parse, cell) in strict() {
        assert_eq!(parse(&cell), Ok(()));
        let bits = cell.bit_len();
        let mut builder = open(&cell);
        builder.store_bit_one().unwrap();
        let (_, found) = flaw(parse(&builder.build().unwrap()));
        assert_eq!(found, Flaw::TrailingBits(1));
        let mut builder = open(&cell);
        builder.store_reference(Cell::default()).unwrap();
        let (_, found) = flaw(parse(&builder.build().unwrap()));
        assert_eq!(found, Flaw::TrailingReferences(1));
        for cut in 1..=bits {
            let mut builder = open(&cell);
            builder.rewind_bits(cut).unwrap();
            // An empty body is a deployment or a gift, and a known operation no other.
            let shorter = builder.build().unwrap();
            assert!(
                parse(&shorter).is_err() || shorter.bit_len() == 0,
                "{cut} bits fewer"
            );
        }
        for missing in 1..=cell.reference_count() {
            let mut builder = CellBuilder::new();
            let mut slice = cell.as_slice().unwrap();
            let kept = slice.load_prefix(bits, cell.reference_count() - missing).unwrap();
            builder.store_slice(kept).unwrap();
            let (_, found) = flaw(parse(&builder.build().unwrap()));
            assert_eq!(found, Flaw::MissingReference);
        }
        let exotic = launch(crate::setup::PROXY);
        assert_eq!(flaw(parse(&exotic)).1, Flaw::Exotic);
        for index in 0..cell.reference_count() {
            // A code may be a library; everything else has contents that are read.
            let is_code = parse(&grafted(&cell, index, &exotic)).is_ok();
            let carries_codes = [params().to_cell(), contracts().proxy.to_cell()].contains(&cell);
            assert_eq!(is_code, carries_codes);
        }
    }
}

#[test]
fn storage_with_something_after_it() {
    let contracts = contracts();
    type Sample = (Parser, Cell, Cell);
    let client = client::Storage::parse(&contracts.client.data).unwrap();
    let own = client::Own {
        secured: Nanoton::new(300),
        unreported: Nanoton::new(2),
        generation: 3,
    };
    let worker = worker::Storage::parse(&contracts.worker.data).unwrap();
    let proxy = proxy::Storage::parse(&contracts.proxy.data).unwrap();
    let pool = proxy::Pool {
        prepaid: Nanoton::new(300),
        ..Default::default()
    };
    let samples: [Sample; 3] = [
        (
            |cell| client::Storage::parse(cell).map(drop),
            client.to_cell(),
            client::Storage {
                own: Some(own),
                ..client
            }
            .to_cell(),
        ),
        (
            |cell| worker::Storage::parse(cell).map(drop),
            worker.to_cell(),
            worker::Storage {
                owed_tokens: Some(4),
                ..worker
            }
            .to_cell(),
        ),
        (
            |cell| proxy::Storage::parse(cell).map(drop),
            proxy.to_cell(),
            proxy::Storage {
                pool: Some(pool),
                ..proxy
            }
            .to_cell(),
        ),
    ];
    for (parse, plain, appended) in samples {
        assert_eq!((parse(&plain), parse(&appended)), (Ok(()), Ok(())));
        let mut builder = open(&appended);
        builder.store_bit_zero().unwrap();
        assert_eq!(flaw(parse(&builder.build().unwrap())).1, Flaw::TrailingBits(1));
        let mut builder = open(&appended);
        builder.store_reference(Cell::default()).unwrap();
        assert_eq!(
            flaw(parse(&builder.build().unwrap())).1,
            Flaw::TrailingReferences(1)
        );
        // Any part of what is appended, but not all of it.
        for cut in 1..appended.bit_len() - plain.bit_len() {
            let mut builder = open(&appended);
            builder.rewind_bits(cut).unwrap();
            assert_eq!(flaw(parse(&builder.build().unwrap())).1, Flaw::Short);
        }
    }
}

#[test]
fn coins() {
    // Operation code and query id stand before them.
    let body = |length: u64, value: &[u8]| {
        let mut builder = CellBuilder::new();
        let mut whole = top_up(0);
        let mut slice = whole.as_slice().unwrap();
        builder.store_slice(slice.load_prefix(96, 0).unwrap()).unwrap();
        slice.skip_first(4, 0).unwrap();
        builder.store_uint(length, 4).unwrap();
        builder
            .store_raw(value, u16::try_from(value.len()).unwrap() * 8)
            .unwrap();
        builder.store_slice(slice).unwrap();
        whole = builder.build().unwrap();
        client::Message::parse(&whole).map(drop)
    };
    assert_eq!(body(0, &[]), Ok(()));
    assert_eq!(body(8, &[0xff; 8]), Ok(()));
    let at_coins = |flaw| ("coins", flaw);
    assert_eq!(flaw(body(1, &[0])), at_coins(Flaw::CoinsNotMinimal));
    assert_eq!(flaw(body(2, &[0, 5])), at_coins(Flaw::CoinsNotMinimal));
    assert_eq!(flaw(body(9, &[1; 9])), at_coins(Flaw::CoinsTooLarge));
    assert_eq!(flaw(body(15, &[1; 15])), at_coins(Flaw::CoinsTooLarge));
    let mut padded = [0; 15];
    padded[14] = 1;
    assert_eq!(flaw(body(15, &padded)), at_coins(Flaw::CoinsNotMinimal));
}

#[test]
fn addresses() {
    // Behind operation code, query id and `coins 0`: two bits kind, one anycast, eight workchain.
    let body = |kind: u64| client::Message::parse(&patched(&top_up(0), 100, kind, 11)).map(drop);
    assert_eq!(body(0b100_0000_0000), Ok(()));
    let at_excesses = |flaw| ("excesses", flaw);
    assert_eq!(
        flaw(body(0b000_0000_0000)),
        at_excesses(Flaw::AddressKind),
        "none"
    );
    assert_eq!(
        flaw(body(0b010_0000_0000)),
        at_excesses(Flaw::AddressKind),
        "external"
    );
    assert_eq!(
        flaw(body(0b110_0000_0000)),
        at_excesses(Flaw::AddressKind),
        "of variable length"
    );
    assert_eq!(flaw(body(0b101_0000_0000)), at_excesses(Flaw::Anycast));
    assert_eq!(flaw(body(0b100_1111_1111)), at_excesses(Flaw::Workchain(-1)));
    assert_eq!(flaw(body(0b100_0000_0001)), at_excesses(Flaw::Workchain(1)));
}

#[test]
fn values_out_of_range() {
    let contracts = contracts();
    let params = patched(&params().to_cell(), 0, 5, 8);
    assert_eq!(
        flaw(Params::parse(&params).map(drop)),
        ("struct_version", Flaw::Version(5))
    );
    let client = patched(&contracts.client.data, 0, 3, 2);
    assert_eq!(
        flaw(client::Storage::parse(&client).map(drop)),
        ("state", Flaw::Range(3))
    );
    let at_state = 267 + 267 + 256;
    for state in [1, 3] {
        let worker = patched(&contracts.worker.data, at_state, state, 2);
        assert_eq!(
            flaw(worker::Storage::parse(&worker).map(drop)),
            ("state", Flaw::Range(state))
        );
    }
    let proxy = patched(&contracts.proxy.data, at_state, 3, 2);
    assert_eq!(
        flaw(proxy::Storage::parse(&proxy).map(drop)),
        ("state", Flaw::Range(3))
    );
    let init = patched(&contracts.proxy.to_cell(), 0, 0b11, 2);
    assert_eq!(flaw(StateInit::parse(&init).map(drop)).1, Flaw::Range(3));
}

#[test]
fn operations_that_are_none() {
    let unknown = |cell: &Cell| patched(cell, 0, 0x1234_5678, 32);
    let tag = Flaw::Tag(0x1234_5678);
    assert_eq!(
        flaw(client::Message::parse(&unknown(&top_up(0))).map(drop)),
        ("op", tag)
    );
    assert_eq!(
        flaw(worker::Message::parse(&unknown(&top_up(0))).map(drop)),
        ("op", tag)
    );
    assert_eq!(
        flaw(root::Message::parse(&unknown(&top_up(0))).map(drop)),
        ("op", tag)
    );
    assert_eq!(
        flaw(proxy::Message::parse(&unknown(&top_up(0))).map(drop)),
        ("op", tag)
    );
    let charge = signed(Kind::Charge).to_cell();
    assert_eq!(flaw(Signed::parse(&unknown(&charge)).map(drop)), ("op", tag));
    // To a proxy anybody may send anything; only what claims to be ours must be whole.
    let event = proxy::Event::parse(&unknown(&top_up(0)));
    assert_eq!(event, Ok(proxy::Event::Other { op: 0x1234_5678 }));
    assert_eq!(proxy::Event::parse(&Cell::default()), Ok(proxy::Event::Empty));

    let refund = proxy::ClientRequest::RefundForced {
        coins: Nanoton::new(3),
        excesses: at(1),
    };
    let event = client_event(Some(refund));
    let inner = event.reference_cloned(1).unwrap();
    let event = grafted(&event, 1, &unknown(&inner));
    assert_eq!(flaw(proxy::Event::parse(&event).map(drop)), ("inner op", tag));
    let event = worker_event();
    let inner = event.reference_cloned(0).unwrap();
    let event = grafted(&event, 0, &unknown(&inner));
    assert_eq!(flaw(proxy::Event::parse(&event).map(drop)), ("inner op", tag));
}

#[test]
fn a_log_entry_of_somebody_else() {
    let commit = proxy::Commit {
        seqno: 1,
        session: [2; 32],
    };
    let ours = proxy::Message::Commit { query_id: 1, commit }.to_cell();
    let other = patched(&ours, 96, 7, 32);
    let ignored = Ok(proxy::Event::Other { op: 0x9a12_47c0 });
    assert_eq!(proxy::Event::parse(&other), ignored);
    let mut builder = CellBuilder::new();
    builder.store_u32(0x9a12_47c0).unwrap();
    assert_eq!(proxy::Event::parse(&builder.build().unwrap()), ignored);
}

#[test]
fn signed_messages_whose_copies_differ() {
    let charge = signed(Kind::Charge).to_cell();
    let payload = charge.reference_cloned(0).unwrap();
    let other_op = grafted(
        &charge,
        0,
        &patched(&payload, 0, u64::from(Kind::Payout.op()), 32),
    );
    assert_eq!(
        flaw(Signed::parse(&other_op).map(drop)),
        ("signed op", Flaw::Mismatch)
    );
    let other_query = grafted(&charge, 0, &patched(&payload, 32, 5, 64));
    assert_eq!(
        flaw(Signed::parse(&other_query).map(drop)),
        ("signed query_id", Flaw::Mismatch)
    );
    let mut longer = open(&payload);
    longer.store_bit_one().unwrap();
    let longer = grafted(&charge, 0, &longer.build().unwrap());
    assert_eq!(
        flaw(Signed::parse(&longer).map(drop)),
        ("signed payload", Flaw::TrailingBits(1))
    );
    let mut heavier = open(&payload);
    heavier.store_reference(Cell::default()).unwrap();
    let heavier = grafted(&charge, 0, &heavier.build().unwrap());
    assert_eq!(
        flaw(Signed::parse(&heavier).map(drop)),
        ("signed payload", Flaw::TrailingReferences(1))
    );
}

#[test]
fn messages_that_are_none() {
    let sound = message::internal(&at(1), Nanoton::new(5), true, None, Some(&top_up(0)));
    let parse = |cell: &Cell| message::Inbound::parse(cell).map(drop);
    assert_eq!(parse(&sound), Ok(()));
    assert_eq!(flaw(parse(&patched(&sound, 0, 0b11, 2))), ("kind", Flaw::Tag(3)));
    // Behind the header and no source: the destination.
    assert_eq!(
        flaw(parse(&patched(&sound, 6, 0b100_1111_1111, 11))),
        ("destination", Flaw::Workchain(-1))
    );
    assert_eq!(
        flaw(parse(&patched(&sound, 6, 0b01, 2))),
        ("destination", Flaw::AddressKind)
    );
    let mut builder = open(&message::internal(&at(1), Nanoton::new(5), true, None, None));
    builder.rewind_bits(2).unwrap();
    builder.store_uint(0b01, 2).unwrap();
    let lacking = builder.clone().build().unwrap();
    assert_eq!(flaw(parse(&lacking)), ("body", Flaw::MissingReference));
    builder.store_reference(Cell::default()).unwrap();
    builder.store_bit_one().unwrap();
    assert_eq!(
        flaw(parse(&builder.build().unwrap())),
        ("message", Flaw::TrailingBits(1))
    );
}

#[test]
fn a_source_outside_is_nobody() {
    let mut builder = CellBuilder::new();
    builder.store_uint(0b0110, 4).unwrap();
    builder.store_uint(0b100_1111_1111, 11).unwrap();
    builder.store_raw(&[7; 32], 256).unwrap();
    let whole = message::internal(&at(1), Nanoton::new(5), true, None, None);
    let mut slice = whole.as_slice().unwrap();
    slice.skip_first(6, 0).unwrap();
    builder.store_slice(slice).unwrap();
    let read = message::Inbound::parse(&builder.build().unwrap()).unwrap();
    assert_eq!(
        (read.source, read.external, read.body),
        (None, false, Cell::default())
    );
}

#[test]
fn root_data() {
    let config = RootConfig {
        owner: at(1),
        version: 1,
        proxies: Vec::new(),
        last_proxy_seqno: 0,
        proxy_hashes: Default::default(),
        worker_hashes: Default::default(),
        model_hashes: Default::default(),
        params: params(),
        key_manager: None,
    };
    let parse = |cell: &Cell| RootConfig::parse(cell).map(drop);
    let data = config.to_cell();
    assert_eq!(parse(&data), Ok(()));
    let mut builder = open(&data);
    builder.store_reference(Cell::default()).unwrap();
    let third = builder.build().unwrap();
    assert_eq!(
        flaw(parse(&third)),
        ("root data", Flaw::TrailingReferences(1)),
        "only struct version 4 has it"
    );
    let newer = Params {
        struct_version: 4,
        ..params()
    };
    let newer = RootConfig {
        params: newer,
        key_manager: Some(top_up(1)),
        ..config
    };
    assert_eq!(RootConfig::parse(&newer.to_cell()), Ok(newer));
    let storage = wallet::Storage::parse(&data).map(drop);
    assert!(storage.is_err());
}
