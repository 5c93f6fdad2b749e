//! Which sessions end with an order: a public table of labelled sessions, on which models of this
//! crate can be set beside published figures.
//!
//! Stratified folds; what is learned, calibrated and chosen for a fold never sees it. The other
//! folds are dealt into inner parts: a forest is grown on all but one of them, as many trees as are
//! best on that one, and scores it; the inner scores calibrate; the mean of the inner forests
//! scores the fold. Nothing is chosen by the figures that are reported.

mod columns;
mod folds;

use rayon::prelude::*;

pub use columns::Group;

use super::calibrate::calibrator;
use super::learner::{Case, Learner, Stop};
use super::measure::{Measures, auc, log_loss};
use crate::Error;
use crate::boost::Settings;
use crate::bootstrap::{Bounds, interval};
use crate::metrics::real;
use crate::readers::ShopperSession;
use columns::{Table, table};

/// How to judge.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct IntentOptions {
    /// 2 to 20.
    pub folds: usize,
    /// Parts of what a fold's model learns from; as many forests are averaged. 2 to 20.
    pub inner: usize,
    pub seed: u64,
}

impl Default for IntentOptions {
    fn default() -> Self {
        Self {
            folds: 5,
            inner: 5,
            seed: 1,
        }
    }
}

/// Which model.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum IntentModel {
    Boosted,
    Logistic,
}

/// Probabilities out of fold, in the order of the sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct IntentRun {
    pub risks: Vec<f64>,
    pub labels: Vec<f64>,
}

impl IntentRun {
    pub fn measures(&self) -> Measures {
        Measures::of(&self.risks, &self.labels)
    }
}

/// Chosen beforehand for tables of some thousand rows: small steps, small trees, and each tree sees
/// a part of the rows and columns, so that the forests differ.
fn settings(seed: u64) -> Settings {
    Settings {
        trees: 600,
        depth: 12,
        leaves: 15,
        rate: 0.04,
        leaf_rows: 40,
        penalty: 10.0,
        row_share: 0.7,
        column_share: 0.4,
        patience: 40,
        seed,
        ..Settings::default()
    }
}

/// Probabilities of an order for all sessions, without the columns of the groups `without`.
pub fn predict_intent(
    sessions: &[ShopperSession],
    model: IntentModel,
    without: &[Group],
    options: &IntentOptions,
) -> Result<IntentRun, Error> {
    options.validate()?;
    let labels: Vec<f64> = sessions
        .iter()
        .map(|session| f64::from(u8::from(session.bought)))
        .collect();
    let rare = labels.iter().sum::<f64>();
    let rare = rare.min(real(labels.len()) - rare);
    if rare < real(options.folds * options.inner) {
        let problem = format!(
            "{rare} sessions of the rarer outcome, one for each of {} folds and {} inner parts is \
             needed",
            options.folds, options.inner
        );
        return Err(Error::Examples { problem });
    }
    let table = table(sessions, without);
    let folds = folds::stratified(&labels, options.folds, options.seed);
    let judge = Judge {
        table: &table,
        labels: &labels,
        model,
        options,
    };
    let judged: Vec<Vec<(usize, f64)>> = (0..options.folds)
        .into_par_iter()
        .map(|fold| judge.fold(&folds, fold))
        .collect::<Result<_, _>>()?;
    let mut risks = vec![0.0; labels.len()];
    for (at, risk) in judged.into_iter().flatten() {
        risks[at] = risk;
    }
    Ok(IntentRun { risks, labels })
}

/// `new` − `old` in log-loss and in AUC, with bounds over resampled sessions.
pub fn intent_difference(new: &IntentRun, old: &IntentRun) -> (Option<Bounds>, Option<Bounds>) {
    let bounds = |measure: fn(&[f64], &[f64]) -> f64| {
        interval(old.labels.len().min(new.labels.len()), |drawn| {
            let labels: Vec<f64> = drawn.iter().map(|at| old.labels[*at]).collect();
            let of = |run: &IntentRun| drawn.iter().map(|at| run.risks[*at]).collect::<Vec<f64>>();
            measure(&of(new), &labels) - measure(&of(old), &labels)
        })
    };
    (bounds(log_loss), bounds(auc))
}

impl IntentOptions {
    fn validate(&self) -> Result<(), Error> {
        for (field, value) in [("folds", self.folds), ("inner", self.inner)] {
            if !(2..=20).contains(&value) {
                return Err(Error::Option {
                    field,
                    value: value.to_string(),
                    allowed: "2 to 20",
                });
            }
        }
        Ok(())
    }
}

struct Judge<'a> {
    table: &'a Table,
    labels: &'a [f64],
    model: IntentModel,
    options: &'a IntentOptions,
}

impl Judge<'_> {
    /// Calibrated probabilities of the sessions of a fold, with their places.
    fn fold(&self, folds: &[usize], fold: usize) -> Result<Vec<(usize, f64)>, Error> {
        let places =
            |is_held: bool| (0..folds.len()).filter(move |at| (folds[*at] == fold) == is_held);
        let (known, held): (Vec<usize>, Vec<usize>) =
            (places(false).collect(), places(true).collect());
        let known_labels: Vec<f64> = known.iter().map(|at| self.labels[*at]).collect();
        // Another seed than that of the folds, and another for each.
        let seed = self.options.seed.wrapping_mul(1_000) + fold as u64 + 1;
        let parts = folds::stratified(&known_labels, self.options.inner, seed);
        let train: Vec<Case<'_>> = known
            .iter()
            .zip(&parts)
            .map(|(at, part)| self.case(*at, *part))
            .collect();
        let test: Vec<Case<'_>> = held.iter().map(|at| self.case(*at, 0)).collect();
        let learner = match self.model {
            IntentModel::Boosted => Learner::Boosted(settings(seed), Stop::Own),
            IntentModel::Logistic => Learner::Logistic,
        };
        let ensemble = learner.ensemble(&self.table.names, &train)?;
        let calibrator = calibrator(&ensemble.scored);
        let risks = ensemble
            .raw(&test)?
            .into_iter()
            .map(|raw| calibrator.risk(raw));
        Ok(held.into_iter().zip(risks).collect())
    }

    fn case(&self, at: usize, part: usize) -> Case<'_> {
        Case {
            values: &self.table.rows[at],
            label: self.labels[at],
            part,
        }
    }
}
