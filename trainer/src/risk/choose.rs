//! Which model goes into the snapshot.
//!
//! From the simplest on, each is judged out of fold, by shopper. One that needs more takes the
//! place of one that needs less only when its log-loss is lower by more than a standard error of
//! the difference (Breiman et al. 1984, section 3.4.3), taken over shoppers.

use std::collections::BTreeMap;

use ranking::{Boosted, Calibration, Logistic, RiskModel, Standing};

use super::calibrate::platt;
use super::learner::{Ensemble, Learner, Scorer, Stop};
use super::samples::{Look, Sample};
use super::{fold, measure};
use crate::Error;
use crate::boost::Settings;
use crate::metrics::real;

/// Small trees in small steps: carts are few and noisy.
pub(super) fn settings(seed: u64) -> Settings {
    Settings {
        trees: 300,
        depth: 6,
        leaves: 8,
        rate: 0.06,
        leaf_rows: 25,
        penalty: 10.0,
        row_share: 0.7,
        column_share: 0.5,
        patience: 25,
        seed,
        ..Settings::default()
    }
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Chosen {
    /// `None` when the share of carts that are left is no worse than any.
    pub(super) model: Option<RiskModel>,
    /// The log-loss of each, the share of carts left first.
    tried: Vec<(&'static str, f64)>,
}

impl Chosen {
    pub(super) fn note(&self) -> String {
        let name = |(name, loss): &(&'static str, f64)| format!("{name} {loss:.4}");
        let named: Vec<String> = self.tried.iter().map(name).collect();
        format!("risk: log-loss out of fold: {}", named.join(", "))
    }
}

/// A model that was judged.
struct Tried {
    learner: Learner,
    features: usize,
    ensemble: Ensemble,
    risks: Vec<f64>,
    losses: Vec<f64>,
}

pub(super) fn choose(samples: &[Sample], look: &Look<'_>, seed: u64) -> Result<Chosen, Error> {
    let alone = look
        .features
        .iter()
        .filter(|name| !Standing::is_name(name))
        .count();
    let is_asked = samples
        .iter()
        .any(|sample| sample.values.iter().skip(alone).any(Option::is_some));
    let boosted = || Learner::Boosted(settings(seed), Stop::Next);
    let mut order = vec![
        ("logistic regression", Learner::Logistic, alone),
        ("boosted trees", boosted(), alone),
    ];
    if is_asked {
        order.push((
            "boosted trees that ask the recommender",
            boosted(),
            look.features.len(),
        ));
    }
    let share = samples.iter().map(fold::label).sum::<f64>() / real(samples.len());
    let mut best_losses: Vec<f64> = samples.iter().map(|one| loss(share, one)).collect();
    let mut tried = vec![("share of carts left", mean(&best_losses))];
    let mut best: Option<Tried> = None;
    for (name, learner, features) in order {
        let next = attempt(samples, look, learner, features)?;
        tried.push((name, mean(&next.losses)));
        if is_better(&next.losses, &best_losses, samples) {
            best_losses.clone_from(&next.losses);
            best = Some(next);
        }
    }
    let model = best.map(|best| finish(samples, look, &best)).transpose()?;
    Ok(Chosen { model, tried })
}

fn attempt(
    samples: &[Sample],
    look: &Look<'_>,
    learner: Learner,
    features: usize,
) -> Result<Tried, Error> {
    let names = look.features.get(..features).unwrap_or(look.features);
    let ensemble = learner.ensemble(names, &fold::cases(samples, features))?;
    let risks = fold::risks(&ensemble, samples, look.cut_offs);
    let losses = samples
        .iter()
        .zip(&risks)
        .map(|(one, risk)| loss(*risk, one))
        .collect();
    Ok(Tried {
        learner,
        features,
        ensemble,
        risks,
        losses,
    })
}

fn loss(risk: f64, sample: &Sample) -> f64 {
    measure::log_loss(&[risk], &[fold::label(sample)])
}

fn mean(losses: &[f64]) -> f64 {
    losses.iter().sum::<f64>() / real(losses.len().max(1))
}

/// Whether the sum of losses is lower by more than its standard error; the samples of a shopper
/// stand or fall together.
fn is_better(new: &[f64], old: &[f64], samples: &[Sample]) -> bool {
    let mut gains: BTreeMap<&str, f64> = BTreeMap::new();
    for ((new, old), sample) in new.iter().zip(old).zip(samples) {
        *gains.entry(&sample.shopper).or_default() += old - new;
    }
    let count = real(gains.len());
    let sum: f64 = gains.values().sum();
    let mean = sum / count;
    let variance = gains
        .values()
        .map(|gain| (gain - mean).powi(2))
        .sum::<f64>()
        / count;
    sum > (variance * count).sqrt()
}

fn finish(samples: &[Sample], look: &Look<'_>, best: &Tried) -> Result<RiskModel, Error> {
    let names = look.features.get(..best.features).unwrap_or(look.features);
    let cases = fold::cases(samples, best.features);
    let cut_offs = fold::cut_offs(&best.ensemble, samples, &best.risks, look.cut_offs);
    let quality = fold::quality(samples, &best.risks, |_| true);
    let horizon_ms = i64::try_from(look.horizon.as_millis()).unwrap_or(i64::MAX);
    let model = match best.learner.united(names, &cases, &best.ensemble)? {
        Scorer::Boosted(forest) => RiskModel::boosted(Boosted {
            forest,
            cut_offs,
            horizon_ms,
            quality,
        })?,
        Scorer::Logistic(fitted) => RiskModel::logistic(Logistic {
            features: names.to_vec(),
            means: fitted.means,
            scales: fitted.scales,
            weights: fitted.weights,
            missing_weights: fitted.missing_weights,
            intercept: fitted.intercept,
            calibration: pooled(&best.ensemble),
            cut_offs,
            horizon_ms,
            quality,
        })?,
    };
    Ok(model)
}

fn pooled(ensemble: &Ensemble) -> Calibration {
    platt(&ensemble.scored.raw, &ensemble.scored.labels)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use feature_store::Millis;
    use ranking::{QUIET, sigmoid};

    use super::*;
    use crate::prng::SplitMix64;

    const CUT_OFFS: [u32; 2] = [0, 1_800];

    /// Carts are left with a probability that a function of the first feature decides, and more
    /// often when they are quiet.
    fn synthetic(count: usize, log_odds: impl Fn(f64) -> f64) -> Vec<Sample> {
        let mut random = SplitMix64::new(5);
        (0..count)
            .map(|at| {
                let x = random.unit() * 4.0 - 2.0;
                let noise = (random.unit() > 0.3).then(|| random.unit() * 1e6);
                let quiet_s = CUT_OFFS[at % 2];
                let quiet = if quiet_s > 0 { 0.8 } else { 0.0 };
                Sample {
                    shopper: format!("s{}", at / 2),
                    at: Millis(0),
                    quiet_s,
                    values: vec![Some(x), noise, Some(f64::from(quiet_s))],
                    left: random.unit() < sigmoid(log_odds(x) + quiet),
                }
            })
            .collect()
    }

    fn chosen(samples: &[Sample]) -> Chosen {
        let features = ["signal", "noise", QUIET].map(str::to_owned);
        let look = Look {
            cut_offs: &CUT_OFFS,
            horizon: Duration::from_secs(60),
            features: &features,
            recommend: &|_| Standing::default(),
        };
        choose(samples, &look, 1).unwrap()
    }

    fn learned(samples: &[Sample]) -> RiskModel {
        let found = chosen(samples);
        let note = found.note();
        found.model.expect(&note)
    }

    #[test]
    fn a_straight_line_is_learned_by_weights_and_calibrated_at_each_cut_off() {
        let model = learned(&synthetic(6_000, |x| 1.5 * x + 0.5));
        assert!(
            matches!(model, RiskModel::Logistic(_)),
            "{}",
            model.describe()
        );
        for (quiet_s, quiet) in [(0.0, 0.0), (1_800.0, 0.8)] {
            for x in [-1.5, -0.5, 0.5, 1.5] {
                let truth = sigmoid(1.5 * x + 0.5 + quiet);
                let found = model.risk(&[Some(x), None, Some(quiet_s)]);
                assert!((found - truth).abs() < 0.06, "{x}: {found} {truth}");
            }
        }
        let quality = model.quality();
        assert!(quality["risk_auc"] > 0.8, "{quality:?}");
        assert!(quality["risk_ece"] < 0.04, "{quality:?}");
        assert_eq!(model.cut_offs().len(), 2);
    }

    #[test]
    fn what_weights_cannot_say_is_learned_by_trees() {
        let model = learned(&synthetic(
            6_000,
            |x| if x.abs() < 1.0 { 1.5 } else { -1.5 },
        ));
        assert!(
            matches!(model, RiskModel::Boosted(_)),
            "{}",
            model.describe()
        );
        for (x, truth) in [
            (-1.6, sigmoid(-1.5)),
            (0.2, sigmoid(1.5)),
            (1.6, sigmoid(-1.5)),
        ] {
            let found = model.risk(&[Some(x), None, Some(0.0)]);
            assert!((found - truth).abs() < 0.1, "{x}: {found} {truth}");
        }
    }

    #[test]
    fn labels_without_a_cause_teach_nothing() {
        let mut samples = synthetic(2_000, |_| 0.0);
        let mut random = SplitMix64::new(9);
        for sample in &mut samples {
            sample.left = random.unit() < 0.7;
        }
        let found = chosen(&samples);
        assert!(found.model.is_none(), "{}", found.note());
    }
}
