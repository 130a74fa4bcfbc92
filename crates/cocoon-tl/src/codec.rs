//! Primitives and traits of the encoding (spec/network.md 5.2, 5.3).

mod field;
mod reader;
mod writer;

use bytes::{Bytes, BytesMut};

use crate::TlError;

pub use reader::{MAX_ELEMENTS, Reader};
pub use writer::{Writer, bytes_size};

pub(crate) use writer::bytes_padding;

/// What can stand in a field: primitives, vectors, bare constructors, boxed types.
pub trait TlField: Sized {
    /// The fewest bytes that a value takes; bounds what a vector's count may claim.
    const MIN_SIZE: usize;

    /// Takes one value off the reader.
    ///
    /// # Errors
    /// [`TlError`]: the bytes are not such a value.
    fn read(reader: &mut Reader<'_>) -> Result<Self, TlError>;

    /// Appends the value.
    fn write(&self, writer: &mut Writer<'_>);

    /// Exactly how many bytes [`Self::write`] appends.
    fn size(&self) -> usize;

    /// Shows the value without content: numbers as they are, of strings and bytes only the length.
    ///
    /// # Errors
    /// Those of the formatter.
    fn show(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result;
}

/// What can stand alone as a message: a constructor, a function or a type with several constructors.
/// On the wire: 4 bytes of id, then the fields.
pub trait TlObject: Sized {
    /// The name in the scheme, for errors and logs.
    const NAME: &'static str;

    /// Takes id and fields off the reader.
    ///
    /// # Errors
    /// [`TlError`]: the bytes are not such an object.
    fn read_boxed(reader: &mut Reader<'_>) -> Result<Self, TlError>;

    /// Appends id and fields.
    fn write_boxed(&self, writer: &mut Writer<'_>);

    /// Exactly how many bytes [`Self::write_boxed`] appends.
    fn boxed_size(&self) -> usize;

    /// The object that these bytes are, whole: left-over bytes are an error. Copies no string and no bytes field,
    /// they are slices of `bytes`, and so keep it alive.
    ///
    /// # Errors
    /// [`TlError`]: the bytes are not exactly one such object.
    fn from_boxed(bytes: Bytes) -> Result<Self, TlError> {
        let mut reader = Reader::new(&bytes);
        let object = Self::read_boxed(&mut reader)?;
        reader.finish()?;
        Ok(object)
    }

    /// The bytes of the object, in a buffer of exactly their size.
    fn to_boxed(&self) -> Bytes {
        let mut buffer = BytesMut::with_capacity(self.boxed_size());
        self.write_boxed(&mut Writer::new(&mut buffer));
        buffer.freeze()
    }
}

/// One line of the scheme. Its bare form is its [`TlField`].
pub trait TlConstructor: TlObject + TlField + std::fmt::Debug {
    /// The constructor id.
    const ID: u32;
    /// The documentation of the struct; begins with the declaration in backticks.
    const DOC: &'static str;
    /// Whether it is a function of the scheme.
    const IS_FUNCTION: bool;
}

/// A function of the scheme: a question with the type of its answer.
pub trait TlFunction: TlConstructor {
    /// What a `tcp.queryAnswer` to it holds.
    type Answer: TlObject;
}

/// The constructor id that a boxed object begins with; `None` when there are fewer than four bytes.
pub fn peek_id(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<4>().map(|id| u32::from_le_bytes(*id))
}

#[cfg(test)]
mod tests;
