//! How fast a session loses its say, chosen by what predicts the newest ones.

use std::collections::BTreeMap;
use std::time::Duration;

use snapshot::Catalogue;

use super::{Baskets, Rows};
use crate::metrics::real;
use crate::sessions::Session;

/// Half-lives to choose from, in days.
const HALF_LIVES: [Option<u64>; 5] = [None, Some(180), Some(60), Some(20), Some(7)];
/// Newest sessions, at most and as one part of all, that choose among them; prefixes of each that
/// count, and places.
const CHOOSERS: usize = 500;
const PART: usize = 10;
const PREFIXES: usize = 10;
const PLACES: usize = 20;
/// A shorter half-life has to gain this part.
const WORTH: f64 = 0.005;

/// The half-life under which the older sessions best predict the newest ones; `None`, as where all
/// sessions are of one day, when none gains anything. Of equally good ones the longest.
pub fn half_life(
    sessions: &[Session<'_>],
    catalogue: &Catalogue,
    min_people: u32,
) -> Option<Duration> {
    let newest = (sessions.len() / PART).min(CHOOSERS);
    let mut by_end: Vec<&Session<'_>> = sessions.iter().collect();
    by_end.sort_by_key(|session| session.end());
    let (past, late) = by_end.split_at(by_end.len() - newest);
    let past: Vec<Session<'_>> = past.iter().map(|one| (*one).clone()).collect();
    let past = Baskets::of(&past, catalogue);
    let visits: Vec<Vec<u32>> = late.iter().map(|one| visit(one, catalogue)).collect();
    let (mut best, mut most) = (None, 0.0);
    for days in HALF_LIVES {
        let tried = days.map(|days| Duration::from_secs(days * 86_400));
        let rows = past.pairs(tried, min_people).rows;
        let gained = visits.iter().map(|visit| predicted(visit, &rows)).sum();
        if gained > most * (1.0 + WORTH) {
            (best, most) = (tried, gained);
        }
    }
    best
}

/// A session's items in their order, without runs of one.
fn visit(session: &Session<'_>, catalogue: &Catalogue) -> Vec<u32> {
    let events = session.events.iter();
    let known = events.filter_map(|event| catalogue.ordinal(&event.item_id));
    let mut items: Vec<u32> = known.collect();
    items.dedup();
    items
}

/// Σ over the first prefixes of 1 / place of the next item among the first [`PLACES`].
fn predicted(visit: &[u32], rows: &Rows) -> f64 {
    let mut gained = 0.0;
    for at in 1..visit.len().min(PREFIXES + 1) {
        let seen = &visit[..at];
        let mut sums: BTreeMap<u32, f32> = BTreeMap::new();
        for item in seen {
            for (other, weight) in &rows[*item as usize] {
                *sums.entry(*other).or_default() += weight;
            }
        }
        let Some(own) = sums.get(&visit[at]).copied() else {
            continue;
        };
        let before = |(item, sum): &(&u32, &f32)| **sum > own || **sum >= own && **item < visit[at];
        let place = sums.iter().filter(before).count();
        if place < PLACES {
            gained += 1.0 / real(place + 1);
        }
    }
    gained
}

#[cfg(test)]
mod tests {
    use feature_store::EventKind;

    use super::super::tests::{catalogue, event};
    use super::*;
    use crate::sessions::sessions;

    #[test]
    fn a_fashion_that_changes_asks_for_a_half_life_and_one_that_stays_does_not() {
        let chosen = |switch: usize| {
            let mut events = Vec::new();
            for (at, day) in (0..400_usize).zip(0..) {
                let next = if at < switch { 1 } else { 2 };
                let name = format!("s{at:03}");
                events.push(event(&name, 0, day * 86_400, EventKind::View));
                events.push(event(&name, next, day * 86_400 + 1, EventKind::View));
            }
            let sessions = sessions(&events, Duration::from_secs(1_800));
            half_life(&sessions, &catalogue(3), 5)
        };
        assert!(chosen(300).is_some());
        assert_eq!(chosen(0), None);
    }
}
