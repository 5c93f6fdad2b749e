//! Logistic regression.

use serde::{Deserialize, Serialize};

use super::calibration::{check_cut_offs, passed};
use super::{Calibration, CutOff, Quality, check_names, place_of_quiet, snapped};
use crate::error::{Error, check_length, check_means, check_scales, check_weights};

/// A standardised value further out than this reads as this: no single odd feature decides.
const FURTHEST: f64 = 8.0;

/// L2-regularised logistic regression over features by name, then Platt calibration.
///
/// z = intercept + Σ weight · (value − mean) / scale, where an absent value reads as its mean and
/// adds `missing_weight` instead; risk = 1 / (1 + e^−(slope · z + offset)), or what the calibration
/// of the last cut-off passed makes of z.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logistic {
    pub features: Vec<String>,
    pub means: Vec<f64>,
    pub scales: Vec<f64>,
    pub weights: Vec<f64>,
    pub missing_weights: Vec<f64>,
    pub intercept: f64,
    /// Over all cut-offs together.
    pub calibration: Calibration,
    /// Empty in models of the first version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut_offs: Vec<CutOff>,
    /// The label looked this far ahead.
    pub horizon_ms: i64,
    pub quality: Quality,
}

impl Logistic {
    /// The score before calibration, on the scale of log-odds.
    pub fn raw(&self, values: &[Option<f64>]) -> f64 {
        let mut z = self.intercept;
        for index in 0..self.features.len() {
            let value = values
                .get(index)
                .copied()
                .flatten()
                .filter(|value| value.is_finite());
            z += match value {
                Some(value) => {
                    let scaled = (value - self.means[index]) / self.scales[index];
                    self.weights[index] * scaled.clamp(-FURTHEST, FURTHEST)
                }
                None => self.missing_weights[index],
            };
        }
        z
    }

    pub(super) fn risk(&self, values: &[Option<f64>]) -> f64 {
        let quiet = place_of_quiet(&self.features);
        let quiet = quiet.and_then(|at| Some((at, values.get(at).copied().flatten()?)));
        match (passed(&self.cut_offs, quiet.map(|(_, value)| value)), quiet) {
            (Some(cut_off), Some((at, _))) => {
                let raw = self.raw(&snapped(values, at, cut_off));
                cut_off.calibration.risk(raw)
            }
            (Some(cut_off), None) => cut_off.calibration.risk(self.raw(values)),
            (None, _) => self.calibration.risk(self.raw(values)),
        }
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "logistic over {} features, {}",
            self.features.len(),
            self.quality.describe()
        )
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        let expected = self.features.len();
        check_names(&self.features)?;
        check_length("means", self.means.len(), expected)?;
        check_length("scales", self.scales.len(), expected)?;
        check_length("weights", self.weights.len(), expected)?;
        check_length("missing_weights", self.missing_weights.len(), expected)?;
        check_means("means", &self.means)?;
        check_scales("scales", &self.scales)?;
        check_weights("weights", &self.weights)?;
        check_weights("missing_weights", &self.missing_weights)?;
        check_weights("intercept", &[self.intercept])?;
        check_cut_offs(&self.cut_offs)?;
        self.calibration.validate()
    }
}
