use crate::simd::{BLOCK, CodeQuery, CodeRows, score_ids};
use crate::top::Top;
use crate::{Hit, Vectors};

/// A row that may be among the best.
#[derive(Copy, Clone, Debug)]
struct Entry {
    most: f32,
    least: f32,
    id: u32,
}

/// Memory that searches of one thread share.
#[derive(Debug, Default)]
pub(super) struct Kept {
    entries: Vec<Entry>,
    leasts: Vec<f32>,
    ids: Vec<u32>,
    scores: Vec<f32>,
}

/// Keeps every row that could be one of the k best by its bounds, and in the end scores those with
/// their full vectors: the answer is that of scoring all rows, bit for bit.
#[derive(Debug)]
pub(super) struct Keeper<'a> {
    kept: &'a mut Kept,
    k: usize,
    /// Length at which those that cannot get in any more are thrown out.
    full: usize,
    /// The k-th best of the lower bounds seen; a row whose upper bound is below cannot get in.
    bar: f32,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(k: usize, kept: &'a mut Kept) -> Self {
        kept.entries.clear();
        Self {
            kept,
            k,
            full: k.saturating_mul(2).saturating_add(256),
            bar: f32::NEG_INFINITY,
        }
    }

    pub(super) fn bar(&self) -> f32 {
        self.bar
    }

    /// Takes the rows whose bit is set in `over`, one word a block, with their upper bounds.
    pub(super) fn take(
        &mut self,
        query: &CodeQuery,
        rows: &CodeRows<'_>,
        over: &[u16],
        bounds: &[f32],
        id_of: impl Fn(usize) -> u32,
    ) {
        for (block, &bits) in over.iter().enumerate() {
            if bits == 0 {
                continue;
            }
            // Rounded outwards, as the upper bound is.
            let width = 2.000_01 * rows.slack(query, block);
            let mut left = bits;
            while left != 0 {
                let row = block * BLOCK + left.trailing_zeros() as usize;
                left &= left - 1;
                let most = bounds[row];
                if most >= self.bar {
                    let least = most - width * rows.steps[row];
                    let id = id_of(row);
                    self.kept.entries.push(Entry { most, least, id });
                }
            }
            if self.kept.entries.len() >= self.full {
                self.cut();
            }
        }
    }

    /// Takes rows by their scores, which are their own bounds.
    pub(super) fn take_full(
        &mut self,
        query: &[f32],
        vectors: &Vectors,
        rows: impl Iterator<Item = u32>,
    ) {
        let Kept {
            entries,
            ids,
            scores,
            ..
        } = &mut *self.kept;
        ids.clear();
        ids.extend(rows);
        scores.clear();
        scores.resize(ids.len(), 0.0);
        score_ids(query, vectors.as_slice(), ids, scores);
        for (&id, &score) in ids.iter().zip(scores.iter()) {
            if score >= self.bar {
                entries.push(Entry {
                    most: score,
                    least: score,
                    id,
                });
            }
        }
        if entries.len() >= self.full {
            self.cut();
        }
    }

    /// Raises the bar and throws out what is below it. Rows that are alike may all stay.
    fn cut(&mut self) {
        let Kept {
            entries, leasts, ..
        } = &mut *self.kept;
        if self.k > 0 && entries.len() > self.k {
            leasts.clear();
            leasts.extend(entries.iter().map(|entry| entry.least));
            let (_, bar, _) = leasts.select_nth_unstable_by(self.k - 1, |a, b| b.total_cmp(a));
            self.bar = self.bar.max(*bar);
            let bar = self.bar;
            entries.retain(|entry| entry.most >= bar);
        }
        let room = self.k.saturating_add(256);
        self.full = self.full.max(entries.len().saturating_add(room));
    }

    /// The k best by their full vectors. The first k by lower bound give a bar that is no bound
    /// but a score, which few of the others reach.
    pub(super) fn finish(mut self, query: &[f32], vectors: &Vectors, out: &mut Vec<Hit>) {
        self.cut();
        let k = self.k;
        let kept = self.kept;
        if kept.entries.len() > k {
            let by_least = |a: &Entry, b: &Entry| b.least.total_cmp(&a.least).then(a.id.cmp(&b.id));
            kept.entries.select_nth_unstable_by(k - 1, by_least);
        }
        let mut top = Top::new(k, out);
        let first = k.min(kept.entries.len());
        let (head, tail) = kept.entries.split_at(first);
        let scratch = (&mut kept.ids, &mut kept.scores);
        let lowest = score(query, vectors, head.iter(), scratch, &mut top);
        let rest = tail.iter().filter(|entry| entry.most >= lowest);
        let scratch = (&mut kept.ids, &mut kept.scores);
        score(query, vectors, rest, scratch, &mut top);
        top.finish();
    }
}

/// Scores rows into the top, and returns the lowest score.
fn score<'e>(
    query: &[f32],
    vectors: &Vectors,
    entries: impl Iterator<Item = &'e Entry>,
    (ids, scores): (&mut Vec<u32>, &mut Vec<f32>),
    top: &mut Top<'_>,
) -> f32 {
    ids.clear();
    ids.extend(entries.map(|entry| entry.id));
    scores.clear();
    scores.resize(ids.len(), 0.0);
    score_ids(query, vectors.as_slice(), ids, scores);
    let mut lowest = f32::INFINITY;
    for (&id, &score) in ids.iter().zip(scores.iter()) {
        top.push(Hit { id, score });
        lowest = lowest.min(score);
    }
    lowest
}
