//! `SessionId ItemId Time`, with tabs or commas: clicks without shoppers, so that each session
//! stands for one.

use feature_store::{Event, EventKind};

use super::error::{BadLine, ReadError};
use super::rows::{Row, Rows, event};
use super::source::Source;
use super::{Lines, Parsed, times};

const REQUIRED: [&str; 3] = ["SessionId", "ItemId", "Time"];

pub(crate) struct Reader {
    rows: Rows,
}

impl Reader {
    pub(crate) fn new(source: Source) -> Result<Self, ReadError> {
        let delimiter = if source.first_line().contains('\t') {
            b'\t'
        } else {
            b','
        };
        Ok(Self {
            rows: Rows::with_header(source, delimiter, &REQUIRED, &[])?,
        })
    }
}

impl Lines for Reader {
    fn next_line(&mut self) -> Option<Result<Parsed, BadLine>> {
        self.rows.next(|row| {
            let event = parse(row).map_err(|reason| row.bad(reason))?;
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

fn parse(row: &Row<'_>) -> Result<Event, String> {
    let [session, item, time] = std::array::from_fn(|column| row.get(column));
    if session.is_empty() || item.is_empty() {
        return Err("SessionId or ItemId is empty".to_owned());
    }
    let occurred_at = times::seconds(time)
        .ok_or_else(|| format!("Time is {time:?}, seconds since the epoch needed"))?;
    Ok(Event {
        session_id: session.to_owned(),
        ..event(row.event_id(), EventKind::View, session, item, occurred_at)
    })
}
