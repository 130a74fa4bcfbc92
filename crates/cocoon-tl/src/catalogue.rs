use bytes::Bytes;

use crate::{TlConstructor, TlError};

/// One line of the scheme, as data: what tests, fuzzing and diagnosis walk over.
#[derive(Clone, Copy, Debug)]
pub struct Constructor {
    /// The constructor id.
    pub id: u32,
    /// Whether it is a function.
    pub is_function: bool,
    /// Parses a boxed object of this constructor and writes it again; the result differs from the input where the
    /// input is not in shortest form.
    pub rewrite: fn(Bytes) -> Result<Bytes, TlError>,
    /// Parses a boxed object of this constructor and shows it without content, as its `Debug` does.
    pub describe: fn(Bytes) -> Result<String, TlError>,
    doc: &'static str,
}

/// Every constructor and function, namespace by namespace.
pub fn catalogue() -> impl Iterator<Item = &'static Constructor> {
    NAMESPACES.iter().copied().flatten()
}

/// The constructor with this id: its name is what to log of an unexpected message.
pub fn by_id(id: u32) -> Option<&'static Constructor> {
    catalogue().find(|constructor| constructor.id == id)
}

const NAMESPACES: &[&[Constructor]] = &[
    crate::tcp::CONSTRUCTORS,
    crate::http::CONSTRUCTORS,
    crate::shared::CONSTRUCTORS,
    crate::test::CONSTRUCTORS,
    crate::ton::CONSTRUCTORS,
    crate::client::CONSTRUCTORS,
    crate::proxy::CONSTRUCTORS,
    crate::worker::CONSTRUCTORS,
    crate::key_manager::CONSTRUCTORS,
    crate::runner_config::CONSTRUCTORS,
    crate::key_manager_db::CONSTRUCTORS,
    crate::proxy_db::CONSTRUCTORS,
    crate::root_config::CONSTRUCTORS,
    crate::v3::CONSTRUCTORS,
    crate::v3::SEALED_CONSTRUCTORS,
];

// === impl Constructor ===

impl Constructor {
    pub(crate) const fn of<T: TlConstructor>() -> Self {
        Self {
            id: T::ID,
            is_function: T::IS_FUNCTION,
            rewrite: |bytes| T::from_boxed(bytes).map(|object| object.to_boxed()),
            describe: |bytes| T::from_boxed(bytes).map(|object| format!("{object:?}")),
            doc: T::DOC,
        }
    }

    /// The declaration, as in `scheme/cocoon.tl`, on one line, with its `;`.
    pub fn declaration(&self) -> String {
        let text = self.doc.split('`').nth(1).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The name in the scheme, as in `tcp.packet`.
    pub fn name(&self) -> &'static str {
        let text = self.doc.trim_start().trim_start_matches('`');
        text.split([' ', '#', '\n']).next().unwrap_or_default()
    }
}
