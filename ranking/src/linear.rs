//! A ranker that weighs the columns of a matrix.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use crate::error::{Error, check_length, check_means, check_scales, check_weights};
use crate::matrix::{COLUMNS, Column, Matrix};

/// Scores rows: the higher, the earlier an item is shown. Scores are comparable only inside one
/// call.
pub trait Ranker: Send + Sync + Debug {
    /// Clears `out` and fills it with one finite score per row.
    fn score(&self, rows: &Matrix, out: &mut Vec<f64>) -> Result<(), Error>;
}

/// score = Σ weight · (value − mean) / scale, over [`COLUMNS`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearRanker {
    columns: Vec<String>,
    means: Vec<f64>,
    scales: Vec<f64>,
    weights: Vec<f64>,
    /// Where the weights come from, in a sentence.
    note: String,
}

impl LinearRanker {
    /// The file of a snapshot that holds it.
    pub const FILE: &'static str = "ranker.json";

    pub fn parse(json: &str) -> Result<Self, Error> {
        let ranker: Self = serde_json::from_str(json)?;
        ranker.validate()?;
        Ok(ranker)
    }

    /// Keeps the order of retrieval: weight 1 on the fused score and nothing else.
    pub fn retrieval_order(note: &str) -> Self {
        let mut weights = vec![0.0; COLUMNS.len()];
        weights[Column::Fused.position()] = 1.0;
        Self {
            columns: COLUMNS.map(str::to_owned).to_vec(),
            means: vec![0.0; COLUMNS.len()],
            scales: vec![1.0; COLUMNS.len()],
            weights,
            note: note.to_owned(),
        }
    }

    /// Learned weights over [`COLUMNS`], on standardised values.
    pub fn new(
        means: Vec<f64>,
        scales: Vec<f64>,
        weights: Vec<f64>,
        note: &str,
    ) -> Result<Self, Error> {
        let columns = COLUMNS.map(str::to_owned).to_vec();
        let ranker = Self {
            columns,
            means,
            scales,
            weights,
            note: note.to_owned(),
        };
        ranker.validate()?;
        Ok(ranker)
    }

    pub fn to_json(&self) -> Result<String, Error> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// What it looks at, strongest first, and where the weights come from.
    pub fn describe(&self) -> String {
        let mut parts: Vec<(&String, f64)> = self
            .columns
            .iter()
            .zip(self.weights.iter().copied())
            .collect();
        parts.retain(|(_, weight)| weight.abs() > 0.0);
        parts.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(b.0)));
        let parts: Vec<String> = parts
            .into_iter()
            .map(|(name, weight)| format!("{name} {weight:+.3}"))
            .collect();
        format!("linear ranker: {}; {}", parts.join(", "), self.note)
    }

    fn validate(&self) -> Result<(), Error> {
        if let Some(name) = unexpected(&self.columns) {
            let allowed = format!("this version ranks by {}", COLUMNS.join(", "));
            return Err(Error::Name {
                field: "columns",
                name,
                allowed,
            });
        }
        check_length("columns", self.columns.len(), COLUMNS.len())?;
        check_length("means", self.means.len(), COLUMNS.len())?;
        check_length("scales", self.scales.len(), COLUMNS.len())?;
        check_length("weights", self.weights.len(), COLUMNS.len())?;
        check_means("means", &self.means)?;
        check_scales("scales", &self.scales)?;
        check_weights("weights", &self.weights)
    }

    fn score_row(&self, row: &[f32]) -> f64 {
        let scaled = row.iter().zip(&self.means).zip(&self.scales);
        let scaled = scaled.map(|((value, mean), scale)| (f64::from(*value) - mean) / scale);
        scaled
            .zip(&self.weights)
            .map(|(value, weight)| value * weight)
            .sum()
    }
}

impl Ranker for LinearRanker {
    fn score(&self, rows: &Matrix, out: &mut Vec<f64>) -> Result<(), Error> {
        out.clear();
        out.extend(rows.rows().map(|row| self.score_row(row)));
        Ok(())
    }
}

/// The order of columns is part of the model, so a name in another place is unexpected too.
fn unexpected(names: &[String]) -> Option<String> {
    names
        .iter()
        .zip(COLUMNS)
        .find(|(name, column)| name != column)
        .map(|(name, _)| name.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_the_order_of_retrieval_by_default() {
        let ranker = LinearRanker::retrieval_order("too few examples");
        let mut matrix = Matrix::default();
        matrix.push([0.9, 0.0, 5.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        matrix.push([0.4, 9.0, 0.0, 0.0, 0.0, 3.0, 0.0, 1.0]);
        let mut scores = vec![7.0];
        ranker.score(&matrix, &mut scores).unwrap();
        assert_eq!(scores.len(), 2);
        assert!(scores[0] > scores[1]);
        assert_eq!(
            ranker.describe(),
            "linear ranker: fused +1.000; too few examples"
        );
    }

    #[test]
    fn refuses_another_set_of_columns() {
        let json = LinearRanker::retrieval_order("x").to_json().unwrap();
        let json = json.replace("\"revisit\"", "\"colour\"");
        let problem = LinearRanker::parse(&json).unwrap_err().to_string();
        assert!(problem.starts_with("columns names \"colour\", this version ranks by fused"));
    }

    #[test]
    fn refuses_a_missing_weight_and_a_wild_one() {
        let few = LinearRanker::new(vec![0.0; 8], vec![1.0; 8], vec![0.0; 7], "x");
        assert!(matches!(
            few,
            Err(Error::Length {
                field: "weights",
                got: 7,
                expected: 8
            })
        ));
        let wild = LinearRanker::new(vec![0.0; 8], vec![1.0; 8], vec![f64::NAN; 8], "x");
        assert!(matches!(
            wild,
            Err(Error::Value {
                field: "weights",
                ..
            })
        ));
        let flat = LinearRanker::new(vec![0.0; 8], vec![0.0; 8], vec![1.0; 8], "x");
        assert!(matches!(
            flat,
            Err(Error::Value {
                field: "scales",
                ..
            })
        ));
    }

    proptest! {
        #[test]
        fn scores_are_finite(
            values in prop::collection::vec(any::<f32>(), 16),
            weights in prop::collection::vec(-1e6_f64..1e6, 8),
            scales in prop::collection::vec(1e-9_f64..1e15, 8),
        ) {
            let ranker = LinearRanker::new(vec![0.5; 8], scales, weights, "x").unwrap();
            let matrix = Matrix::from_values(values).unwrap();
            let mut scores = Vec::new();
            ranker.score(&matrix, &mut scores).unwrap();
            prop_assert!(scores.iter().all(|score| score.is_finite()));
        }
    }
}
