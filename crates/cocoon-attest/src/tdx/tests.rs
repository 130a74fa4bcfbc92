use super::*;

mod form;
mod genuine;
mod mutation;
