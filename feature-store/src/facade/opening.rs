//! Opening what is sealed, on its way out of the store.

use bytes::Bytes;

use super::FeatureStore;
use crate::seal::{Opened, Opener, Sealed};
use crate::store::{Error, Key, Log, LogEntry, Versioned};

impl FeatureStore {
    /// Opens values with the keys that are known and with those that the store has. At most one
    /// round trip more.
    pub(super) async fn open_values(
        &self,
        mut opener: Opener,
        keys: &[Key],
        values: Vec<Option<Versioned>>,
    ) -> Result<Vec<Option<(u64, Opened)>>, Error> {
        let sealed = values.iter().flatten().map(|stored| &stored.value);
        opener.learn(self.store().as_ref(), sealed).await?;
        let opened = keys.iter().zip(values).map(|(key, stored)| {
            let Some(Versioned { version, value }) = stored else {
                return Ok(None);
            };
            let opened = match Sealed::of_kind(key.kind) {
                Some(what) => opener.open(what, &value)?,
                None => Opened::Row(value),
            };
            Ok(Some((version, opened)))
        });
        opened.collect()
    }

    /// Opens the entries of a log; those whose key was destroyed are left out, and counted. One that
    /// is damaged stays as it is, for whoever reads it to tell.
    pub(super) fn open_entries(
        opener: &Opener,
        log: Log,
        entries: Vec<LogEntry>,
    ) -> (Vec<LogEntry>, u64) {
        let Some(what) = Sealed::of_log(log) else {
            return (entries, 0);
        };
        let (mut open, mut erased) = (Vec::with_capacity(entries.len()), 0);
        for LogEntry { sequence, value } in entries {
            match opener.open(what, &value) {
                Ok(Opened::Row(value)) => open.push(LogEntry { sequence, value }),
                Ok(Opened::Erased) => erased += 1,
                Err(_) => open.push(LogEntry { sequence, value }),
            }
        }
        (open, erased)
    }
}

/// Values that were opened, without those whose key was destroyed.
pub(super) fn readable(opened: Vec<Option<(u64, Opened)>>) -> Vec<Option<Versioned>> {
    let readable = |(version, opened): (u64, Opened)| {
        let value: Bytes = opened.row()?;
        Some(Versioned { version, value })
    };
    opened
        .into_iter()
        .map(|one| one.and_then(readable))
        .collect()
}
