//! The base, part by part.

use super::{decode_kind, same_length, unless_default};
use crate::Text;
use crate::event::EventKind;
use crate::state::affinity::{Affinity, DayWeight, Interest, Interests, Key};
use crate::state::base::Base;
use crate::state::cart::Line;
use crate::state::codec::symbols::{Symbols, Texts};
use crate::state::history::{History, Interaction};
use crate::state::tiles::{Counts, Tile, Tiles};
use crate::state::{DecodeError, wire};
use crate::time::Millis;
use crate::view::{AddIntervals, LastTimes, MessageRecord, OrderGaps, Session};

/// Every text of the base.
pub(super) fn texts(base: &Base) -> impl Iterator<Item = &Text> {
    let interests = &base.interests;
    let (categories, brands) = (interests.categories.keys(), interests.brands.keys());
    let lines = base.cart.lines.iter().flat_map(Line::texts);
    let takes = base.cart.takes.iter().map(|take| &take.item);
    let recent = base.history.recent.iter().map(|known| &known.item);
    categories
        .chain(brands)
        .chain(lines)
        .chain(takes)
        .chain(recent)
}

pub(super) fn encode_tiles(tiles: &Tiles) -> Option<wire::Tiles> {
    unless_default(wire::Tiles {
        hours: tiles.hours.iter().map(encode_tile).collect(),
        days: tiles.days.iter().map(encode_tile).collect(),
    })
}

fn encode_tile(tile: &Tile) -> wire::Tile {
    let used = tile
        .counts
        .iter()
        .rposition(|count| *count > 0)
        .map_or(0, |last| last + 1);
    wire::Tile {
        index: tile.index,
        counts: tile.counts.iter().take(used).copied().collect(),
        spent_minor: tile.spent_minor,
    }
}

pub(super) fn decode_tiles(wire: wire::Tiles) -> Result<Tiles, DecodeError> {
    Ok(Tiles {
        hours: decode_tile_list(wire.hours)?,
        days: decode_tile_list(wire.days)?,
    })
}

fn decode_tile_list(wire: Vec<wire::Tile>) -> Result<Vec<Tile>, DecodeError> {
    let tiles: Vec<Tile> = wire
        .into_iter()
        .map(decode_tile)
        .collect::<Result<_, _>>()?;
    if tiles.is_sorted_by(|a, b| a.index < b.index) {
        return Ok(tiles);
    }
    Err(DecodeError::Corrupt("tiles are not sorted"))
}

fn decode_tile(wire: wire::Tile) -> Result<Tile, DecodeError> {
    let mut counts = Counts::default();
    if wire.counts.len() > counts.len() {
        return Err(DecodeError::Corrupt("a tile counts an unknown event kind"));
    }
    for (cell, count) in counts.iter_mut().zip(wire.counts) {
        *cell = count;
    }
    Ok(Tile {
        index: wire.index,
        counts,
        spent_minor: wire.spent_minor,
    })
}

pub(super) fn encode_interests(
    interests: &Interests,
    symbols: &Symbols<'_>,
) -> Option<wire::Interests> {
    unless_default(wire::Interests {
        categories: encode_affinity(&interests.categories, |key| symbols.number(key)),
        brands: encode_affinity(&interests.brands, |key| symbols.number(key)),
        bands: encode_affinity(&interests.bands, |key| u32::from(*key)),
        newest_at: interests.newest_at.map(|at| at.0),
    })
}

fn encode_affinity<K: Key>(
    affinity: &Affinity<K>,
    number: impl Fn(&K) -> u32,
) -> Vec<wire::Interest> {
    let encode = |entry: &Interest<K>| wire::Interest {
        key: number(&entry.key),
        days: steps(entry.days.iter().map(|tile| tile.day)),
        weights: entry.days.iter().map(|tile| tile.weight).collect(),
    };
    affinity.sorted().into_iter().map(encode).collect()
}

pub(super) fn decode_interests(
    wire: wire::Interests,
    texts: &Texts,
) -> Result<Interests, DecodeError> {
    let band = |number: u32| {
        u8::try_from(number).map_err(|_| DecodeError::Corrupt("a price band is too large"))
    };
    Ok(Interests {
        categories: decode_affinity(wire.categories, |number| texts.get(number))?,
        brands: decode_affinity(wire.brands, |number| texts.get(number))?,
        bands: decode_affinity(wire.bands, band)?,
        newest_at: wire.newest_at.map(Millis),
    })
}

fn decode_affinity<K: Key>(
    wire: Vec<wire::Interest>,
    key: impl Fn(u32) -> Result<K, DecodeError>,
) -> Result<Affinity<K>, DecodeError> {
    let decode = |entry: wire::Interest| {
        same_length(&[entry.days.len(), entry.weights.len()])?;
        let days = sums(&entry.days)?.into_iter().zip(entry.weights);
        let days = days
            .map(|(day, weight)| DayWeight { day, weight })
            .collect();
        Ok(Interest {
            key: key(entry.key)?,
            days,
        })
    };
    let entries = wire
        .into_iter()
        .map(decode)
        .collect::<Result<_, DecodeError>>()?;
    Affinity::from_sorted(entries).ok_or(DecodeError::Corrupt("interests are not sorted"))
}

