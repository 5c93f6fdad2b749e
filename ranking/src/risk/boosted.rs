//! Boosted trees.

use serde::{Deserialize, Serialize};

use super::calibration::{check_cut_offs, passed};
use super::{CutOff, Quality, check_names, place_of_quiet, snapped};
use crate::error::{Error, check_length};
use crate::forest::Forest;

/// A forest over features by name, whose scores are log-odds, and a calibration for each cut-off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boosted {
    #[serde(with = "file_of_forest")]
    pub forest: Forest,
    /// At least one, the quickest first.
    pub cut_offs: Vec<CutOff>,
    /// The label looked this far ahead.
    pub horizon_ms: i64,
    /// Over all cut-offs together.
    pub quality: Quality,
}

impl Boosted {
    /// The score before calibration, on the scale of log-odds.
    pub fn raw(&self, values: &[Option<f64>]) -> f64 {
        let mut score = [self.forest.base_score()];
        let row = row(values, self.forest.features().len());
        // A row of the right length is never refused.
        let _ = self.forest.score_rows(&row, row.len(), &mut score);
        score[0]
    }

    pub(super) fn risk(&self, values: &[Option<f64>]) -> f64 {
        let quiet = place_of_quiet(self.forest.features());
        let quiet = quiet.and_then(|at| Some((at, values.get(at).copied().flatten()?)));
        let Some(cut_off) = passed(&self.cut_offs, quiet.map(|(_, value)| value)) else {
            return super::sigmoid(self.raw(values));
        };
        cut_off.calibration.risk(match quiet {
            Some((at, _)) => self.raw(&snapped(values, at, cut_off)),
            None => self.raw(values),
        })
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "{} boosted trees over {} features, {}",
            self.forest.trees().len(),
            self.forest.features().len(),
            self.quality.describe()
        )
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        check_names(self.forest.features())?;
        check_length("cut_offs, at least one,", self.cut_offs.len().min(1), 1)?;
        check_cut_offs(&self.cut_offs)
    }
}

/// A forest in its own file format, in place.
mod file_of_forest {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de, ser};
    use serde_json::Value;

    use crate::forest::Forest;

    pub(super) fn serialize<S: Serializer>(forest: &Forest, to: S) -> Result<S::Ok, S::Error> {
        let text = forest.to_json().map_err(ser::Error::custom)?;
        let value: Value = serde_json::from_str(&text).map_err(ser::Error::custom)?;
        value.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Forest, D::Error> {
        let value = Value::deserialize(from)?;
        Forest::parse(&value.to_string()).map_err(de::Error::custom)
    }
}

/// What is absent or not finite is NaN, which a forest takes as missing.
fn row(values: &[Option<f64>], columns: usize) -> Vec<f32> {
    let given = values.iter().map(|value| narrow(*value));
    given
        .chain(std::iter::repeat(f32::NAN))
        .take(columns)
        .collect()
}

/// As a forest reads a value, in training and in serving.
#[expect(
    clippy::cast_possible_truncation,
    reason = "trees compare in single precision, in training and here"
)]
pub fn narrow(value: Option<f64>) -> f32 {
    match value {
        Some(value) if value.is_finite() => value as f32,
        Some(_) | None => f32::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forest::{Node, Side, Split, Tree};
    use crate::risk::{Calibration, Calibrator, Isotonic, QUIET, RiskModel, sigmoid};

    /// Quiet carts score 1 more; a cart of unknown value scores −2.
    fn model() -> Boosted {
        let stump = |feature, below, missing, left, right| Tree {
            nodes: vec![
                Node::Split(Split {
                    feature,
                    below,
                    missing,
                    left: 1,
                    right: 2,
                }),
                Node::Leaf(left),
                Node::Leaf(right),
            ],
        };
        let trees = vec![
            stump(0, 150.0, Side::Left, 0.0, 1.0),
            stump(1, 0.0, Side::Left, -2.0, 0.5),
        ];
        let names = vec![QUIET.to_owned(), "shopper.cart_value_minor".to_owned()];
        let platt = Calibration {
            slope: 2.0,
            offset: 0.25,
        };
        let curve = Isotonic {
            scores: vec![-1.0, 1.5],
            risks: vec![0.2, 0.7],
        };
        let at = |quiet_s, calibration| CutOff {
            quiet_s,
            calibration,
            quality: Quality::default(),
        };
        Boosted {
            forest: Forest::new(names, 0.0, trees).unwrap(),
            cut_offs: vec![
                at(0, Calibrator::Platt(platt)),
                at(300, Calibrator::Isotonic(curve)),
            ],
            horizon_ms: 86_400_000,
            quality: Quality::default(),
        }
    }

    #[test]
    fn the_last_cut_off_passed_answers_as_of_its_own_moment() {
        let model = RiskModel::boosted(model()).unwrap();
        let risk = |quiet, value| model.risk(&[quiet, value]);
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}");
        near(risk(Some(0.0), Some(1.0)), sigmoid(2.0 * 0.5 + 0.25));
        // Until the next cut-off, the split at 150 s is not asked.
        near(risk(Some(299.0), Some(1.0)), sigmoid(2.0 * 0.5 + 0.25));
        near(risk(Some(300.0), Some(1.0)), 0.7);
        near(risk(Some(9_000.0), Some(-1.0)), 0.2);
        near(risk(Some(9_000.0), None), 0.2);
        near(risk(None, None), sigmoid(2.0 * -2.0 + 0.25));
        near(model.risk(&[]), sigmoid(2.0 * -2.0 + 0.25));
        near(
            risk(Some(f64::NAN), Some(f64::NAN)),
            sigmoid(2.0 * -2.0 + 0.25),
        );
    }

    #[test]
    fn reads_what_it_wrote_and_refuses_parts_that_do_not_fit() {
        let whole = RiskModel::boosted(model()).unwrap();
        let text = whole.to_json().unwrap();
        assert_eq!(RiskModel::parse(&text).unwrap(), whole);
        let broken = text.replacen("\"right\":2", "\"right\":7", 1);
        assert!(RiskModel::parse(&broken).is_err());
        let without = Boosted {
            cut_offs: Vec::new(),
            ..model()
        };
        assert!(RiskModel::boosted(without).is_err());
    }
}
