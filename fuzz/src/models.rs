//! `cocoon-models`: catalogues, model files, package indexes, pip's configuration, wheels. The entry functions live
//! in the crate, next to the parsers, which are not public.

pub use cocoon_models::fuzzing::{TARGETS, catalogue, header, index, pip, resolve, wheel};
