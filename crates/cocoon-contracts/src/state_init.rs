use cocoon_types::Address;

use crate::{Cell, CellError, Flaw, hash, reader::Reader, writer::Writer};

/// Code and data that a contract starts with; their hash is its address (spec/ton.md 1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateInit {
    /// The program.
    pub code: Cell,
    /// Its first state.
    pub data: Cell,
}

// === impl StateInit ===

impl StateInit {
    /// Where the contract lives.
    pub fn address(&self) -> Address {
        Address::new(hash(&self.to_cell()))
    }

    /// No split depth, no tick-tock, code, data, no libraries.
    pub fn to_cell(&self) -> Cell {
        let writer = Writer::new().uint(0b00, 2);
        let writer = writer
            .maybe_reference(Some(&self.code))
            .maybe_reference(Some(&self.data));
        writer.bit(false).finish()
    }

    /// Reads what [`to_cell`](Self::to_cell) writes; anything more general is refused.
    pub fn parse(cell: &Cell) -> Result<Self, CellError> {
        let mut reader = Reader::new(cell, "state init")?;
        let special = reader.uint(2, "special")?;
        let missing = |field| CellError::new(field, Flaw::MissingReference);
        let code = reader.maybe_reference("code")?.ok_or(missing("code"))?;
        let data = reader.maybe_reference("data")?.ok_or(missing("data"))?;
        let libraries = reader.bit("libraries")?;
        if special != 0 || libraries {
            return Err(CellError::new("state init", Flaw::Range(special)));
        }
        reader.finish()?;
        Ok(Self { code, data })
    }
}
