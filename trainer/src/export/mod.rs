//! Point-in-time training rows: what `GetFeatures` would have answered at the time of each label.
//!
//! | module | what it does |
//! |---|---|
//! | [`labels`] | the rows to answer: a shopper, perhaps an item, and a time |
//! | `answering` | one pass in time over the log, by the code of serving |
//! | `spill` | the answers on disk, until the rows come in their own order |
//! | `columns` | features as typed columns |
//! | `writing` | parquet, row group by row group |
//! | [`report`] | how many rows, and how much of each feature is there |
//!
//! Memory holds the log and a few numbers for each label, never the rows.

mod answering;
mod columns;
mod error;
pub mod labels;
pub mod report;
mod spill;
mod writing;

use std::path::Path;
use std::str::FromStr;

use feature_store::{Event, EventLog, Item, Plan};

pub use error::ExportError;
pub use labels::Labels;
pub use report::{ExportReport, FeatureShare};

use crate::clean::arrived;
use crate::sessions::order;

/// How the output says what each value is worth.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Statuses {
    /// Not at all: a null is null.
    #[default]
    None,
    /// For each feature a column `<feature>.status` with `present`, `null`, `not_found` or
    /// `outside_max_age`.
    Columns,
    /// One column `statuses` with a letter for each feature, in their order: `p`, `n`, `x` (not
    /// found), `o` (outside its allowed age).
    Compact,
}

impl FromStr for Statuses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "columns" => Ok(Self::Columns),
            "compact" => Ok(Self::Compact),
            other => Err(format!("{other:?} is not known, columns or compact is")),
        }
    }
}

/// What to write beside the columns of the labels.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub plan: Plan,
    pub statuses: Statuses,
    /// The catalogue, taken to have been so at all times.
    pub items: Vec<Item>,
}

/// How far the export is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Labels answered.
    Answered { rows: u64, of: u64 },
    /// Rows written.
    Written { rows: u64, of: u64 },
}

/// The log of a file of events, each accepted at the moment it happened.
#[must_use]
pub fn file_log(mut events: Vec<Event>) -> EventLog {
    events.sort_by(|a, b| order(a).cmp(&order(b)));
    let entries = events.into_iter().zip(0..);
    EventLog::new(
        entries
            .map(|(event, sequence)| arrived(event, sequence))
            .collect(),
    )
}

/// Writes one row for each label, in their order: the label's columns, then one for each feature.
///
/// `out` is replaced when all of it is written, and not before.
pub fn export(
    labels: &Labels,
    log: EventLog,
    wanted: Wanted,
    out: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<ExportReport, ExportError> {
    let columns = columns::Layout::new(labels, &wanted)?;
    let answers = answering::answer(labels, log, wanted, out, progress)?;
    writing::write(labels, &columns, &answers.spilled, out, progress)?;
    Ok(answers.report)
}
