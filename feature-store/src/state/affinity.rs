//! Affinity: how strongly a shopper is drawn to categories, brands and prices.
//!
//! Interest is kept in whole weights per day and decayed only when it is read, in integers, so that
//! the same events always give the same shares.

mod bands;

use smallvec::{SmallVec, smallvec};
use xxhash_rust::xxh3::xxh3_64;

use crate::Text;
use crate::event::EventKind;
use crate::state::tail::TailEvent;
use crate::time::Millis;

/// At most this many keys of a dimension are told apart; a new one replaces the weakest.
const MAX_KEYS: usize = 32;
/// At most this many shares are told.
const MAX_SHARES: usize = 10;
/// Days that still weigh in.
const DAYS: i64 = 30;
/// 65536 × 2^(−days / 7), rounded: a half-life of a week in Q16.
const DECAY_Q16: [u64; 31] = [
    65536, 59358, 53761, 48693, 44102, 39945, 36179, 32768, 29679, 26881, 24347, 22051, 19972,
    18089, 16384, 14839, 13440, 12173, 11026, 9986, 9045, 8192, 7420, 6720, 6087, 5513, 4993, 4522,
    4096, 3710, 3360,
];

/// Weight of one day's interest in one key.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct DayWeight {
    pub(crate) day: i64,
    pub(crate) weight: u32,
}

/// Most keys are of one day.
type Days = SmallVec<[DayWeight; 1]>;

/// Interest in one key, days ascending.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Interest<K> {
    pub(crate) key: K,
    pub(crate) days: Days,
}

impl<K> Interest<K> {
    /// Decayed weight at the end of `today`, in Q16; what lies after `today` does not count yet.
    fn strength(&self, today: i64) -> u64 {
        self.days
            .iter()
            .map(|tile| decayed(*tile, today))
            .fold(0, u64::saturating_add)
    }
}

fn decayed(tile: DayWeight, today: i64) -> u64 {
    let age = usize::try_from(today.saturating_sub(tile.day)).ok();
    let factor = age.and_then(|age| DECAY_Q16.get(age)).copied().unwrap_or(0);
    factor * u64::from(tile.weight)
}

/// What interest is in: a text, or the number of a price band.
pub(crate) trait Key: Ord + Clone {
    /// A hash of it. Two keys may share one.
    fn tag(&self) -> u32;
}

impl Key for Text {
    fn tag(&self) -> u32 {
        let [a, b, c, d, ..] = xxh3_64(self.as_bytes()).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

impl Key for u8 {
    fn tag(&self) -> u32 {
        u32::from(*self)
    }
}

/// Interest in one dimension: an entry for each key, in no order.
#[derive(Clone, Debug)]
pub(crate) struct Affinity<K> {
    entries: Vec<Interest<K>>,
    /// Of each entry's key. A read folds every event of the tail: it finds a key by its tag, among
    /// neighbours, and compares one text.
    tags: Vec<u32>,
}

impl<K> Default for Affinity<K> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            tags: Vec::new(),
        }
    }
}

impl<K: Key> PartialEq for Affinity<K> {
    fn eq(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }
}

impl<K: Key> Eq for Affinity<K> {}

impl<K: Key> Affinity<K> {
    /// `None` unless keys and days ascend and no entry is empty.
    pub(crate) fn from_sorted(entries: Vec<Interest<K>>) -> Option<Self> {
        let days_ascend = |e: &Interest<K>| e.days.is_sorted_by(|a, b| a.day < b.day);
        let sound = entries.is_sorted_by(|a, b| a.key < b.key)
            && entries
                .iter()
                .all(|entry| days_ascend(entry) && !entry.days.is_empty());
        sound.then(|| Self {
            tags: entries.iter().map(|entry| entry.key.tag()).collect(),
            entries,
        })
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.iter().map(|entry| &entry.key)
    }

