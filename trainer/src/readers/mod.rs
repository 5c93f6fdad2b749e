//! Event files in, events out: one small file per format.
//!
//! | format | what it is |
//! |---|---|
//! | [`Format::Jsonl`] | canonical, one JSON object a line, the proto Event's fields in snake_case |
//! | [`Format::Csv`] | canonical, the same fields as columns |
//! | [`Format::Interactions`] | bare `user_id,item_id` |
//! | [`Format::Rees46`] | REES46 multi-category store |
//! | [`Format::OnlineRetail`] | UCI Online Retail invoices |
//! | [`Format::SessionClicks`] | `SessionId ItemId Time` |
//!
//! [`online_shoppers()`] reads a table of labelled sessions, which holds no events.
//!
//! Files are plain or zstd-compressed, told apart by their first bytes. A bad line is an answer
//! with its number, a reason and its text; reading goes on after it. Formats without event ids
//! derive one from the whole row, so that a row that occurs twice is a duplicate.

mod canonical_csv;
mod decimal;
mod error;
mod format;
mod hints;
mod interactions;
mod jsonl;
mod names;
mod online_retail;
mod online_shoppers;
mod rees46;
mod rows;
mod scan;
mod session_clicks;
pub(crate) mod source;
pub(crate) mod times;

use std::path::Path;

use feature_store::Event;

pub use error::{BadLine, ReadError};
pub use format::Format;
pub use hints::{ItemHint, ItemHints};
pub use online_shoppers::{Pages, ShopperSession, online_shoppers};
pub use scan::{Scan, scan};

use source::{Meter, Source};

/// One good line.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// Counted from 1; where the record starts, when it spans several.
    pub line: u64,
    pub event: Event,
    /// What the line says about the item, when the format says anything.
    pub item: Option<ItemHint>,
}

/// What each format's file implements: the next record, good or bad, or the end.
trait Lines: Send {
    fn next_line(&mut self) -> Option<Result<Parsed, BadLine>>;

    /// Why reading stopped before the end of the file.
    fn failure(&mut self) -> Option<std::io::Error>;
}

/// Reads one file, line by line.
pub struct EventReader {
    path: std::path::PathBuf,
    lines: Box<dyn Lines>,
    meter: Meter,
}

impl std::fmt::Debug for EventReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventReader")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Opens a file; checks that it is not empty and has the columns of its format.
pub fn open(path: &Path, format: Format) -> Result<EventReader, ReadError> {
    let source = Source::open(path)?;
    let meter = source.meter();
    let lines: Box<dyn Lines> = match format {
        Format::Jsonl => Box::new(jsonl::Reader::new(source)),
        Format::Csv => Box::new(canonical_csv::Reader::new(source)?),
        Format::Interactions => Box::new(interactions::Reader::new(source)?),
        Format::Rees46 => Box::new(rees46::Reader::new(source)?),
        Format::OnlineRetail => Box::new(online_retail::Reader::new(source)?),
        Format::SessionClicks => Box::new(session_clicks::Reader::new(source)?),
    };
    Ok(EventReader {
        path: path.to_owned(),
        lines,
        meter,
    })
}

impl EventReader {
    /// Bytes of the file (compressed, if it is) read so far.
    pub fn bytes_read(&self) -> u64 {
        self.meter.read()
    }

    pub fn total_bytes(&self) -> u64 {
        self.meter.total()
    }

    /// Asked after the end: why reading stopped early, such as a damaged zstd frame.
    pub fn failure(&mut self) -> Option<ReadError> {
        let source = self.lines.failure()?;
        Some(ReadError::Broken {
            path: self.path.clone(),
            source,
        })
    }
}

impl Iterator for EventReader {
    type Item = Result<Parsed, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        self.lines.next_line()
    }
}
