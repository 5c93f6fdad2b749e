//! Reads a whole file into memory.

use std::path::Path;

use feature_store::{Event, Item};

use super::error::{BadLine, ReadError};
use super::format::Format;
use super::hints::ItemHints;
use super::{EventReader, open};

/// Progress is told once in so many lines.
const TELL_EVERY: usize = 10_000;

/// All of a file: its events in the order of the file, its items, and its bad lines.
#[derive(Debug)]
pub struct Scan {
    pub events: Vec<Event>,
    pub items: Vec<Item>,
    pub bad: Vec<BadLine>,
}

/// Reads everything, telling `progress` (bytes read, bytes in all) from time to time and at the end.
pub fn scan(
    path: &Path,
    format: Format,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Scan, ReadError> {
    let mut reader = open(path, format)?;
    let mut events = Vec::new();
    let mut hints = ItemHints::default();
    let mut bad = Vec::new();
    while let Some(line) = reader.next() {
        match line {
            Ok(parsed) => {
                if let Some(hint) = &parsed.item {
                    hints.observe(hint, parsed.event.occurred_at);
                }
                events.push(parsed.event);
            }
            Err(problem) => bad.push(problem),
        }
        if (events.len() + bad.len()).is_multiple_of(TELL_EVERY) {
            tell(&reader, progress);
        }
    }
    tell(&reader, progress);
    match reader.failure() {
        Some(problem) => Err(problem),
        None => Ok(Scan {
            events,
            items: hints.into_items(),
            bad,
        }),
    }
}

fn tell(reader: &EventReader, progress: &mut dyn FnMut(u64, u64)) {
    progress(reader.bytes_read(), reader.total_bytes());
}
