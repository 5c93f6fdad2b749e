//! Stored counters: what happened to all items of one partition in one hour or day.
//!
//! Recent hours have a tile each. Once all of a day's hours have left the 24 h window they are
//! folded into one tile for the day, and an event that comes later still goes there. So an event
//! lies in exactly one tile.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use super::tally::{Counts, Tally, first_day, first_hour};
use crate::Millis;
use crate::store::{Error, Key, Kind, Partition};

/// The stretch of time that a tile covers, by its number since the epoch.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum TileId {
    Hour(i64),
    Day(i64),
}

impl TileId {
    /// The tile for an event of this time; `None` if it lies before every window.
    pub(crate) fn of(occurred_at: Millis, as_of: Millis) -> Option<Self> {
        let day = occurred_at.day();
        if day < first_day(as_of) {
            None
        } else if Self::is_folded(day, as_of) {
            Some(Self::Day(day))
        } else {
            Some(Self::Hour(occurred_at.hour()))
        }
    }

    /// Whether all hours of this day have left the 24 h window.
    fn is_folded(day: i64, as_of: Millis) -> bool {
        day < first_hour(as_of).div_euclid(24)
    }

    pub(crate) fn key(self, partition: Partition) -> Key {
        let id = match self {
            Self::Hour(number) => format!("h{number}"),
            Self::Day(number) => format!("d{number}"),
        };
        Key::new(partition, Kind::ItemTiles, id)
    }

    /// `None` for an id that no version of this program wrote.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        match id.split_at_checked(1)? {
            ("h", number) => Some(Self::Hour(number.parse().ok()?)),
            ("d", number) => Some(Self::Day(number.parse().ok()?)),
            _ => None,
        }
    }

    /// What tidying does with this tile at `as_of`.
    pub(crate) fn fate(self, as_of: Millis) -> Fate {
        let day = match self {
            Self::Hour(hour) => hour.div_euclid(24),
            Self::Day(day) => day,
        };
        if day < first_day(as_of) {
            return Fate::Drop;
        }
        match self {
            Self::Hour(_) if Self::is_folded(day, as_of) => Fate::FoldInto(Self::Day(day)),
            Self::Hour(_) | Self::Day(_) => Fate::Keep,
        }
    }
}

/// What becomes of a tile as time goes on.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Keep,
    FoldInto(TileId),
    Drop,
}

/// Counts per item, sorted by item so that equal counts are equal bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tile(BTreeMap<String, Counts>);

#[derive(Clone, PartialEq, Message)]
struct TileRecord {
    #[prost(message, repeated, tag = "1")]
    items: Vec<CountRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct CountRecord {
    #[prost(string, tag = "1")]
    item_id: String,
    #[prost(uint64, tag = "2")]
    views: u64,
    #[prost(uint64, tag = "3")]
    carts: u64,
    #[prost(uint64, tag = "4")]
    purchases: u64,
}

impl Tile {
    pub(crate) fn add(&mut self, item_id: &str, counts: Counts) {
        if let Some(known) = self.0.get_mut(item_id) {
            known.add(counts);
        } else {
            self.0.insert(item_id.to_owned(), counts);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (item_id, counts) in &other.0 {
            self.add(item_id, *counts);
        }
    }

    /// Adds the tile to the counts kept in memory.
    pub(crate) fn add_to(&self, id: TileId, tally: &mut Tally) {
        for (item_id, counts) in &self.0 {
            match id {
                TileId::Hour(hour) => tally.add_hour(hour, item_id, *counts),
                TileId::Day(day) => tally.add_day(day, item_id, *counts),
            }
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let items = self.0.iter().map(|(item_id, counts)| CountRecord {
            item_id: item_id.clone(),
            views: counts.views,
            carts: counts.carts,
            purchases: counts.purchases,
        });
        let record = TileRecord {
            items: items.collect(),
        };
        record.encode_to_vec().into()
    }

    pub(crate) fn decode(key: &Key, bytes: &[u8]) -> Result<Self, Error> {
        let record = TileRecord::decode(bytes).map_err(|error| Error::corrupt(key, error))?;
        let mut tile = Self::default();
        for item in record.items {
            let counts = Counts {
                views: item.views,
                carts: item.carts,
                purchases: item.purchases,
            };
            tile.add(&item.item_id, counts);
        }
        Ok(tile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 20_000;

    fn at(day: i64, hour: i64) -> Millis {
        Millis((day * 24 + hour) * Millis::HOUR)
    }

    #[test]
    fn a_day_is_folded_when_its_last_hour_left_the_window() {
        let last_hour = at(DAY, 23);
        assert_eq!(
            TileId::of(last_hour, at(DAY + 1, 22)),
            Some(TileId::Hour(DAY * 24 + 23))
        );
        assert_eq!(
            TileId::of(last_hour, at(DAY + 1, 23)),
            Some(TileId::Day(DAY))
        );
        assert_eq!(
            TileId::of(last_hour, at(DAY + 29, 0)),
            Some(TileId::Day(DAY))
        );
        assert_eq!(TileId::of(last_hour, at(DAY + 30, 0)), None);
    }

    #[test]
    fn tidying_agrees_with_where_late_events_go() {
        for hours in 0..40 * 24 {
            let as_of = at(DAY, hours);
            for hour in (0..24).map(|hour| DAY * 24 + hour) {
                let event = TileId::of(Millis(hour * Millis::HOUR), as_of);
                let expected = match TileId::Hour(hour).fate(as_of) {
                    Fate::Keep => Some(TileId::Hour(hour)),
                    Fate::FoldInto(day) => Some(day),
                    Fate::Drop => None,
                };
                assert_eq!(event, expected, "hour {hour} as of {hours} h");
            }
        }
    }

    #[test]
    fn ids_and_counts_survive_their_bytes() {
        let partition = Partition::of("x");
        for id in [TileId::Hour(471_000), TileId::Day(19_000), TileId::Hour(-1)] {
            assert_eq!(TileId::parse(&id.key(partition).id), Some(id));
        }
        assert_eq!(TileId::parse("x1"), None);
        assert_eq!(TileId::parse(""), None);
        let mut tile = Tile::default();
        tile.add(
            "b",
            Counts {
                views: 1,
                carts: 2,
                purchases: 3,
            },
        );
        tile.add(
            "a",
            Counts {
                views: 4,
                ..Counts::default()
            },
        );
        tile.add(
            "b",
            Counts {
                views: 1,
                ..Counts::default()
            },
        );
        let key = TileId::Day(1).key(partition);
        assert_eq!(Tile::decode(&key, &tile.encode()), Ok(tile));
    }
}
