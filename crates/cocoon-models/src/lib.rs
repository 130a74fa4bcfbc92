//! Models: which there are, where their bytes come from, and how they reach the disk.
//!
//! A [`Catalogue`] names models with licence, size and SHA-256 and lists their [`Source`]s in order. A [`Store`]
//! is a directory, shared by every process of this user, that holds model files. [`Store::pull`] walks down the
//! sources until one delivers bytes with the right digest; nothing else is ever given out. The digest of the
//! file is what is trusted, never the source, so a mirror or a package index needs no trust.
//!
//! What it does not: it loads no model, knows no engine, and prints nothing ([`Event`] has the words for those
//! who do). Anybody above TRANSPORT may call it; today the `cocoon` binary does. DESIGN section 8; issue item 6.
#![forbid(unsafe_code)]

mod catalogue;
mod digest;
mod disk;
mod fetch;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod gguf;
mod package;
mod progress;
mod settings;
mod source;
mod store;
mod web;

pub use catalogue::{Catalogue, CatalogueError, Model, ModelEntry, ResolveError};
pub use digest::{Sha256, Sha256Error};
pub use fetch::SourceError;
pub use progress::{Event, Progress, Quiet};
pub use settings::{Indexes, Limits, NoHome, Settings, default_dir};
pub use source::{PackagePart, Source, SourceSyntaxError};
pub use store::{Failure, Listed, PullError, State, Store, VerifyError};
