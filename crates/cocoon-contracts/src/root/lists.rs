use std::collections::BTreeSet;

use tycho_types::{
    cell::{CellSlice, HashBytes},
    dict::{Dict, RawDict, StoreDictKey},
};

use super::{RegisteredProxy, RootConfig};
use crate::{Cell, CellError, Flaw, reader::Reader, writer::Writer};

/// The lists cell.
pub(super) struct Lists {
    pub(super) proxy_hashes: BTreeSet<[u8; 32]>,
    pub(super) proxies: Vec<RegisteredProxy>,
    pub(super) last_proxy_seqno: u32,
    pub(super) worker_hashes: BTreeSet<[u8; 32]>,
    pub(super) model_hashes: BTreeSet<[u8; 32]>,
}

/// Most entries that are read of one list. A dictionary whose branches share cells can claim 2^256 entries in a few bytes;
/// real lists have a few dozen.
const MAX_ENTRIES: usize = 4096;
/// An entry with this bit set is of a kind that nodes skip.
const OTHER_KIND: bool = true;
const TEXT_LENGTH_BITS: u16 = 7;
/// Two IPv4 addresses with ports have 43 characters; 110 would still fit the message that updates a proxy.
const MAX_TEXT_BYTES: usize = 100;

// === impl Lists ===

impl Lists {
    pub(super) fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut r = Reader::new(cell, "root lists")?;
        let proxy_hashes = hashes(r.maybe_reference("proxy_hashes")?, "proxy_hashes")?;
        let registered = r.maybe_reference("registered_proxies")?;
        let proxies = proxies(registered)?;
        let last_proxy_seqno = r.u32("last_proxy_seqno")?;
        let worker_hashes = hashes(r.maybe_reference("worker_hashes")?, "worker_hashes")?;
        let model_hashes = hashes(r.maybe_reference("model_hashes")?, "model_hashes")?;
        r.finish()?;
        Ok(Self {
            proxy_hashes,
            proxies,
            last_proxy_seqno,
            worker_hashes,
            model_hashes,
        })
    }
}

pub(super) fn to_cell(config: &RootConfig) -> Cell {
    let set = |hashes: &BTreeSet<[u8; 32]>| {
        let entries = hashes.iter().map(|hash| (HashBytes(*hash), Cell::default()));
        dictionary(entries)
    };
    let proxies = dictionary(
        config
            .proxies
            .iter()
            .map(|proxy| (proxy.seqno, entry(&proxy.to_text()))),
    );
    let writer = Writer::new().maybe_reference(set(&config.proxy_hashes).as_ref());
    let writer = writer
        .maybe_reference(proxies.as_ref())
        .u32(config.last_proxy_seqno);
    let writer = writer.maybe_reference(set(&config.worker_hashes).as_ref());
    writer
        .maybe_reference(set(&config.model_hashes).as_ref())
        .finish()
}

/// `type bit`, `length u7`, ASCII. Text that is too long to be two endpoints is cut, and then left out by every reader.
pub(super) fn entry(text: &str) -> Cell {
    let bytes = text.as_bytes();
    let bytes = bytes.get(..MAX_TEXT_BYTES).unwrap_or(bytes);
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Writer::new()
        .bit(!OTHER_KIND)
        .uint(length, TEXT_LENGTH_BITS)
        .bytes(bytes)
        .finish()
}

/// The text of an entry, `None` for one of another kind.
pub(super) fn read_entry(r: &mut Reader<'_>) -> Result<Option<String>, CellError> {
    let is_other = r.bit("type")? == OTHER_KIND;
    let length = r.uint(TEXT_LENGTH_BITS, "length")?;
    let mut text = String::new();
    for _ in 0..length {
        text.push(char::from(r.u8("text")?));
    }
    Ok(Some(text).filter(|_| !is_other))
}

fn proxies(root: Option<Cell>) -> Result<Vec<RegisteredProxy>, CellError> {
    let field = "registered_proxies";
    let mut proxies = Vec::new();
    each::<32>(root, field, |key, value| {
        let seqno = Reader::of(key, field).u32(field)?;
        // A malformed entry is the owner's mistake, and no reason to do without the others.
        let text = read_entry(&mut Reader::of(value, field)).ok().flatten();
        proxies.extend(text.and_then(|text| RegisteredProxy::from_text(seqno, &text)));
        Ok(())
    })?;
    Ok(proxies)
}

fn hashes(root: Option<Cell>, field: &'static str) -> Result<BTreeSet<[u8; 32]>, CellError> {
    let mut hashes = BTreeSet::new();
    each::<256>(root, field, |key, _| {
        hashes.insert(Reader::of(key, field).hash(field)?);
        Ok(())
    })?;
    Ok(hashes)
}

fn each<const BITS: u16>(
    root: Option<Cell>,
    field: &'static str,
    mut visit: impl FnMut(CellSlice<'_>, CellSlice<'_>) -> Result<(), CellError>,
) -> Result<(), CellError> {
    let dictionary = RawDict::<BITS>::from(root);
    for (index, entry) in dictionary.iter().enumerate() {
        if index >= MAX_ENTRIES {
            return Err(CellError::new(field, Flaw::TooManyEntries(MAX_ENTRIES)));
        }
        let (key, value) = entry.map_err(|_| CellError::new(field, Flaw::Dictionary))?;
        visit(key.as_data_slice(), value)?;
    }
    Ok(())
}

/// A dictionary whose values are the contents of cells.
fn dictionary<K: StoreDictKey>(entries: impl Iterator<Item = (K, Cell)>) -> Option<Cell> {
    let mut dictionary = Dict::<K, CellSlice<'_>>::new();
    let entries: Vec<_> = entries.collect();
    for (key, value) in &entries {
        let set = value.as_slice().and_then(|value| dictionary.set(key, value));
        if set.is_err() {
            // Small values under keys of fixed length: see `Writer::finish`.
            unreachable!("invariant: the lists of this crate fit a dictionary");
        }
    }
    dictionary.into_root()
}
