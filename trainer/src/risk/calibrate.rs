//! From raw scores to probabilities: fitting the curve.

use ranking::{Calibration, Calibrator, Isotonic, sigmoid};

use super::measure::log_loss;
use crate::metrics::real;

/// Outcomes of either kind below which a curve of many points would learn chance.
const FEWEST_FOR_CURVE: f64 = 200.0;

/// How much lower the log-loss of a curve must be: its points follow chance as well, so that equal
/// scores of two models become two risks.
const WORTH_A_CURVE: f64 = 0.99;

/// Scores of models that had not seen the outcomes, and how they are dealt into parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Scored {
    pub(super) raw: Vec<f64>,
    pub(super) labels: Vec<f64>,
    pub(super) parts: Vec<usize>,
}

impl Scored {
    fn without(&self, part: usize) -> (Vec<f64>, Vec<f64>) {
        let places = (0..self.raw.len()).filter(|at| self.parts[*at] != part);
        places.map(|at| (self.raw[at], self.labels[at])).unzip()
    }

    pub(super) fn filtered(&self, is_kept: impl Fn(usize) -> bool) -> Self {
        let places: Vec<usize> = (0..self.raw.len()).filter(|at| is_kept(*at)).collect();
        Self {
            raw: places.iter().map(|at| self.raw[*at]).collect(),
            labels: places.iter().map(|at| self.labels[*at]).collect(),
            parts: places.iter().map(|at| self.parts[*at]).collect(),
        }
    }
}

/// Platt's sigmoid, or the rising curve where that fits parts clearly better that it was not fitted
/// to.
pub(super) fn calibrator(scored: &Scored) -> Calibrator {
    let platt = Calibrator::Platt(platt(&scored.raw, &scored.labels));
    let positive = scored.labels.iter().sum::<f64>();
    if positive.min(real(scored.labels.len()) - positive) < FEWEST_FOR_CURVE {
        return platt;
    }
    let loss = |fit: &dyn Fn(&[f64], &[f64]) -> Calibrator| {
        let last = scored.parts.iter().copied().max().unwrap_or(0);
        let mut risks = vec![0.0; scored.raw.len()];
        for part in 0..=last {
            let (raw, labels) = scored.without(part);
            let fitted = fit(&raw, &labels);
            for at in (0..risks.len()).filter(|at| scored.parts[*at] == part) {
                risks[at] = fitted.risk(scored.raw[at]);
            }
        }
        log_loss(&risks, &scored.labels)
    };
    let sigmoid = loss(&|raw, labels| Calibrator::Platt(self::platt(raw, labels)));
    let curve = loss(&|raw, labels| Calibrator::Isotonic(isotonic(raw, labels)));
    if curve < WORTH_A_CURVE * sigmoid {
        Calibrator::Isotonic(isotonic(&scored.raw, &scored.labels))
    } else {
        platt
    }
}

/// Platt's sigmoid (Platt 1999, with the targets of section 2.2), by Newton's method on two
/// parameters.
pub(super) fn platt(scores: &[f64], labels: &[f64]) -> Calibration {
    let positive = labels.iter().sum::<f64>();
    let negative = real(labels.len()) - positive;
    let (high, low) = ((positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0));
    let mut found = Calibration {
        slope: 1.0,
        offset: 0.0,
    };
    for _ in 0..100 {
        let (mut gs, mut go, mut ss, mut so, mut oo) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
        for (score, label) in scores.iter().zip(labels) {
            let p = sigmoid(found.slope * score + found.offset);
            let error = p - if *label > 0.5 { high } else { low };
            let curvature = p * (1.0 - p);
            gs += error * score;
            go += error;
            ss += curvature * score * score;
            so += curvature * score;
            oo += curvature;
        }
        let determinant = ss * oo - so * so;
        if determinant.abs() < 1e-12 {
            break;
        }
        let (slope, offset) = (
            (gs * oo - go * so) / determinant,
            (go * ss - gs * so) / determinant,
        );
        found.slope = (found.slope - slope).clamp(0.0, 100.0);
        found.offset = (found.offset - offset).clamp(-100.0, 100.0);
        if slope.abs() + offset.abs() < 1e-10 {
            break;
        }
    }
    found
}

