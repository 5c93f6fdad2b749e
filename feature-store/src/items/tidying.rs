//! Folding and dropping stored tiles as time goes on.

use std::collections::BTreeMap;

use super::progress::{Progress, put_offset};
use super::tally::first_hour;
use super::tiles::{Fate, Tile, TileId};
use crate::Millis;
use crate::store::{Commit, CommitOutcome, Error, Key, Kind, Op, Partition, Store, Versioned};

impl Progress {
    /// Folds the hours of days gone by, and drops what lies before every window. Once a day.
    pub(super) async fn tidy(&mut self, store: &dyn Store, as_of: Millis) -> Result<(), Error> {
        let today = first_hour(as_of).div_euclid(24);
        if self.tidied.is_some_and(|day| day >= today) {
            return Ok(());
        }
        let (sources, mut folded) = read_tiles(store, self.partition, as_of).await?;
        let mut ops = vec![put_offset(self.partition, self.version, self.stored)];
        for (key, id, source) in &sources {
            if let Fate::FoldInto(day) = id.fate(as_of)
                && let Some((_, _, tile)) = folded.get_mut(&day)
            {
                tile.merge(&Tile::decode(key, &source.value)?);
            }
            ops.push(Op::Delete {
                key: key.clone(),
                expected: source.version,
            });
        }
        ops.extend(folded.into_values().map(|(key, expected, tile)| Op::Put {
            key,
            expected,
            value: tile.encode(),
        }));
        if !sources.is_empty() {
            let commit = Commit {
                partition: self.partition,
                ops,
            };
            for outcome in store.commit(vec![commit]).await? {
                self.settle(store, &outcome, self.stored).await?;
                if outcome != CommitOutcome::Done {
                    return Ok(());
                }
            }
        }
        self.tidied = Some(today);
        Ok(())
    }
}

type Sources = Vec<(Key, TileId, Versioned)>;
type Folded = BTreeMap<TileId, (Key, u64, Tile)>;

/// The tiles that are to go, and the days that the hours among them are to be folded into.
async fn read_tiles(
    store: &dyn Store,
    partition: Partition,
    as_of: Millis,
) -> Result<(Sources, Folded), Error> {
    let ids = store.list(partition, Kind::ItemTiles).await?;
    let old = ids.iter().filter_map(|id| TileId::parse(id));
    let old: Vec<_> = old.filter(|id| id.fate(as_of) != Fate::Keep).collect();
    let keys: Vec<_> = old.iter().map(|id| id.key(partition)).collect();
    let values = store.get_many(&keys).await?;
    let sources = keys.into_iter().zip(&old).zip(values);
    let sources = sources
        .filter_map(|((key, id), value)| Some((key, *id, value?)))
        .collect();
    let mut days: Vec<_> = old
        .iter()
        .filter_map(|id| match id.fate(as_of) {
            Fate::FoldInto(day) => Some(day),
            Fate::Keep | Fate::Drop => None,
        })
        .collect();
    days.dedup();
    let keys: Vec<_> = days.iter().map(|day| day.key(partition)).collect();
    let values = store.get_many(&keys).await?;
    let mut folded = BTreeMap::new();
    for ((day, key), value) in days.into_iter().zip(keys).zip(values) {
        let tile = value
            .as_ref()
            .map(|value| Tile::decode(&key, &value.value))
            .transpose()?;
        let expected = value.map_or(0, |value| value.version);
        folded.insert(day, (key, expected, tile.unwrap_or_default()));
    }
    Ok((sources, folded))
}
