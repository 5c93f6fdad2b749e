//! How good candidates are, on events that the models have not seen.
//!
//! Each prefix of a session predicts the next item. Hit rate, MRR are of that next item; nDCG and
//! recall are of all items of the rest of the session; coverage is the share of the catalogue that
//! was shown to anybody.

use std::collections::{BTreeMap, BTreeSet};

use feature_store::{Event, Item};
use rayon::prelude::*;
use retrieval::{Answer, Gate, Model, Source};
use snapshot::Catalogue;

use crate::metrics::{hit, ndcg, real, recall, reciprocal_rank};
use crate::moments::{Moment, moments, query, thinned};
use crate::sessions::{GAP, sessions};
use crate::{Error, Models, Options, clean};

/// Candidates asked for: deep enough that each source's first places are among them.
const DEPTH: usize = 100;

/// What to measure.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct EvaluationOptions {
    /// Places that count.
    pub k: usize,
    /// Predictions at most, evenly spread over the test events.
    pub most: usize,
}

impl Default for EvaluationOptions {
    fn default() -> Self {
        Self {
            k: 20,
            most: usize::MAX,
        }
    }
}

/// Means over all predictions.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Scores {
    pub hit_rate: f64,
    pub mrr: f64,
    pub ndcg: f64,
    pub recall: f64,
    pub coverage: f64,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    pub k: usize,
    pub predictions: usize,
    /// The fused list, as serving answers it.
    pub fused: Scores,
    /// Each source alone, by its name.
    pub sources: BTreeMap<String, Scores>,
    /// The same popular items for everybody: what everything else has to beat.
    pub baseline: Scores,
}

impl Evaluation {
    /// Figures by name, such as `hit_rate_at_20.fused`, for a manifest.
    pub fn named(&self) -> BTreeMap<String, f64> {
        let mut named = BTreeMap::new();
        let lists = [("fused", &self.fused), ("baseline", &self.baseline)];
        let sources = self
            .sources
            .iter()
            .map(|(name, scores)| (name.as_str(), scores));
        for (name, scores) in lists.into_iter().chain(sources) {
            named.insert(format!("hit_rate_at_{}.{name}", self.k), scores.hit_rate);
            named.insert(format!("mrr_at_{}.{name}", self.k), scores.mrr);
        }
        named
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let Self {
            k, fused, baseline, ..
        } = self;
        format!(
            "over {} held-out predictions of the next item hit rate@{k} is {:.4} and MRR@{k} {:.4}; \
             the same popular items for everybody give {:.4} and {:.4}",
            self.predictions, fused.hit_rate, fused.mrr, baseline.hit_rate, baseline.mrr
        )
    }
}

/// Splits events at a share of their time span, 0 to 1: those before the cut, and the rest.
pub fn split_by_time(events: &[Event], share: f64) -> (Vec<Event>, Vec<Event>) {
    let times = || events.iter().map(|event| event.occurred_at.0);
    let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
    let cut = first.saturating_add(part(last.saturating_sub(first), share));
    events
        .iter()
        .cloned()
        .partition(|event| event.occurred_at.0 < cut)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a cut to the nearest millisecond of a span below 2^53 ms"
)]
fn part(span: i64, share: f64) -> i64 {
    (span as f64 * share.clamp(0.0, 1.0)) as i64
}

/// Trains on `train`, asks about `test`. Both are cleaned first.
pub fn evaluate_retrieval(
    train: &[Event],
    test: &[Event],
    items: &[Item],
    options: &Options,
    evaluation: &EvaluationOptions,
    progress: &mut dyn FnMut(usize, f64),
) -> Result<Evaluation, Error> {
    options.validate()?;
    let train = clean::clean(train).events;
    let test = clean::clean(test).events;
    let models = Models::train(&train, items, options, progress)?;
    let folder = draft_folder()?;
    let model = Model::load(&models.draft(folder.path())?)?;
    judge(&model, &models.popularity, &test, evaluation)
}

