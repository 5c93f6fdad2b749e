//! Counts of all items over the last 24 hours and 30 days, kept in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use super::ItemStats;
use crate::{EventKind, Millis};

const HOURS: i64 = 24;
const DAYS: i64 = 30;

type PerItem<T> = HashMap<Arc<str>, T, Xxh3DefaultBuilder>;

/// Events of one item in one stretch of time.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) views: u64,
    pub(crate) carts: u64,
    pub(crate) purchases: u64,
}

impl Counts {
    /// One event; `None` for the kinds that say nothing of an item's success.
    pub(crate) fn of(kind: EventKind) -> Option<Self> {
        let none = Self::default();
        match kind {
            EventKind::View => Some(Self { views: 1, ..none }),
            EventKind::AddToCart => Some(Self { carts: 1, ..none }),
            EventKind::Purchase => Some(Self {
                purchases: 1,
                ..none
            }),
            EventKind::RemoveFromCart
            | EventKind::CheckoutStart
            | EventKind::MessageSent
            | EventKind::MessageDelivered
            | EventKind::MessageOpened
            | EventKind::MessageClicked
            | EventKind::MessageUnsubscribed => None,
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.views = self.views.saturating_add(other.views);
        self.carts = self.carts.saturating_add(other.carts);
        self.purchases = self.purchases.saturating_add(other.purchases);
    }

    fn subtract(&mut self, other: Self) {
        self.views = self.views.saturating_sub(other.views);
        self.carts = self.carts.saturating_sub(other.carts);
        self.purchases = self.purchases.saturating_sub(other.purchases);
    }
}

/// Number of the first hour inside the 24 h window at `as_of`.
pub(crate) fn first_hour(as_of: Millis) -> i64 {
    as_of.hour() - HOURS + 1
}

/// Number of the first day inside the 30 d window at `as_of`.
pub(crate) fn first_day(as_of: Millis) -> i64 {
    as_of.day() - DAYS + 1
}

#[derive(Copy, Clone, Default)]
struct Windows {
    day: Counts,
    month: Counts,
}

/// Item statistics as [`ItemStats`] defines them, from events in any order.
///
/// Serving and replay both count with it, so that they agree.
#[derive(Default)]
pub struct Tally {
    as_of: Millis,
    hours: BTreeMap<i64, PerItem<Counts>>,
    days: BTreeMap<i64, PerItem<Counts>>,
    totals: PerItem<Windows>,
    touched: BTreeSet<Arc<str>>,
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tally")
            .field("as_of", &self.as_of)
            .field("items", &self.totals.len())
            .finish_non_exhaustive()
    }
}

impl Tally {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one accepted event; one that lies before the windows changes nothing.
    pub fn count(&mut self, item_id: &str, kind: EventKind, occurred_at: Millis) {
        if let Some(counts) = Counts::of(kind)
            && !item_id.is_empty()
        {
            self.add_hour(occurred_at.hour(), item_id, counts);
        }
    }

    /// Adds what happened to an item in one hour, which also belongs to its day.
    pub(crate) fn add_hour(&mut self, hour: i64, item_id: &str, counts: Counts) {
        if hour >= first_hour(self.as_of) {
            let id = self.id(item_id);
            add(self.hours.entry(hour).or_default(), &id, counts);
            self.totals.entry(id).or_default().day.add(counts);
        }
        self.add_day(hour.div_euclid(HOURS), item_id, counts);
    }

    /// Adds what happened to an item in one day, but not in any hour still counted.
    pub(crate) fn add_day(&mut self, day: i64, item_id: &str, counts: Counts) {
        if day >= first_day(self.as_of) {
            let id = self.id(item_id);
            add(self.days.entry(day).or_default(), &id, counts);
            self.totals.entry(id).or_default().month.add(counts);
        }
    }

    /// Moves the windows on to `as_of`; an earlier one changes nothing.
    pub fn advance(&mut self, as_of: Millis) {
        self.as_of = self.as_of.max(as_of);
        let kept = self.hours.split_off(&first_hour(self.as_of));
        for (id, counts) in std::mem::replace(&mut self.hours, kept)
            .into_values()
            .flatten()
        {
            if let Some(windows) = self.totals.get_mut(&id) {
                windows.day.subtract(counts);
            }
            self.touched.insert(id);
        }
        let kept = self.days.split_off(&first_day(self.as_of));
        for (id, counts) in std::mem::replace(&mut self.days, kept)
            .into_values()
            .flatten()
        {
            if let Some(windows) = self.totals.get_mut(&id) {
                windows.month.subtract(counts);
            }
            self.touched.insert(id);
        }
    }

    /// The minute up to which the windows reach.
    pub fn as_of(&self) -> Millis {
        self.as_of
    }

