//! What is learned from cases: weights or trees, behind one shape.

use ranking::forest::{Node, Tree};
use ranking::{Forest, narrow};
use rayon::prelude::*;

use super::calibrate::Scored;
use super::fit::{self, Fitted};
use crate::Error;
use crate::boost::{Examples, Settings, boost};
use crate::metrics::real;

/// One outcome to learn from or to judge by.
#[derive(Copy, Clone, Debug)]
pub(super) struct Case<'a> {
    pub(super) values: &'a [Option<f64>],
    pub(super) label: f64,
    /// What belongs together has the same number; it is never both learned from and judged.
    pub(super) part: usize,
}

/// How to learn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Learner {
    Logistic,
    Boosted(Settings, Stop),
}

/// By which part it is decided how many trees a forest has.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The one that is left out. Its scores then know a little of its outcomes: for what is judged
    /// on other cases.
    Own,
    /// Another one, which is learned from afterwards with as many trees.
    Next,
}

/// What was learned; its scores are log-odds before calibration.
#[derive(Clone, Debug)]
pub(super) enum Scorer {
    Logistic(Fitted),
    Boosted(Forest),
}

/// One model for each part of the cases, learned from the other parts.
#[derive(Clone, Debug)]
pub(super) struct Ensemble {
    pub(super) scorers: Vec<Scorer>,
    /// The cases, each scored by the model that has not learned from it.
    pub(super) scored: Scored,
}