    /// The entries by key.
    pub(crate) fn sorted(&self) -> Vec<&Interest<K>> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        entries
    }

    /// Where a key is, and its tag.
    fn find(&self, key: &K) -> (Option<usize>, u32) {
        let tag = key.tag();
        let mut tagged = self.tags.iter().zip(&self.entries);
        let place = tagged.position(|(known, entry)| *known == tag && entry.key == *key);
        (place, tag)
    }

    fn push(&mut self, entry: Interest<K>, tag: u32) {
        self.entries.push(entry);
        self.tags.push(tag);
    }

    fn fold(&mut self, key: &K, day: i64, weight: u32) {
        let (place, tag) = self.find(key);
        if let Some(entry) = place.and_then(|place| self.entries.get_mut(place)) {
            add_weight(&mut entry.days, day, weight);
            return;
        }
        let entry = Interest {
            key: key.clone(),
            days: smallvec![DayWeight { day, weight }],
        };
        if self.entries.len() >= MAX_KEYS {
            self.drop_weakest(day);
        }
        self.push(entry, tag);
    }

    /// Makes room for a newcomer, or a new interest could never grow.
    fn drop_weakest(&mut self, day: i64) {
        let all = self.entries.iter().enumerate();
        let weakest = all.min_by_key(|(_, entry)| (entry.strength(day), &entry.key));
        if let Some(place) = weakest.map(|(place, _)| place) {
            self.entries.swap_remove(place);
            self.tags.swap_remove(place);
        }
    }

    /// Adds the interest that another one holds; the keys of both stay.
    fn add_all(&mut self, other: &Self) {
        for theirs in &other.entries {
            let (place, tag) = self.find(&theirs.key);
            match place.and_then(|place| self.entries.get_mut(place)) {
                Some(mine) => mine.days = together(&mine.days, &theirs.days),
                None => self.push(theirs.clone(), tag),
            }
        }
    }

    /// Drops the weights that no longer count at `day` or later. They weigh nothing when the
    /// weakest is looked for either, so it does not matter when they go.
    fn prune(&mut self, day: i64) {
        let oldest = day.saturating_sub(DAYS);
        for entry in &mut self.entries {
            let gone = entry.days.partition_point(|tile| tile.day < oldest);
            entry.days.drain(..gone);
        }
        self.entries.retain(|entry| !entry.days.is_empty());
        self.tags = self.entries.iter().map(|entry| entry.key.tag()).collect();
    }

    /// What weighs anything, decayed, in no order.
    fn strengths(&self, today: i64) -> Vec<(&K, u64)> {
        let all = self
            .entries
            .iter()
            .map(|entry| (&entry.key, entry.strength(today)));
        all.filter(|(_, strength)| *strength > 0).collect()
    }
}

fn add_weight(days: &mut Days, day: i64, weight: u32) {
    match days.last_mut() {
        Some(tile) if tile.day >= day => tile.weight = tile.weight.saturating_add(weight),
        Some(_) | None => days.push(DayWeight { day, weight }),
    }
}

fn together(a: &[DayWeight], b: &[DayWeight]) -> Days {
    let mut tiles: Vec<DayWeight> = a.iter().chain(b).copied().collect();
    tiles.sort_by_key(|tile| tile.day);
    let mut days = Days::with_capacity(tiles.len());
    for tile in tiles {
        add_weight(&mut days, tile.day, tile.weight);
    }
    days
}

/// Names with their shares, strongest first.
pub(crate) type Shares = Vec<(Text, f64)>;

/// The three dimensions of taste.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Interests {
    pub(crate) categories: Affinity<Text>,
    pub(crate) brands: Affinity<Text>,
    pub(crate) bands: Affinity<u8>,
    /// Newest event with a weight.
    pub(crate) newest_at: Option<Millis>,
}

impl Interests {
    pub(crate) fn fold(&mut self, event: &TailEvent) {
        let Some(weight) = weight(event.kind) else {
            return;
        };
        let day = event.at.day();
        self.newest_at = Some(event.at);
        if !event.fact.category.is_empty() {
            self.categories.fold(&event.fact.category, day, weight);
        }
        if !event.fact.brand.is_empty() {
            self.brands.fold(&event.fact.brand, day, weight);
        }
        if event.fact.price_minor > 0 {
            self.bands
                .fold(&bands::of(event.fact.price_minor), day, weight);
        }
    }

    pub(crate) fn prune(&mut self, horizon: Millis) {
        let day = horizon.day();
        self.categories.prune(day);
        self.brands.prune(day);
        self.bands.prune(day);
    }

