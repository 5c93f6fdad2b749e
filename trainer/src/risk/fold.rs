//! Judging out of fold, and calibrating each cut-off.
//!
//! Shoppers, not samples, are dealt into five parts, so that nobody is both learned from and judged.

use ranking::{Calibrator, CutOff, Quality};
use xxhash_rust::xxh3::xxh3_64;

use super::calibrate::{Scored, calibrator, platt};
use super::learner::{Case, Ensemble};
use super::measure::Measures;
use super::samples::Sample;
use crate::metrics::real;

pub(super) const PARTS: usize = 5;
/// Outcomes of either kind below which a cut-off is calibrated together with the others.
const FEWEST: f64 = 50.0;

pub(super) fn part(shopper: &str) -> usize {
    let parts = xxh3_64(shopper.as_bytes()) % PARTS as u64;
    usize::try_from(parts).unwrap_or(0)
}

pub(super) fn label(sample: &Sample) -> f64 {
    if sample.left { 1.0 } else { 0.0 }
}

/// The first `features` of each sample.
pub(super) fn cases(samples: &[Sample], features: usize) -> Vec<Case<'_>> {
    let case = |sample| case(sample, features);
    samples.iter().map(case).collect()
}

pub(super) fn case(sample: &Sample, features: usize) -> Case<'_> {
    Case {
        values: sample.values.get(..features).unwrap_or(&sample.values),
        label: label(sample),
        part: part(&sample.shopper),
    }
}

/// A calibration for each cut-off.
#[derive(Clone, Debug)]
pub(super) struct Calibrators {
    of: Vec<(u32, Calibrator)>,
    pooled: Calibrator,
}

impl Calibrators {
    /// `quiet_s` says of each score which cut-off it is of.
    pub(super) fn fit(scored: &Scored, quiet_s: &[u32], cut_offs: &[u32]) -> Self {
        let pooled = Calibrator::Platt(platt(&scored.raw, &scored.labels));
        let of = |cut_off: &u32| {
            let own = scored.filtered(|at| quiet_s[at] == *cut_off);
            let positive = own.labels.iter().sum::<f64>();
            let rare = positive.min(real(own.labels.len()) - positive);
            let fitted = if rare < FEWEST {
                pooled.clone()
            } else {
                calibrator(&own)
            };
            (*cut_off, fitted)
        };
        Self {
            of: cut_offs.iter().map(of).collect(),
            pooled: pooled.clone(),
        }
    }

    pub(super) fn risk(&self, quiet_s: u32, raw: f64) -> f64 {
        self.get(quiet_s).risk(raw)
    }

    fn get(&self, quiet_s: u32) -> &Calibrator {
        let own = self.of.iter().find(|(cut_off, _)| *cut_off == quiet_s);
        own.map_or(&self.pooled, |(_, found)| found)
    }
}

/// Risks out of fold: scored by a model that has not seen the shopper, calibrated on the scores of
/// other shoppers.
pub(super) fn risks(ensemble: &Ensemble, samples: &[Sample], cut_offs: &[u32]) -> Vec<f64> {
    let scored = &ensemble.scored;
    let mut risks = vec![0.0; samples.len()];
    for held in 0..PARTS {
        let is_known = |at: usize| scored.parts[at] != held;
        let quiet: Vec<u32> = (0..samples.len())
            .filter(|at| is_known(*at))
            .map(|at| samples[at].quiet_s)
            .collect();
        let calibrators = Calibrators::fit(&scored.filtered(is_known), &quiet, cut_offs);
        for at in (0..samples.len()).filter(|at| !is_known(*at)) {
            risks[at] = calibrators.risk(samples[at].quiet_s, scored.raw[at]);
        }
    }
    risks
}

/// The cut-offs of a model: calibrated on all scores, judged by `risks`.
pub(super) fn cut_offs(
    ensemble: &Ensemble,
    samples: &[Sample],
    risks: &[f64],
    cut_offs: &[u32],
) -> Vec<CutOff> {
    let quiet: Vec<u32> = samples.iter().map(|sample| sample.quiet_s).collect();
    let calibrators = Calibrators::fit(&ensemble.scored, &quiet, cut_offs);
    let cut_off = |quiet_s: &u32| CutOff {
        quiet_s: *quiet_s,
        calibration: calibrators.get(*quiet_s).clone(),
        quality: quality(samples, risks, |sample| sample.quiet_s == *quiet_s),
    };
    cut_offs.iter().map(cut_off).collect()
}

pub(super) fn quality(
    samples: &[Sample],
    risks: &[f64],
    is_meant: impl Fn(&Sample) -> bool,
) -> Quality {
    let meant = samples
        .iter()
        .zip(risks)
        .filter(|(sample, _)| is_meant(sample));
    let (labels, risks): (Vec<f64>, Vec<f64>) =
        meant.map(|(sample, risk)| (label(sample), *risk)).unzip();
    let found = Measures::of(&risks, &labels);
    let left = labels.iter().filter(|label| **label > 0.5).count();
    Quality {
        samples: u64::try_from(labels.len()).unwrap_or(u64::MAX),
        abandoned: u64::try_from(left).unwrap_or(u64::MAX),
        log_loss: found.log_loss,
        auc: found.auc,
        brier: found.brier,
        ece: found.ece,
        average_precision: found.average_precision,
    }
}
