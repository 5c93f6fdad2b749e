//! Bare `user_id,item_id`: each row a view.
//!
//! There are no times, so rows are one second apart in the order of the file, from a fixed moment
//! on, and all rows of a user make up one session. A pair that occurs again is a duplicate.

use feature_store::{Event, EventKind, Millis};

use super::error::{BadLine, ReadError};
use super::rows::{Rows, event};
use super::source::Source;
use super::{Lines, Parsed};

/// 2024-01-01T00:00:00Z, when the first row is said to have happened.
const FIRST: i64 = 1_704_067_200_000;
const STEP: i64 = 1_000;

pub(crate) struct Reader {
    rows: Rows,
    next: i64,
}

impl Reader {
    pub(crate) fn new(source: Source) -> Result<Self, ReadError> {
        let first = source.first_line().to_ascii_lowercase();
        let rows = if first.contains("user") || first.contains("shopper") {
            let shopper = if first.contains("user_id") {
                "user_id"
            } else {
                "shopper_id"
            };
            Rows::with_header(source, b',', &[shopper, "item_id"], &[])?
        } else {
            Rows::without_header(source, b',', 2)
        };
        Ok(Self { rows, next: FIRST })
    }
}

impl Lines for Reader {
    fn next_line(&mut self) -> Option<Result<Parsed, BadLine>> {
        let occurred_at = Millis(self.next);
        self.next += STEP;
        self.rows.next(|row| {
            let (shopper, item) = (row.get(0), row.get(1));
            if shopper.is_empty() || item.is_empty() {
                return Err(row.bad("user_id or item_id is empty"));
            }
            let event = Event {
                session_id: shopper.to_owned(),
                ..event(row.event_id(), EventKind::View, shopper, item, occurred_at)
            };
            Ok(Parsed {
                line: row.line,
                event,
                item: None,
            })
        })
    }

    fn failure(&mut self) -> Option<std::io::Error> {
        self.rows.failure()
    }
}
