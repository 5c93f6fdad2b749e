use std::sync::Arc;

use crate::ffi::{dot, score_rows};
use crate::index::check_query;
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

    fn scan_allowed(&self, query: &[f32], allowed: &Bitmap, top: &mut Top<'_>) {
        let rows = self.vectors.as_slice().chunks(BLOCK * query.len());
        for ((first, block), &word) in (0u32..).step_by(BLOCK).zip(rows).zip(allowed.words()) {
            match word {
                0 => {}
                u64::MAX => scan_block(query, first, block, top),
                _ => scan_word(query, first, block, word, top),
            }
        }
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

fn scan_word(query: &[f32], first: u32, block: &[f32], mut word: u64, top: &mut Top<'_>) {
    while word != 0 {
        let bit = word.trailing_zeros();
        word &= word - 1;
        let start = bit as usize * query.len();
        if let Some(row) = block.get(start..start + query.len()) {
            top.push(Hit {
                id: first + bit,
                score: dot(query, row),
            });
        }
    }
}