    /// What another one holds as well, for a view: more keys than an encoded value keeps.
    pub(crate) fn add_all(&mut self, other: &Self) {
        self.categories.add_all(&other.categories);
        self.brands.add_all(&other.brands);
        self.bands.add_all(&other.bands);
        self.newest_at = self.newest_at.max(other.newest_at);
    }

    /// Shares by category path, and by the path's first part.
    pub(crate) fn category_shares(&self, now: Millis) -> (Shares, Shares) {
        let paths = self.categories.strengths(now.day());
        let mut roots: Vec<(&str, u64)> = Vec::new();
        for (path, strength) in &paths {
            let root = path.split_once('.').map_or(path.as_str(), |(root, _)| root);
            match roots.iter_mut().find(|(known, _)| *known == root) {
                Some((_, sum)) => *sum = sum.saturating_add(*strength),
                None => roots.push((root, *strength)),
            }
        }
        let paths = shares(paths, |path| path.clone());
        (paths, shares(roots, Text::from))
    }

    pub(crate) fn brand_shares(&self, now: Millis) -> Shares {
        shares(self.brands.strengths(now.day()), |brand| brand.clone())
    }

    pub(crate) fn band_shares(&self, now: Millis) -> Shares {
        shares(self.bands.strengths(now.day()), |band| {
            Text::from(bands::name(*band))
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 53 bits"
)]
fn shares<K: Ord + Copy>(mut strengths: Vec<(K, u64)>, name: impl Fn(K) -> Text) -> Shares {
    let total = strengths
        .iter()
        .map(|(_, strength)| *strength)
        .fold(0, u64::saturating_add);
    let share = |strength: u64| strength as f64 / total as f64;
    let strongest_first = |a: &(K, u64), b: &(K, u64)| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0));
    if strengths.len() > MAX_SHARES {
        strengths.select_nth_unstable_by(MAX_SHARES, strongest_first);
        strengths.truncate(MAX_SHARES);
    }
    strengths.sort_unstable_by(strongest_first);
    strengths
        .into_iter()
        .map(|(key, strength)| (name(key), share(strength)))
        .collect()
}

/// What an event says of taste: a purchase most, a view least.
fn weight(kind: EventKind) -> Option<u32> {
    match kind {
        EventKind::View => Some(1),
        EventKind::AddToCart => Some(4),
        EventKind::Purchase => Some(8),
        EventKind::RemoveFromCart
        | EventKind::CheckoutStart
        | EventKind::MessageSent
        | EventKind::MessageDelivered
        | EventKind::MessageOpened
        | EventKind::MessageClicked
        | EventKind::MessageUnsubscribed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_halves_every_week() {
        for (days, factor) in DECAY_Q16.iter().enumerate() {
            let exact = 65_536.0 * 2f64.powf(-(days as f64) / 7.0);
            assert!((exact - *factor as f64).abs() <= 0.5, "day {days}");
        }
    }

    #[test]
    fn a_new_interest_replaces_the_weakest() {
        let mut affinity = Affinity::default();
        for key in 0..32_u8 {
            affinity.fold(&key, 10, 4);
        }
        affinity.fold(&5, 10, 1);
        affinity.fold(&7, 9, 1);
        affinity.fold(&200, 11, 1);
        let keys: Vec<u8> = affinity.keys().copied().collect();
        assert_eq!(keys.len(), MAX_KEYS);
        assert!(
            keys.contains(&200) && keys.contains(&5) && !keys.contains(&0),
            "{keys:?}"
        );
    }

    #[test]
    fn interest_fades_and_ends_after_thirty_days() {
        let mut affinity = Affinity::default();
        affinity.fold(&1_u8, 0, 1);
        assert_eq!(affinity.strengths(0), vec![(&1, 65_536)]);
        assert_eq!(affinity.strengths(7), vec![(&1, 32_768)]);
        assert_eq!(affinity.strengths(30), vec![(&1, 3_360)]);
        assert_eq!(affinity.strengths(31), vec![]);
        assert_eq!(affinity.strengths(-1), vec![]);
    }
}
