//! Past sessions that resemble the current one say what comes next.
//!
//! The family of STAN (Garg et al., "Sequence and Time Aware Neighborhood for Session-based
//! Recommendations", 2019) and VSTAN (Ludewig et al., 2020): a past session is the more similar
//! the later in the current session, and the newer it is itself, what they share; an item of it
//! counts the more, the nearer it stands to the shared one. Going back to an earlier item of the
//! current session is a part of its own, because a third of real next items are such repeats.
//!
//! The order is defined to the last place: sessions of equal similarity newest first, items of
//! equal score by ordinal.

mod settings;
mod table;

use std::sync::Arc;

use ann_index::Hit;
use snapshot::Snapshot;

use crate::scratch::{Scratch, Sums, keep_best};
use crate::{Error, files, scratch};

pub(crate) use settings::STORED;
pub use settings::SessionSettings;
pub use table::{Erased, SessionTable};

use table::Postings;

/// Items before and after the shared one that are looked at.
const WINDOW: usize = 24;
/// What keeps an item that is far back above 0.
const LEAST: f32 = 1e-6;
const DAY: f32 = 24.0 * 3600.0;

/// Past sessions, ready to be asked.
#[derive(Clone, Debug)]
pub struct Sessions {
    data: Arc<Data>,
    settings: SessionSettings,
    /// Weight of an item so many places after the shared one; place 0 is the shared one itself.
    ahead: [f32; WINDOW + 1],
    behind: [f32; WINDOW + 1],
    /// Per item, idf to the power that the settings ask for.
    rarity: Arc<[f32]>,
    /// Per past session, how much it counts by its age and length.
    standing: Arc<[f32]>,
}

#[derive(Debug)]
struct Data {
    table: SessionTable,
    postings: Postings,
    /// Per item, ln(1 + sessions / sessions that hold it): above 0 even for an item in all of them,
    /// which in a small shop may well be the best answer.
    idf: Vec<f32>,
}

/// Memory of a query, lent by the thread's scratch.
#[derive(Debug, Default)]
pub(crate) struct SessionScratch {
    similarity: Sums,
    neighbours: Vec<Hit>,
    /// The current session's distinct items, newest first, with the weight of their place.
    current: Vec<(u32, f32)>,
    /// What the query asks about, newest first.
    recent: Vec<u32>,
}

impl Sessions {
    /// Of past sessions over a catalogue of `items` items.
    ///
    /// # Errors
    /// Settings outside their limits, or a table that does not fit the catalogue.
    pub fn new(
        table: SessionTable,
        items: usize,
        settings: SessionSettings,
    ) -> Result<Self, Error> {
        settings.validate()?;
        table.check(items)?;
        let postings = Postings::of(&table, items);
        let all = real(table.len());
        let idf = |item| (1.0 + all / real(postings.row(item).len().max(1))).ln();
        let idf = (0u32..).take(items).map(idf).collect();
        let data = Data {
            table,
            postings,
            idf,
        };
        Ok(Self::over(Arc::new(data), settings))
    }

    /// The same sessions, asked in another way.
    ///
    /// # Errors
    /// Settings outside their limits.
    pub fn with_settings(&self, settings: SessionSettings) -> Result<Self, Error> {
        settings.validate()?;
        Ok(Self::over(Arc::clone(&self.data), settings))
    }

    fn over(data: Arc<Data>, settings: SessionSettings) -> Self {
        let SessionSettings {
            ahead,
            behind,
            behind_share,
            ..
        } = settings;
        let rarity = data.idf.iter().map(|idf| idf.powf(settings.idf)).collect();
        let sessions = 0..data.table.len();
        let standing = sessions
            .map(|at| standing(&data.table, at, &settings))
            .collect();
        Self {
            data,
            settings,
            rarity,
            standing,
            ahead: std::array::from_fn(|d| (-real(d) / ahead).exp()),
            behind: std::array::from_fn(|d| behind_share * (-real(d) / behind).exp()),
        }
    }

    /// The same without the sessions of erased shoppers, as if they had never been learned from, and
    /// how many they were; `None` when there are none of theirs. Copies the table, so that whoever
    /// asks pays nothing for it; not for a thread that answers requests.
    ///
    /// # Errors
    /// None that the table had not.
    pub fn without(&self, erased: &Erased) -> Result<Option<(Self, usize)>, Error> {
        let Some((table, left_out)) = self.data.table.without(erased) else {
            return Ok(None);
        };
        let kept = Self::new(table, self.data.idf.len(), self.settings)?;
        Ok(Some((kept, left_out)))
    }