/// Scores that belong together, and how many of them are positive.
#[derive(Copy, Clone, Debug)]
struct Block {
    score: f64,
    positive: f64,
    count: f64,
}

impl Block {
    fn share(self) -> f64 {
        self.positive / self.count
    }

    fn joined(self, other: Self) -> Self {
        let count = self.count + other.count;
        Self {
            score: (self.score * self.count + other.score * other.count) / count,
            positive: self.positive + other.positive,
            count,
        }
    }
}

/// Centred isotonic regression (Oron and Flournoy 2017): neighbours that would fall are pooled, and
/// each pool is one point at its mean score, so that scores inside a pool keep their order. The
/// ends stay half a count away from 0 and 1.
pub(super) fn isotonic(scores: &[f64], labels: &[f64]) -> Isotonic {
    let mut pairs: Vec<(f64, f64)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut blocks: Vec<Block> = Vec::new();
    for same in pairs.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let mut block = Block {
            score: same.first().map_or(0.0, |pair| pair.0),
            positive: same.iter().map(|pair| pair.1).sum(),
            count: real(same.len()),
        };
        while let Some(last) = blocks.last().filter(|last| last.share() >= block.share()) {
            block = last.joined(block);
            blocks.pop();
        }
        blocks.push(block);
    }
    let kept = |share: f64| {
        let least = 0.5 / (real(pairs.len()) + 1.0);
        share.clamp(least, 1.0 - least)
    };
    Isotonic {
        scores: blocks.iter().map(|block| block.score).collect(),
        risks: blocks.iter().map(|block| kept(block.share())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::prng::SplitMix64;

    /// Outcomes whose true log-odds are a function of the score.
    fn outcomes(count: usize, truth: impl Fn(f64) -> f64) -> Scored {
        let mut random = SplitMix64::new(3);
        let mut scored = Scored::default();
        for at in 0..count {
            let score = random.unit() * 6.0 - 3.0;
            let positive = random.unit() < truth(score);
            scored.raw.push(score);
            scored.labels.push(f64::from(u8::from(positive)));
            scored.parts.push(at % 5);
        }
        scored
    }

    #[test]
    fn pools_what_would_fall() {
        let found = isotonic(&[3.0, 1.0, 2.0, 4.0], &[0.0, 0.0, 1.0, 1.0]);
        assert_eq!(found.scores, [1.0, 2.5, 4.0]);
        assert_eq!(found.risks, [0.1, 0.5, 0.9]);
    }

    #[test]
    fn the_curve_that_fits_held_out_parts_is_taken() {
        let logistic = outcomes(4_000, |score| sigmoid(1.5 * score - 0.5));
        assert!(matches!(calibrator(&logistic), Calibrator::Platt(_)));
        let steps = outcomes(4_000, |score| if score < 1.0 { 0.3 } else { 0.9 });
        assert!(matches!(calibrator(&steps), Calibrator::Isotonic(_)));
        let few = outcomes(300, |score| if score < 1.0 { 0.3 } else { 0.9 });
        assert!(matches!(calibrator(&few), Calibrator::Platt(_)));
    }

    #[test]
    fn both_find_the_truth() {
        let truth = |score: f64| sigmoid(1.5 * score - 0.5);
        let scored = outcomes(40_000, truth);
        let curve = Calibrator::Isotonic(isotonic(&scored.raw, &scored.labels));
        let sigmoid = Calibrator::Platt(platt(&scored.raw, &scored.labels));
        for score in [-2.0, -0.5, 0.5, 2.0] {
            assert!((curve.risk(score) - truth(score)).abs() < 0.04, "{score}");
            assert!((sigmoid.risk(score) - truth(score)).abs() < 0.02, "{score}");
        }
    }

    proptest! {
        #[test]
        fn the_curve_rises_and_keeps_the_mean(
            outcomes in prop::collection::vec((-9_i8..9, any::<bool>()), 1..60),
        ) {
            let (scores, labels): (Vec<f64>, Vec<f64>) = outcomes
                .iter()
                .map(|(score, label)| (f64::from(*score), f64::from(u8::from(*label))))
                .unzip();
            let found = isotonic(&scores, &labels);
            prop_assert!(found.scores.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(found.risks.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(found.risks.iter().all(|risk| *risk > 0.0 && *risk < 1.0));
        }
    }
}
