//! Opening rows: the keys of many at once.

use std::collections::HashMap;

use bytes::Bytes;

use super::{KeyId, RowKey, Sealed, key_id, parts};
use crate::store::{Error, Key, Store};

/// Keys that a reader remembers before it begins anew.
const MOST_KNOWN: usize = 200_000;

/// What became of opening a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Opened {
    Row(Bytes),
    /// Its key was destroyed.
    Erased,
}

impl Opened {
    pub(crate) fn row(self) -> Option<Bytes> {
        match self {
            Self::Row(row) => Some(row),
            Self::Erased => None,
        }
    }
}

/// Opens rows. It asks for the keys of many rows at once and remembers them: it is to live no longer
/// than one reading, lest a key outlives its erasure in it.
#[derive(Debug, Default)]
pub(crate) struct Opener {
    known: HashMap<KeyId, Option<RowKey>>,
}

impl Opener {
    /// One that knows these keys already.
    pub(crate) fn knowing<'a>(keys: impl IntoIterator<Item = &'a RowKey>) -> Self {
        let known = keys.into_iter().map(|key| (key.id, Some(key.clone())));
        Self {
            known: known.collect(),
        }
    }

    /// Asks for the keys of these rows that are not known yet. At most one round trip.
    pub(crate) async fn learn<'a>(
        &mut self,
        store: &dyn Store,
        rows: impl IntoIterator<Item = &'a Bytes> + Send,
    ) -> Result<(), Error> {
        if self.known.len() > MOST_KNOWN {
            self.known.clear();
        }
        let rows = rows.into_iter().filter_map(|row| key_id(row));
        let mut ids: Vec<KeyId> = rows.filter(|id| !self.known.contains_key(id)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| id.key().is_some());
        if ids.is_empty() {
            return Ok(());
        }
        let keys: Vec<Key> = ids.iter().filter_map(|id| id.key()).collect();
        for (id, found) in ids.iter().zip(store.get_many(&keys).await?) {
            let key = found.map(|found| {
                let key = RowKey::from_parts(&id.0, &found.value);
                key.ok_or_else(|| Error::corrupt(id, "it is no key"))
            });
            self.known.insert(*id, key.transpose()?);
        }
        Ok(())
    }

    /// A key that was learnt and is not destroyed.
    pub(crate) fn key(&self, id: KeyId) -> Option<&RowKey> {
        self.known.get(&id)?.as_ref()
    }

    /// Opens a row whose key was learnt. One in the clear is given back as it is.
    pub(crate) fn open(&self, what: Sealed, row: &Bytes) -> Result<Opened, Error> {
        let Some(parts) = parts(row)? else {
            return Ok(Opened::Row(row.clone()));
        };
        match self.known.get(&parts.id) {
            Some(Some(key)) => Ok(Opened::Row(key.open(what, &parts)?)),
            Some(None) | None => Ok(Opened::Erased),
        }
    }
}