impl Learner {
    /// Parts that hold no case are skipped.
    pub(super) fn ensemble(&self, names: &[String], cases: &[Case<'_>]) -> Result<Ensemble, Error> {
        let parts = cases.iter().map(|case| case.part + 1).max().unwrap_or(0);
        let learned: Vec<Option<(Scorer, Vec<f64>)>> = (0..parts)
            .into_par_iter()
            .map(|part| self.without(names, cases, part))
            .collect::<Result<_, _>>()?;
        let mut scored = Scored {
            raw: vec![0.0; cases.len()],
            labels: cases.iter().map(|case| case.label).collect(),
            parts: cases.iter().map(|case| case.part).collect(),
        };
        let mut scorers = Vec::new();
        for (part, (scorer, raw)) in learned
            .into_iter()
            .enumerate()
            .filter_map(|(part, one)| Some((part, one?)))
        {
            let places = (0..cases.len()).filter(|at| cases[*at].part == part);
            for (at, score) in places.zip(raw) {
                scored.raw[at] = score;
            }
            scorers.push(scorer);
        }
        Ok(Ensemble { scorers, scored })
    }

    fn without(
        &self,
        names: &[String],
        cases: &[Case<'_>],
        part: usize,
    ) -> Result<Option<(Scorer, Vec<f64>)>, Error> {
        let (held, rest): (Vec<Case<'_>>, Vec<Case<'_>>) =
            cases.iter().partition(|case| case.part == part);
        if held.is_empty() || rest.is_empty() {
            return Ok(None);
        }
        let scorer = match self {
            Self::Logistic => Scorer::Logistic(fit::fit(&rest, names.len())),
            Self::Boosted(settings, stop) => {
                // Forests that drew the same rows and columns would err alike.
                let settings = Settings {
                    seed: settings.seed.wrapping_add(part as u64),
                    ..settings.clone()
                };
                Scorer::Boosted(match stop {
                    Stop::Own => grown(names, &rest, Some(&held), &settings)?,
                    Stop::Next => stopped_by_another(names, &rest, part, &settings)?,
                })
            }
        };
        let raw = scorer.raw(&held)?;
        Ok(Some((scorer, raw)))
    }

    /// One model in place of the ensemble's: all trees, or weights of all cases.
    pub(super) fn united(
        &self,
        names: &[String],
        cases: &[Case<'_>],
        ensemble: &Ensemble,
    ) -> Result<Scorer, Error> {
        let forests = ensemble.scorers.iter().filter_map(|scorer| match scorer {
            Scorer::Boosted(forest) => Some(forest),
            Scorer::Logistic(_) => None,
        });
        match self {
            Self::Logistic => Ok(Scorer::Logistic(fit::fit(cases, names.len()))),
            Self::Boosted(..) => Ok(Scorer::Boosted(mean_forest(
                names,
                &forests.collect::<Vec<_>>(),
            )?)),
        }
    }
}

impl Ensemble {
    /// The mean of the models' scores.
    pub(super) fn raw(&self, cases: &[Case<'_>]) -> Result<Vec<f64>, Error> {
        let mut mean = vec![0.0; cases.len()];
        for scorer in &self.scorers {
            for (sum, raw) in mean.iter_mut().zip(scorer.raw(cases)?) {
                *sum += raw / real(self.scorers.len());
            }
        }
        Ok(mean)
    }
}

impl Scorer {
    /// Log-odds of each case.
    pub(super) fn raw(&self, cases: &[Case<'_>]) -> Result<Vec<f64>, Error> {
        match self {
            Self::Logistic(fitted) => {
                Ok(cases.iter().map(|case| fitted.raw(case.values)).collect())
            }
            Self::Boosted(forest) => {
                let mut scores = vec![0.0; cases.len()];
                let rows = examples(cases).values;
                forest.score_rows(&rows, forest.features().len(), &mut scores)?;
                Ok(scores)
            }
        }
    }
}

fn grown(
    names: &[String],
    cases: &[Case<'_>],
    held_out: Option<&[Case<'_>]>,
    settings: &Settings,
) -> Result<Forest, Error> {
    let held_out = held_out.map(examples);
    Ok(boost(names, &examples(cases), held_out.as_ref(), settings)?.forest)
}

/// A forest of all `cases`, with as many trees as are best for the part after `part`.
fn stopped_by_another(
    names: &[String],
    cases: &[Case<'_>],
    part: usize,
    settings: &Settings,
) -> Result<Forest, Error> {
    let parts = || cases.iter().map(|case| case.part);
    let next = parts()
        .filter(|other| *other > part)
        .min()
        .or(parts().min());
    let (stopping, rest): (Vec<Case<'_>>, Vec<Case<'_>>) =
        cases.iter().partition(|case| Some(case.part) == next);
    if rest.is_empty() {
        return grown(names, cases, None, settings);
    }
    let forest = grown(names, &rest, Some(&stopping), settings)?;
    if forest.trees().is_empty() {
        return Ok(forest);
    }
    let settings = Settings {
        trees: forest.trees().len(),
        ..settings.clone()
    };
    grown(names, cases, None, &settings)
}

/// A forest whose score is the mean of the scores of all.
fn mean_forest(names: &[String], forests: &[&Forest]) -> Result<Forest, Error> {
    let count = real(forests.len().max(1));
    let share = |node: &Node| match node {
        Node::Leaf(value) => Node::Leaf(value / count),
        Node::Split(split) => Node::Split(*split),
    };
    let trees = forests.iter().flat_map(|forest| forest.trees());
    let trees = trees.map(|tree| Tree {
        nodes: tree.nodes.iter().map(share).collect(),
    });
    let base = forests
        .iter()
        .map(|forest| forest.base_score())
        .sum::<f64>()
        / count;
    Ok(Forest::new(names.to_vec(), base, trees.collect())?)
}

fn examples(cases: &[Case<'_>]) -> Examples {
    let values = cases.iter().flat_map(|case| case.values);
    Examples {
        values: values.map(|value| narrow(*value)).collect(),
        labels: cases.iter().map(|case| case.label).collect(),
        groups: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prng::SplitMix64;

    #[test]
    fn the_united_forest_scores_as_the_mean_of_the_ensemble() {
        let mut random = SplitMix64::new(2);
        let rows: Vec<[Option<f64>; 2]> = (0..600)
            .map(|_| {
                [
                    Some(random.unit()),
                    (random.unit() > 0.2).then(|| random.unit()),
                ]
            })
            .collect();
        let cases: Vec<Case<'_>> = rows
            .iter()
            .enumerate()
            .map(|(at, values)| Case {
                values,
                label: f64::from(u8::from(random.unit() < values[0].unwrap_or(0.5))),
                part: at % 3,
            })
            .collect();
        let names = ["a".to_owned(), "b".to_owned()];
        let learner = Learner::Boosted(Settings::default(), Stop::Next);
        let ensemble = learner.ensemble(&names, &cases).unwrap();
        assert_eq!(ensemble.scorers.len(), 3);
        let united = learner.united(&names, &cases, &ensemble).unwrap();
        let (one, many) = (united.raw(&cases).unwrap(), ensemble.raw(&cases).unwrap());
        assert!(one.iter().zip(&many).all(|(a, b)| (a - b).abs() < 1e-12));
        let spread = many.iter().copied().fold(f64::MIN, f64::max)
            - many.iter().copied().fold(f64::MAX, f64::min);
        assert!(spread > 1.0, "{spread}");
    }
}
