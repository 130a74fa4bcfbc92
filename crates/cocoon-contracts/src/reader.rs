//! Reads fields from a cell; each names itself, so that an error says where.

use cocoon_types::{Address, Nanoton};
use tycho_types::cell::{Cell, CellBuilder, CellSlice};

use crate::{CellError, Flaw};

/// What is left of a cell.
pub(crate) struct Reader<'a> {
    slice: CellSlice<'a>,
    /// What is being read, for errors about its end.
    name: &'static str,
}

/// Bits that say how many bytes a coins field has.
const COINS_LENGTH_BITS: u16 = 4;
/// What a node takes (spec/ton.md 0.3).
const COINS_MAX_BYTES: u16 = 8;

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(crate) fn new(cell: &'a Cell, name: &'static str) -> Result<Self, CellError> {
        let slice = cell.as_slice();
        let slice = slice.map_err(|_| CellError::new(name, Flaw::Exotic))?;
        Ok(Self { slice, name })
    }

    pub(crate) fn of(slice: CellSlice<'a>, name: &'static str) -> Self {
        Self { slice, name }
    }

    pub(crate) fn bits_left(&self) -> u16 {
        self.slice.size_bits()
    }

    pub(crate) fn references_left(&self) -> u8 {
        self.slice.size_refs()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slice.size_bits() == 0 && self.slice.size_refs() == 0
    }

    pub(crate) fn bit(&mut self, field: &'static str) -> Result<bool, CellError> {
        self.slice.load_bit().map_err(|_| short(field))
    }

    /// At most 64 bits.
    pub(crate) fn uint(&mut self, bits: u16, field: &'static str) -> Result<u64, CellError> {
        self.slice.load_uint(bits).map_err(|_| short(field))
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, CellError> {
        self.slice.load_u8().map_err(|_| short(field))
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, CellError> {
        self.slice.load_u32().map_err(|_| short(field))
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, CellError> {
        self.slice.load_u64().map_err(|_| short(field))
    }

    pub(crate) fn hash(&mut self, field: &'static str) -> Result<[u8; 32], CellError> {
        let hash = self.slice.load_u256().map_err(|_| short(field))?;
        Ok(hash.0)
    }

    pub(crate) fn bytes<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CellError> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.u8(field)?;
        }
        Ok(bytes)
    }

    pub(crate) fn coins(&mut self, field: &'static str) -> Result<Nanoton, CellError> {
        let (length, minimal) = self.coins_head(field)?;
        if length > COINS_MAX_BYTES {
            // Leading zero bytes are wrong in any case; who wrote them meant a smaller amount.
            let flaw = if minimal {
                Flaw::CoinsTooLarge
            } else {
                Flaw::CoinsNotMinimal
            };
            return Err(CellError::new(field, flaw));
        }
        if !minimal {
            return Err(CellError::new(field, Flaw::CoinsNotMinimal));
        }
        self.uint(length.saturating_mul(8), field).map(Nanoton::new)
    }

    /// Coins whose amount nobody reads.
    pub(crate) fn skip_coins(&mut self, field: &'static str) -> Result<(), CellError> {
        let (length, _) = self.coins_head(field)?;
        let skipped = self.slice.skip_first(length.saturating_mul(8), 0);
        skipped.map_err(|_| short(field))
    }

    /// The length in bytes, all of which are there, and whether the first of them is needed.
    fn coins_head(&mut self, field: &'static str) -> Result<(u16, bool), CellError> {
        let length = self.slice.load_small_uint(COINS_LENGTH_BITS);
        let length = u16::from(length.map_err(|_| short(field))?);
        if self.slice.size_bits() < length.saturating_mul(8) {
            return Err(short(field));
        }
        let minimal = length == 0 || self.slice.get_u8(0).map_err(|_| short(field))? != 0;
        Ok((length, minimal))
    }

    /// A standard address in workchain 0.
    pub(crate) fn address(&mut self, field: &'static str) -> Result<Address, CellError> {
        let fail = |flaw| Err(CellError::new(field, flaw));
        match self.standard(field)? {
            Some((0, account)) => Ok(Address::new(account)),
            Some((workchain, _)) => fail(Flaw::Workchain(workchain)),
            None => fail(Flaw::AddressKind),
        }
    }

    /// Any address of a message: the workchain and account of a standard one without anycast, `None` for none.
    ///
    /// External addresses are skipped and are none to us; those of variable length do not occur (TON forbids them).
    pub(crate) fn standard(&mut self, field: &'static str) -> Result<Option<(i8, [u8; 32])>, CellError> {
        match self.uint(2, field)? {
            0b00 => Ok(None),
            0b01 => {
                let bits = self.slice.load_uint(9).map_err(|_| short(field))?;
                let bits = u16::try_from(bits).unwrap_or(u16::MAX);
                self.slice.skip_first(bits, 0).map_err(|_| short(field))?;
                Ok(None)
            }
            0b10 => {
                if self.bit(field)? {
                    return Err(CellError::new(field, Flaw::Anycast));
                }
                let workchain = i8::from_be_bytes([self.u8(field)?]);
                Ok(Some((workchain, self.hash(field)?)))
            }
            _ => Err(CellError::new(field, Flaw::AddressKind)),
        }
    }

    pub(crate) fn reference(&mut self, field: &'static str) -> Result<Cell, CellError> {
        let cell = self.slice.load_reference_cloned();
        cell.map_err(|_| CellError::new(field, Flaw::MissingReference))
    }

    pub(crate) fn maybe_reference(&mut self, field: &'static str) -> Result<Option<Cell>, CellError> {
        if self.bit(field)? {
            return self.reference(field).map(Some);
        }
        Ok(None)
    }

    /// The operation code that must stand here.
    pub(crate) fn expect_op(&mut self, op: u32, field: &'static str) -> Result<(), CellError> {
        match self.u32(field)? {
            found if found == op => Ok(()),
            found => Err(CellError::new(field, Flaw::Tag(found))),
        }
    }

    /// What is left, as a cell of its own.
    pub(crate) fn rest(self) -> Result<Cell, CellError> {
        let mut builder = CellBuilder::new();
        let stored = builder.store_slice(self.slice).and_then(|()| builder.build());
        stored.map_err(|_| CellError::new(self.name, Flaw::Exotic))
    }

    /// Nothing may be left.
    pub(crate) fn finish(self) -> Result<(), CellError> {
        let (bits, references) = (self.slice.size_bits(), self.slice.size_refs());
        if bits > 0 {
            return Err(CellError::new(self.name, Flaw::TrailingBits(bits)));
        }
        if references > 0 {
            return Err(CellError::new(self.name, Flaw::TrailingReferences(references)));
        }
        Ok(())
    }
}

fn short(field: &'static str) -> CellError {
    CellError::new(field, Flaw::Short)
}
