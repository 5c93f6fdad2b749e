//! How likely a cart is to be left: learned where the log shows enough outcomes, a stated prior
//! where it does not.
//!
//! | module | what it does |
//! |---|---|
//! | `samples` | moments with lines in the cart, what serving would have known then, what became of them |
//! | `fit`, `learner` | weights or trees, one for each part of the shoppers |
//! | `calibrate`, `fold` | out-of-fold scores to probabilities, for each cut-off |
//! | [`measure`] | how good probabilities are |
//! | `choose` | which of the models goes into the snapshot |
//! | `recommender` | what the recommender said of carts that it had not seen |
//! | [`carts`] | the problem judged later in time, and what each group of features is worth |
//! | [`intent`] | the same learners on a public table of sessions |
//!
//! The label looks ahead for a horizon: the cart is left when none of its items is bought in it.
//! Moments whose horizon reaches past the end of the log have no label yet and are left out.

mod calibrate;
pub mod carts;
mod choose;
mod fit;
mod fold;
pub mod intent;
mod learner;
pub mod measure;
mod recommender;
mod samples;

use std::time::Duration;

use feature_store::{EntityKind, Event, EventKind, Item, Registry, ShopperView, ValueType};
use ranking::{RiskModel, Standing};

pub use carts::{CartOptions, CartRisk, CutOffReport, GroupWorth, judge_carts};
pub use intent::{Group, IntentModel, IntentOptions, IntentRun, intent_difference, predict_intent};
pub use measure::{
    Bin, Measures, auc, average_precision, brier, expected_calibration_error, log_loss, reliability,
};
pub use samples::Sample;

pub(crate) use samples::{Look, cut_offs, horizon, samples};

use crate::{Error, Options};
pub(crate) use recommender::Recommender;

/// Outcomes of either kind below which nothing is learned.
const FEWEST: usize = 50;
/// What is believed before a log says anything: Beta(14, 6), so 70 % of carts are left, the
/// average that the Baymard Institute gives over its list of studies, weighing as much as 20 carts.
const PRIOR: (f64, f64) = (14.0, 6.0);

/// A risk model and the samples it was made from.
#[derive(Debug)]
pub(crate) struct Risk {
    pub(crate) model: RiskModel,
    /// The values that the model reads come first in each.
    pub(crate) samples: Vec<Sample>,
    pub(crate) notes: Vec<String>,
}

/// Learns from clean events in the order of time.
pub(crate) fn learn(events: &[Event], items: &[Item], options: &Options) -> Result<Risk, Error> {
    let (idle, seed) = (options.idle, options.seed);
    let recommender = if has_carts(events) {
        Recommender::of_past(events, items, options)?
    } else {
        None
    };
    let recommend = |view: &ShopperView| {
        let asked = recommender.as_ref();
        asked.map_or_else(Standing::default, |asked| asked.standing(view))
    };
    let horizon = horizon(events);
    let cut_offs = cut_offs(idle, horizon);
    let features = features();
    let look = Look {
        cut_offs: &cut_offs,
        horizon,
        features: &features,
        recommend: &recommend,
    };
    let samples = samples(events, &look)?;
    let (left, bought) = outcomes(&samples, idle);
    let mut notes = vec![format!(
        "risk: {} outcomes, {left} carts left and {bought} bought within {} min after {} min of quiet",
        left + bought,
        horizon.as_secs() / 60,
        idle.as_secs() / 60,
    )];
    let model = if left.min(bought) < FEWEST {
        prior(left, bought, &too_few(left, bought))
    } else {
        let chosen = choose::choose(&samples, &look, seed)?;
        notes.push(chosen.note());
        chosen.model.unwrap_or_else(|| prior(left, bought, NOTHING))
    };
    notes.push(format!("risk: {}", model.describe()));
    Ok(Risk {
        model,
        samples,
        notes,
    })
}

fn has_carts(events: &[Event]) -> bool {
    events
        .iter()
        .any(|event| event.kind == EventKind::AddToCart)
}

/// How many carts were left, and how many bought, after the idle time.
fn outcomes(samples: &[Sample], idle: Duration) -> (usize, usize) {
    let after_idle = samples
        .iter()
        .filter(|sample| u64::from(sample.quiet_s) == idle.as_secs());
    let (left, bought): (Vec<&Sample>, Vec<&Sample>) = after_idle.partition(|sample| sample.left);
    (left.len(), bought.len())
}

/// All numeric features of a shopper, then what the recommender says of the cart.
pub(crate) fn features() -> Vec<String> {
    let numeric = |kind: ValueType| match kind {
        ValueType::Bool | ValueType::Int | ValueType::Double => true,
        ValueType::Text | ValueType::Texts | ValueType::Doubles => false,
    };
    let of_shopper = Registry::standard()
        .features()
        .iter()
        .filter(|feature| feature.entity == EntityKind::Shopper && numeric(feature.value_type))
        .map(|feature| feature.name);
    of_shopper
        .chain(Standing::NAMES)
        .map(str::to_owned)
        .collect()
}

const NOTHING: &str = "no model foretells better than the share of carts that are left";

fn too_few(left: usize, bought: usize) -> String {
    format!(
        "{left} carts left and {bought} bought are too few to learn from, {FEWEST} of each are \
         needed"
    )
}

fn prior(left: usize, bought: usize, why: &str) -> RiskModel {
    let count = crate::metrics::real;
    let risk = (PRIOR.0 + count(left)) / (PRIOR.0 + PRIOR.1 + count(left + bought));
    let why = format!(
        "{why}; 70 % of carts are left on average (Baymard Institute), which weighs as much as 20 \
         carts here"
    );
    RiskModel::prior(risk, &why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_outcomes_only_nudge_the_prior() {
        let RiskModel::Prior(model) = prior(8, 2, &too_few(8, 2)) else {
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
    fn only_numbers_of_shoppers_are_features_and_what_the_recommender_says_comes_last() {
        let features = features();
        let (of_shopper, of_cart) = features.split_at(features.len() - 3);
        assert!(of_shopper.len() > 10);
        assert!(
            of_shopper.iter().all(|name| name.starts_with("shopper.")),
            "{features:?}"
        );
        assert!(of_cart.iter().all(|name| Standing::is_name(name)));
    }
}
