//! How good candidates are, on events that the models have not seen.

use feature_store::{Event, Item};

use crate::leaderboard::{self, Evaluation, EvaluationOptions, Known};
use crate::look_back::{self, Learned, Trained};
use crate::parts::{self, Parts};
use crate::{Error, Options, clean, sessions};

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
        look_back::learn(&past.model, parts.fit)?
    } else {
        Learned::nothing("the log has no past to learn from")
    };
    let trained = Trained::on(&train, items, options, progress)?;
    let known = Known::new(&train, &[&train]);
    let mut found = leaderboard::judge(&trained, &learned, &known, parts.judge, evaluation)?;
    found.notes.splice(0..0, learned.notes);
    Ok(found)
}
