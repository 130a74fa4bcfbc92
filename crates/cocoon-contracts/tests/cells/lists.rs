//! Lists of the root contract: dictionaries that somebody else made.

use cocoon_contracts::{Cell, Flaw, RegisteredProxy, RootConfig, root};
use tycho_types::{cell::CellBuilder, dict::Dict};

use crate::setup::{at, params};

fn config(lists: CellBuilder) -> Result<RootConfig, Flaw> {
    let empty = RootConfig {
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
    let mut builder = CellBuilder::new();
    let data = empty.to_cell();
    let mut slice = data.as_slice().unwrap();
    builder
        .store_slice(slice.load_prefix(slice.size_bits(), 0).unwrap())
        .unwrap();
    builder.store_reference(lists.build().unwrap()).unwrap();
    builder
        .store_reference(data.reference_cloned(1).unwrap())
        .unwrap();
    RootConfig::parse(&builder.build().unwrap()).map_err(|error| error.flaw)
}

/// Lists with nothing but registered proxies.
fn proxies(dictionary: Option<Cell>) -> Result<RootConfig, Flaw> {
    let mut lists = CellBuilder::new();
    lists.store_bit_zero().unwrap();
    lists.store_bit(dictionary.is_some()).unwrap();
    lists.store_u32(9).unwrap();
    lists.store_uint(0, 2).unwrap();
    if let Some(cell) = dictionary {
        lists.store_reference(cell).unwrap();
    }
    config(lists)
}

fn entry(kind: bool, length: u8, text: &[u8]) -> Cell {
    let mut builder = CellBuilder::new();
    builder.store_bit(kind).unwrap();
    builder.store_small_uint(length, 7).unwrap();
    builder
        .store_raw(text, u16::try_from(text.len()).unwrap() * 8)
        .unwrap();
    builder.build().unwrap()
}

#[test]
fn malformed_entries_are_left_out() {
    let sound = b"10.0.0.1:9001 10.0.0.2:9002";
    let length = u8::try_from(sound.len()).unwrap();
    let entries = [
        entry(false, length, sound),
        entry(true, length, sound),
        entry(false, length + 1, sound),
        entry(false, 127, sound),
        entry(false, 3, b"abc"),
        entry(false, 0, b""),
        entry(false, 4, &[0xff; 4]),
        entry(false, 12, b"[::1]:4567  "),
        entry(false, 14, b"[9.9.9.9:4567]"),
    ];
    let mut dictionary = Dict::<u32, Cell>::new();
    let mut raw = Dict::<u32, tycho_types::cell::CellSlice<'_>>::new();
    for (seqno, cell) in (1..).zip(&entries) {
        dictionary.set(seqno, cell).unwrap();
        raw.set(seqno, cell.as_slice().unwrap()).unwrap();
    }
    let config = proxies(raw.into_root()).unwrap();
    let first = RegisteredProxy::from_text(1, "10.0.0.1:9001 10.0.0.2:9002").unwrap();
    let last = RegisteredProxy::from_text(9, "9.9.9.9:4567").unwrap();
    assert_eq!(config.proxies, [first, last]);
    assert_eq!(config.proxies[1].workers, config.proxies[1].clients);
    // Values in a cell of their own are another layout: no entry is read, nothing breaks.
    assert_eq!(proxies(dictionary.into_root()).unwrap().proxies, []);
}

#[test]
fn texts_that_are_no_proxies() {
    let bad = [
        "",
        " ",
        "10.0.0.1",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "010.0.0.1:1",
        "a.b:1",
        "10.0.0.1:1 ",
        " 10.0.0.1:1",
        "10.0.0.1:1  10.0.0.1:2",
        "10.0.0.1:1 10.0.0.1:2 10.0.0.1:3",
        "0.0.0.0:1",
        "[10.0.0.1]:1",
        "[10.0.0.1:1",
        "10.0.0.1:1\n",
        "-1.0.0.1:1",
        "localhost:1",
    ];
    for text in bad {
        assert_eq!(RegisteredProxy::from_text(1, text), None, "{text}");
    }
    let one = RegisteredProxy::from_text(1, "[10.0.0.1:1] 10.0.0.1:2").unwrap();
    assert_eq!(one.to_text(), "10.0.0.1:1 10.0.0.1:2");
    assert_eq!(
        RegisteredProxy::from_text(1, "10.0.0.1:1 10.0.0.1:1")
            .unwrap()
            .to_text(),
        "10.0.0.1:1"
    );
}

/// Every branch shares one cell: 2^32 entries in 33 cells.
#[test]
fn a_dictionary_that_claims_more_than_it_holds() {
    let mut cell = {
        let mut leaf = CellBuilder::new();
        leaf.store_uint(0b00, 2).unwrap();
        leaf.store_slice(entry(false, 10, b"10.0.0.1:1").as_slice().unwrap())
            .unwrap();
        leaf.build().unwrap()
    };
    for _ in 0..32 {
        let mut fork = CellBuilder::new();
        fork.store_uint(0b00, 2).unwrap();
        fork.store_reference(cell.clone()).unwrap();
        fork.store_reference(cell).unwrap();
        cell = fork.build().unwrap();
    }
    assert_eq!(proxies(Some(cell)), Err(Flaw::TooManyEntries(4096)));
}

#[test]
fn damaged_dictionaries() {
    assert_eq!(proxies(None).unwrap().last_proxy_seqno, 9);
    assert_eq!(proxies(Some(Cell::default())), Err(Flaw::Dictionary), "no label");
    let mut long = CellBuilder::new();
    // `11`, then the same bit 63 times where at most 32 are left.
    long.store_uint(0b1_1111_1111, 9).unwrap();
    assert_eq!(proxies(Some(long.build().unwrap())), Err(Flaw::Dictionary));
    let mut fork = CellBuilder::new();
    fork.store_uint(0b00, 2).unwrap();
    fork.store_reference(Cell::default()).unwrap();
    assert_eq!(
        proxies(Some(fork.build().unwrap())),
        Err(Flaw::Dictionary),
        "one branch"
    );
    let pruned = crate::setup::launch(crate::setup::PROXY);
    assert_eq!(proxies(Some(pruned)), Err(Flaw::Dictionary));
}

#[test]
fn a_text_that_is_no_endpoint_is_written_without_harm() {
    let long = RegisteredProxy {
        seqno: 1,
        workers: "x".repeat(1000),
        clients: String::new(),
    };
    for change in [
        root::Change::RegisterProxy(long.clone()),
        root::Change::UpdateProxy(long),
    ] {
        let message = root::Message { query_id: 1, change };
        assert!(root::Message::parse(&message.to_cell()).is_err());
    }
}
