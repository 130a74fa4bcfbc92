//! Which worker gets a request, and why the others did not.
//!
//! A [`Table`] holds what each worker offers and how much it is doing; [`Table::choose`] answers (table, request,
//! randomness) with a [`Choice`] or a [`NoMatch`], and [`Table::explain`] says for every worker of the model why it
//! won or lost. Eligible is a worker that serves the endpoint, is enabled, has a tier that the request accepts and asks
//! no more than the request pays; of those with a free place the least relative load wins, and equals are drawn
//! uniformly (spec/network.md 6.6 tells what the original does instead, 10.6 what came of it).
//!
//! The cost of a choice depends on the requested model only, and there on the number of distinct loads, not of workers:
//! workers are indexed by model, tier and endpoints, then by load, then by price.
//!
//! It knows no link, no clock and no randomness of its own. `cocoon-proxy` owns the one table of a node.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::indexing_slicing, clippy::panic, clippy::expect_used)]

mod choice;
mod load;
mod offer;
mod table;

pub use choice::{Choice, Counts, NoMatch, Obstacle, Verdict};
pub use load::Load;
pub use offer::{Endpoints, Offer, Wanted, WorkerId};
pub use table::{ModelView, Table, TableError, WorkerView};
