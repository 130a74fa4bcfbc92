use std::fmt;

use bytes::Bytes;

use super::{Reader, TlField, Writer};
use crate::{TlError, TlString, bytes_size};

/// `boolTrue = Bool`
pub(crate) const TRUE: u32 = 0x9972_75b5;
/// `boolFalse = Bool`
pub(crate) const FALSE: u32 = 0xbc79_9737;

macro_rules! number {
    ($($tl:literal $type:ty),+) => {$(
        #[doc = $tl]
        impl TlField for $type {
            const MIN_SIZE: usize = size_of::<$type>();
            #[inline]
            fn read(reader: &mut Reader<'_>) -> Result<Self, TlError> {
                reader.array().map(Self::from_le_bytes)
            }
            #[inline]
            fn write(&self, writer: &mut Writer<'_>) {
                writer.raw(&self.to_le_bytes());
            }
            #[inline]
            fn size(&self) -> usize {
                Self::MIN_SIZE
            }
            fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    )+};
}

number!("`int`" i32, "`#`" u32, "`long`" i64, "`double`" f64);

/// `Bool`
impl TlField for bool {
    const MIN_SIZE: usize = 4;
    fn read(reader: &mut Reader<'_>) -> Result<Self, TlError> {
        match reader.u32()? {
            TRUE => Ok(true),
            FALSE => Ok(false),
            id => Err(TlError::BadBool { id }),
        }
    }
    fn write(&self, writer: &mut Writer<'_>) {
        writer.u32(if *self { TRUE } else { FALSE });
    }
    fn size(&self) -> usize {
        Self::MIN_SIZE
    }
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// `int256`; shown as its length only, for it may be a key.
impl TlField for [u8; 32] {
    const MIN_SIZE: usize = 32;
    fn read(reader: &mut Reader<'_>) -> Result<Self, TlError> {
        reader.array()
    }
    fn write(&self, writer: &mut Writer<'_>) {
        writer.raw(self);
    }
    fn size(&self) -> usize {
        Self::MIN_SIZE
    }
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[32 bytes]")
    }
}

/// `bytes`
impl TlField for Bytes {
    const MIN_SIZE: usize = 4;
    fn read(reader: &mut Reader<'_>) -> Result<Self, TlError> {
        reader.bytes()
    }
    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(self);
    }
    fn size(&self) -> usize {
        bytes_size(self.len())
    }
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.len())
    }
}

/// `string`
impl TlField for TlString {
    const MIN_SIZE: usize = 4;
    fn read(reader: &mut Reader<'_>) -> Result<Self, TlError> {
        reader.bytes().map(Self::from)
    }
    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(self.as_bytes());
    }
    fn size(&self) -> usize {
        bytes_size(self.len())
    }
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// `vector t`, bare; shown as its count only.
impl<T: TlField> TlField for Vec<T> {
    const MIN_SIZE: usize = 4;
    fn read(reader: &mut Reader<'_>) -> Result<Self, TlError> {
        reader.vector()
    }
    fn write(&self, writer: &mut Writer<'_>) {
        // More than u32::MAX elements cannot be sent: the frame limit refuses them long before.
        writer.u32(u32::try_from(self.len()).unwrap_or(u32::MAX));
        self.iter().for_each(|element| element.write(writer));
    }
    fn size(&self) -> usize {
        self.iter()
            .fold(4, |sum, element| sum.saturating_add(element.size()))
    }
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} elements]", self.len())
    }
}
