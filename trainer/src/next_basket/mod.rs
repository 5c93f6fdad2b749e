//! The next basket: what a shopper buys after a cut in time, from what went before it.
//!
//! Of each shopper the first basket after the cut is asked about, at the cut. Three protocols: all
//! items of the basket, with those that come again; the items that are new to the shopper; and the
//! rest of the basket of a shopper who has no history, from its first two items. Everything is
//! tuned on a window before the cut, with models that end where that window starts; the baskets
//! after the cut are asked about once.

mod ask;
mod split;
mod tune;

use std::collections::BTreeMap;

use feature_store::{Event, Item, Millis};
use retrieval::{Model, Source};
use snapshot::Leaderboard;

use crate::exam::{BASELINE, Exam, Method, Slice};
use crate::fusion::{Asked, LearnedFusion};
use crate::leaderboard::{COLD, COLD_ITEMS, FUSED};
use crate::look_back::Trained;
use crate::{Error, Options, clean, fusion};

pub use ask::{Protocol, Question, questions};
pub use split::{Basket, baskets};
pub use tune::Trial;

use ask::{lists, permitted, popular};

/// What to ask about.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct NextBasketOptions {
    /// Baskets after it are predicted; what went before is learned from.
    pub cut: Millis,
    /// Tuning predicts the baskets from here to the cut.
    pub valid_from: Millis,
    /// Places that count.
    pub k: usize,
    /// Whether the factorisation is tuned; the options' own settings otherwise.
    pub tune: bool,
}

/// The answers of one method to one protocol's questions.
#[derive(Clone, Debug)]
pub struct Answered {
    pub protocol: Protocol,
    pub method: String,
    /// By shopper: item ids, best first.
    pub lists: BTreeMap<String, Vec<String>>,
}

/// What was measured, and how it came to be measured so.
#[derive(Clone, Debug)]
pub struct NextBasketReport {
    /// A slice for each protocol, and one of the cold items of all baskets of known shoppers.
    pub leaderboard: Leaderboard,
    /// Factorisations tried on the validation baskets, in order.
    pub trials: Vec<Trial>,
    /// The options that were chosen.
    pub options: Options,
    pub notes: Vec<String>,
    pub answered: Vec<Answered>,
}

/// Cleans events and keeps those of the log that are before `until`, in the order of time.
#[must_use]
pub fn cleaned(events: &[Event]) -> Vec<Event> {
    clean::clean(events).events
}

/// Tunes on the window before the cut, learns from all before the cut, and asks about the baskets
/// after it. `events` are clean and in the order of time, as [`cleaned`] gives them.
///
/// # Errors
/// No events before the window, or options outside their limits.
pub fn evaluate_next_basket(
    events: &[Event],
    items: &[Item],
    options: &Options,
    asked: &NextBasketOptions,
    told: &mut dyn FnMut(&str),
) -> Result<NextBasketReport, Error> {
    options.validate()?;
    let before = |at: Millis| &events[..events.partition_point(|event| event.occurred_at < at)];
    let (past, train) = (before(asked.valid_from), before(asked.cut));
    if past.is_empty() || asked.valid_from >= asked.cut {
        return Err(Error::NoEvents {
            events: events.len(),
            refused: "none lies before the window that is tuned on".to_owned(),
        });
    }
    let valid = baskets(events, asked.valid_from, asked.cut);
    let (options, trials) = if asked.tune {
        let mut told = |trial: &Trial| told(&format!("tuning the factorisation: {trial:?}"));
        tune::factorisation(past, items, &valid, options, asked.k, &mut told)?
    } else {
        (options.clone(), Vec::new())
    };
    told("learning how sources are weighed");
    let trained = Trained::on(past, items, &options, &mut |_, _| {})?;
    let learned = learn(&trained, &valid)?;
    told("models of all before the cut");
    let trained = Trained::on(train, items, &options, &mut |_, _| {})?;
    let test = baskets(events, asked.cut, Millis(i64::MAX));
    told("asking about the baskets after the cut");
    let mut report = judge(&trained, &learned, train, &test, asked.k)?;
    report.leaderboard.from_ms = asked.cut.0;
    report.leaderboard.to_ms = events.last().map_or(0, |event| event.occurred_at.0);
    report.trials = trials;
    report.options = options;
    Ok(report)
}