/// A folder for models that are only looked at while training.
pub(crate) fn draft_folder() -> Result<tempfile::TempDir, Error> {
    tempfile::Builder::new()
        .prefix("cartwright-draft-")
        .tempdir()
        .map_err(|source| Error::Draft { source })
}

/// Asks a loaded model about clean events.
pub(crate) fn judge(
    model: &Model,
    popularity: &[f32],
    test: &[Event],
    evaluation: &EvaluationOptions,
) -> Result<Evaluation, Error> {
    let sessions = sessions(test, GAP);
    let moments = thinned(moments(&sessions), evaluation.most);
    let gate = Gate::open(model.catalogue().len());
    let depth = DEPTH.max(evaluation.k);
    let answers: Vec<Answer> = moments
        .par_iter()
        .map(|moment| {
            let now = moment
                .before
                .last()
                .map_or(moment.next.occurred_at, |e| e.occurred_at);
            model.retrieve(&query(&moment.before, now, Vec::new(), depth), &gate)
        })
        .collect::<Result<_, _>>()?;
    let exam = Exam {
        moments: &moments,
        catalogue: model.catalogue(),
        k: evaluation.k,
    };
    let of_source = |source: Source| {
        (
            source.as_str().to_owned(),
            exam.mean(|at| of_source(&answers[at], source)),
        )
    };
    let popular = most_popular(popularity, evaluation.k);
    Ok(Evaluation {
        k: evaluation.k,
        predictions: moments.len(),
        fused: exam.mean(|at| fused(&answers[at])),
        sources: Source::ALL.into_iter().map(of_source).collect(),
        baseline: exam.mean(|_| popular.clone()),
    })
}

fn fused(answer: &Answer) -> Vec<u32> {
    answer
        .candidates
        .iter()
        .map(|candidate| candidate.ordinal)
        .collect()
}

/// What one source named, in its own order.
fn of_source(answer: &Answer, source: Source) -> Vec<u32> {
    let mut named: Vec<(u32, u32)> = Vec::new();
    for candidate in &answer.candidates {
        let score = candidate
            .sources
            .iter()
            .find(|score| score.source == source);
        named.extend(score.map(|score| (score.rank, candidate.ordinal)));
    }
    named.sort_unstable();
    named.into_iter().map(|(_, ordinal)| ordinal).collect()
}

fn most_popular(scores: &[f32], k: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..).take(scores.len()).collect();
    order.sort_by(|a, b| {
        scores[*b as usize]
            .total_cmp(&scores[*a as usize])
            .then(a.cmp(b))
    });
    order.truncate(k);
    order
}

struct Exam<'a> {
    moments: &'a [Moment<'a>],
    catalogue: &'a Catalogue,
    k: usize,
}

impl Exam<'_> {
    /// Means over all moments of what `ranked` gives for each. An item that the models do not know
    /// is wanted all the same, and missed.
    fn mean(&self, ranked: impl Fn(usize) -> Vec<u32>) -> Scores {
        let mut sum = Scores::default();
        let mut shown = BTreeSet::new();
        for (at, moment) in self.moments.iter().enumerate() {
            let ranked = ranked(at);
            let target = self.ordinal(&moment.next.item_id);
            let wanted: Vec<u32> = moment.rest.iter().map(|item| self.ordinal(item)).collect();
            sum.hit_rate += hit(&ranked, target, self.k);
            sum.mrr += reciprocal_rank(&ranked, target, self.k);
            sum.ndcg += ndcg(&ranked, &wanted, self.k);
            sum.recall += recall(&ranked, &wanted, self.k);
            shown.extend(ranked.into_iter().take(self.k));
        }
        let count = real(self.moments.len().max(1));
        Scores {
            hit_rate: sum.hit_rate / count,
            mrr: sum.mrr / count,
            ndcg: sum.ndcg / count,
            recall: sum.recall / count,
            coverage: real(shown.len()) / real(self.catalogue.len().max(1)),
        }
    }

    /// No item has the greatest number, so that unknown ones are never found.
    fn ordinal(&self, item_id: &str) -> u32 {
        self.catalogue.ordinal(item_id).unwrap_or(u32::MAX)
    }
}
