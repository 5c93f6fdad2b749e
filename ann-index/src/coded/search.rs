use std::cell::RefCell;
use std::ops::Range;

use super::CodeIndex;
use super::budget::{Budget, Evenness};
use super::keep::{Keeper, Kept};
use super::layout::blocks;
use super::quantise::{code_query, without_slack};
use super::walk::{Order, Walk};
use crate::simd::{BLOCK, CodeQuery, CodeRows, bounds, members, prefetch};
use crate::{Bitmap, Hit};

/// Blocks looked at between two looks at the bar.
const STEP: usize = 16;
/// Up to so many allowed rows in two blocks, their full vectors are less to read than the codes of
/// all rows of the blocks.
const FEW: usize = 5;

/// What one search looked at.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) lists: u32,
    /// Rows of those lists, allowed or not.
    pub(super) rows: u64,
    /// Of them, those that are allowed.
    pub(super) eligible: u64,
    /// Whether all allowed rows were looked at.
    pub(super) all: bool,
}

#[derive(Debug, Default)]
struct Scratch {
    kept: Kept,
    order: Order,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// One search under way.
#[derive(Debug)]
struct Search<'a> {
    index: &'a CodeIndex,
    query: CodeQuery,
    full: &'a [f32],
    rows: CodeRows<'a>,
    /// The id at each place; none when places are ids.
    ids: &'a [u32],
    allowed: Option<&'a Bitmap>,
    keeper: Keeper<'a>,
    looked: Looked,
    /// The bounds of one step, kept so that they need not be cleared each time.
    found: [f32; STEP * BLOCK],
}

/// Looks at lists until the budget of allowed rows was seen, and answers with the k best of them.
/// `None` when the query's numbers are too large or too small for codes.
pub(super) fn search(
    index: &CodeIndex,
    query: &[f32],
    k: usize,
    budget: Budget,
    eligible: u64,
    allowed: Option<&Bitmap>,
    out: &mut Vec<Hit>,
) -> Option<Looked> {
    let coded = code_query(query)?;
    SCRATCH.with_borrow_mut(|scratch| {
        let Scratch { kept, order } = scratch;
        let mut search = Search {
            index,
            query: coded,
            full: query,
            rows: index.rows(),
            ids: index.ids(),
            allowed,
            keeper: Keeper::new(k, kept),
            looked: Looked::default(),
            found: [0.0; STEP * BLOCK],
        };
        if index.lists() == 0 {
            search.scan();
        } else {
            search.walk(budget, eligible, order);
        }
        let Search { keeper, looked, .. } = search;
        keeper.finish(query, index.vectors(), out);
        Some(Looked {
            all: looked.eligible == eligible,
            ..looked
        })
    })
}