/// The weights of the sources, from the baskets of the window under both protocols for known
/// shoppers. A ranker has no part in this: it orders what is shown during a visit.
fn learn(trained: &Trained, valid: &[Basket<'_>]) -> Result<LearnedFusion, Error> {
    let known = [Protocol::AllItems, Protocol::NewItems].map(|one| questions(valid, one));
    let asked = known.iter().flatten().map(|question| Asked {
        query: question.query.clone(),
        next: None,
        wanted: question.wanted.clone(),
    });
    fusion::learn_from(&trained.model, &asked.collect::<Vec<_>>())
}

fn judge(
    trained: &Trained,
    learned: &LearnedFusion,
    train: &[Event],
    test: &[Basket<'_>],
    k: usize,
) -> Result<NextBasketReport, Error> {
    let model = &trained.model;
    let mut report = NextBasketReport {
        leaderboard: Leaderboard {
            k: u32::try_from(k).unwrap_or(u32::MAX),
            ..Leaderboard::default()
        },
        trials: Vec::new(),
        options: Options::default(),
        notes: vec![format!("fusion: {}", learned.describe())],
        answered: Vec::new(),
    };
    for protocol in Protocol::ALL {
        let questions = questions(test, protocol);
        let methods = methods(trained, learned, &questions, k)?;
        let exam = exam_of(model, &questions, k);
        let everything = Slice {
            name: protocol.as_str().to_owned(),
            members: (0..questions.len()).collect(),
        };
        let rows = &mut report.leaderboard.rows;
        rows.extend(exam.rows(&methods, &[everything]));
        if protocol == Protocol::AllItems {
            rows.extend(cold_rows(&exam, &methods, train, model));
        }
        let answered = methods
            .iter()
            .map(|method| answered(model, protocol, method, &questions));
        report.answered.extend(answered);
    }
    Ok(report)
}

/// The same questions with nothing wanted but items that have few events before the cut.
fn cold_rows(
    exam: &Exam,
    methods: &[Method],
    train: &[Event],
    model: &Model,
) -> Vec<snapshot::LeaderboardRow> {
    let mut support = vec![0_usize; model.catalogue().len()];
    for event in train {
        if let Some(ordinal) = model.catalogue().ordinal(&event.item_id) {
            support[ordinal as usize] += 1;
        }
    }
    let is_cold = |item: &u32| {
        support
            .get(*item as usize)
            .is_none_or(|count| *count <= COLD)
    };
    let cold = |wanted: &Vec<u32>| wanted.iter().copied().filter(is_cold).collect();
    let wanted: Vec<Vec<u32>> = exam.wanted.iter().map(cold).collect();
    let slice = Slice {
        name: COLD_ITEMS.to_owned(),
        members: (0..wanted.len())
            .filter(|&at| !wanted[at].is_empty())
            .collect(),
    };
    let exam = Exam {
        targets: wanted.clone(),
        wanted,
        ..exam.clone()
    };
    exam.rows(methods, &[slice])
}

/// Items that the model does not know are wanted all the same, and missed.
fn exam_of(model: &Model, questions: &[Question<'_>], k: usize) -> Exam {
    let ordinals = |question: &Question<'_>| {
        let ordinal = |item: &&str| model.catalogue().ordinal(item);
        // Each unknown item has a number of its own, far above those of the catalogue.
        let mut unknown = (0..u32::MAX).rev();
        let known = question.wanted.iter().map(ordinal);
        known
            .filter_map(|found| found.or_else(|| unknown.next()))
            .collect()
    };
    let wanted: Vec<Vec<u32>> = questions.iter().map(ordinals).collect();
    Exam {
        k,
        items: model.catalogue().len(),
        targets: wanted.clone(),
        wanted,
        clusters: (0..questions.len()).collect(),
    }
}

fn methods(
    trained: &Trained,
    learned: &LearnedFusion,
    questions: &[Question<'_>],
    k: usize,
) -> Result<Vec<Method>, Error> {
    let model = &trained.model.with_fusion(learned.weights.clone())?;
    let mut methods = vec![Method {
        name: BASELINE.to_owned(),
        lists: popular(model, &trained.models.popularity, questions, k),
    }];
    let mut named = tune::by_source(trained, questions, k)?;
    for source in Source::ALL.into_iter().rev() {
        let take =
            |lists: &mut BTreeMap<Source, Vec<u32>>| lists.remove(&source).unwrap_or_default();
        let lists: Vec<Vec<u32>> = named.iter_mut().map(take).collect();
        if source != Source::Popularity && lists.iter().any(|list| !list.is_empty()) {
            methods.push(Method {
                name: source.as_str().to_owned(),
                lists,
            });
        }
    }
    let fused = lists(model, questions, |gate, question| {
        let answer = model.retrieve(&question.query, gate)?;
        let fused = answer.candidates.iter().map(|one| one.ordinal);
        Ok(permitted(model, question, fused, k))
    })?;
    methods.push(Method {
        name: FUSED.to_owned(),
        lists: fused,
    });
    Ok(methods)
}

fn answered(
    model: &Model,
    protocol: Protocol,
    method: &Method,
    questions: &[Question<'_>],
) -> Answered {
    let id = |ordinal: &u32| {
        model
            .catalogue()
            .get(*ordinal)
            .map(|item| item.item_id.clone())
    };
    let lists = questions.iter().zip(&method.lists);
    Answered {
        protocol,
        method: method.name.clone(),
        lists: lists
            .map(|(question, list)| {
                (
                    question.shopper.to_owned(),
                    list.iter().filter_map(id).collect(),
                )
            })
            .collect(),
    }
}
