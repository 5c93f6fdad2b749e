//! One board of all ways of finding items, on events that none has seen.
//!
//! Each prefix of a session predicts what comes next, as serving would be asked then. Hit rate and
//! MRR are of the next item; nDCG and recall are of all items of the rest of the session.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use feature_store::{Event, EventKind, ShopperView};
use rayon::prelude::*;
use retrieval::{Answer, FusionWeights, Gate, Model, Source};
use snapshot::Leaderboard;

use crate::Error;
use crate::exam::{BASELINE, Exam, Method, Slice, best_first};
use crate::look_back::{Learned, Trained};
use crate::moments::{Moment, moments, thinned};
use crate::ranker::scene::question;
use crate::ranker::{self, CANDIDATES};
use crate::sessions::{GAP, sessions};
use crate::views::views;

/// An item with so few events to learn from is cold.
pub(crate) const COLD: usize = 5;

/// With fewer predictions the standard error of a hit rate can be above 5 %.
const FEW: usize = 100;

/// Slices of a board.
pub const ALL: &str = "all";
pub const COLD_ITEMS: &str = "cold_items";
pub const NEW_SHOPPERS: &str = "new_shoppers";
/// Methods that are no source.
pub const FUSED: &str = "fused";
/// Fused with the weights that a snapshot has where none could be learned.
pub const FUSED_BY_DEFAULT: &str = "fused_by_default";
pub const RANKED: &str = "ranked";

/// What to measure.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct EvaluationOptions {
    /// Places that count.
    pub k: usize,
    /// Predictions at most, evenly spread over the events.
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

/// A board, and what could not be measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// `None` when the events predict nothing.
    pub leaderboard: Option<Leaderboard>,
    pub notes: Vec<String>,
}

/// What was known before the events that are asked about.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    /// Events that the models learned from, by item.
    support: BTreeMap<&'a str, usize>,
    shoppers: BTreeSet<&'a str>,
    before: Vec<&'a [Event]>,
}

impl<'a> Known<'a> {
    /// The models learned from `past`; shoppers were seen in any of `before`.
    pub(crate) fn new(past: &'a [Event], before: &[&'a [Event]]) -> Self {
        let mut support = BTreeMap::new();
        for event in past.iter().filter(|event| !event.item_id.is_empty()) {
            *support.entry(event.item_id.as_str()).or_default() += 1;
        }
        let events = before.iter().flat_map(|part| part.iter());
        Self {
            support,
            shoppers: events.map(|event| event.shopper_id.as_str()).collect(),
            before: before.to_vec(),
        }
    }

    fn is_cold(&self, moment: &Moment<'_>) -> bool {
        let support = self.support.get(moment.next.item_id.as_str());
        support.is_none_or(|support| *support <= COLD)
    }

    fn is_new(&self, moment: &Moment<'_>) -> bool {
        !self.shoppers.contains(moment.next.shopper_id.as_str())
    }
}

/// Figures of all predictions by name, such as `hit_rate_at_20.fused`.
pub(crate) fn named(board: &Leaderboard) -> BTreeMap<String, f64> {
    let rows = board.rows.iter().filter(|row| row.slice == ALL);
    rows.flat_map(|row| {
        let name = |measure| format!("{measure}_at_{}.{}", board.k, row.method);
        [
            (name("hit_rate"), row.hit_rate),
            (name("mrr"), row.mrr),
            (name("ndcg"), row.ndcg),
        ]
    })
    .collect()
}

/// Asks models of the past, with what was learned of their use, about later events.
pub(crate) fn judge(
    trained: &Trained,
    learned: &Learned,
    known: &Known<'_>,
    unseen: &[Event],
    options: &EvaluationOptions,
) -> Result<Evaluation, Error> {
    let sessions = sessions(unseen, GAP);
    let moments = thinned(moments(&sessions), options.most);
    if moments.is_empty() {
        let note = format!(
            "leaderboard: nothing was measured, since no session of the latest {} events shows an \
             item after another",
            unseen.len()
        );
        return Ok(Evaluation {
            leaderboard: None,
            notes: vec![note],
        });
    }
    let exam = exam(&trained.model, &moments, options.k);
    let parts: Vec<&[Event]> = known.before.iter().copied().chain([unseen]).collect();
    let model = trained.model.with_fusion(learned.fusion.clone())?;
    let views = views(&parts, &moments);
    let depth = CANDIDATES.max(options.k);
    let ranked = ranker::lists(&learned.ranker, &model, &parts, &moments, &views, depth)?;
    let methods = methods(trained, &model, ranked, &views, options.k)?;
    let slices = slices(known, &moments);
    let ends = |event: Option<&Event>| event.map_or(0, |event| event.occurred_at.0);
    Ok(Evaluation {
        leaderboard: Some(Leaderboard {
            k: u32::try_from(options.k).unwrap_or(u32::MAX),
            from_ms: ends(unseen.first()),
            to_ms: ends(unseen.last()),
            rows: exam.rows(&methods, &slices),
        }),
        notes: owned(&moments, &views)
            .into_iter()
            .chain(small(&slices))
            .collect(),
    })
}

