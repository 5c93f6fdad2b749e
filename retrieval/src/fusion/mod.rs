//! One list out of the sources' lists.
//!
//! A source's scores are divided by its best, normalised and added up by [`FusionWeights`]; items
//! that such a personal source named get 1 on top. Popular items fill what is missing, with at
//! most 1, so they never come before one that speaks of the shopper.

mod weights;

use std::cmp::Ordering;

use ann_index::Hit;
use snapshot::Catalogue;

use crate::asked::{Asked, AskedItem};
use crate::model::Model;
use crate::scratch::{Lists, Scratch};
use crate::search::Task;
use crate::sources::Popularity;
use crate::weights::DEPTH;
use crate::{Candidate, Scored, Source, SourceScore};

pub use weights::{FusionWeights, Normalisation, SourceWeight};

/// The sources that speak of the shopper, in the order in which they are added up.
const PERSONAL: [Source; 6] = [
    Source::Revisit,
    Source::Rebuy,
    Source::Sessions,
    Source::Covisitation,
    Source::Collaborative,
    Source::Content,
];

/// A candidate in the making.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Entry {
    ordinal: u32,
    fused: f64,
    /// Whether the walk past the popular came by.
    is_walked: bool,
    /// By [`Source`] as a number.
    sources: [Option<Named>; Source::COUNT],
}

/// What one source says, and what that added to the sum.
#[derive(Copy, Clone, Debug)]
struct Named {
    score: f32,
    rank: u32,
    added: f64,
}

/// The weights, and the item that the shopper dealt with last.
#[derive(Copy, Clone, Debug)]
struct Weighing<'a> {
    weights: &'a FusionWeights,
    newest: Option<u32>,
}

impl Entry {
    fn new(ordinal: u32) -> Self {
        Self {
            ordinal,
            fused: 0.0,
            is_walked: false,
            sources: [None; Source::COUNT],
        }
    }

    /// Adds what a source says; `best` is the source's greatest score in this answer.
    fn add(&mut self, how: Weighing<'_>, source: Source, score: f32, rank: u32, best: f32) {
        let share = f64::from(score) / f64::from(best);
        let mut added = how.weights.of(source).of(share, rank);
        if source == Source::Revisit && how.newest == Some(self.ordinal) {
            added *= f64::from(how.weights.again);
        }
        self.fused += added;
        self.sources[source as usize] = Some(Named { score, rank, added });
    }

    /// Tags the item as popular: all that there is of one that no personal source named, and by its
    /// weight something on top of the others among the first `DEPTH`. Further back only the walk's
    /// end would decide about it, and that depends on all the others.
    fn add_popular(&mut self, how: &FusionWeights, score: f32, rank: Option<u32>) {
        let is_personal = self.sources.iter().any(Option::is_some);
        let weight = if is_personal {
            how.of(Source::Popularity).weight
        } else {
            1.0
        };
        let rank = rank.filter(|&rank| (rank as usize) < DEPTH || !is_personal);
        let added = weight * f64::from(score) / 2.0;
        // The weight is for those that the walk tags, asked about or not.
        if rank.is_some() || !is_personal {
            self.fused += added;
        }
        self.sources[Source::Popularity as usize] = rank.map(|rank| Named { score, rank, added });
    }
}

/// The k best of all lists, topped up by popularity, and what the sources say of the items asked
/// about. Leaves the scratch ready for the next query.
pub(crate) fn fuse(
    scratch: &mut Scratch,
    model: &Model,
    task: Task<'_>,
    score: &[String],
) -> (Vec<Candidate>, Vec<Scored>) {
    let Model {
        popularity,
        catalogue,
        fusion,
        ..
    } = model;
    let how = Weighing {
        weights: fusion,
        newest: task.interests.first().map(|interest| interest.ordinal),
    };
    let mut board = Board::of(scratch, how);
    board.add_personal();
    board.add_popular(popularity, task.k);
    let judged = |id: &String| scored(id, &board, popularity, catalogue, task.depth());
    let scored = score.iter().map(judged).collect();
    board.clear_places();
    let entries = &mut scratch.entries;
    entries.sort_unstable_by(better);
    entries.truncate(task.keep);
    let candidates = entries
        .iter()
        .filter_map(|entry| candidate(entry, catalogue))
        .collect();
    (candidates, scored)
}

fn better(a: &Entry, b: &Entry) -> Ordering {
    b.fused.total_cmp(&a.fused).then(a.ordinal.cmp(&b.ordinal))
}

/// The entries, with the place of each item among them, and what they are made from.
struct Board<'a> {
    how: Weighing<'a>,
    entries: &'a mut Vec<Entry>,
    places: &'a mut [u32],
    lists: &'a Lists,
    asked: &'a mut Asked,
    allowed: &'a ann_index::Bitmap,
    /// Allowed items and those asked about.
    visible: &'a ann_index::Bitmap,
}

impl<'a> Board<'a> {
    fn of(scratch: &'a mut Scratch, how: Weighing<'a>) -> Self {
        let Scratch {
            allowed,
            part,
            lists,
            asked,
            entries,
            places,
            ..
        } = scratch;
        let visible = if asked.is_empty() {
            &*allowed
        } else {
            part.reset(allowed.len());
            part.or(allowed);
            part.or(asked.as_set());
            &*part
        };
        Self {
            how,
            entries,
            places,
            lists,
            asked,
            allowed,
            visible,
        }
    }

