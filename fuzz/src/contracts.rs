//! `cocoon-contracts`: cells as a peer, a stranger's contract or a file brings them.
//!
//! Beside "no panic" every target checks that what was accepted and written again is read as the same, and that nobody's
//! signature is taken for another's.

use cocoon_contracts::{
    Cell, CellError, Params, RegisteredProxy, RootConfig, Signed, StateInit, boc, client, hash, message,
    proxy, root, wallet, worker,
};
use tycho_types::cell::CellBuilder;

/// The name of a target and of its corpus directory, and its entry function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this module.
pub const TARGETS: &[Target] = &[
    ("contracts_body", body),
    ("contracts_message", inbound),
    ("contracts_root", root),
    ("contracts_signed", signed),
    ("contracts_storage", storage),
    ("contracts_text", text),
];

/// Bodies of messages to every contract.
pub fn body(data: &[u8]) {
    let Some(cell) = cell(data) else { return };
    again(&cell, client::Message::parse, client::Message::to_cell);
    again(&cell, worker::Message::parse, worker::Message::to_cell);
    again(&cell, proxy::Message::parse, proxy::Message::to_cell);
    // Texts of proxies may be written in several ways.
    if let Ok(read) = root::Message::parse(&cell) {
        assert_eq!(root::Message::parse(&read.to_cell()), Ok(read));
    }
    match proxy::Event::parse(&cell) {
        Ok(proxy::Event::Client(event)) => same(&event.to_cell(), &cell),
        Ok(proxy::Event::Settled(event)) => same(&event.to_cell(), &cell),
        Ok(proxy::Event::Worker(event)) => same(&event.to_cell(), &cell),
        Ok(proxy::Event::Message(message)) => assert_eq!(proxy::Message::parse(&cell), Ok(message)),
        Ok(proxy::Event::Empty) => same(&Cell::default(), &cell),
        Ok(proxy::Event::Other { .. }) | Err(_) => {}
    }
}

/// A message as an account received it.
pub fn inbound(data: &[u8]) {
    let Some(cell) = cell(data) else { return };
    let Ok(read) = message::Inbound::parse(&cell) else {
        return;
    };
    assert!(!read.external || (read.source.is_none() && !read.bounced));
    let written = if read.external {
        message::external(&read.destination, None, &read.body)
    } else {
        message::internal(&read.destination, read.value, read.bounce, None, Some(&read.body))
    };
    let second = message::Inbound::parse(&written).expect("our own message");
    assert_eq!((second.body, second.value), (read.body, read.value));
}

/// The root contract's data: dictionaries made by somebody else.
pub fn root(data: &[u8]) {
    let Some(cell) = cell(data) else { return };
    let Ok(config) = RootConfig::parse(&cell) else {
        return;
    };
    let again = RootConfig::parse(&config.to_cell()).expect("our own data");
    assert_eq!(again, config);
}

/// Signed messages as nodes hand them to each other.
pub fn signed(data: &[u8]) {
    let read = match Signed::from_boc(data) {
        Ok(read) => read,
        Err(_) => match cell(data).and_then(|cell| Signed::parse(&cell).ok()) {
            Some(read) => read,
            None => return,
        },
    };
    assert_eq!(Signed::from_boc(&read.to_boc()).as_ref(), Ok(&read));
    let repacked = Signed::parse(&read.repack(read.contract)).expect("our own envelope");
    assert_eq!(
        (repacked.excesses, hash(&repacked.payload())),
        (read.contract, hash(&read.payload()))
    );
    // Nobody knows a secret for this one.
    assert!(read.verify(&[7; 32], read.kind, &read.contract).is_err());
}

/// Accounts' data and parameters.
pub fn storage(data: &[u8]) {
    let Some(cell) = cell(data) else { return };
    again(&cell, Params::parse, Params::to_cell);
    again(&cell, StateInit::parse, StateInit::to_cell);
    again(&cell, client::Storage::parse, client::Storage::to_cell);
    again(&cell, worker::Storage::parse, worker::Storage::to_cell);
    again(&cell, proxy::Storage::parse, proxy::Storage::to_cell);
    if let Ok(read) = wallet::Storage::parse(&cell) {
        assert_eq!(wallet::Storage::parse(&read.to_cell()), Ok(read));
    }
}

/// What people type: endpoints of proxies and words of wallets.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(proxy) = RegisteredProxy::from_text(1, text) {
        assert_eq!(RegisteredProxy::from_text(1, &proxy.to_text()), Some(proxy));
    }
    if let Ok(words) = wallet::Mnemonic::parse(text) {
        assert_eq!(wallet::Mnemonic::parse(&words.words()), Ok(words));
    }
}

/// The first cell of a bag; what is no bag describes a tree, so that the fuzzer need not learn bags.
fn cell(data: &[u8]) -> Option<Cell> {
    if let Ok(cell) = boc::decode(data) {
        assert_eq!(boc::decode(&boc::encode(&cell)).as_ref(), Ok(&cell));
        return Some(cell);
    }
    let mut rest = data;
    tree(&mut rest, 8)
}

/// Per cell: references in the low three bits and unused bits of the last byte in the next three, bytes, data, children.
fn tree(rest: &mut &[u8], depth: u8) -> Option<Cell> {
    let (&[head, length], after) = rest.split_first_chunk()?;
    let bits = (u16::from(length) * 8).checked_sub(u16::from((head >> 3) & 7))?;
    let (bytes, after) = after.split_at_checked(usize::from(length))?;
    *rest = after;
    let mut builder = CellBuilder::new();
    builder.store_raw(bytes, bits).ok()?;
    if depth > 0 {
        for _ in 0..head & 7 {
            builder.store_reference(tree(rest, depth - 1)?).ok()?;
        }
    }
    builder.build().ok()
}

/// What is read and written again is the same cell: these layouts leave no choice.
fn again<T>(cell: &Cell, parse: impl Fn(&Cell) -> Result<T, CellError>, write: impl Fn(&T) -> Cell) {
    if let Ok(read) = parse(cell) {
        same(&write(&read), cell);
    }
}

fn same(one: &Cell, other: &Cell) {
    assert_eq!(hash(one), hash(other));
}
