//! How likely a cart is to be left without an order.
//!
//! | module | holds |
//! |---|---|
//! | `logistic` | [`Logistic`] regression |
//! | `boosted` | [`Boosted`] trees |
//! | `calibration` | raw scores to probabilities, for carts that have been quiet for so long |
//! | `standing` | what the recommender says of the cart's lines, as features |
//!
//! A model is made for a few *cut-offs*: moments after so many seconds of quiet. At any moment the
//! last cut-off that was passed answers: its calibration is used, and [`QUIET`] reads as its time,
//! since the model has seen no carts in between.

mod boosted;
mod calibration;
mod logistic;
mod standing;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, check_probability};
use crate::model::{Foreign, Format};

pub use boosted::{Boosted, narrow};
pub use calibration::{Calibration, Calibrator, CutOff, Isotonic};
pub use logistic::Logistic;
pub use standing::Standing;

/// The feature by which cut-offs are told apart.
pub const QUIET: &str = "shopper.idle_s";

/// Probability that no line of the cart is bought within the model's horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RiskModel {
    Logistic(Logistic),
    Boosted(Boosted),
    Prior(Prior),
    /// Of another library, in a file of its own.
    #[serde(skip)]
    Foreign(Foreign),
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
    /// 0 in models of the first version, which did not measure it.
    #[serde(default)]
    pub average_precision: f64,
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

    /// The files that may hold it; a snapshot has one of them.
    pub const FILES: [&'static str; 2] = [Self::FILE, "risk.txt"];

    /// Reads a file of any format. A model of another library must answer with chances, such as
    /// one of the objective `binary`; its features are those of the registry, by name.
    pub fn load(bytes: &[u8]) -> Result<Self, Error> {
        let format = Format::sniff(bytes)?;
        match format {
            Format::Cartwright => Self::parse(&String::from_utf8_lossy(bytes)),
            Format::LightGbm | Format::XgBoost | Format::Onnx => {
                let model = Self::Foreign(Foreign::read(bytes, format)?);
                model.validated()
            }
        }
    }

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
        Self::Logistic(model).validated()
    }

    /// A learned model, refused when its parts do not fit together.
    pub fn boosted(model: Boosted) -> Result<Self, Error> {
        Self::Boosted(model).validated()
    }

    fn validated(self) -> Result<Self, Error> {
        self.validate()?;
        Ok(self)
    }

    pub fn to_json(&self) -> Result<String, Error> {
        match self {
            // For people to read.
            Self::Logistic(_) | Self::Prior(_) => Ok(serde_json::to_string_pretty(self)?),
            Self::Boosted(_) => Ok(serde_json::to_string(self)?),
            Self::Foreign(model) => Err(model.refuse_writing()),
        }
    }

    /// What [`Self::risk`] wants, in order; empty for a prior.
    pub fn feature_names(&self) -> &[String] {
        match self {
            Self::Logistic(model) => &model.features,
            Self::Boosted(model) => model.forest.features(),
            Self::Prior(_) => &[],
            Self::Foreign(model) => model.model().features(),
        }
    }

    /// The moments that the model was made for; empty for a prior and in models of the first
    /// version.
    pub fn cut_offs(&self) -> &[CutOff] {
        match self {
            Self::Logistic(model) => &model.cut_offs,
            Self::Boosted(model) => &model.cut_offs,
            Self::Prior(_) | Self::Foreign(_) => &[],
        }
    }

    pub fn is_prior(&self) -> bool {
        match self {
            Self::Logistic(_) | Self::Boosted(_) | Self::Foreign(_) => false,
            Self::Prior(_) => true,
        }
    }

    /// 0 to 1. `values` are in the order of [`Self::feature_names`]; one that is absent, missing
    /// at the end or not finite counts as missing.
    pub fn risk(&self, values: &[Option<f64>]) -> f64 {
        match self {
            Self::Logistic(model) => model.risk(values),
            Self::Boosted(model) => model.risk(values),
            Self::Prior(prior) => prior.risk,
            Self::Foreign(model) => of_foreign(model, values),
        }
    }

    /// One line for people: what kind of model, from how much, how good.
    pub fn describe(&self) -> String {
        match self {
            Self::Logistic(model) => model.describe(),
            Self::Boosted(model) => model.describe(),
            Self::Prior(prior) => {
                format!(
                    "stated prior: {:.1} % of carts are left; {}",
                    prior.risk * 100.0,
                    prior.why
                )
            }
            Self::Foreign(model) => model.describe(),
        }
    }

    /// Measured figures by name, empty for a prior: nothing was measured.
    pub fn quality(&self) -> BTreeMap<String, f64> {
        match self {
            Self::Logistic(model) => model.quality.named(),
            Self::Boosted(model) => model.quality.named(),
            Self::Prior(_) | Self::Foreign(_) => BTreeMap::new(),
        }
    }

    fn validate(&self) -> Result<(), Error> {
        match self {
            Self::Logistic(model) => model.validate(),
            Self::Boosted(model) => model.validate(),
            Self::Prior(prior) => check_probability("risk", prior.risk),
            Self::Foreign(model) => check_foreign(model),
        }
    }
}

impl Quality {
    fn describe(&self) -> String {
        format!(
            "from {} carts ({} left); out of fold: log-loss {:.3}, AUC {:.3}, Brier {:.3}, ECE {:.3}",
            self.samples, self.abandoned, self.log_loss, self.auc, self.brier, self.ece,
        )
    }

    fn named(&self) -> BTreeMap<String, f64> {
        [
            ("risk_log_loss", self.log_loss),
            ("risk_auc", self.auc),
            ("risk_brier", self.brier),
            ("risk_ece", self.ece),
            ("risk_average_precision", self.average_precision),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}

fn check_foreign(model: &Foreign) -> Result<(), Error> {
    check_names(model.model().features())?;
    if model.model().is_probability() {
        return Ok(());
    }
    Err(Error::Refused {
        what: "a risk model whose scores are no chances".to_owned(),
        instead: "train it with objective=binary or binary:logistic",
    })
}

fn of_foreign(model: &Foreign, values: &[Option<f64>]) -> f64 {
    let features = model.model().features().len();
    let given = values.iter().map(|value| narrow(*value));
    let row: Vec<f32> = given
        .chain(std::iter::repeat(f32::NAN))
        .take(features)
        .collect();
    let mut risk = [0.5];
    // A row of the right length is never refused by trees, which is what was read.
    let _ = model.score(&row, &mut risk);
    risk[0].clamp(0.0, 1.0)
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

fn check_names(names: &[String]) -> Result<(), Error> {
    match names.iter().find(|name| !is_name(name)) {
        None => Ok(()),
        Some(name) => Err(Error::Name {
            field: "features",
            name: name.clone(),
            allowed: "1 to 128 lower-case letters, digits and _ . are allowed".to_owned(),
        }),
    }
}

/// Where the time of quiet stands among features.
fn place_of_quiet(features: &[String]) -> Option<usize> {
    features.iter().position(|name| name == QUIET)
}

/// The values with the quiet of the cut-off in place of that at `at`.
fn snapped(values: &[Option<f64>], at: usize, cut_off: &CutOff) -> Vec<Option<f64>> {
    let mut values = values.to_vec();
    if let Some(value) = values.get_mut(at) {
        *value = Some(f64::from(cut_off.quiet_s));
    }
    values
}

fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'.'
        })
}

#[cfg(test)]
mod tests;
