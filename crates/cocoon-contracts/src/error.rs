use std::fmt;

/// A cell that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellError {
    /// The field at which reading stopped, or the name of the whole.
    pub field: &'static str,
    /// What is wrong there.
    pub flaw: Flaw,
}

/// What can be wrong with a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The cell is a pruned branch, a library or a proof where contents are needed.
    #[error("the cell is exotic")]
    Exotic,
    /// The cell ends before the field does.
    #[error("too few bits")]
    Short,
    /// The cell has no reference for the field.
    #[error("a reference is missing")]
    MissingReference,
    /// Bits are left over.
    #[error("{0} bits are left over")]
    TrailingBits(u16),
    /// References are left over.
    #[error("{0} references are left over")]
    TrailingReferences(u8),
    /// Another operation code, constructor or repeated value than the place demands.
    #[error("{0:#010x} is unexpected here")]
    Tag(u32),
    /// A coins field with a leading zero byte.
    #[error("coins are not minimal")]
    CoinsNotMinimal,
    /// A coins field above 64 bits.
    #[error("coins exceed 64 bits")]
    CoinsTooLarge,
    /// An address that is none, external or of variable length.
    #[error("the address is not a standard one")]
    AddressKind,
    /// An address with anycast.
    #[error("the address has anycast")]
    Anycast,
    /// An address outside workchain 0.
    #[error("the address is in workchain {0}")]
    Workchain(i8),
    /// A value that the field cannot have.
    #[error("the value {0} is out of range")]
    Range(u64),
    /// A parameter cell of a version that this build does not know.
    #[error("struct version {0} is unknown")]
    Version(u8),
    /// A damaged dictionary.
    #[error("the dictionary is damaged")]
    Dictionary,
    /// More entries than anybody needs.
    #[error("more than {0} entries")]
    TooManyEntries(usize),
    /// Repeated fields that differ: the copy inside does not equal the one outside.
    #[error("the copies differ")]
    Mismatch,
}

// === impl CellError ===

impl fmt::Display for CellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.flaw)
    }
}

impl std::error::Error for CellError {}

impl CellError {
    pub(crate) const fn new(field: &'static str, flaw: Flaw) -> Self {
        Self { field, flaw }
    }
}