fn exam(model: &Model, moments: &[Moment<'_>], k: usize) -> Exam {
    // No item has the greatest number, so that what the models do not know is wanted and missed.
    let ordinal = |id: &str| model.catalogue().ordinal(id).unwrap_or(u32::MAX);
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let clusters = moments.iter().map(|moment| {
        let next = numbers.len();
        *numbers.entry(&moment.next.shopper_id).or_insert(next)
    });
    Exam {
        k,
        items: model.catalogue().len(),
        clusters: clusters.collect(),
        targets: (moments.iter().map(|m| vec![ordinal(&m.next.item_id)])).collect(),
        wanted: (moments.iter())
            .map(|m| m.rest.iter().map(|item| ordinal(item)).collect())
            .collect(),
    }
}

fn slices(known: &Known<'_>, moments: &[Moment<'_>]) -> [Slice; 3] {
    let slice = |name: &str, holds: &dyn Fn(&Moment<'_>) -> bool| Slice {
        name: name.to_owned(),
        members: (0..moments.len())
            .filter(|&at| holds(&moments[at]))
            .collect(),
    };
    [
        slice(ALL, &|_| true),
        slice(COLD_ITEMS, &|moment| known.is_cold(moment)),
        slice(NEW_SHOPPERS, &|moment| known.is_new(moment)),
    ]
}

/// How many of the predictions no method but the plain popular items can meet: what was bought
/// lately is never shown.
fn owned(moments: &[Moment<'_>], views: &[ShopperView]) -> Option<String> {
    let is_owned = |(moment, view): &(&Moment<'_>, &ShopperView)| {
        let mut bought = view.recent.iter();
        bought.any(|one| one.kind == EventKind::Purchase && one.item_id == moment.next.item_id)
    };
    let count = moments.iter().zip(views).filter(is_owned).count();
    (count > 0).then(|| {
        format!(
            "leaderboard: {count} of {} next items were bought before, and such are never shown",
            moments.len()
        )
    })
}

/// What the slices are too small to say.
fn small(slices: &[Slice]) -> Vec<String> {
    let small = slices.iter().filter(|slice| slice.members.len() < FEW);
    small
        .map(|slice| match slice.members.len() {
            0 => format!("leaderboard: no prediction falls into {}", slice.name),
            count => format!(
                "leaderboard: {count} predictions in {} are too few to tell methods apart",
                slice.name
            ),
        })
        .collect()
}

/// What one moment is answered.
struct Answers {
    fused_by_default: Vec<u32>,
    fused: Vec<u32>,
    /// In the order of [`Source::ALL`].
    sources: Vec<Vec<u32>>,
}

fn methods(
    trained: &Trained,
    model: &Model,
    ranked: Vec<Vec<u32>>,
    views: &[ShopperView],
    k: usize,
) -> Result<Vec<Method>, Error> {
    let gate = Gate::open(trained.model.catalogue().len());
    let plain = trained.model.with_fusion(FusionWeights::default())?;
    let mut answers: Vec<Answers> = views
        .par_iter()
        .map(|view| answers(model, &plain, &gate, view, k))
        .collect::<Result<_, _>>()?;
    let popular = best_first(&trained.models.popularity, k);
    let mut methods = vec![Method {
        name: BASELINE.to_owned(),
        lists: vec![popular; views.len()],
    }];
    for source in Source::ALL.into_iter().rev() {
        let take = |one: &mut Answers| std::mem::take(&mut one.sources[source as usize]);
        let lists: Vec<Vec<u32>> = answers.iter_mut().map(take).collect();
        // A source that names nothing on this log, as rebuying without a question that allows it.
        if lists.iter().any(|list| !list.is_empty()) {
            methods.push(Method {
                name: name(source).to_owned(),
                lists,
            });
        }
    }
    let by_default = |one: &mut Answers| std::mem::take(&mut one.fused_by_default);
    let by_default = answers.iter_mut().map(by_default).collect();
    let fused = answers.into_iter().map(|one| one.fused).collect();
    let lists = [
        (FUSED_BY_DEFAULT, by_default),
        (FUSED, fused),
        (RANKED, ranked),
    ];
    for (name, lists) in lists {
        methods.push(Method {
            name: name.to_owned(),
            lists,
        });
    }
    Ok(methods)
}

/// Popularity as a source knows categories; the same items for everybody have its plain name.
fn name(source: Source) -> &'static str {
    if source == Source::Popularity {
        "category_popularity"
    } else {
        source.as_str()
    }
}

fn answers(
    model: &Model,
    plain: &Model,
    gate: &Gate,
    view: &ShopperView,
    k: usize,
) -> Result<Answers, Error> {
    let query = question(view, Vec::new(), CANDIDATES.max(k));
    let (named, answer) = (model.named(&query, gate)?, model.retrieve(&query, gate)?);
    let by_default = plain.retrieve(&query, gate)?;
    Ok(Answers {
        fused_by_default: first(by_default.candidates.iter().map(|one| one.ordinal), k),
        fused: first(answer.candidates.iter().map(|one| one.ordinal), k),
        sources: (Source::ALL.into_iter())
            .map(|source| of_source(&named, source, k))
            .collect(),
    })
}

fn first(ordinals: impl Iterator<Item = u32>, k: usize) -> Vec<u32> {
    ordinals.take(k).collect()
}

/// What one source named, in its own order.
fn of_source(answer: &Answer, source: Source, k: usize) -> Vec<u32> {
    let mut named: Vec<(u32, u32)> = Vec::new();
    for candidate in &answer.candidates {
        let score = candidate
            .sources
            .iter()
            .find(|score| score.source == source);
        named.extend(score.map(|score| (score.rank, candidate.ordinal)));
    }
    named.sort_unstable();
    first(named.into_iter().map(|(_, ordinal)| ordinal), k)
}
