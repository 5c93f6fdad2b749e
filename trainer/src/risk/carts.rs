//! Carts of an event log, judged by shopper and later in time.
//!
//! The log is cut in two by time. For each fifth of the shoppers, models learn from the others'
//! carts whose outcome was known before the cut, are calibrated on parts of those, and are asked
//! about the fifth's carts after it: nobody is both learned from and judged, and nothing is learned
//! that was not known by then.

use std::collections::BTreeMap;
use std::time::Duration;

use feature_store::{Event, Item, Millis};
use ranking::Standing;
use rayon::prelude::*;

use super::Recommender;
use super::choose::settings;
use super::fold::{self, Calibrators, PARTS};
use super::learner::{Case, Learner, Stop};
use super::measure::{Bin, Measures, auc, log_loss, reliability};
use super::samples::{Look, Recommend, Sample, cut_offs, horizon, samples};
use crate::bootstrap::{Bounds, interval};
use crate::clean::clean;
use crate::metrics::real;
use crate::{Error, Options};

/// Share of the samples that lies before the cut.
const BEFORE: f64 = 0.7;

/// How good the risk of carts is.
#[derive(Clone, Debug, PartialEq)]
pub struct CartRisk {
    pub horizon: Duration,
    pub features: usize,
    /// Where the log was cut.
    pub cut_at: Millis,
    /// Samples whose outcome was known before the cut.
    pub learned_from: usize,
    /// In the order of time; those of which nobody was asked are left out.
    pub cut_offs: Vec<CutOffReport>,
    /// Empty unless asked for.
    pub groups: Vec<GroupWorth>,
}

/// Carts after some quiet.
#[derive(Clone, Debug, PartialEq)]
pub struct CutOffReport {
    pub quiet_s: u32,
    pub boosted: Measures,
    pub logistic: Measures,
    /// Of the boosted trees.
    pub reliability: Vec<Bin>,
}

/// What is lost when a group of features is left out: the measure without it minus that with all,
/// over all cut-offs, with bounds that hold 95 % of resampled shoppers.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupWorth {
    pub group: &'static str,
    pub features: usize,
    pub log_loss: Option<Bounds>,
    pub auc: Option<Bounds>,
}

/// What to judge.
#[derive(Copy, Clone, Debug)]
pub struct CartOptions {
    /// One of the cut-offs.
    pub idle: Duration,
    pub seed: u64,
    /// Whether to leave out groups of features, one at a time.
    pub ablation: bool,
}

/// Judges the carts of a log in any order; `items` go before what its events say of items.
pub fn judge_carts(
    events: &[Event],
    items: &[Item],
    options: &CartOptions,
) -> Result<CartRisk, Error> {
    let cleaned = clean(events);
    let training = Options {
        seed: options.seed,
        ..Options::default()
    };
    let recommender = Recommender::of_past(&cleaned.events, items, &training)?;
    judge(&cleaned.events, options, &|view| {
        let asked = recommender.as_ref();
        asked.map_or_else(Standing::default, |asked| asked.standing(view))
    })
}

/// Of clean events in the order of time.
fn judge(
    events: &[Event],
    options: &CartOptions,
    recommend: Recommend<'_>,
) -> Result<CartRisk, Error> {
    let horizon = horizon(events);
    let (cut_offs, features) = (cut_offs(options.idle, horizon), super::features());
    let look = Look {
        cut_offs: &cut_offs,
        horizon,
        features: &features,
        recommend,
    };
    let samples = samples(events, &look)?;
    let judge = Judge::new(&samples, &look)?;
    let boosted = Learner::Boosted(settings(options.seed), Stop::Next);
    let all = |_: &str| true;
    let by_trees = judge.risks(&boosted, all)?;
    let by_weights = judge.risks(&Learner::Logistic, all)?;
    let groups = if options.ablation {
        judge.groups(&boosted, &by_trees)?
    } else {
        Vec::new()
    };
    Ok(CartRisk {
        horizon,
        features: features.len(),
        cut_at: judge.cut_at,
        learned_from: judge.known.len(),
        cut_offs: judge.reports(&by_trees, &by_weights),
        groups,
    })
}