    /// The statistics of an item; all 0 for one never seen.
    pub fn stats(&self, item_id: &str) -> ItemStats {
        let windows = self.totals.get(item_id).copied().unwrap_or_default();
        ItemStats {
            views_24h: windows.day.views,
            carts_24h: windows.day.carts,
            purchases_24h: windows.day.purchases,
            views_30d: windows.month.views,
            carts_30d: windows.month.carts,
            purchases_30d: windows.month.purchases,
            as_of: self.as_of,
        }
    }

    /// The items whose statistics changed since the last call, and forgets those that no window
    /// holds any more.
    pub(crate) fn take_touched(&mut self) -> Vec<(Arc<str>, ItemStats)> {
        let touched = std::mem::take(&mut self.touched);
        let changed = touched.into_iter().map(|id| {
            let stats = self.stats(&id);
            if self
                .totals
                .get(&id)
                .is_some_and(|windows| windows.month == Counts::default())
            {
                self.totals.remove(&id);
            }
            (id, stats)
        });
        changed.collect()
    }

    /// The one shared copy of an id, marked as touched.
    fn id(&mut self, item_id: &str) -> Arc<str> {
        let known = self
            .totals
            .get_key_value(item_id)
            .map(|(id, _)| Arc::clone(id));
        let id = known.unwrap_or_else(|| Arc::from(item_id));
        self.touched.insert(Arc::clone(&id));
        id
    }
}

fn add(tile: &mut PerItem<Counts>, id: &Arc<str>, counts: Counts) {
    tile.entry(Arc::clone(id)).or_default().add(counts);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Millis =
        Millis(1_700_000_000_000 - 1_700_000_000_000 % Millis::DAY + Millis::DAY / 2);

    fn ago(millis: i64) -> Millis {
        Millis(NOON.0 - millis)
    }

    fn at_noon() -> Tally {
        let mut tally = Tally::new();
        tally.advance(NOON);
        tally
    }

    #[test]
    fn counts_views_carts_and_purchases_and_nothing_else() {
        let mut tally = at_noon();
        for kind in EventKind::ALL {
            tally.count("a", kind, ago(Millis::MINUTE));
        }
        tally.count("", EventKind::View, NOON);
        let stats = tally.stats("a");
        assert_eq!(
            (stats.views_24h, stats.carts_24h, stats.purchases_24h),
            (1, 1, 1)
        );
        assert_eq!(
            (stats.views_30d, stats.carts_30d, stats.purchases_30d),
            (1, 1, 1)
        );
        assert_eq!(tally.take_touched().len(), 1);
    }

    #[test]
    fn windows_end_at_whole_tiles() {
        let mut tally = at_noon();
        tally.count("hour in", EventKind::View, ago(23 * Millis::HOUR));
        tally.count("hour out", EventKind::View, ago(23 * Millis::HOUR + 1));
        tally.count(
            "day in",
            EventKind::View,
            ago(29 * Millis::DAY + Millis::DAY / 2),
        );
        tally.count(
            "day out",
            EventKind::View,
            ago(29 * Millis::DAY + Millis::DAY / 2 + 1),
        );
        let views = |id| (tally.stats(id).views_24h, tally.stats(id).views_30d);
        assert_eq!(views("hour in"), (1, 1));
        assert_eq!(views("hour out"), (0, 1));
        assert_eq!(views("day in"), (0, 1));
        assert_eq!(views("day out"), (0, 0));
    }

    #[test]
    fn does_not_depend_on_when_the_windows_moved() {
        let events: Vec<_> = (0..2_000).map(|n| ago(n * 31 * Millis::MINUTE)).collect();
        let mut late = Tally::new();
        events
            .iter()
            .for_each(|at| late.count("a", EventKind::View, *at));
        late.advance(ago(-Millis::DAY));
        let mut stepwise = Tally::new();
        for at in events.iter().rev() {
            stepwise.advance(*at);
            stepwise.count("a", EventKind::View, *at);
        }
        stepwise.advance(ago(-Millis::DAY));
        assert_eq!(late.stats("a"), stepwise.stats("a"));
        assert!(late.stats("a").views_30d > 1_000);
    }

    #[test]
    fn an_item_that_left_every_window_is_told_once_and_forgotten() {
        let mut tally = at_noon();
        tally.count("a", EventKind::View, NOON);
        assert_eq!(tally.take_touched().len(), 1);
        tally.advance(Millis(NOON.0 + 31 * Millis::DAY));
        let touched = tally.take_touched();
        assert_eq!(touched.len(), 1);
        assert_eq!(touched[0].1.views_30d, 0);
        assert!(tally.totals.is_empty());
        assert!(tally.take_touched().is_empty());
    }
}
