//! How likely a cart is to be left: learned where the log shows enough outcomes, a stated prior
//! where it does not.
//!
//! A sample is a moment at which a shopper has been quiet for the idle time with lines in the cart;
//! its features are what serving would have computed then. The label looks ahead for a horizon: the
//! cart is left when none of its items is bought in it. Moments whose horizon reaches past the end
//! of the log have no label yet and are left out.

mod fit;
mod fold;
mod measure;
mod samples;

use std::time::Duration;

use feature_store::{EntityKind, Event, Registry, ValueType};
use ranking::{Logistic, RiskModel};

pub use measure::{auc, brier, expected_calibration_error, log_loss};
pub use samples::Sample;

pub(crate) use samples::{horizon, samples};

use crate::Error;

/// Outcomes of either kind below which nothing is learned.
const FEWEST: usize = 50;
/// What is believed before a log says anything: Beta(14, 6), so 70 % of carts are left, the
/// average that the Baymard Institute gives over its list of studies, weighing as much as 20 carts.
const PRIOR: (f64, f64) = (14.0, 6.0);

/// A risk model and the samples it was made from.
#[derive(Debug)]
pub(crate) struct Risk {
    pub(crate) model: RiskModel,
    pub(crate) samples: Vec<Sample>,
    pub(crate) notes: Vec<String>,
}

/// Learns from clean events in the order of time.
pub(crate) fn learn(events: &[Event], idle: Duration) -> Result<Risk, Error> {
    let horizon = horizon(events);
    let features = features();
    let samples = samples(events, idle, horizon, &features)?;
    let left = samples.iter().filter(|sample| sample.left).count();
    let bought = samples.len() - left;
    let mut notes = vec![format!(
        "risk: {} outcomes, {left} carts left and {bought} bought within {} min after {} min of quiet",
        samples.len(),
        horizon.as_secs() / 60,
        idle.as_secs() / 60,
    )];
    let model = if left.min(bought) < FEWEST {
        prior(left, bought)
    } else {
        RiskModel::logistic(logistic(&features, &samples, horizon))?
    };
    notes.push(format!("risk: {}", model.describe()));
    Ok(Risk {
        model,
        samples,
        notes,
    })
}

/// All numeric features of a shopper.
fn features() -> Vec<String> {
    let numeric = |kind: ValueType| match kind {
        ValueType::Bool | ValueType::Int | ValueType::Double => true,
        ValueType::Text | ValueType::Texts | ValueType::Doubles => false,
    };
    let of_shopper = Registry::standard()
        .features()
        .iter()
        .filter(|feature| feature.entity == EntityKind::Shopper && numeric(feature.value_type));
    of_shopper.map(|feature| feature.name.to_owned()).collect()
}

fn prior(left: usize, bought: usize) -> RiskModel {
    let count = crate::metrics::real;
    let risk = (PRIOR.0 + count(left)) / (PRIOR.0 + PRIOR.1 + count(left + bought));
    let why = format!(
        "{left} carts left and {bought} bought are too few to learn from, {FEWEST} of each are \
         needed; 70 % of carts are left on average (Baymard Institute), which weighs as much as 20 \
         carts here"
    );
    RiskModel::prior(risk, &why)
}

fn logistic(features: &[String], samples: &[Sample], horizon: Duration) -> Logistic {
    let judged = fold::cross_validated(samples, features.len());
    let fitted = fit::fit(&samples.iter().collect::<Vec<_>>(), features.len());
    Logistic {
        features: features.to_vec(),
        means: fitted.means,
        scales: fitted.scales,
        weights: fitted.weights,
        missing_weights: fitted.missing_weights,
        intercept: fitted.intercept,
        calibration: judged.calibration,
        horizon_ms: i64::try_from(horizon.as_millis()).unwrap_or(i64::MAX),
        quality: judged.quality,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prng::SplitMix64;

    /// Carts are left with a probability that only the first feature decides.
    fn synthetic(count: usize) -> Vec<Sample> {
        let mut random = SplitMix64::new(5);
        (0..count)
            .map(|at| {
                let x = random.unit() * 4.0 - 2.0;
                let noise = (random.unit() > 0.3).then(|| random.unit() * 1e6);
                let left = random.unit() < ranking::sigmoid(1.5 * x + 0.5);
                Sample {
                    shopper: format!("s{at}"),
                    at: feature_store::Millis(0),
                    values: vec![Some(x), noise],
                    left,
                }
            })
            .collect()
    }

    fn names() -> Vec<String> {
        vec!["signal".to_owned(), "noise".to_owned()]
    }

    #[test]
    fn learns_what_decides_and_is_calibrated() {
        let model = RiskModel::logistic(logistic(
            &names(),
            &synthetic(4_000),
            Duration::from_secs(60),
        ))
        .unwrap();
        for x in [-1.5, -0.5, 0.5, 1.5] {
            let (found, truth) = (
                model.risk(&[Some(x), None]),
                ranking::sigmoid(1.5 * x + 0.5),
            );
            assert!((found - truth).abs() < 0.05, "{x}: {found} {truth}");
        }
        let quality = model.quality();
        assert!(quality["risk_auc"] > 0.8, "{quality:?}");
        assert!(quality["risk_ece"] < 0.04, "{quality:?}");
    }

    #[test]
    fn labels_without_a_cause_teach_nothing() {
        let mut samples = synthetic(2_000);
        let mut random = SplitMix64::new(9);
        for sample in &mut samples {
            sample.left = random.unit() < 0.7;
        }
        let model = logistic(&names(), &samples, Duration::from_secs(60));
        assert!(
            (model.quality.auc - 0.5).abs() < 0.06,
            "{:?}",
            model.quality
        );
    }

    #[test]
    fn a_few_outcomes_only_nudge_the_prior() {
        let RiskModel::Prior(model) = prior(8, 2) else {
            panic!("a prior")
        };
        assert!((model.risk - 22.0 / 30.0).abs() < 1e-12);
        assert!(
            model
                .why
                .starts_with("8 carts left and 2 bought are too few"),
            "{}",
            model.why
        );
    }

    #[test]
    fn only_numbers_of_shoppers_are_features() {
        let features = features();
        assert!(features.len() > 10);
        assert!(
            features.iter().all(|name| name.starts_with("shopper.")),
            "{features:?}"
        );
    }
}