struct Judge<'a> {
    look: &'a Look<'a>,
    cut_at: Millis,
    /// Learned from.
    known: Vec<&'a Sample>,
    /// Asked about.
    later: Vec<&'a Sample>,
}

impl<'a> Judge<'a> {
    fn new(samples: &'a [Sample], look: &'a Look<'a>) -> Result<Self, Error> {
        let cut_at = cut_at(samples);
        let closes = |sample: &&Sample| sample.at.saturating_add(look.horizon) <= cut_at;
        let known: Vec<&Sample> = samples.iter().filter(closes).collect();
        let later: Vec<&Sample> = samples.iter().filter(|one| one.at >= cut_at).collect();
        for (when, part) in [("before", &known), ("after", &later)] {
            let left = part.iter().filter(|sample| sample.left).count();
            let bought = part.len() - left;
            if left.min(bought) < super::FEWEST {
                let problem = format!(
                    "{left} carts left and {bought} bought {when} the cut, {} of each are needed",
                    super::FEWEST
                );
                return Err(Error::Examples { problem });
            }
        }
        Ok(Self {
            look,
            cut_at,
            known,
            later,
        })
    }

    /// The risk of each later sample, from the features that `is_kept` names.
    fn risks(&self, learner: &Learner, is_kept: impl Fn(&str) -> bool) -> Result<Vec<f64>, Error> {
        let places: Vec<usize> = (0..self.look.features.len())
            .filter(|at| is_kept(&self.look.features[*at]))
            .collect();
        let names: Vec<String> = places
            .iter()
            .map(|at| self.look.features[*at].clone())
            .collect();
        let pick = |sample: &&Sample| places.iter().map(|at| sample.values[*at]).collect();
        let known: Vec<Vec<Option<f64>>> = self.known.iter().map(pick).collect();
        let later: Vec<Vec<Option<f64>>> = self.later.iter().map(pick).collect();
        let (known, later) = (cases(&self.known, &known), cases(&self.later, &later));
        let found: Vec<Vec<f64>> = (0..PARTS)
            .into_par_iter()
            .map(|part| self.of_part(learner, &names, part, (&known, &later)))
            .collect::<Result<_, _>>()?;
        let mut found: Vec<_> = found.into_iter().map(Vec::into_iter).collect();
        let next = |case: &Case<'_>| found.get_mut(case.part).and_then(Iterator::next);
        Ok(later.iter().filter_map(next).collect())
    }

    fn of_part(
        &self,
        learner: &Learner,
        names: &[String],
        part: usize,
        (known, later): (&[Case<'_>], &[Case<'_>]),
    ) -> Result<Vec<f64>, Error> {
        let others: Vec<usize> = (0..known.len())
            .filter(|at| known[*at].part != part)
            .collect();
        let train: Vec<Case<'_>> = others.iter().map(|at| known[*at]).collect();
        let quiet: Vec<u32> = others.iter().map(|at| self.known[*at].quiet_s).collect();
        let ensemble = learner.ensemble(names, &train)?;
        let calibrators = Calibrators::fit(&ensemble.scored, &quiet, self.look.cut_offs);
        let own: Vec<usize> = (0..later.len())
            .filter(|at| later[*at].part == part)
            .collect();
        let asked: Vec<Case<'_>> = own.iter().map(|at| later[*at]).collect();
        let raw = ensemble.raw(&asked)?;
        let quiet = own.iter().map(|at| self.later[*at].quiet_s);
        Ok(quiet
            .zip(raw)
            .map(|(quiet, raw)| calibrators.risk(quiet, raw))
            .collect())
    }

