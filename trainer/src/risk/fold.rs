//! Judging out of fold, and calibration.
//!
//! Shoppers, not samples, are dealt into five folds, so that nobody is both learned from and judged.
//! Each fold is scored by a model of the other four, calibrated by Platt's sigmoid on their scores.

use ranking::{Calibration, Quality, sigmoid};
use xxhash_rust::xxh3::xxh3_64;

use super::fit::{fit, label};
use super::measure::{auc, brier, expected_calibration_error, log_loss};
use super::samples::Sample;
use crate::metrics::real;

const FOLDS: u64 = 5;

pub(super) struct Judged {
    /// Over the scores of all folds, for the model of all samples.
    pub(super) calibration: Calibration,
    pub(super) quality: Quality,
}

pub(super) fn cross_validated(samples: &[Sample], features: usize) -> Judged {
    let raw = out_of_fold(samples, features);
    let labels: Vec<f64> = samples.iter().map(label).collect();
    let folds: Vec<u64> = samples.iter().map(fold).collect();
    let mut risks = vec![0.0; samples.len()];
    for held in 0..FOLDS {
        let others = |at: &usize| folds[*at] != held;
        let known: Vec<usize> = (0..samples.len()).filter(others).collect();
        let scores: Vec<f64> = known.iter().map(|at| raw[*at]).collect();
        let outcomes: Vec<f64> = known.iter().map(|at| labels[*at]).collect();
        let calibration = platt(&scores, &outcomes);
        for at in (0..samples.len()).filter(|at| folds[*at] == held) {
            risks[at] = sigmoid(calibration.slope * raw[at] + calibration.offset);
        }
    }
    let left = samples.iter().filter(|sample| sample.left).count();
    let quality = Quality {
        samples: u64::try_from(samples.len()).unwrap_or(u64::MAX),
        abandoned: u64::try_from(left).unwrap_or(u64::MAX),
        log_loss: log_loss(&risks, &labels),
        auc: auc(&risks, &labels),
        brier: brier(&risks, &labels),
        ece: expected_calibration_error(&risks, &labels),
    };
    Judged {
        calibration: platt(&raw, &labels),
        quality,
    }
}

fn fold(sample: &Sample) -> u64 {
    xxh3_64(sample.shopper.as_bytes()) % FOLDS
}

fn out_of_fold(samples: &[Sample], features: usize) -> Vec<f64> {
    let mut raw = vec![0.0; samples.len()];
    for held in 0..FOLDS {
        let known: Vec<&Sample> = samples
            .iter()
            .filter(|sample| fold(sample) != held)
            .collect();
        let fitted = fit(&known, features);
        for (place, sample) in raw.iter_mut().zip(samples).filter(|(_, s)| fold(s) == held) {
            *place = fitted.raw(&sample.values);
        }
    }
    raw
}

/// Platt's sigmoid (Platt 1999, with the targets of section 2.2), by Newton's method on two
/// parameters.
fn platt(scores: &[f64], labels: &[f64]) -> Calibration {
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
