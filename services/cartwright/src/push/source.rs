//! Lines to push: of a file, or of memory.

use feature_store::Event;
use trainer::readers::{BadLine, Parsed};

use crate::reading::Lines;

/// Lines to push.
pub(crate) trait Source: Iterator<Item = Result<Parsed, BadLine>> + Send + 'static {
    /// Asked after the last line: whether that was all.
    fn end(&mut self) -> anyhow::Result<()>;
}

impl Source for Lines {
    fn end(&mut self) -> anyhow::Result<()> {
        Self::end(self)
    }
}

/// Events in memory as lines, numbered from 1.
#[derive(Debug)]
pub(crate) struct InMemory(std::iter::Enumerate<std::vec::IntoIter<Event>>);

impl InMemory {
    pub(crate) fn new(events: Vec<Event>) -> Self {
        Self(events.into_iter().enumerate())
    }
}

impl Iterator for InMemory {
    type Item = Result<Parsed, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        let (before, event) = self.0.next()?;
        let line = u64::try_from(before).map_or(u64::MAX, |before| before + 1);
        Some(Ok(Parsed {
            line,
            event,
            item: None,
        }))
    }
}

impl Source for InMemory {
    fn end(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}