    /// Whether each session carries a MAC of its shopper, so that [`Sessions::without`] can find them.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        self.data.table.is_keyed()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.table.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.table.is_empty()
    }

    /// `None` when the snapshot has no sessions, as those of older trainers.
    pub(crate) fn load(snapshot: &Snapshot, items: usize) -> Result<Option<Self>, Error> {
        let Some((table, settings)) = files::read_sessions(snapshot)? else {
            return Ok(None);
        };
        Self::new(table, items, settings).map(Some)
    }

    #[must_use]
    pub fn settings(&self) -> &SessionSettings {
        &self.settings
    }

    /// The k items most likely next in a session of known items, newest first with its repeats;
    /// never the newest itself unless the settings let it stay. Best first, ties by ordinal.
    #[must_use]
    pub fn next(&self, newest_first: &[u32], k: usize) -> Vec<(u32, f32)> {
        scratch::with(self.data.idf.len(), |scratch| {
            let Scratch { sums, sessions, .. } = scratch;
            self.gather(sessions, newest_first.iter().copied(), sums);
            let mut hits = Vec::new();
            sums.drain_where(|item| self.may_name(sessions, item), &mut hits);
            keep_best(&mut hits, k);
            hits.iter().map(|hit| (hit.id, hit.score)).collect()
        })
    }

    /// Sums what past sessions say of a session of known items, newest first.
    pub(crate) fn gather(
        &self,
        scratch: &mut SessionScratch,
        newest_first: impl Iterator<Item = u32>,
        sums: &mut Sums,
    ) {
        scratch.recent.clear();
        scratch.recent.extend(newest_first);
        if scratch.recent.is_empty() {
            return;
        }
        self.weigh_current(scratch);
        self.find_neighbours(scratch);
        for neighbour in &scratch.neighbours {
            self.vote(*neighbour, &scratch.current, sums);
        }
        self.add_revisits(&scratch.recent, sums);
    }

    /// Whether an item may come next in the session that was gathered for: the newest itself only
    /// when the settings let it stay.
    pub(crate) fn may_name(&self, scratch: &SessionScratch, item: u32) -> bool {
        self.settings.stay > 0.0 || scratch.recent.first() != Some(&item)
    }

    fn weigh_current(&self, scratch: &mut SessionScratch) {
        let SessionScratch {
            current, recent, ..
        } = scratch;
        current.clear();
        for (place, &item) in recent.iter().take(self.settings.last).enumerate() {
            if !current.iter().any(|(known, _)| *known == item) {
                let weight = (-real(place) / self.settings.position).exp();
                current.push((item, weight.max(LEAST)));
            }
        }
    }

    /// The most similar of the newest sessions that share an item.
    fn find_neighbours(&self, scratch: &mut SessionScratch) {
        let SessionScratch {
            similarity,
            neighbours,
            current,
            ..
        } = scratch;
        similarity.fit(self.data.table.len());
        for &(item, weight) in current.iter() {
            let holders = self.data.postings.row(item);
            for &session in holders.iter().take(self.settings.sample) {
                similarity.add(session, weight);
            }
        }
        neighbours.clear();
        similarity.drain_where(|_| true, neighbours);
        for hit in neighbours.iter_mut() {
            let standing = self.standing.get(hit.id as usize).copied();
            hit.score *= standing.unwrap_or(LEAST);
        }
        keep_best(neighbours, self.settings.neighbours);
    }

    /// Adds what one past session says: its items by their distance to the newest shared one.
    fn vote(&self, neighbour: Hit, current: &[(u32, f32)], sums: &mut Sums) {
        let row = self.data.table.row(neighbour.id as usize);
        let shared = current.iter().find(|(item, _)| row.contains(item));
        let Some(&(shared, _)) = shared else {
            return;
        };
        // The shared item's nearest place before, and the one after, are carried along the row.
        let mut before = None;
        let mut after = row.iter().position(|&item| item == shared);
        for (place, &item) in row.iter().enumerate() {
            if item == shared {
                before = Some(place);
                let next = row.iter().skip(place + 1).position(|&item| item == shared);
                after = next.map(|further| place + 1 + further);
                continue;
            }
            let ahead = before.and_then(|at| self.ahead.get(place - at));
            let behind = after.and_then(|at| self.behind.get(at - place));
            let nearness = ahead
                .copied()
                .unwrap_or(0.0)
                .max(behind.copied().unwrap_or(0.0));
            if nearness > 0.0 {
                let rarity = self.rarity.get(item as usize).copied().unwrap_or(LEAST);
                sums.add(item, neighbour.score * nearness * rarity);
            }
        }
    }

    fn add_revisits(&self, recent: &[u32], sums: &mut Sums) {
        let best = sums.greatest();
        let best = if best > 0.0 { best } else { 1.0 };
        let unit = self.settings.revisit * best;
        let mut distinct = 0;
        for (place, item) in recent.iter().enumerate() {
            if recent[..place].contains(item) {
                continue;
            }
            if place == 0 {
                sums.add(*item, self.settings.stay * best);
            } else {
                let visits = recent.iter().filter(|other| *other == item).count();
                let often = 1.0 + self.settings.repeat * real(visits - 1);
                sums.add(*item, unit * often / real(distinct));
            }
            distinct += 1;
        }
    }
}

fn standing(table: &SessionTable, session: usize, settings: &SessionSettings) -> f32 {
    let newest = table.ended.first().copied().unwrap_or(0);
    let ended = table.ended.get(session).copied().unwrap_or(0);
    let days = seconds(newest.saturating_sub(ended)) / DAY;
    let length = real(table.row(session).len().max(1));
    let age = (-days / settings.age_days).exp();
    age.max(LEAST) / length.powf(settings.length)
}

#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^24 may round")]
fn real(count: usize) -> f32 {
    count as f32
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an age may round to a second in 194 days"
)]
fn seconds(span: u64) -> f32 {
    span as f32
}
