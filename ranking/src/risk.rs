//! How likely a cart is to be left without an order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{
    Error, check_length, check_means, check_probability, check_scales, check_weights,
};

/// A standardised value further out than this reads as this: no single odd feature decides.
const FURTHEST: f64 = 8.0;

/// Probability that no line of the cart is bought within the model's horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RiskModel {
    Logistic(Logistic),
    Prior(Prior),
}

/// L2-regularised logistic regression over features by name, then Platt calibration.
///
/// z = intercept + Σ weight · (value − mean) / scale, where an absent value reads as its mean and
/// adds `missing_weight` instead; risk = 1 / (1 + e^−(slope · z + offset)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logistic {
    pub features: Vec<String>,
    pub means: Vec<f64>,
    pub scales: Vec<f64>,
    pub weights: Vec<f64>,
    pub missing_weights: Vec<f64>,
    pub intercept: f64,
    pub calibration: Calibration,
    /// The label looked this far ahead.
    pub horizon_ms: i64,
    pub quality: Quality,
}

/// Platt's sigmoid over the raw score z (Platt 1999), fitted out of fold.
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    pub slope: f64,
    pub offset: f64,
}

/// Measured out of fold, after calibration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    pub samples: u64,
    pub abandoned: u64,
    pub log_loss: f64,
    pub auc: f64,
    pub brier: f64,
    /// Expected calibration error over ten bins of equal width.
    pub ece: f64,
}

/// A stated belief, used when the log holds too few outcomes to learn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prior {
    pub risk: f64,
    pub why: String,
}

impl RiskModel {
    /// The file of a snapshot that holds it.
    pub const FILE: &'static str = "risk.json";

    pub fn parse(json: &str) -> Result<Self, Error> {
        let model: Self = serde_json::from_str(json)?;
        model.validate()?;
        Ok(model)
    }

    /// A model that answers `risk`, limited to 0 to 1, for every cart, and says why.
    pub fn prior(risk: f64, why: &str) -> Self {
        let risk = if risk.is_finite() {
            risk.clamp(0.0, 1.0)
        } else {
            0.5
        };
        Self::Prior(Prior {
            risk,
            why: why.to_owned(),
        })
    }

    /// A learned model, refused when its parts do not fit together.
    pub fn logistic(model: Logistic) -> Result<Self, Error> {
        let model = Self::Logistic(model);
        model.validate()?;
        Ok(model)
    }

    pub fn to_json(&self) -> Result<String, Error> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// What [`Self::risk`] wants, in order; empty for a prior.
    pub fn feature_names(&self) -> &[String] {
        match self {
            Self::Logistic(model) => &model.features,
            Self::Prior(_) => &[],
        }
    }

    pub fn is_prior(&self) -> bool {
        match self {
            Self::Logistic(_) => false,
            Self::Prior(_) => true,
        }
    }

    /// 0 to 1. `values` are in the order of [`Self::feature_names`]; one that is absent, missing
    /// at the end or not finite counts as missing.
    pub fn risk(&self, values: &[Option<f64>]) -> f64 {
        match self {
            Self::Logistic(model) => model.risk(values),
            Self::Prior(prior) => prior.risk,
        }
    }

    /// One line for people: what kind of model, from how much, how good.
    pub fn describe(&self) -> String {
        match self {
            Self::Logistic(model) => model.describe(),
            Self::Prior(prior) => {
                format!(
                    "stated prior: {:.1} % of carts are left; {}",
                    prior.risk * 100.0,
                    prior.why
                )
            }
        }
    }

    /// Measured figures by name, empty for a prior: nothing was measured.
    pub fn quality(&self) -> BTreeMap<String, f64> {
        match self {
            Self::Logistic(model) => model.quality.named(),
            Self::Prior(_) => BTreeMap::new(),
        }
    }

    fn validate(&self) -> Result<(), Error> {
        match self {
            Self::Logistic(model) => model.validate(),
            Self::Prior(prior) => check_probability("risk", prior.risk),
        }
    }
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

    fn risk(&self, values: &[Option<f64>]) -> f64 {
        sigmoid(self.calibration.slope * self.raw(values) + self.calibration.offset)
    }

    fn describe(&self) -> String {
        let quality = &self.quality;
        format!(
            "logistic over {} features from {} carts ({} left); out of fold: log-loss {:.3}, \
             AUC {:.3}, Brier {:.3}, ECE {:.3}",
            self.features.len(),
            quality.samples,
            quality.abandoned,
            quality.log_loss,
            quality.auc,
            quality.brier,
            quality.ece,
        )
    }