pub(super) fn encode_history(history: &History, symbols: &Symbols<'_>) -> Option<wire::History> {
    let last_time = |kind| history.last_times.get(kind).map_or(0, |at| at.0);
    let seen = EventKind::ALL
        .iter()
        .rposition(|kind| last_time(*kind) != 0);
    let kinds_seen = EventKind::ALL
        .into_iter()
        .take(seen.map_or(0, |last| last + 1));
    let (recent, messages) = (&history.recent, &history.messages);
    unless_default(wire::History {
        first_seen_at: history.first_seen_at.map(|at| at.0),
        last_active_at: history.last_active_at.map(|at| at.0),
        last_times: kinds_seen.map(last_time).collect(),
        recent_times: steps(recent.iter().map(|known| known.at.0)),
        recent_kinds: recent.iter().map(|known| known.kind.code()).collect(),
        recent_items: recent
            .iter()
            .map(|known| symbols.number(&known.item))
            .collect(),
        message_times: steps(messages.iter().map(|message| message.at.0)),
        message_kinds: messages.iter().map(|message| message.kind.code()).collect(),
        intervals: encode_intervals(&history.intervals),
        session: encode_session(&history.session),
        devices: history.devices.clone(),
        carted_units: history.carted_units,
        bought_units: history.bought_units,
        bought_minor: history.bought_minor,
        order_gaps: history.order_gaps.count,
        order_gaps_ms: history.order_gaps.sum_ms,
    })
}

pub(super) fn decode_history(wire: wire::History, texts: &Texts) -> Result<History, DecodeError> {
    let mut last_times = LastTimes::default();
    for (kind, at) in EventKind::ALL.into_iter().zip(&wire.last_times) {
        if *at != 0 {
            last_times.set(kind, Millis(*at));
        }
    }
    Ok(History {
        first_seen_at: wire.first_seen_at.map(Millis),
        last_active_at: wire.last_active_at.map(Millis),
        last_times,
        recent: decode_recent(&wire, texts)?,
        messages: decode_messages(&wire)?,
        intervals: decode_intervals(&wire.intervals.unwrap_or_default()),
        session: decode_session(&wire.session.unwrap_or_default()),
        devices: wire.devices,
        carted_units: wire.carted_units,
        bought_units: wire.bought_units,
        bought_minor: wire.bought_minor,
        order_gaps: OrderGaps {
            count: wire.order_gaps,
            sum_ms: wire.order_gaps_ms,
        },
    })
}

fn decode_recent(wire: &wire::History, texts: &Texts) -> Result<Vec<Interaction>, DecodeError> {
    let (times, kinds) = (&wire.recent_times, &wire.recent_kinds);
    same_length(&[times.len(), kinds.len(), wire.recent_items.len()])?;
    let rows = sums(times)?.into_iter().zip(kinds).zip(&wire.recent_items);
    let decode = |((at, kind), item): ((i64, &u8), &u32)| {
        Ok(Interaction {
            item: texts.get(*item)?,
            kind: decode_kind(*kind)?,
            at: Millis(at),
        })
    };
    rows.map(decode).collect()
}

fn decode_messages(wire: &wire::History) -> Result<Vec<MessageRecord>, DecodeError> {
    same_length(&[wire.message_times.len(), wire.message_kinds.len()])?;
    let rows = sums(&wire.message_times)?
        .into_iter()
        .zip(&wire.message_kinds);
    let decode = |(at, kind): (i64, &u8)| {
        Ok(MessageRecord {
            kind: decode_kind(*kind)?,
            at: Millis(at),
        })
    };
    rows.map(decode).collect()
}

fn encode_intervals(intervals: &AddIntervals) -> Option<wire::Intervals> {
    unless_default(wire::Intervals {
        count: intervals.count,
        sum_ms: intervals.sum_ms,
        min_ms: intervals.min_ms,
        max_ms: intervals.max_ms,
        last_ms: intervals.last_ms,
        last_at: intervals.last_at.map(|at| at.0),
    })
}

fn decode_intervals(wire: &wire::Intervals) -> AddIntervals {
    AddIntervals {
        count: wire.count,
        sum_ms: wire.sum_ms,
        min_ms: wire.min_ms,
        max_ms: wire.max_ms,
        last_ms: wire.last_ms,
        last_at: wire.last_at.map(Millis),
    }
}

fn encode_session(session: &Session) -> Option<wire::Session> {
    unless_default(wire::Session {
        started_at: session.started_at.map(|at| at.0),
        events: session.events,
        views: session.views,
        visits: session.visits,
    })
}

fn decode_session(wire: &wire::Session) -> Session {
    Session {
        started_at: wire.started_at.map(Millis),
        events: wire.events,
        views: wire.views,
        visits: wire.visits,
    }
}

/// Differences to the value before; the first one to 0.
pub(super) fn steps(values: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut before = 0_i64;
    let step = |value: i64| {
        let step = value.wrapping_sub(before);
        before = value;
        step
    };
    values.map(step).collect()
}

pub(super) fn sums(steps: &[i64]) -> Result<Vec<i64>, DecodeError> {
    let mut sum = 0_i64;
    let mut add = |step: &i64| {
        sum = sum
            .checked_add(*step)
            .ok_or(DecodeError::Corrupt("a time is out of range"))?;
        Ok(sum)
    };
    steps.iter().map(&mut add).collect()
}
