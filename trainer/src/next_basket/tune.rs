use std::collections::BTreeMap;

use feature_store::{Event, Item};
use retrieval::Source;

use super::ask::{lists, permitted};
use super::{Basket, Protocol, Question, exam_of, questions};
use crate::exam::mean;
use crate::look_back::Trained;
use crate::{Error, Options};

/// The grid of the factorisation. Settings are walked in this order, each taking its best value
/// with the others held, once.
const ALPHAS: [f64; 3] = [1.0, 3.0, 10.0];
const REGULARISATIONS: [f64; 2] = [0.1, 10.0];
const DIMENSIONS: [usize; 3] = [32, 64, 128];

/// Factorisations that were tried on the validation baskets.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub dimension: usize,
    pub alpha: f64,
    pub regularisation: f64,
    /// Mean of recall and nDCG of the vectors alone, over both protocols for known shoppers.
    pub objective: f64,
}

/// Walks the grid from the given options with models of `past`; `told` hears of each trial.
pub(super) fn factorisation(
    past: &[Event],
    items: &[Item],
    baskets: &[Basket<'_>],
    options: &Options,
    k: usize,
    told: &mut dyn FnMut(&Trial),
) -> Result<(Options, Vec<Trial>), Error> {
    let asked = [Protocol::AllItems, Protocol::NewItems].map(|one| questions(baskets, one));
    let mut walk = Walk {
        past,
        items,
        asked,
        k,
        trials: Vec::new(),
        told,
    };
    let mut best = options.clone();
    let mut most = walk.objective(&best)?;
    let dimension = DIMENSIONS.map(Change::Dimension);
    let alpha = ALPHAS.map(Change::Alpha);
    let regularisation = REGULARISATIONS.map(Change::Regularisation);
    let changes = alpha.into_iter().chain(regularisation).chain(dimension);
    for change in changes {
        let tried = change.on(&best);
        if tried == best {
            continue;
        }
        let found = walk.objective(&tried)?;
        if found > most {
            (best, most) = (tried, found);
        }
    }
    Ok((best, walk.trials))
}

#[derive(Copy, Clone, Debug)]
enum Change {
    Dimension(usize),
    Alpha(f64),
    Regularisation(f64),
}

impl Change {
    fn on(self, options: &Options) -> Options {
        let mut changed = options.clone();
        match self {
            Self::Dimension(dimension) => changed.dimension = dimension,
            Self::Alpha(alpha) => changed.alpha = alpha,
            Self::Regularisation(regularisation) => changed.regularisation = regularisation,
        }
        changed
    }
}

struct Walk<'a> {
    past: &'a [Event],
    items: &'a [Item],
    asked: [Vec<Question<'a>>; 2],
    k: usize,
    trials: Vec<Trial>,
    told: &'a mut dyn FnMut(&Trial),
}

impl Walk<'_> {
    fn objective(&mut self, options: &Options) -> Result<f64, Error> {
        let trained = Trained::on(self.past, self.items, options, &mut |_, _| {})?;
        let mut objective = 0.0;
        for questions in &self.asked {
            let named = by_source(&trained, questions, self.k)?;
            let vectors: Vec<Vec<u32>> = named
                .into_iter()
                .map(|mut lists| lists.remove(&Source::Collaborative).unwrap_or_default())
                .collect();
            let exam = exam_of(&trained.model, questions, self.k);
            let [_, _, ndcg, recall] = mean(&exam.points(&vectors));
            objective += (ndcg + recall) / 4.0;
        }
        let trial = Trial {
            dimension: options.dimension,
            alpha: options.alpha,
            regularisation: options.regularisation,
            objective,
        };
        (self.told)(&trial);
        self.trials.push(trial);
        Ok(objective)
    }
}

/// What each source names for each question, in its own order.
pub(super) fn by_source(
    trained: &Trained,
    questions: &[Question<'_>],
    k: usize,
) -> Result<Vec<BTreeMap<Source, Vec<u32>>>, Error> {
    let model = &trained.model;
    lists(model, questions, |gate, question| {
        let answer = model.named(&question.query, gate)?;
        let mut named: BTreeMap<Source, Vec<(u32, u32)>> = BTreeMap::new();
        for candidate in &answer.candidates {
            for said in &candidate.sources {
                let list = named.entry(said.source).or_default();
                list.push((said.rank, candidate.ordinal));
            }
        }
        let ordered = named.into_iter().map(|(source, mut list)| {
            list.sort_unstable();
            let ordinals = list.into_iter().map(|(_, ordinal)| ordinal);
            (source, permitted(model, question, ordinals, k))
        });
        Ok(ordered.collect())
    })
}