    fn validate(&self) -> Result<(), Error> {
        let expected = self.features.len();
        if let Some(name) = self.features.iter().find(|name| !is_name(name)) {
            let allowed = "1 to 128 lower-case letters, digits and _ . are allowed".to_owned();
            return Err(Error::Name {
                field: "features",
                name: name.clone(),
                allowed,
            });
        }
        check_length("means", self.means.len(), expected)?;
        check_length("scales", self.scales.len(), expected)?;
        check_length("weights", self.weights.len(), expected)?;
        check_length("missing_weights", self.missing_weights.len(), expected)?;
        check_means("means", &self.means)?;
        check_scales("scales", &self.scales)?;
        check_weights("weights", &self.weights)?;
        check_weights("missing_weights", &self.missing_weights)?;
        check_weights("intercept", &[self.intercept])?;
        check_weights(
            "calibration",
            &[self.calibration.slope, self.calibration.offset],
        )
    }
}

impl Quality {
    fn named(&self) -> BTreeMap<String, f64> {
        [
            ("risk_log_loss", self.log_loss),
            ("risk_auc", self.auc),
            ("risk_brier", self.brier),
            ("risk_ece", self.ece),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}

/// 1 / (1 + e^−z), without overflow on either side.
pub fn sigmoid(z: f64) -> f64 {
    if z >= 0.0 {
        1.0 / (1.0 + (-z).exp())
    } else {
        let e = z.exp();
        e / (1.0 + e)
    }
}

fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'.'
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn two_features() -> Logistic {
        Logistic {
            features: vec!["cart_value".to_owned(), "cart_age_s".to_owned()],
            means: vec![100.0, 50.0],
            scales: vec![10.0, 25.0],
            weights: vec![0.5, -1.0],
            missing_weights: vec![0.0, 0.25],
            intercept: 0.1,
            calibration: Calibration {
                slope: 0.8,
                offset: 0.05,
            },
            horizon_ms: 86_400_000,
            quality: Quality {
                samples: 200,
                abandoned: 140,
                ..Quality::default()
            },
        }
    }

    #[test]
    fn weighs_standardised_values() {
        let model = RiskModel::logistic(two_features()).unwrap();
        let risk = model.risk(&[Some(120.0), Some(50.0)]);
        assert!((risk - sigmoid(0.8 * (0.1 + 1.0) + 0.05)).abs() < 1e-12);
    }

    #[test]
    fn a_missing_value_reads_as_the_mean_and_adds_its_own_weight() {
        let model = RiskModel::logistic(two_features()).unwrap();
        let expected = sigmoid(0.8 * (0.1 + 0.25) + 0.05);
        for values in [
            vec![Some(100.0), None],
            vec![None],
            vec![Some(100.0), Some(f64::NAN)],
        ] {
            assert!((model.risk(&values) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn a_prior_answers_the_same_for_every_cart_and_says_why() {
        let model = RiskModel::prior(0.7, "the log holds 3 outcomes");
        assert!(model.is_prior() && model.feature_names().is_empty());
        assert!((model.risk(&[Some(1.0)]) - 0.7).abs() < 1e-12);
        assert_eq!(
            model.describe(),
            "stated prior: 70.0 % of carts are left; the log holds 3 outcomes"
        );
        assert!(model.quality().is_empty());
    }

    #[test]
    fn refuses_parts_that_do_not_fit() {
        let short = Logistic {
            weights: vec![1.0],
            ..two_features()
        };
        assert_eq!(
            RiskModel::logistic(short).unwrap_err().to_string(),
            "weights has 1 values, 2 expected: one per name"
        );
        let flat = Logistic {
            scales: vec![1.0, 0.0],
            ..two_features()
        };
        assert_eq!(
            RiskModel::logistic(flat).unwrap_err().to_string(),
            "scales holds 0, 1e-9 to 1e15 is allowed"
        );
        let named = Logistic {
            features: vec!["a".into(), "Cart Age".into()],
            ..two_features()
        };
        assert!(matches!(
            RiskModel::logistic(named),
            Err(Error::Name { .. })
        ));
        let beyond = r#"{"kind":"prior","risk":1.5,"why":"x"}"#;
        assert!(RiskModel::parse(beyond).is_err());
        let extra = r#"{"kind":"prior","risk":0.5,"why":"x","color":1}"#;
        assert!(RiskModel::parse(extra).is_err());
    }

    #[test]
    fn reads_what_it_wrote() {
        for model in [
            RiskModel::Logistic(two_features()),
            RiskModel::prior(0.7, "few labels"),
        ] {
            assert_eq!(RiskModel::parse(&model.to_json().unwrap()).unwrap(), model);
        }
    }

    proptest! {
        #[test]
        fn risk_is_a_probability(
            values in prop::collection::vec(prop::option::of(any::<f64>()), 0..4),
            weights in prop::collection::vec(-1e6_f64..1e6, 2),
        ) {
            let model = RiskModel::logistic(Logistic { weights, ..two_features() }).unwrap();
            let risk = model.risk(&values);
            prop_assert!((0.0..=1.0).contains(&risk), "{risk}");
        }
    }
}
