//! A ranker that weighs the columns of a matrix.

use crate::error::{Error, check_length, check_means, check_scales, check_weights};
use crate::matrix::Columns;

/// score = Σ weight · (value − mean) / scale; a missing value reads as 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    pub means: Vec<f64>,
    pub scales: Vec<f64>,
    pub weights: Vec<f64>,
}

impl Linear {
    pub(crate) fn validate(&self, columns: &Columns) -> Result<(), Error> {
        check_length("means", self.means.len(), columns.len())?;
        check_length("scales", self.scales.len(), columns.len())?;
        check_length("weights", self.weights.len(), columns.len())?;
        check_means("means", &self.means)?;
        check_scales("scales", &self.scales)?;
        check_weights("weights", &self.weights)
    }

    /// Columns with a weight, strongest first.
    pub(crate) fn describe(&self, columns: &Columns) -> String {
        let named = columns.names().iter().zip(self.weights.iter().copied());
        let mut parts: Vec<(&String, f64)> =
            named.filter(|(_, weight)| weight.abs() > 0.0).collect();
        parts.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(b.0)));
        let parts: Vec<String> = parts
            .into_iter()
            .map(|(name, weight)| format!("{name} {weight:+.3}"))
            .collect();
        parts.join(", ")
    }

    pub(crate) fn score(&self, row: &[f32]) -> f64 {
        let scaled = row.iter().zip(&self.means).zip(&self.scales);
        let scaled = scaled.map(|((value, mean), scale)| (present(*value) - mean) / scale);
        let weighed = scaled.zip(&self.weights);
        weighed.map(|(value, weight)| value * weight).sum()
    }
}

/// What a linear ranker reads: 0 for a gap, as a source that did not name an item has no score.
pub fn present(value: f32) -> f64 {
    if value.is_nan() {
        0.0
    } else {
        f64::from(value)
    }
}
