//! The binary form of records and snapshots: big-endian, fixed widths, one way to write each value.
//!
//! What was read is written back byte for byte, because every flag is strict, maps ascend, and nothing may follow.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cocoon_types::{Address, Multipliers, Nanoton, RequestId};

use crate::pricing::Prices;

/// Bytes that are not a record or snapshot of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than anything we write.
    #[error("longer than the limit")]
    TooLong,
    /// Written by a newer program.
    #[error("version {0} is not known to this program")]
    Version(u8),
    /// It ends early.
    #[error("it ends early")]
    Short,
    /// Bytes follow its end.
    #[error("bytes follow its end")]
    Trailing,
    /// A value that nothing we write has.
    #[error("{0} is out of its range")]
    Value(&'static str),
}

/// A value with a binary form.
pub(crate) trait Code: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// What is left to read.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

/// Reads one value that fills the input.
pub(crate) fn decode<T: Code>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut input = Reader(bytes);
    let value = T::take(&mut input)?;
    if input.0.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::Trailing)
    }
}

/// Lists and maps: more elements than this are in no snapshot; the bounds of `Accounts` are below it.
const MAX_ELEMENTS: u32 = 1 << 20;

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(DecodeError::Short)?;
        self.0 = rest;
        Ok(*head)
    }

    fn count(&mut self) -> Result<u32, DecodeError> {
        let count = u32::take(self)?;
        if count > MAX_ELEMENTS {
            return Err(DecodeError::Value("a number of elements"));
        }
        Ok(count)
    }
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    // The bounds of `Accounts` keep every count far below; a larger one would be refused when read.
    u32::try_from(count).unwrap_or(u32::MAX).put(out);
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Code for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                input.array().map(Self::from_be_bytes)
            }
        }
    )*};
}
integers!(u8, u32, u64);

impl Code for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Value("a flag")),
        }
    }
}

impl Code for [u8; 32] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array()
    }
}

impl Code for Address {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array().map(Self::new)
    }
}

impl Code for RequestId {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array().map(Self)
    }
}

impl Code for Nanoton {
    fn put(&self, out: &mut Vec<u8>) {
        self.nano().put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        u64::take(input).map(Self::new)
    }
}

impl Code for Prices {
    fn put(&self, out: &mut Vec<u8>) {
        self.price().put(out);
        self.worker_fee().put(out);
        let Multipliers {
            prompt,
            cached,
            completion,
            reasoning,
        } = self.multipliers();
        for multiplier in [prompt, cached, completion, reasoning] {
            multiplier.put(out);
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (price, worker_fee) = (Nanoton::take(input)?, Nanoton::take(input)?);
        let multipliers = Multipliers {
            prompt: u32::take(input)?,
            cached: u32::take(input)?,
            completion: u32::take(input)?,
            reasoning: u32::take(input)?,
        };
        Self::new(price, worker_fee, multipliers).map_err(|_| DecodeError::Value("the worker's fee"))
    }
}

impl<T: Code> Code for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        bool::take(input)?.then(|| T::take(input)).transpose()
    }
}

impl<A: Code, B: Code> Code for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::take(input)?, B::take(input)?))
    }
}

impl<T: Code> Code for VecDeque<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        // Grows as elements come, so that a count alone takes no memory.
        let count = input.count()?;
        (0..count).map(|_| T::take(input)).collect()
    }
}

impl<K: Code + Ord, V: Code> Code for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut map = Self::new();
        for _ in 0..input.count()? {
            let (key, value) = <(K, V)>::take(input)?;
            if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(DecodeError::Value("the order of keys"));
            }
            map.insert(key, value);
        }
        Ok(map)
    }
}

impl<K: Code + Ord> Code for BTreeSet<K> {
    fn put(&self, out: &mut Vec<u8>) {
        put_count(self.len(), out);
        self.iter().for_each(|key| key.put(out));
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut set = Self::new();
        for _ in 0..input.count()? {
            let key = K::take(input)?;
            if set.last().is_some_and(|last| *last >= key) {
                return Err(DecodeError::Value("the order of keys"));
            }
            set.insert(key);
        }
        Ok(set)
    }
}

/// The fields of a struct, in the order given.
macro_rules! code_struct {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::codec::Code for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::codec::Code::put(&self.$field, out);)*
            }

            fn take(
                input: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                Ok(Self { $($field: $crate::codec::Code::take(input)?),* })
            }
        }
    };
}

/// A tag, then the fields of the variant. Tags are never given out twice.
macro_rules! code_enum {
    ($name:ident, $what:literal { $($tag:literal => $variant:ident $({ $($field:ident),* $(,)? })?),* $(,)? }) => {
        impl $crate::codec::Code for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant { $($($field),*)? } => {
                        out.push($tag);
                        $($($crate::codec::Code::put($field, out);)*)?
                    })*
                }
            }

            fn take(
                input: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::DecodeError> {
                match <u8 as $crate::codec::Code>::take(input)? {
                    $($tag => Ok(Self::$variant { $($($field: $crate::codec::Code::take(input)?),*)? }),)*
                    _ => Err($crate::codec::DecodeError::Value($what)),
                }
            }
        }
    };
}

pub(crate) use {code_enum, code_struct};
