//! How good candidates are, on events that the models have not seen.

use feature_store::{Event, Item};

use crate::leaderboard::{self, Evaluation, EvaluationOptions, Known};
use crate::look_back::{self, Learned, Trained};
use crate::parts::{self, Parts};
use crate::ranker::{self, Comparison};
use crate::{Error, Options, clean, fusion, sessions};

/// The events before which a share of them lies, 0 to 1, and the rest; both in the order of time.
/// Events of one moment are on one side.
pub fn split_by_time(events: &[Event], share: f64) -> (Vec<Event>, Vec<Event>) {
    let mut sorted = events.to_vec();
    sorted.sort_by(|a, b| sessions::order(a).cmp(&sessions::order(b)));
    let (early, late) = parts::split(&sorted, share);
    (early.to_vec(), late.to_vec())
}

/// Learns from `train` and asks about `test`; both are cleaned first. How sources are weighed and
/// candidates ranked is learned on the latest part of `train` with models of what came before it;
/// the models that are asked have learned from all of it.
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
    let parts = Parts::before(&train, &test);
    let learned = if parts::teaches(parts.past) {
        let past = Trained::on(parts.past, items, options, progress)?;
        look_back::learn(&past.model, parts.past, parts.fit)?
    } else {
        Learned::nothing("the log has no past to learn from")
    };
    let trained = Trained::on(&train, items, options, progress)?;
    let known = Known::new(&train, &[&train]);
    let mut found = leaderboard::judge(&trained, &learned, &known, parts.judge, evaluation)?;
    found.notes.splice(0..0, learned.notes);
    Ok(found)
}

/// Which order of candidates is best, and why it could not be measured.
#[derive(Clone, Debug, PartialEq)]
pub struct RankingEvaluation {
    /// Events that were learned from by the models, then by the orders, and that were asked about.
    pub events: [usize; 3],
    pub comparison: Option<Comparison>,
    pub notes: Vec<String>,
}

/// Trains models on the earliest events, the weights of sources and then orders on what followed,
/// and compares the orders on the latest events.
pub fn evaluate_ranking(
    events: &[Event],
    items: &[Item],
    options: &Options,
    evaluation: &EvaluationOptions,
    progress: &mut dyn FnMut(usize, f64),
) -> Result<RankingEvaluation, Error> {
    options.validate()?;
    let events = clean::clean(events).events;
    let parts = Parts::of(&events);
    let comparison = if parts::teaches(parts.past) {
        let past = Trained::on(parts.past, items, options, progress)?;
        let fused = fusion::learn(&past.model, parts.past, parts.fit)?;
        let model = past.model.with_fusion(fused.weights)?;
        ranker::compare(&model, parts, evaluation.k, evaluation.most)?
    } else {
        None
    };
    let notes = if comparison.is_none() {
        vec!["ranking: too few visits show an item after another to learn an order".to_owned()]
    } else {
        Vec::new()
    };
    Ok(RankingEvaluation {
        events: [parts.past.len(), parts.fit.len(), parts.judge.len()],
        comparison,
        notes,
    })
}