impl Search<'_> {
    /// Rows in order of id: a word of the filter is four blocks.
    fn scan(&mut self) {
        let rows = self.index.vectors().len();
        for from in (0..rows).step_by(STEP * BLOCK) {
            let mut wanted = [0; STEP];
            match self.allowed {
                None => fill(&mut wanted, rows - from),
                Some(bits) => {
                    let words = bits.words().get(from / 64..).unwrap_or(&[]);
                    split(words, &mut wanted);
                }
            }
            let first = from / BLOCK;
            let last = (first + STEP).min(self.index.blocks());
            self.look(first..last, &mut wanted);
        }
        self.looked.rows = rows as u64;
    }

    fn walk(&mut self, budget: Budget, eligible: u64, order: &mut Order) {
        self.index.rank_lists(&self.query, &mut order.scores);
        let wanted = evenly(budget.even, eligible, order.scores.len());
        let mut evenness = Evenness::new(eligible, self.index.vectors().len() as u64);
        let mut lists = Walk::new(order, wanted).peekable();
        while let Some(list) = lists.next() {
            let Looked { eligible, rows, .. } = self.looked;
            if eligible >= budget.uneven || (eligible >= budget.even && evenness.holds()) {
                return;
            }
            if let Some(&next) = lists.peek() {
                self.expect(next);
            }
            self.list(list);
            evenness.add(self.looked.rows - rows, self.looked.eligible - eligible);
        }
    }

    /// Lists lie anywhere, so the next one is asked for while this one is looked at.
    fn expect(&self, list: usize) {
        let (range, _) = self.index.list(list);
        let to = range.end.min(range.start + STEP / 2);
        let rows = blocks(&self.rows, &self.query, range.start, to);
        prefetch(rows.codes);
        prefetch(rows.steps);
        if self.allowed.is_some() {
            let ids = self.ids.get(range.start * BLOCK..to * BLOCK);
            prefetch(ids.unwrap_or(&[]));
        }
    }

    fn list(&mut self, list: usize) {
        let (range, size) = self.index.list(list);
        for from in range.clone().step_by(STEP) {
            let to = (from + STEP).min(range.end);
            let mut wanted = [0; STEP];
            match self.allowed {
                None => fill(
                    &mut wanted,
                    size.saturating_sub((from - range.start) * BLOCK),
                ),
                Some(bits) => {
                    let ids = self.ids.get(from * BLOCK..to * BLOCK).unwrap_or(&[]);
                    members(self.index.level, ids, bits.words(), &mut wanted);
                }
            }
            self.look(from..to, &mut wanted);
        }
        self.looked.lists += 1;
        self.looked.rows += size as u64;
    }

    /// Looks at blocks of rows, as many as a step has at most.
    fn look(&mut self, range: Range<usize>, wanted: &mut [u16; STEP]) {
        let wanted = &mut wanted[..range.len()];
        let count: u32 = wanted.iter().map(|bits| bits.count_ones()).sum();
        self.looked.eligible += u64::from(count);
        let blocks_with_any = wanted.iter().filter(|&&bits| bits != 0).count();
        if self.allowed.is_some() && count as usize * 2 <= blocks_with_any * FEW {
            self.look_closely(range.start * BLOCK, wanted);
            return;
        }
        let rows = blocks(&self.rows, &self.query, range.start, range.end);
        let bar = self.keeper.bar();
        let found = &mut self.found;
        bounds(self.index.level, &self.query, &rows, bar, wanted, found);
        let first = range.start * BLOCK;
        let ids = self.ids;
        let id_of = |row| id_at(ids, first + row);
        self.keeper.take(&self.query, &rows, wanted, found, id_of);
    }

    /// Looks at the full vectors of the rows whose bit is set, the first being of place `first`.
    fn look_closely(&mut self, first: usize, wanted: &[u16]) {
        let places = wanted.iter().enumerate().flat_map(|(block, &bits)| {
            let lanes = (0..BLOCK).filter(move |lane| bits >> lane & 1 == 1);
            lanes.map(move |lane| first + block * BLOCK + lane)
        });
        let ids = self.ids;
        self.keeper.take_full(
            self.full,
            self.index.vectors(),
            places.map(|place| id_at(ids, place)),
        );
    }
}

/// Places are ids where there are none.
fn id_at(ids: &[u32], place: usize) -> u32 {
    match ids {
        [] => u32::try_from(place).unwrap_or(u32::MAX),
        ids => ids.get(place).copied().unwrap_or(u32::MAX),
    }
}

/// How many lists it takes when allowed rows lie evenly, and some more.
fn evenly(budget: u64, eligible: u64, lists: usize) -> usize {
    let lists = lists as u64;
    let wanted = u128::from(budget.min(eligible)) * u128::from(lists) / u128::from(eligible.max(1));
    let wanted = u64::try_from(wanted).unwrap_or(lists);
    usize::try_from((wanted + wanted / 4 + 8).min(lists)).unwrap_or(usize::MAX)
}

/// The first `rows` bits set.
fn fill(wanted: &mut [u16], rows: usize) {
    for (at, bits) in wanted.iter_mut().enumerate() {
        let left = rows.saturating_sub(at * BLOCK);
        *bits = if left >= BLOCK {
            u16::MAX
        } else {
            (1 << left) - 1
        };
    }
}

fn split(words: &[u64], wanted: &mut [u16; STEP]) {
    for (four, word) in wanted.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        for (at, bits) in four.iter_mut().enumerate() {
            *bits = (word >> (16 * at) & 0xffff) as u16;
        }
    }
}

/// What each list promises: the product with its mean, and for each standard deviation of its
/// rows as much again as the query is long.
pub(super) fn rank(
    index: &CodeIndex,
    query: &CodeQuery,
    means: &CodeRows<'_>,
    spreads: &[f32],
    reach: f32,
    scores: &mut Vec<f32>,
) {
    let plain = without_slack(query);
    scores.clear();
    scores.resize(spreads.len().next_multiple_of(BLOCK), 0.0);
    let mut wanted = vec![u16::MAX; scores.len() / BLOCK];
    bounds(
        index.level,
        &plain,
        means,
        f32::NEG_INFINITY,
        &mut wanted,
        scores,
    );
    scores.truncate(spreads.len());
    let reach = reach * query.norm;
    for (score, spread) in scores.iter_mut().zip(spreads) {
        *score += reach * spread;
    }
}
