//! What every source says at every moment, and how good weights are on it.

use rayon::prelude::*;
use retrieval::{FusionWeights, Gate, Model, Normalisation, Source, SourceWeight};

use super::case::{Case, Lanes};
use super::{Asked, WORTH, alone};
use crate::Error;
use crate::metrics::real;

const ROUNDS: usize = 3;
const GRID: [f64; 10] = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0];
/// Popularity may break ties and no more: what is popular is known to everybody.
const POPULAR_GRID: [f64; 5] = [0.0, 0.1, 0.25, 0.5, 1.0];
/// Shares that interactions of earlier visits may keep.
pub(super) const SHARES: [f32; 3] = [1.0, 0.25, 0.0];
/// Shares of what revisit adds that the item dealt with last may keep.
const AGAIN: [f32; 5] = [1.0, 0.5, 0.25, 0.1, 0.0];

/// All cases.
pub(super) struct Table(Vec<Case>);

impl Table {
    pub(super) fn collect(
        model: &Model,
        how: &FusionWeights,
        moments: &[Asked<'_>],
    ) -> Result<Self, Error> {
        let gate = Gate::open(model.catalogue().len());
        let models = SHARES
            .map(|share| model.with_fusion(with_shares(how, share)))
            .into_iter()
            .collect::<Result<Vec<Model>, _>>()?;
        let cases = moments
            .par_iter()
            .map(|moment| Case::of(moment, &models, &gate))
            .collect::<Result<_, Error>>()?;
        Ok(Self(cases))
    }

    pub(super) fn objective(&self, weights: &FusionWeights) -> f64 {
        let source = Source::Popularity;
        let gains = self.gains(weights, source, &[weights.of(source)]);
        gains.first().copied().unwrap_or(0.0)
    }

    /// The settings of a start with the source alone that is best so. Sources that name nothing
    /// keep their weights: there is nothing to learn of them.
    pub(super) fn best_alone(&self, weights: &FusionWeights) -> FusionWeights {
        let speak: Vec<Source> = Source::ALL
            .into_iter()
            .filter(|source| self.0.iter().any(|case| case.is_told_by(*source)))
            .collect();
        let mut best = (weights.clone(), f64::NEG_INFINITY);
        for &source in &speak {
            let tried = alone(source, &speak, weights);
            let found = self.objective(&tried);
            if found > best.1 {
                best = (tried, found);
            }
        }
        best.0
    }

    pub(super) fn ascend(&self, start: &FusionWeights) -> (FusionWeights, f64) {
        let (mut best, mut most) = (start.clone(), self.objective(start));
        for _ in 0..ROUNDS {
            let before = most;
            for source in Source::ALL {
                let grid = self.grid(source, best.of(source));
                self.ascend_along(source, grid, &mut best, &mut most);
                let shares = SHARES.map(|share| best.of(source).with_earlier(share));
                self.ascend_along(source, shares.to_vec(), &mut best, &mut most);
            }
            for again in AGAIN {
                let tried = FusionWeights {
                    again,
                    ..best.clone()
                };
                let gained = self.objective(&tried);
                if gained > most * (1.0 + WORTH) {
                    (best, most) = (tried, gained);
                }
            }
            if most <= before {
                break;
            }
        }
        (best, most)
    }

    /// Moves one source to the best of a grid.
    fn ascend_along(
        &self,
        source: Source,
        grid: Vec<SourceWeight>,
        best: &mut FusionWeights,
        most: &mut f64,
    ) {
        let gains = self.gains(best, source, &grid);
        for (moved, gained) in grid.into_iter().zip(gains) {
            if gained > *most * (1.0 + WORTH) {
                best.sources[source as usize] = moved;
                *most = gained;
            }
        }
    }

    /// The mean gain for each way of weighing one source, summed in the order of the cases whatever
    /// the number of threads.
    fn gains(&self, weights: &FusionWeights, source: Source, grid: &[SourceWeight]) -> Vec<f64> {
        let of_case = |lanes: &mut Lanes, case: &Case| -> Vec<f64> {
            lanes.begin(case, source, weights);
            let ways = grid.iter();
            ways.map(|how| case.gain(lanes.scores(case, source, *how, weights.again)))
                .collect()
        };
        let cases = self.0.par_iter();
        let gains: Vec<Vec<f64>> = cases.map_init(Lanes::default, of_case).collect();
        let mean = |at: usize| {
            gains.iter().map(|of_case| of_case[at]).sum::<f64>() / real(gains.len().max(1))
        };
        (0..grid.len()).map(mean).collect()
    }

    /// Weights and normalisations to try at the share that a source has.
    fn grid(&self, source: Source, own: SourceWeight) -> Vec<SourceWeight> {
        let (weights, normalisations): (&[f64], &[Normalisation]) = match source {
            // Where nothing may be answered that was bought, there is nothing to learn of it.
            Source::Rebuy if !self.0.iter().any(|case| case.may_rebuy) => (&[], &[]),
            Source::Popularity => (&POPULAR_GRID, &[Normalisation::Best]),
            Source::Revisit
            | Source::Rebuy
            | Source::Sessions
            | Source::Covisitation
            | Source::Collaborative
            | Source::Content => (&GRID, &Normalisation::ALL),
        };
        let of = |normalisation| {
            let weights = weights.iter();
            weights.map(move |&weight| SourceWeight {
                weight,
                normalisation,
                ..own
            })
        };
        normalisations.iter().copied().flat_map(of).collect()
    }
}

fn with_shares(how: &FusionWeights, share: f32) -> FusionWeights {
    FusionWeights {
        sources: how.sources.map(|one| one.with_earlier(share)),
        ..how.clone()
    }
}

#[cfg(test)]
impl Table {
    /// Of each case the scores of its items by ordinal.
    pub(super) fn scores(
        &self,
        weights: &FusionWeights,
    ) -> Vec<std::collections::BTreeMap<u32, f64>> {
        let of = |case: &Case| {
            let how = weights.of(Source::Popularity);
            let scores = case.rows.iter().map(|row| {
                let rest = row.rest(weights, Source::Popularity);
                let (fixed, moving) = row.parts(rest, Source::Popularity, how, weights.again);
                (row.ordinal, fixed + how.weight * moving)
            });
            scores.collect()
        };
        self.0.iter().map(of).collect()
    }
}
