//! The macros in which the namespaces are written, so that a definition reads like its line of the scheme.
//!
//! `scheme!` defines constructors and functions:
//! - the doc comment begins with the declaration in backticks; a test takes it from there, checks the id against its
//!   CRC-32, and the declaration against `scheme/cocoon.tl`;
//! - `Name = id { fields }` is a constructor, `Name = id -> Answer { fields }` a function;
//! - `#flags,` stands for a `flags:#` that does nothing but say which of the fields after it are there; such a field is written
//!   `[flags.N] name: Type` and becomes an `Option`. Several fields under one bit are written as one field whose type
//!   is made by `group!`: they are there together or not at all. Unknown bits are ignored and not preserved.
//!   A `flags:#` that means something by itself is an ordinary `flags: u32`.
//!
//! `boxed!` defines a type with several constructors as an enum.

/// The struct and its bare form; inner part of `scheme!` and `group!`.
macro_rules! fields {
    (
        $(#[$meta:meta])*
        $name:ident {
            $($a:ident: $at:ty,)*
            $(#flags, $($b:ident: $bt:ty,)* $([flags.$bit:literal] $c:ident: $ct:ty,)*)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq)]
        pub struct $name {
            $(
                #[doc = concat!("`", stringify!($a), "` of the declaration")]
                pub $a: $at,
            )*
            $(
                $(
                    #[doc = concat!("`", stringify!($b), "` of the declaration")]
                    pub $b: $bt,
                )*
                $(
                    #[doc = concat!("`", stringify!($c), "`: present iff bit ", $bit, " of `flags` is set")]
                    pub $c: Option<$ct>,
                )*
            )?
        }

        impl $crate::TlField for $name {
            const MIN_SIZE: usize = 0usize
                $(.saturating_add(<$at as $crate::TlField>::MIN_SIZE))*
                $(.saturating_add(4) $(.saturating_add(<$bt as $crate::TlField>::MIN_SIZE))*)?;

            fn read(_reader: &mut $crate::Reader<'_>) -> Result<Self, $crate::TlError> {
                $(let $a = <$at as $crate::TlField>::read(_reader)?;)*
                $(
                    let flags = _reader.u32()?;
                    $(let $b = <$bt as $crate::TlField>::read(_reader)?;)*
                    $(
                        let $c = if flags & (1 << $bit) == 0 {
                            None
                        } else {
                            Some(<$ct as $crate::TlField>::read(_reader)?)
                        };
                    )*
                )?
                Ok(Self { $($a,)* $($($b,)* $($c,)*)? })
            }

            fn write(&self, _writer: &mut $crate::Writer<'_>) {
                $($crate::TlField::write(&self.$a, _writer);)*
                $(
                    let flags = 0u32 $(| u32::from(self.$c.is_some()) << $bit)*;
                    _writer.u32(flags);
                    $($crate::TlField::write(&self.$b, _writer);)*
                    $(
                        if let Some(value) = &self.$c {
                            $crate::TlField::write(value, _writer);
                        }
                    )*
                )?
            }

            fn size(&self) -> usize {
                0usize
                    $(.saturating_add($crate::TlField::size(&self.$a)))*
                    $(
                        .saturating_add(4)
                        $(.saturating_add($crate::TlField::size(&self.$b)))*
                        $(.saturating_add(self.$c.as_ref().map_or(0, $crate::TlField::size)))*
                    )?
            }

            fn show(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($a), &$crate::scheme::Shown(&self.$a)))*
                    $(
                        $(.field(stringify!($b), &$crate::scheme::Shown(&self.$b)))*
                        $(.field(stringify!($c), &self.$c.as_ref().map($crate::scheme::Shown)))*
                    )?
                    .finish()
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::TlField::show(self, f)
            }
        }
    };
}

/// Fields that are there together or not at all: a part of a constructor, without an id.
macro_rules! group {
    ($($(#[$meta:meta])* $name:ident { $($body:tt)* })+) => {
        $($crate::scheme::fields! { $(#[$meta])* $name { $($body)* } })+
    };
}

/// Constructors and functions, and the list `CONSTRUCTORS` of them for the catalogue.
macro_rules! scheme {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal $(-> $answer:ty)? { $($body:tt)* })+) => {
        $(
            $crate::scheme::fields! { $(#[doc = $doc])+ $name { $($body)* } }

            impl $name {
                /// The constructor id.
                pub const ID: u32 = $id;
            }

            impl $crate::TlConstructor for $name {
                const ID: u32 = $id;
                const DOC: &'static str = concat!($($doc, "\n"),+);
                const IS_FUNCTION: bool = $crate::scheme::is_function!($($answer)?);
            }

            impl $crate::TlObject for $name {
                const NAME: &'static str = concat!(module_path!(), "::", stringify!($name));

                fn read_boxed(reader: &mut $crate::Reader<'_>) -> Result<Self, $crate::TlError> {
                    match reader.u32()? {
                        $id => $crate::TlField::read(reader),
                        id => Err($crate::TlError::UnknownConstructor { id, expected: <Self as $crate::TlObject>::NAME }),
                    }
                }

                fn write_boxed(&self, writer: &mut $crate::Writer<'_>) {
                    writer.u32($id);
                    $crate::TlField::write(self, writer);
                }

                fn boxed_size(&self) -> usize {
                    $crate::TlField::size(self).saturating_add(4)
                }
            }

            $(
                impl $crate::TlFunction for $name {
                    type Answer = $answer;
                }
            )?
        )+

        /// Every constructor and function of this namespace.
        pub(crate) const CONSTRUCTORS: &[$crate::Constructor] = &[$($crate::Constructor::of::<$name>()),+];
    };
}

/// A type with several constructors.
macro_rules! boxed {
    ($(#[$meta:meta])* $name:ident { $($variant:ident($inner:ident),)+ }) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq)]
        pub enum $name {
            $(
                #[doc = concat!("[`", stringify!($inner), "`]")]
                $variant($inner),
            )+
        }

        impl $crate::TlObject for $name {
            const NAME: &'static str = concat!(module_path!(), "::", stringify!($name));

            fn read_boxed(reader: &mut $crate::Reader<'_>) -> Result<Self, $crate::TlError> {
                match reader.u32()? {
                    $($inner::ID => $crate::TlField::read(reader).map(Self::$variant),)+
                    id => Err($crate::TlError::UnknownConstructor { id, expected: <Self as $crate::TlObject>::NAME }),
                }
            }

            fn write_boxed(&self, writer: &mut $crate::Writer<'_>) {
                match self {
                    $(Self::$variant(inner) => $crate::TlObject::write_boxed(inner, writer),)+
                }
            }

            fn boxed_size(&self) -> usize {
                match self {
                    $(Self::$variant(inner) => $crate::TlObject::boxed_size(inner),)+
                }
            }
        }

        impl $crate::TlField for $name {
            // The id alone; a constructor without fields reaches it.
            const MIN_SIZE: usize = 4;

            fn read(reader: &mut $crate::Reader<'_>) -> Result<Self, $crate::TlError> {
                $crate::TlObject::read_boxed(reader)
            }

            fn write(&self, writer: &mut $crate::Writer<'_>) {
                $crate::TlObject::write_boxed(self, writer);
            }

            fn size(&self) -> usize {
                $crate::TlObject::boxed_size(self)
            }

            fn show(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                match self {
                    $(Self::$variant(inner) => $crate::TlField::show(inner, f),)+
                }
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::TlField::show(self, f)
            }
        }

        $(
            impl From<$inner> for $name {
                fn from(inner: $inner) -> Self {
                    Self::$variant(inner)
                }
            }
        )+
    };
}

macro_rules! is_function {
    () => {
        false
    };
    ($answer:ty) => {
        true
    };
}

pub(crate) use {boxed, fields, group, is_function, scheme};

/// A field as `Debug` may show it.
pub(crate) struct Shown<'a, T>(pub(crate) &'a T);

impl<T: crate::TlField> std::fmt::Debug for Shown<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.show(f)
    }
}
