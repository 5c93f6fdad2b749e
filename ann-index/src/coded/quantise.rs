//! From numbers to 8-bit codes, with what it costs.
//!
//! A row x becomes s·c with whole numbers c from -127 to 127 and a step s of its own; a query q
//! becomes t·g in the same way. Their true product differs from s·t·⟨c,g⟩ by at most
//! |x - s·c|·|q| + |s·c|·|q - t·g| (Cauchy and Schwarz), and from the product that is computed in
//! f32 by a little more, of which [`rounding`] is a bound. So a row has an upper and a lower bound,
//! and only rows whose upper bound reaches the k-th best lower bound can be among the k best.

use crate::simd::{BLOCK, CodeQuery, GROUP};

const HIGHEST: f32 = 127.0;
/// The smallest step of a row, below which products would lose their last digits to underflow.
const SMALLEST_STEP: f32 = 1e-20;
/// Queries whose greatest number is outside are left to the scan of full vectors, whose products
/// may underflow or overflow as they like.
const QUERY: std::ops::RangeInclusive<f32> = 1e-10..=1e15;
/// The largest number of a row.
pub(super) const LARGEST: f32 = 1e15;
/// More would overflow the sum of products of codes.
pub(super) const MOST_DIMENSIONS: usize = 32_768;

/// Codes of rows in blocks, as [`crate::simd`] reads them.
#[derive(Debug, Default)]
pub(super) struct Coded {
    pub(super) codes: Vec<u8>,
    pub(super) steps: Vec<f32>,
    pub(super) errors: Vec<f32>,
    pub(super) lengths: Vec<f32>,
}

impl Coded {
    /// Codes the rows in the order given; `None` stands for a row that is not there.
    pub(super) fn of<'a>(
        dimension: usize,
        rows: impl ExactSizeIterator<Item = Option<&'a [f32]>>,
    ) -> Self {
        let blocks = rows.len().div_ceil(BLOCK);
        let stride = dimension.div_ceil(GROUP) * GROUP * BLOCK;
        let mut coded = Self {
            // 128 stands for 0.
            codes: vec![128; blocks * stride],
            steps: vec![0.0; blocks * BLOCK],
            errors: vec![0.0; blocks],
            lengths: vec![0.0; blocks],
        };
        for (at, row) in rows.enumerate() {
            if let Some(row) = row {
                coded.put(at, row, stride);
            }
        }
        coded
    }

    fn put(&mut self, at: usize, row: &[f32], stride: usize) {
        let (block, lane) = (at / BLOCK, at % BLOCK);
        let step = (greatest(row) / HIGHEST).max(SMALLEST_STEP);
        let (mut error, mut length) = (0.0, 0.0);
        for (i, &x) in row.iter().enumerate() {
            let code = nearest(x, step);
            let place = block * stride + i / GROUP * GROUP * BLOCK + lane * GROUP + i % GROUP;
            self.codes[place] = code.cast_unsigned() ^ 128;
            error += squared(f64::from(x) - f64::from(code) * f64::from(step));
            length += squared(f64::from(code));
        }
        self.steps[at] = step;
        let error = above(error.sqrt() / f64::from(step));
        self.errors[block] = self.errors[block].max(error);
        self.lengths[block] = self.lengths[block].max(above(length.sqrt()));
    }
}

/// The codes of a query, or `None` when its numbers are too large or small for the bounds to hold.
pub(super) fn code_query(query: &[f32]) -> Option<CodeQuery> {
    let greatest = greatest(query);
    if !QUERY.contains(&greatest) || query.len() > MOST_DIMENSIONS {
        return None;
    }
    let step = greatest / HIGHEST;
    let mut coded = CodeQuery {
        groups: vec![[0; GROUP]; query.len().div_ceil(GROUP)],
        step,
        ..CodeQuery::default()
    };
    let (mut norm, mut error) = (0.0, 0.0);
    for (at, &x) in query.iter().enumerate() {
        let code = nearest(x, step);
        coded.groups[at / GROUP][at % GROUP] = code;
        coded.excess += 128 * i32::from(code);
        norm += squared(f64::from(x));
        error += squared(f64::from(x) - f64::from(code) * f64::from(step));
    }
    coded.norm = above(norm.sqrt());
    coded.slip = above(error.sqrt() + rounding(query.len()) * norm.sqrt());
    Some(coded)
}

/// The same query for rows whose product alone is wanted, without a bound's slack.
pub(super) fn without_slack(query: &CodeQuery) -> CodeQuery {
    CodeQuery {
        norm: 0.0,
        slip: 0.0,
        ..query.clone()
    }
}

/// Twice what `dimension` fused or unfused products and a few operations more may add up to,
/// relative to the product of the lengths.
fn rounding(dimension: usize) -> f64 {
    let operations = u32::try_from(2 * dimension + 64).unwrap_or(u32::MAX);
    f64::from(operations) * f64::from(f32::EPSILON)
}

fn greatest(row: &[f32]) -> f32 {
    row.iter().fold(0.0, |most: f32, x| most.max(x.abs()))
}

fn squared(x: f64) -> f64 {
    x * x
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a step is a 127th of the largest number or more; rounding up to 127 is clamped"
)]
fn nearest(x: f32, step: f32) -> i8 {
    (x / step).round_ties_even().clamp(-HIGHEST, HIGHEST) as i8
}

/// An f32 that is not below, with room for the few operations that use it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the factor is more than the rounding"
)]
fn above(x: f64) -> f32 {
    (x * (1.0 + 1e-5)) as f32
}
