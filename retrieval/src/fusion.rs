//! One list out of the sources' lists.
//!
//! A source's scores are divided by its best and added up with the constants of `weights`; items
//! that such a personal source named get 1 on top. Popular items fill what is missing, with at
//! most 1, so they never come before one that speaks of the shopper.

use std::cmp::Ordering;

use ann_index::{Bitmap, Hit};
use snapshot::Catalogue;

use crate::scratch::{Lists, Scratch};
use crate::sources::Popularity;
use crate::{Candidate, Source, SourceScore, weights};

/// A candidate in the making.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Entry {
    ordinal: u32,
    fused: f64,
    /// In the order of [`Source::ALL`].
    sources: [Option<Named>; Source::ALL.len()],
}

/// What one source says, and what that added to the sum.
#[derive(Copy, Clone, Debug)]
struct Named {
    score: f32,
    rank: u32,
    added: f64,
}

/// The k best of all lists, topped up by popularity. Leaves the scratch ready for the next query.
pub(crate) fn fuse(
    scratch: &mut Scratch,
    popularity: &Popularity,
    catalogue: &Catalogue,
    k: usize,
) -> Vec<Candidate> {
    let Scratch {
        allowed,
        lists,
        entries,
        places,
        ..
    } = scratch;
    let mut board = Board { entries, places };
    add_personal(&mut board, lists);
    add_popular(&mut board, &lists.popularity, popularity, allowed, k);
    board.clear_places();
    entries.sort_unstable_by(better);
    entries.truncate(k);
    entries
        .iter()
        .filter_map(|entry| candidate(entry, catalogue))
        .collect()
}

fn better(a: &Entry, b: &Entry) -> Ordering {
    b.fused.total_cmp(&a.fused).then(a.ordinal.cmp(&b.ordinal))
}

fn add_personal(board: &mut Board<'_>, lists: &Lists) {
    let sources = [
        (Source::Revisit, &lists.revisit),
        (Source::Sessions, &lists.sessions),
        (Source::Covisitation, &lists.covisitation),
        (Source::Collaborative, &lists.collaborative),
    ];
    for (source, hits) in sources {
        let best = hits.first().map_or(1.0, |hit| f64::from(hit.score));
        for (rank, hit) in (0u32..).zip(hits) {
            let added = weights::of_source(source) * f64::from(hit.score) / best;
            let entry = board.entry(hit.id);
            entry.fused += added;
            entry.sources[source as usize] = Some(Named {
                score: hit.score,
                rank,
                added,
            });
        }
    }
    board
        .entries
        .iter_mut()
        .for_each(|entry| entry.fused += 1.0);
}

/// Tags the popular among the personal ones and appends others until there are k. At least
/// `DEPTH` items are looked at, so that a tag does not depend on what the other sources found.
fn add_popular(
    board: &mut Board<'_>,
    in_categories: &[Hit],
    popularity: &Popularity,
    allowed: &Bitmap,
    k: usize,
) {
    let mut rank = 0;
    for hit in in_categories
        .iter()
        .copied()
        .chain(popularity.overall(allowed))
    {
        if rank as usize >= weights::DEPTH && board.entries.len() >= k {
            return;
        }
        let entry = board.entry(hit.id);
        let slot = &mut entry.sources[Source::Popularity as usize];
        if slot.is_some() {
            continue;
        }
        let alone = entry.fused < 1.0;
        let added = if alone {
            f64::from(hit.score) / 2.0
        } else {
            0.0
        };
        *slot = Some(Named {
            score: hit.score,
            rank,
            added,
        });
        entry.fused += added;
        rank += 1;
    }
}

/// The entries, with the place of each item among them.
struct Board<'a> {
    entries: &'a mut Vec<Entry>,
    places: &'a mut [u32],
}

impl Board<'_> {
    /// The item's entry, made when there is none.
    fn entry(&mut self, ordinal: u32) -> &mut Entry {
        let place = &mut self.places[ordinal as usize];
        if *place == 0 {
            self.entries.push(Entry {
                ordinal,
                fused: 0.0,
                sources: [None; Source::ALL.len()],
            });
            *place = u32::try_from(self.entries.len()).unwrap_or(0);
        }
        &mut self.entries[*place as usize - 1]
    }

    fn clear_places(&mut self) {
        for entry in self.entries.iter() {
            self.places[entry.ordinal as usize] = 0;
        }
    }
}

fn candidate(entry: &Entry, catalogue: &Catalogue) -> Option<Candidate> {
    let mut named: Vec<(Source, Named)> = Source::ALL
        .into_iter()
        .zip(entry.sources)
        .filter_map(|(source, named)| Some((source, named?)))
        .collect();
    named.sort_by(|(_, a), (_, b)| b.added.total_cmp(&a.added));
    let sources = named
        .into_iter()
        .map(|(source, named)| SourceScore {
            source,
            score: f64::from(named.score),
            rank: named.rank,
        })
        .collect();
    Some(Candidate {
        item_id: catalogue.get(entry.ordinal)?.item_id.clone(),
        ordinal: entry.ordinal,
        score: entry.fused,
        sources,
    })
}
