//! Bags of cells: how cells travel between nodes and stand on disk.

use tycho_types::{
    boc::{
        Boc,
        de::{BocHeader, Options},
    },
    cell::CellFamily as _,
};

use crate::Cell;

/// Bytes that are not a bag of cells we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BocError {
    /// Longer than [`MAX_BYTES`].
    #[error("a bag of cells of {0} bytes is too large")]
    TooLarge(usize),
    /// Deeper than [`MAX_DEPTH`].
    #[error("cells are nested {0} deep, which is too deep")]
    TooDeep(u16),
    /// No bag of cells: header, checksum, descriptors or references (a loop, for one) are wrong.
    #[error("the bag of cells is damaged")]
    Damaged,
    /// Not exactly one root.
    #[error("the bag of cells has not one root")]
    Roots,
    /// The root is exotic, or parts are pruned: a proof where contents are needed.
    #[error("the bag of cells holds a proof instead of contents")]
    Pruned,
}

/// Largest bag that is read, in bytes. TON takes no longer external message, and no account of ours is larger.
pub const MAX_BYTES: usize = 64 * 1024;
/// Deepest nesting that is read: TON's limit for messages.
pub const MAX_DEPTH: u16 = 512;

/// Reads a bag of exactly one root.
pub fn decode(bytes: &[u8]) -> Result<Cell, BocError> {
    if bytes.len() > MAX_BYTES {
        return Err(BocError::TooLarge(bytes.len()));
    }
    let header = BocHeader::decode(bytes, &Options::default()).map_err(|_| BocError::Damaged)?;
    let [root] = header.roots() else {
        return Err(BocError::Roots);
    };
    let cells = header
        .finalize(Cell::empty_context())
        .map_err(|_| BocError::Damaged)?;
    let cell = cells.get(*root).ok_or(BocError::Damaged)?;
    if cell.repr_depth() > MAX_DEPTH {
        return Err(BocError::TooDeep(cell.repr_depth()));
    }
    if cell.is_exotic() || cell.level() != 0 {
        return Err(BocError::Pruned);
    }
    Ok(cell)
}

/// Writes a bag of one root, without index or checksum.
pub fn encode(cell: &Cell) -> Vec<u8> {
    Boc::encode(cell)
}
