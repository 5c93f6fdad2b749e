//! How much of the truth a generation's index finds.

use std::sync::Arc;

use ann_index::{Hit, VectorIndex as _, mask};

use crate::files::{HeldOut, HeldOutBand};
use crate::{Error, Model};

/// What one band of held-out carts gave.
#[derive(Clone, Debug, PartialEq)]
pub struct BandRecall {
    /// Share of items that its filter allows.
    pub selectivity: f32,
    /// Shape of the filter.
    pub kind: &'static str,
    /// Carts asked about.
    pub carts: usize,
    /// Mean share of a cart's true neighbours that were found; 1 where there are none.
    pub recall: f64,
}

impl Model {
    /// Asks the collaborative space about at most `most` of the held-out carts in each band, evenly
    /// spread, exactly as serving would search. Empty when the generation has no such space.
    ///
    /// # Errors
    /// Carts of another dimension, or an index that cannot be searched.
    pub fn recall(&self, held_out: &HeldOut, most: usize) -> Result<Vec<BandRecall>, Error> {
        let Some(source) = &self.collaborative else {
            return Ok(Vec::new());
        };
        let space = source.space();
        let vectors = Arc::clone(space.vectors());
        let dimension = held_out.dimension.max(1);
        let carts: Vec<&[f32]> = held_out.queries.chunks_exact(dimension).collect();
        let step = carts.len().div_ceil(most.max(1)).max(1);
        let mut bands = Vec::with_capacity(held_out.bands.len());
        for band in &held_out.bands {
            let share = f64::from(band.selectivity);
            let allowed = mask(&vectors, band.kind, share, held_out.seed);
            let mut hits = Vec::new();
            let (mut sum, mut asked) = (0.0, 0);
            for (cart, truth) in carts.iter().zip(&band.neighbours).step_by(step) {
                if !truth.is_empty() {
                    space.search(cart, truth.len(), Some(&allowed), &mut hits)?;
                }
                sum += found(truth, &hits);
                asked += 1;
            }
            bands.push(of_band(band, sum, asked));
        }
        Ok(bands)
    }
}

fn found(truth: &[u32], hits: &[Hit]) -> f64 {
    let expected = truth.iter().map(|&id| Hit { id, score: 0.0 });
    ann_index::recall(&expected.collect::<Vec<_>>(), hits)
}

#[expect(clippy::cast_precision_loss, reason = "carts are a few hundred")]
fn of_band(band: &HeldOutBand, sum: f64, asked: usize) -> BandRecall {
    BandRecall {
        selectivity: band.selectivity,
        kind: band.kind.as_str(),
        carts: asked,
        recall: if asked == 0 { 1.0 } else { sum / asked as f64 },
    }
}
