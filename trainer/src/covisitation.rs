//! Which items share sessions, and how strongly.
//!
//! What is published says nothing that few people did: a pair of items counts only when enough
//! different shoppers made it. They are counted exactly, item by item over the sessions that hold it,
//! so that memory grows with the log and not with its pairs.

use std::time::Duration;

use feature_store::{EventKind, Millis};
use rayon::prelude::*;
use snapshot::Catalogue;

use crate::sessions::Session;

mod half_life;
#[cfg(test)]
mod tests;

pub use half_life::half_life;

/// Neighbours kept of an item.
pub const NEIGHBOURS: usize = 100;
/// Distinct items of a session that count, the latest: pairs grow with the square, and a session
/// of a thousand items is a robot or a wholesaler, whose items have little in common.
pub const LONGEST: usize = 100;

/// (ordinal, weight) of each item's neighbours, strongest first, ties by ordinal.
pub type Rows = Vec<Row>;
pub type Row = Vec<(u32, f32)>;

/// Pairs that enough people made, and how many there were.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Covisits {
    pub rows: Rows,
    /// Pairs of items that anybody made.
    pub pairs: u64,
    /// Those of them that fewer people made than asked for.
    pub left_out: u64,
}

/// Counts pairs of items over sessions. A pair adds the smaller weight of its two items in the
/// session: 1 for a view, 2 for a cart, 3 for a purchase. So on views alone a weight is the number
/// of sessions that two items share. With a half-life a session counts by its age against the
/// newest event: half as much for each half-life. A pair that fewer than `min_people` different
/// shoppers made is left out; one shopper counts once, whatever the number of visits.
pub fn covisitation(
    sessions: &[Session<'_>],
    catalogue: &Catalogue,
    half_life: Option<Duration>,
    min_people: u32,
) -> Covisits {
    Baskets::of(sessions, catalogue).pairs(half_life, min_people)
}

/// What each session holds, shopper by shopper: so the sessions of one follow each other in the
/// list of every item, and telling whether a pair's next session is of another shopper takes no
/// memory of those before.
struct Baskets {
    offsets: Vec<usize>,
    /// (ordinal, weight) of all sessions, one after the other.
    items: Vec<(u32, u32)>,
    /// Per session: its shopper by number, from 1, and its end.
    shoppers: Vec<u32>,
    ends: Vec<Millis>,
    newest: Millis,
    /// Per item, the sessions that hold it, with its weight there.
    holders: Vec<Vec<(u32, u32)>>,
}

/// What is known of one item's pair with another.
#[derive(Copy, Clone, Default)]
struct Cell {
    weight: f64,
    people: u32,
    /// Who made it last.
    last: u32,
}

/// One thread's memory: a cell for each item, and those in use.
#[derive(Default)]
struct Tally {
    cells: Vec<Cell>,
    used: Vec<u32>,
}

impl Baskets {
    fn of(sessions: &[Session<'_>], catalogue: &Catalogue) -> Self {
        let mut order: Vec<&Session<'_>> = sessions.iter().collect();
        // Stable: the sessions of one shopper stay in the order of time.
        order.sort_by_key(|session| session.shopper);
        let mut baskets = Self {
            offsets: vec![0],
            items: Vec::new(),
            shoppers: Vec::with_capacity(order.len()),
            ends: order.iter().map(|session| session.end()).collect(),
            newest: newest(sessions),
            holders: vec![Vec::new(); catalogue.len()],
        };
        let (mut shopper, mut before) = (0_u32, None);
        for (session, number) in order.into_iter().zip(0_u32..) {
            shopper += u32::from(before != Some(session.shopper));
            before = Some(session.shopper);
            baskets.shoppers.push(shopper);
            for (item, weight) in weighted_items(session, catalogue) {
                baskets.items.push((item, weight));
                baskets.holders[item as usize].push((number, weight));
            }
            baskets.offsets.push(baskets.items.len());
        }
        baskets
    }

    fn pairs(&self, half_life: Option<Duration>, min_people: u32) -> Covisits {
        let decay = |end: &Millis| half_life.map_or(1.0, |one| decay(*end, self.newest, one));
        let decays: Vec<f64> = self.ends.iter().map(decay).collect();
        let items: Vec<u32> = (0_u32..).take(self.holders.len()).collect();
        let row = |tally: &mut Tally, item: &u32| self.row(tally, *item, &decays, min_people);
        let (rows, counts): (Rows, Vec<(u64, u64)>) =
            items.par_iter().map_init(Tally::default, row).unzip();
        // Each pair was met from both of its items.
        Covisits {
            rows,
            pairs: counts.iter().map(|(pairs, _)| pairs).sum::<u64>() / 2,
            left_out: counts.iter().map(|(_, left_out)| left_out).sum::<u64>() / 2,
        }
    }

    /// One item's neighbours; how many pairs it is in, and how many of those were left out.
    fn row(
        &self,
        tally: &mut Tally,
        item: u32,
        decays: &[f64],
        min_people: u32,
    ) -> (Row, (u64, u64)) {
        tally.cells.resize(self.holders.len(), Cell::default());
        for &(session, own) in &self.holders[item as usize] {
            let session = session as usize;
            let (shopper, decay) = (self.shoppers[session], decays[session]);
            let held = &self.items[self.offsets[session]..self.offsets[session + 1]];
            for &(other, weight) in held.iter().filter(|(other, _)| *other != item) {
                tally.add(other, shopper, f64::from(own.min(weight)) * decay);
            }
        }
        let (mut row, mut left_out) = (Vec::new(), 0);
        let pairs = tally.used.len() as u64;
        for other in tally.used.drain(..) {
            let cell = std::mem::take(&mut tally.cells[other as usize]);
            if cell.people < min_people {
                left_out += 1;
                continue;
            }
            // A pair so old that nothing is left of it keeps its place behind all others.
            row.push((other, narrow(cell.weight).max(f32::MIN_POSITIVE)));
        }
        row.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        row.truncate(NEIGHBOURS);
        row.shrink_to_fit();
        (row, (pairs, left_out))
    }
}

impl Tally {
    fn add(&mut self, other: u32, shopper: u32, weight: f64) {
        let cell = &mut self.cells[other as usize];
        if cell.people == 0 {
            self.used.push(other);
        }
        if cell.last != shopper {
            cell.last = shopper;
            cell.people += 1;
        }
        cell.weight += weight;
    }
}

fn newest(sessions: &[Session<'_>]) -> Millis {
    let ends = sessions.iter().map(Session::end);
    ends.max().unwrap_or(Millis(0))
}

fn decay(end: Millis, newest: Millis, half_life: Duration) -> f64 {
    let age = u64::try_from(newest.0.saturating_sub(end.0)).unwrap_or(0);
    (-Duration::from_millis(age).as_secs_f64() / half_life.as_secs_f64()).exp2()
}

/// Sessions with more distinct items than count.
pub fn capped(sessions: &[Session<'_>], catalogue: &Catalogue) -> usize {
    let distinct = |session: &&Session<'_>| {
        let mut seen: Vec<u32> = session
            .events
            .iter()
            .filter_map(|event| catalogue.ordinal(&event.item_id))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len() > LONGEST
    };
    sessions
        .iter()
        .filter(|session| session.events.len() > LONGEST)
        .filter(distinct)
        .count()
}

/// The latest distinct items of a session, each with the greatest weight it had there.
fn weighted_items(session: &Session<'_>, catalogue: &Catalogue) -> Vec<(u32, u32)> {
    let mut items: Vec<(u32, u32)> = Vec::new();
    for event in session.events.iter().rev() {
        let (Some(ordinal), Some(weight)) = (catalogue.ordinal(&event.item_id), weight(event.kind))
        else {
            continue;
        };
        match items.iter().position(|(item, _)| *item == ordinal) {
            Some(place) => items[place].1 = weight.max(items[place].1),
            None if items.len() < LONGEST => items.push((ordinal, weight)),
            None => {}
        }
    }
    items
}

fn weight(kind: EventKind) -> Option<u32> {
    match kind {
        EventKind::View => Some(1),
        EventKind::AddToCart => Some(2),
        EventKind::Purchase => Some(3),
        EventKind::RemoveFromCart
        | EventKind::CheckoutStart
        | EventKind::MessageSent
        | EventKind::MessageDelivered
        | EventKind::MessageOpened
        | EventKind::MessageClicked
        | EventKind::MessageUnsubscribed => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "weights are stored as f32")]
fn narrow(weight: f64) -> f32 {
    weight as f32
}