    fn reports(&self, by_trees: &[f64], by_weights: &[f64]) -> Vec<CutOffReport> {
        let report = |quiet_s: &u32| {
            let places: Vec<usize> = (0..self.later.len())
                .filter(|at| self.later[*at].quiet_s == *quiet_s)
                .collect();
            let labels: Vec<f64> = places
                .iter()
                .map(|at| fold::label(self.later[*at]))
                .collect();
            let of = |risks: &[f64]| places.iter().map(|at| risks[*at]).collect::<Vec<f64>>();
            let boosted = of(by_trees);
            (!places.is_empty()).then(|| CutOffReport {
                quiet_s: *quiet_s,
                boosted: Measures::of(&boosted, &labels),
                logistic: Measures::of(&of(by_weights), &labels),
                reliability: reliability(&boosted, &labels).to_vec(),
            })
        };
        self.look.cut_offs.iter().filter_map(report).collect()
    }

    fn groups(&self, learner: &Learner, all: &[f64]) -> Result<Vec<GroupWorth>, Error> {
        let names = self.look.features;
        let worth = |group: &'static str| {
            let features = names.iter().filter(|name| group_of(name) == group).count();
            let is_said = |at: usize| self.known.iter().any(|sample| sample.values[at].is_some());
            let is_known = (0..names.len()).any(|at| group_of(&names[at]) == group && is_said(at));
            if !is_known {
                return Ok(None);
            }
            let without = self.risks(learner, |name| group_of(name) != group)?;
            Ok(Some(self.worth(group, features, all, &without)))
        };
        let found: Vec<Option<GroupWorth>> = GROUPS
            .into_iter()
            .map(worth)
            .collect::<Result<_, Error>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    fn worth(
        &self,
        group: &'static str,
        features: usize,
        all: &[f64],
        without: &[f64],
    ) -> GroupWorth {
        let mut of_shopper: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, sample) in self.later.iter().enumerate() {
            of_shopper.entry(&sample.shopper).or_default().push(at);
        }
        let shoppers: Vec<Vec<usize>> = of_shopper.into_values().collect();
        let bounds = |measure: fn(&[f64], &[f64]) -> f64| {
            interval(shoppers.len(), |drawn| {
                let places = || drawn.iter().flat_map(|shopper| &shoppers[*shopper]);
                let labels: Vec<f64> = places().map(|at| fold::label(self.later[*at])).collect();
                let of = |risks: &[f64]| places().map(|at| risks[*at]).collect::<Vec<f64>>();
                measure(&of(without), &labels) - measure(&of(all), &labels)
            })
        };
        GroupWorth {
            group,
            features,
            log_loss: bounds(log_loss),
            auc: bounds(auc),
        }
    }
}

fn cases<'a>(samples: &[&Sample], rows: &'a [Vec<Option<f64>>]) -> Vec<Case<'a>> {
    let case = |(sample, values): (&&Sample, &'a Vec<Option<f64>>)| Case {
        values,
        label: fold::label(sample),
        part: fold::part(&sample.shopper),
    };
    samples.iter().zip(rows).map(case).collect()
}

/// The time of the sample at the share [`BEFORE`] of all.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a length is an index below it"
)]
fn cut_at(samples: &[Sample]) -> Millis {
    let place = (real(samples.len()) * BEFORE) as usize;
    samples.get(place).map_or(Millis(0), |sample| sample.at)
}

/// Groups of features, by what they are about.
const GROUPS: [&str; 6] = [
    "cart",
    "pace",
    "counts",
    "taste",
    "money and person",
    "recommender",
];

fn group_of(name: &str) -> &'static str {
    let name_of_shopper = name.strip_prefix("shopper.").unwrap_or_default();
    let starts = |prefixes: &[&str]| {
        prefixes
            .iter()
            .any(|prefix| name_of_shopper.starts_with(prefix))
    };
    if Standing::is_name(name) {
        "recommender"
    } else if starts(&["cart_"]) {
        "cart"
    } else if starts(&["add_to_cart_interval", "idle_s", "session_", "visit_count"]) {
        "pace"
    } else if starts(&["top_", "category_"]) {
        "taste"
    } else if name_of_shopper.contains("count_") || name_of_shopper.ends_with("_count") {
        "counts"
    } else {
        "money and person"
    }
}