    fn add_personal(&mut self) {
        let how = self.how;
        for source in PERSONAL {
            let hits = self.lists.of(source);
            let best = hits.first().map_or(1.0, |hit| hit.score);
            for (rank, hit) in (0u32..).zip(hits) {
                self.entry(hit.id).add(how, source, hit.score, rank, best);
            }
        }
        self.entries.iter_mut().for_each(|entry| entry.fused += 1.0);
    }

    /// Tags the popular among the personal ones and appends others until there are k. At least
    /// `DEPTH` items are looked at, so that a tag does not depend on what the other sources found.
    fn add_popular(&mut self, popularity: &Popularity, k: usize) {
        let how = self.how.weights;
        let mut rank = 0;
        let first = self.lists.of(Source::Popularity).iter().copied();
        for hit in first.chain(popularity.overall(self.visible)) {
            if rank as usize >= DEPTH && self.entries.len() >= k {
                return;
            }
            if !self.allowed.contains(hit.id) {
                self.asked.note_popular(hit, rank);
                continue;
            }
            let entry = self.entry(hit.id);
            if !entry.is_walked {
                entry.is_walked = true;
                entry.add_popular(how, hit.score, Some(rank));
                rank += 1;
            }
        }
    }

    /// The item's entry, made when there is none.
    fn entry(&mut self, ordinal: u32) -> &mut Entry {
        let place = &mut self.places[ordinal as usize];
        if *place == 0 {
            self.entries.push(Entry::new(ordinal));
            *place = u32::try_from(self.entries.len()).unwrap_or(0);
        }
        &mut self.entries[*place as usize - 1]
    }

    fn find(&self, ordinal: u32) -> Option<&Entry> {
        let place = *self.places.get(ordinal as usize)? as usize;
        self.entries.get(place.checked_sub(1)?)
    }

    /// The entry that an item asked about would have, were it allowed.
    fn entry_if_allowed(&self, item: &AskedItem, popularity: &Popularity, depth: usize) -> Entry {
        let mut entry = Entry::new(item.ordinal);
        for source in PERSONAL {
            let score = item.scores[source as usize];
            let hits = self.lists.of(source);
            if let Some(rank) = rank_among(hits, item.ordinal, score, depth) {
                let best = hits.first().map_or(score, |hit| hit.score.max(score));
                entry.add(self.how, source, score, rank, best);
            }
        }
        if entry.sources.iter().any(Option::is_some) {
            entry.fused += 1.0;
        }
        let score = item.scores[Source::Popularity as usize];
        let hits = self.lists.of(Source::Popularity);
        match rank_among(hits, item.ordinal, score, depth) {
            Some(rank) => entry.add_popular(self.how.weights, score, Some(rank)),
            None => entry.add_popular(
                self.how.weights,
                popularity.score(item.ordinal),
                item.popular_rank,
            ),
        }
        entry
    }

    fn clear_places(&mut self) {
        for entry in self.entries.iter() {
            self.places[entry.ordinal as usize] = 0;
        }
    }
}

/// The place that an item of this score would take in a list; `None` when it would not be on it.
fn rank_among(hits: &[Hit], ordinal: u32, score: f32, depth: usize) -> Option<u32> {
    let is_before = |hit: &Hit| hit.score > score || hit.score >= score && hit.id < ordinal;
    let rank = hits.partition_point(is_before);
    (score > 0.0 && rank < depth).then(|| u32::try_from(rank).unwrap_or(u32::MAX))
}

fn scored(
    item_id: &str,
    board: &Board<'_>,
    popularity: &Popularity,
    catalogue: &Catalogue,
    depth: usize,
) -> Scored {
    let item = catalogue
        .ordinal(item_id)
        .and_then(|ordinal| board.asked.get(ordinal));
    let found = item.map(|item| {
        let made = || board.entry_if_allowed(item, popularity, depth);
        board.find(item.ordinal).copied().unwrap_or_else(made)
    });
    Scored {
        item_id: item_id.to_owned(),
        known: found.is_some(),
        score: found.map_or(0.0, |entry| entry.fused),
        sources: found.map(|entry| sources(&entry)).unwrap_or_default(),
    }
}

fn candidate(entry: &Entry, catalogue: &Catalogue) -> Option<Candidate> {
    Some(Candidate {
        item_id: catalogue.get(entry.ordinal)?.item_id.clone(),
        ordinal: entry.ordinal,
        score: entry.fused,
        sources: sources(entry),
    })
}

/// The sources that named an item, the one that added most first.
fn sources(entry: &Entry) -> Vec<SourceScore> {
    let mut named: Vec<(Source, Named)> = Source::ALL
        .into_iter()
        .zip(entry.sources)
        .filter_map(|(source, named)| Some((source, named?)))
        .collect();
    named.sort_by(|(_, a), (_, b)| b.added.total_cmp(&a.added));
    named
        .into_iter()
        .map(|(source, named)| SourceScore {
            source,
            score: f64::from(named.score),
            rank: named.rank,
        })
        .collect()
}
