use std::sync::Arc;

use crate::index::check_query;
use crate::simd::{score_ids, score_rows};
use crate::top::Top;
use crate::{Bitmap, Error, Hit, Plan, SearchReport, VectorIndex, Vectors};

/// Rows scored at a time, and the rows of one word of a filter.
const BLOCK: usize = 64;

/// Scores every allowed row with its full vector.
#[derive(Clone, Debug)]
pub struct ExactIndex {
    vectors: Arc<Vectors>,
}

impl ExactIndex {
    #[must_use]
    pub fn new(vectors: Arc<Vectors>) -> Self {
        Self { vectors }
    }

    #[must_use]
    pub fn vectors(&self) -> &Arc<Vectors> {
        &self.vectors
    }

    fn scan_all(&self, query: &[f32], top: &mut Top<'_>) {
        let rows = self.vectors.as_slice().chunks(BLOCK * query.len());
        for (first, block) in (0u32..).step_by(BLOCK).zip(rows) {
            scan_block(query, first, block, top);
        }
    }

    /// Dense stretches are scanned as they lie; the ids of others are gathered first.
    fn scan_allowed(&self, query: &[f32], allowed: &Bitmap, top: &mut Top<'_>) {
        let rows = self.vectors.as_slice();
        let mut gathered = Gathered {
            ids: [0; GATHER],
            len: 0,
        };
        for ((first, block), &word) in (0u32..)
            .step_by(BLOCK)
            .zip(rows.chunks(BLOCK * query.len()))
            .zip(allowed.words())
        {
            if word == u64::MAX {
                scan_block(query, first, block, top);
                continue;
            }
            gathered.add(first, word);
            if gathered.len > GATHER - BLOCK {
                gathered.score(query, rows, top);
            }
        }
        gathered.score(query, rows, top);
    }
}

const GATHER: usize = 4 * BLOCK;

struct Gathered {
    ids: [u32; GATHER],
    len: usize,
}

impl Gathered {
    /// Adds the ids of one word; there must be room for as many as a word has bits.
    fn add(&mut self, first: u32, mut word: u64) {
        while word != 0 {
            self.ids[self.len] = first + word.trailing_zeros();
            self.len += 1;
            word &= word - 1;
        }
    }

    fn score(&mut self, query: &[f32], rows: &[f32], top: &mut Top<'_>) {
        let mut scores = [0.0; GATHER];
        let ids = &self.ids[..self.len];
        score_ids(query, rows, ids, &mut scores);
        for (&id, &score) in ids.iter().zip(&scores) {
            top.push(Hit { id, score });
        }
        self.len = 0;
    }
}

impl VectorIndex for ExactIndex {
    fn dimension(&self) -> usize {
        self.vectors.dimension()
    }

    fn len(&self) -> usize {
        self.vectors.len()
    }

    fn search(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&Bitmap>,
        out: &mut Vec<Hit>,
    ) -> Result<SearchReport, Error> {
        check_query(self, query, k, allowed)?;
        let mut top = Top::new(k, out);
        match allowed {
            None => self.scan_all(query, &mut top),
            Some(bits) => self.scan_allowed(query, bits, &mut top),
        }
        top.finish();
        let eligible = allowed.map_or(self.len() as u64, Bitmap::count);
        Ok(SearchReport {
            plan: Plan::Exact,
            lists_probed: 0,
            scanned: eligible,
            eligible,
        })
    }
}

fn scan_block(query: &[f32], first: u32, block: &[f32], top: &mut Top<'_>) {
    let mut scores = [0.0; BLOCK];
    score_rows(query, block, &mut scores);
    let rows = block.len() / query.len();
    for (id, &score) in (first..).zip(&scores[..rows]) {
        top.push(Hit { id, score });
    }
}
