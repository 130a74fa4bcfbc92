/// Why bytes are not the object that was expected. Never holds content, only sizes and constructor ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlError {
    /// The bytes end inside a value.
    #[error("the object is cut off: {needed} bytes are needed, {left} are left")]
    Truncated {
        /// Bytes that the value needs, as its own length field claims.
        needed: u64,
        /// Bytes that are left.
        left: usize,
    },
    /// Bytes follow the object.
    #[error("{count} bytes are left over after the object")]
    LeftOver {
        /// How many.
        count: usize,
    },
    /// The id is not a constructor of the expected type.
    #[error("constructor {id:08x} is not a {expected}")]
    UnknownConstructor {
        /// The id found.
        id: u32,
        /// The type or constructor expected, as the scheme names it.
        expected: &'static str,
    },
    /// A `Bool` that is neither true nor false.
    #[error("{id:08x} is not a Bool")]
    BadBool {
        /// The id found.
        id: u32,
    },
    /// A vector claims more elements than its bytes can hold.
    #[error("a vector claims {count} elements, {left} bytes are left")]
    VectorTooLong {
        /// The claimed count, as the unsigned number on the wire.
        count: u32,
        /// Bytes that are left.
        left: usize,
    },
    /// All vectors of the object together hold more than [`crate::MAX_ELEMENTS`].
    #[error("the object holds more than {} vector elements", crate::MAX_ELEMENTS)]
    TooManyElements,
}
