//! Writes fields into a cell.

use cocoon_types::{Address, Nanoton};
use tycho_types::{
    cell::{Cell, CellBuilder},
    error::Error,
};

/// A cell in the making. Every layout of this crate fits a cell by construction, so nothing here fails.
pub(crate) struct Writer {
    builder: CellBuilder,
    result: Result<(), Error>,
}

const COINS_LENGTH_BITS: u16 = 4;
/// Standard address, no anycast, workchain 0: `100` and a zero byte.
const STANDARD_IN_WORKCHAIN_0: u64 = 0b100 << 8;

// === impl Writer ===

impl Writer {
    pub(crate) fn new() -> Self {
        Self {
            builder: CellBuilder::new(),
            result: Ok(()),
        }
    }

    /// A body of a contract: operation code and query id first.
    pub(crate) fn body(op: u32, query_id: u64) -> Self {
        Self::new().u32(op).u64(query_id)
    }

    fn then(mut self, store: impl FnOnce(&mut CellBuilder) -> Result<(), Error>) -> Self {
        if self.result.is_ok() {
            self.result = store(&mut self.builder);
        }
        self
    }

    pub(crate) fn bit(self, bit: bool) -> Self {
        self.then(|b| b.store_bit(bit))
    }

    /// The lowest `bits` of a value, at most 64.
    pub(crate) fn uint(self, value: u64, bits: u16) -> Self {
        self.then(|b| b.store_uint(value, bits))
    }

    pub(crate) fn u8(self, value: u8) -> Self {
        self.then(|b| b.store_u8(value))
    }

    pub(crate) fn u32(self, value: u32) -> Self {
        self.then(|b| b.store_u32(value))
    }

    pub(crate) fn u64(self, value: u64) -> Self {
        self.then(|b| b.store_u64(value))
    }

    /// Whole bytes, at most 127 of them.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        self.then(|b| {
            let bits = u16::try_from(bytes.len())
                .ok()
                .and_then(|length| length.checked_mul(8));
            b.store_raw(bytes, bits.ok_or(Error::CellOverflow)?)
        })
    }

    pub(crate) fn coins(self, amount: Nanoton) -> Self {
        // A u64 has at most 64 significant bits, so 0 to 8 bytes.
        let bits = u64::BITS.saturating_sub(amount.nano().leading_zeros());
        let bytes = bits.div_ceil(8);
        let bits = u16::try_from(bytes.saturating_mul(8)).unwrap_or(u16::MAX);
        self.uint(u64::from(bytes), COINS_LENGTH_BITS)
            .uint(amount.nano(), bits)
    }

    pub(crate) fn address(self, address: &Address) -> Self {
        self.uint(STANDARD_IN_WORKCHAIN_0, 11).bytes(address.as_bytes())
    }

    pub(crate) fn reference(self, cell: &Cell) -> Self {
        let cell = cell.clone();
        self.then(|b| b.store_reference(cell))
    }

    pub(crate) fn maybe_reference(self, cell: Option<&Cell>) -> Self {
        match cell {
            Some(cell) => self.bit(true).reference(cell),
            None => self.bit(false),
        }
    }

    /// Bits and references of a cell, inline.
    pub(crate) fn contents(self, cell: &Cell) -> Self {
        self.then(|b| b.store_slice(cell.as_slice()?))
    }

    /// Whether bits and references of a cell fit behind what is written, with `bits` more before them.
    pub(crate) fn fits(&self, cell: &Cell, bits: u16) -> bool {
        let needed = cell.bit_len().saturating_add(bits);
        !cell.is_exotic() && self.builder.has_capacity(needed, cell.reference_count())
    }

    pub(crate) fn finish(self) -> Cell {
        match self.result.and_then(|()| self.builder.build()) {
            Ok(cell) => cell,
            // A cell that is merely wrong could send money to nowhere, so this stops instead. The layouts are bounded by
            // their types; cells that come from outside are at most `boc::MAX_DEPTH` deep.
            Err(error) => unreachable!("invariant: every layout of this crate fits a cell: {error}"),
        }
    }
}
