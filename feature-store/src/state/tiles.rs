//! Tiles: counts of folded events per hour and per day, from which the long windows are summed.

use crate::event::EventKind;
use crate::state::tail::TailEvent;
use crate::time::Millis;
use crate::view::{Window, WindowCounts};

/// A 24 h window that ends at the newest event lies in the tail; hour tiles serve windows that end
/// earlier, up to this far before the horizon.
const HOURS_KEPT: i64 = 25;
/// One day more than the longest window.
const DAYS_KEPT: i64 = 31;

/// Counts per kind, by [`EventKind::code`] less one.
pub(crate) type Counts = [u32; EventKind::ALL.len()];

/// What happened in one hour or day since the epoch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tile {
    pub(crate) index: i64,
    pub(crate) counts: Counts,
    /// Spent in minor units; kept in day tiles only.
    pub(crate) spent_minor: i64,
}

/// Both widths of tiles, each sorted by index.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tiles {
    pub(crate) hours: Vec<Tile>,
    pub(crate) days: Vec<Tile>,
}

impl Tiles {
    /// Events come in order, so a new tile is always the last one.
    pub(crate) fn fold(&mut self, event: &TailEvent) {
        count(&mut self.hours, event.at.hour(), event.kind, 0);
        let spent = if event.kind == EventKind::Purchase {
            event.value_minor()
        } else {
            0
        };
        count(&mut self.days, event.at.day(), event.kind, spent);
    }

    /// Drops the tiles that no window can reach any more.
    pub(crate) fn prune(&mut self, horizon: Millis) {
        drop_before(&mut self.hours, horizon.hour().saturating_sub(HOURS_KEPT));
        drop_before(&mut self.days, horizon.day().saturating_sub(DAYS_KEPT));
    }

    /// Counts of the folded events per window. A tile counts whole when any moment of it is in the
    /// window, which is the error of one tile. The two short windows have no folded events.
    pub(crate) fn count_into(&self, now: Millis, counts: &mut WindowCounts) {
        add_tiles(&self.hours, Millis::HOUR, Window::Hours24, now, counts);
        add_tiles(&self.days, Millis::DAY, Window::Days7, now, counts);
        add_tiles(&self.days, Millis::DAY, Window::Days30, now, counts);
    }

    pub(crate) fn spent_minor(&self, window: Window, now: Millis) -> i64 {
        let inside = self
            .days
            .iter()
            .filter(|tile| tile.touches(Millis::DAY, window, now));
        inside
            .map(|tile| tile.spent_minor)
            .fold(0, i64::saturating_add)
    }
}

impl Tile {
    fn touches(&self, width: i64, window: Window, now: Millis) -> bool {
        let start = self.index.saturating_mul(width);
        let last = start.saturating_add(width - 1);
        start <= now.0 && Millis(last) > now.saturating_sub(window.width())
    }
}

fn count(tiles: &mut Vec<Tile>, index: i64, kind: EventKind, spent_minor: i64) {
    if tiles.last().is_none_or(|tile| tile.index < index) {
        tiles.push(Tile {
            index,
            ..Tile::default()
        });
    }
    let Some(tile) = tiles.last_mut() else { return };
    if let Some(cell) = tile.counts.get_mut(kind.index()) {
        *cell = cell.saturating_add(1);
    }
    tile.spent_minor = tile.spent_minor.saturating_add(spent_minor);
}

fn drop_before(tiles: &mut Vec<Tile>, index: i64) {
    let gone = tiles.partition_point(|tile| tile.index < index);
    tiles.drain(..gone);
}

fn add_tiles(tiles: &[Tile], width: i64, window: Window, now: Millis, counts: &mut WindowCounts) {
    for tile in tiles.iter().filter(|tile| tile.touches(width, window, now)) {
        for (kind, count) in EventKind::ALL.into_iter().zip(tile.counts) {
            counts.add(kind, window, count);
        }
    }
}

/// Counts an event of the tail, whose time is known exactly.
pub(crate) fn count_exactly(event: &TailEvent, now: Millis, counts: &mut WindowCounts) {
    for window in Window::ALL {
        if in_window(event.at, window, now) {
            counts.add(event.kind, window, 1);
        }
    }
}

/// A window ends at `now`, which is in it, and begins after `now` less its width.
pub(crate) fn in_window(at: Millis, window: Window, now: Millis) -> bool {
    at <= now && at > now.saturating_sub(window.width())
}
