//! The shop's items: what they are, how they do, and the table of them that every role keeps in
//! memory.

mod counting;
mod item;
mod progress;
mod record;
mod stats;
mod table;
mod tally;
mod tidying;
mod tiles;

pub use item::{Availability, Item, ItemRejection};
pub use stats::{ItemRow, ItemStats};
pub use table::{ItemTable, ItemUpdate};
pub use tally::Tally;

pub(crate) use counting::Counting;
pub(crate) use progress::counted_up_to;
pub(crate) use record::CatalogEntry;
pub(crate) use table::Change;
