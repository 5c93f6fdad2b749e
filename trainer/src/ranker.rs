//! Learning the order in which candidates are shown.
//!
//! An example is a moment at which a shopper put something into the cart or bought it, the
//! candidates that were retrieved from what was known before, and which of them it was. Weights
//! are fitted pair by pair: the chosen item against each other candidate (Bradley and Terry 1952).

use feature_store::{Event, EventKind};
use ranking::{COLUMNS, CartSummary, ItemFacts, LinearRanker, Matrix, Ranker, assemble, sigmoid};
use rayon::prelude::*;
use retrieval::{Answer, Candidate, Gate, Model, Source};
use snapshot::Catalogue;

use crate::metrics::{real, reciprocal_rank};
use crate::moments::{Moment, moments, query, thinned};
use crate::sessions::{GAP, sessions};
use crate::{Error, cholesky};

/// Examples below which the order of retrieval is kept.
const FEWEST: usize = 200;
const MOST: usize = 4_000;
const CANDIDATES: usize = 100;
/// λ on standardised columns, for each example.
const PENALTY: f64 = 1e-3;
const STEPS: usize = 30;
const PLACES: usize = 20;

/// A ranker and how it came about.
#[derive(Debug)]
pub(crate) struct Ranked {
    pub(crate) ranker: LinearRanker,
    pub(crate) quality: Vec<(String, f64)>,
}

struct Example {
    rows: Matrix,
    chosen: usize,
}

/// Learns from events that `model` has not seen, in the order of time.
pub(crate) fn learn(model: &Model, unseen: &[Event]) -> Result<Ranked, Error> {
    let examples = examples(model, unseen)?;
    if examples.len() < FEWEST {
        let note = format!(
            "keeps the order of retrieval: {} examples are too few to learn from, {FEWEST} are \
             needed",
            examples.len()
        );
        return Ok(Ranked {
            ranker: LinearRanker::retrieval_order(&note),
            quality: Vec::new(),
        });
    }
    let (early, late) = examples.split_at(examples.len() * 7 / 10);
    let kept = LinearRanker::retrieval_order("");
    let learned = fit(early, "")?;
    let (before, after) = (mrr(&kept, late)?, mrr(&learned, late)?);
    let quality = vec![
        ("ranker_mrr_at_20.retrieval".to_owned(), before),
        ("ranker_mrr_at_20.learned".to_owned(), after),
    ];
    let figures = format!(
        "on the later {} of {} examples its MRR@20 is {after:.4} against {before:.4} in the order \
         of retrieval",
        late.len(),
        examples.len()
    );
    let ranker = if after > before {
        fit(&examples, &format!("learned pair by pair; {figures}"))?
    } else {
        let note = format!("keeps the order of retrieval: nothing better was learned; {figures}");
        LinearRanker::retrieval_order(&note)
    };
    Ok(Ranked { ranker, quality })
}

fn examples(model: &Model, unseen: &[Event]) -> Result<Vec<Example>, Error> {
    let sessions = sessions(unseen, GAP);
    let mut choices = moments(&sessions);
    choices.retain(|moment| is_choice(moment.next.kind));
    choices.sort_by_key(|moment| moment.next.occurred_at);
    let gate = Gate::open(model.catalogue().len());
    let found: Vec<Option<Example>> = thinned(choices, MOST)
        .par_iter()
        .map(|moment| example(model, &gate, moment))
        .collect::<Result<_, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

fn is_choice(kind: EventKind) -> bool {
    matches!(kind, EventKind::AddToCart | EventKind::Purchase)
}

/// `None` when the chosen item was not retrieved: no order of the candidates could show it.
fn example(model: &Model, gate: &Gate, moment: &Moment<'_>) -> Result<Option<Example>, Error> {
    let cart = cart(&moment.before);
    let exclude: Vec<String> = cart.iter().map(|event| event.item_id.clone()).collect();
    let query = query(&moment.before, moment.next.occurred_at, exclude, CANDIDATES);
    let answer = model.retrieve(&query, gate)?;
    let chosen = answer
        .candidates
        .iter()
        .position(|one| one.item_id == moment.next.item_id);
    let Some(chosen) = chosen else {
        return Ok(None);
    };
    let rows = rows(model.catalogue(), &summary(&cart), &answer.candidates);
    Ok(Some(Example { rows, chosen }))
}

/// Ordinals of the answer's candidates in the order in which the ranker shows them after events
/// `before`.
pub(crate) fn order(
    ranker: &LinearRanker,
    model: &Model,
    before: &[&Event],
    answer: &Answer,
) -> Result<Vec<u32>, Error> {
    let candidates = &answer.candidates;
    let rows = rows(model.catalogue(), &summary(&cart(before)), candidates);
    let mut scores = Vec::new();
    ranker.score(&rows, &mut scores)?;
    let ordinals = best_places(&scores).into_iter();
    let at = |place: u32| candidates.get(place as usize).map(|one| one.ordinal);
    Ok(ordinals.filter_map(at).collect())
}

fn summary(cart: &[&Event]) -> CartSummary {
    let lines = cart.iter();
    CartSummary::new(lines.map(|e| (e.price_minor, e.category.as_str(), e.brand.as_str())))
}

/// Places by score, best first, ties in the order given.
fn best_places(scores: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..).take(scores.len()).collect();
    let score = |at: &u32| scores[*at as usize];
    order.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.cmp(b)));
    order
}

/// What is in the cart after these events; where a log knows purchases only, what was bought so
/// far in the same session stands for it.
fn cart<'a>(before: &[&'a Event]) -> Vec<&'a Event> {
    let mut lines: Vec<&Event> = Vec::new();
    for event in before {
        match event.kind {
            EventKind::AddToCart => {
                lines.retain(|line| line.item_id != event.item_id);
                lines.push(event);
            }
            EventKind::RemoveFromCart | EventKind::Purchase => {
                lines.retain(|line| line.item_id != event.item_id);
            }
            EventKind::View
            | EventKind::CheckoutStart
            | EventKind::MessageSent
            | EventKind::MessageDelivered
            | EventKind::MessageOpened
            | EventKind::MessageClicked
            | EventKind::MessageUnsubscribed => {}
        }
    }
    if lines.is_empty() {
        lines.extend(
            before
                .iter()
                .filter(|event| event.kind == EventKind::Purchase),
        );
    }
    lines
}

fn rows(catalogue: &Catalogue, cart: &CartSummary, candidates: &[Candidate]) -> Matrix {
    let items: Vec<_> = candidates
        .iter()
        .map(|one| (one, catalogue.get(one.ordinal)))
        .collect();
    let paths: Vec<String> = items
        .iter()
        .map(|(_, item)| {
            item.map(|item| item.category_path.join("."))
                .unwrap_or_default()
        })
        .collect();
    let facts: Vec<ItemFacts<'_>> = items
        .iter()
        .zip(&paths)
        .map(|((one, item), path)| ItemFacts {
            price_minor: item.map_or(0, |item| item.price_minor),
            category: path,
            brand: item.map_or("", |item| &item.brand),
            ..scores(one)
        })
        .collect();
    assemble(cart, &facts)
}

fn scores(candidate: &Candidate) -> ItemFacts<'static> {
    let of = |source: Source| {
        candidate
            .sources
            .iter()
            .find(|score| score.source == source)
            .map(|score| score.score)
    };
    ItemFacts {
        fused: candidate.score,
        revisit: of(Source::Revisit),
        covisitation: of(Source::Covisitation),
        collaborative: of(Source::Collaborative),
        popularity: of(Source::Popularity),
        ..ItemFacts::default()
    }
}

fn mrr(ranker: &LinearRanker, examples: &[Example]) -> Result<f64, Error> {
    let (mut sum, mut scores) = (0.0, Vec::new());
    for example in examples {
        ranker.score(&example.rows, &mut scores)?;
        let order = best_places(&scores);
        let chosen = u32::try_from(example.chosen).unwrap_or(u32::MAX);
        sum += reciprocal_rank(&order, &[chosen], PLACES);
    }
    Ok(sum / real(examples.len().max(1)))
}

type Row = [f64; COLUMNS.len()];

/// Minimises the mean over examples of the mean over rivals of ln(1 + e^−w·(chosen − rival)), plus
/// λ/2 |w|², by Newton's method.
fn fit(examples: &[Example], note: &str) -> Result<LinearRanker, Error> {
    let (means, scales) = moments_of_columns(examples);
    let pairs = pairs(examples, &scales);
    let mut weights = vec![0.0; COLUMNS.len()];
    for _ in 0..STEPS {
        let (mut hessian, mut gradient) = derivatives(&pairs, &weights);
        if !cholesky::solve(&mut hessian, &mut gradient, COLUMNS.len()) {
            break;
        }
        for (weight, step) in weights.iter_mut().zip(&gradient) {
            *weight -= step.clamp(-1.0, 1.0);
        }
        if gradient.iter().all(|step| step.abs() < 1e-9) {
            break;
        }
    }
    Ok(LinearRanker::new(means, scales, weights, note)?)
}

fn moments_of_columns(examples: &[Example]) -> (Vec<f64>, Vec<f64>) {
    let column = |at: usize| {
        examples
            .iter()
            .flat_map(move |e| e.rows.rows().map(move |row| f64::from(row[at])))
    };
    let count = real(
        examples
            .iter()
            .map(|example| example.rows.len())
            .sum::<usize>()
            .max(1),
    );
    (0..COLUMNS.len())
        .map(|at| {
            let mean = column(at).sum::<f64>() / count;
            let variance = column(at).map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            (
                mean,
                if variance > 1e-12 {
                    variance.sqrt()
                } else {
                    1.0
                },
            )
        })
        .unzip()
}

/// (share of its example, chosen − rival), on standardised columns. Every other candidate is a
/// rival: against the best of them alone, being far down the list would look like a virtue.
fn pairs(examples: &[Example], scales: &[f64]) -> Vec<(f64, Row)> {
    let mut pairs = Vec::new();
    let examples_in_all = real(examples.len().max(1));
    for example in examples {
        let Some(chosen) = example.rows.row(example.chosen) else {
            continue;
        };
        let rivals = example
            .rows
            .rows()
            .enumerate()
            .filter(|(at, _)| *at != example.chosen);
        let share = 1.0 / real(example.rows.len().max(2) - 1) / examples_in_all;
        for (_, rival) in rivals {
            let difference =
                std::array::from_fn(|at| f64::from(chosen[at] - rival[at]) / scales[at]);
            pairs.push((share, difference));
        }
    }
    pairs
}

fn derivatives(pairs: &[(f64, Row)], weights: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let size = COLUMNS.len();
    let mut hessian = vec![0.0; size * size];
    let mut gradient = vec![0.0; size];
    for (share, difference) in pairs {
        let z: f64 = difference.iter().zip(weights).map(|(x, w)| x * w).sum();
        let p = sigmoid(z);
        for i in 0..size {
            gradient[i] -= share * (1.0 - p) * difference[i];
            for j in 0..=i {
                hessian[i * size + j] += share * p * (1.0 - p) * difference[i] * difference[j];
            }
        }
    }
    for i in 0..size {
        gradient[i] += PENALTY * weights[i];
        hessian[i * size + i] += PENALTY;
    }
    (hessian, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prng::SplitMix64;
    use ranking::Column;

    /// The chosen item is the one of the greatest co-visitation score, whatever its place.
    fn invented(count: usize) -> Vec<Example> {
        let mut random = SplitMix64::new(11);
        let mut examples = Vec::new();
        for _ in 0..count {
            let mut rows = Matrix::default();
            let mut best = (0, -1.0);
            for at in 0..30_usize {
                let mut row = [0.0; COLUMNS.len()];
                row[Column::Fused.position()] = 2.0 - real(at) / 30.0;
                row[Column::Covisitation.position()] = random.unit();
                if row[Column::Covisitation.position()] > best.1 {
                    best = (at, row[Column::Covisitation.position()]);
                }
                rows.push(row);
            }
            examples.push(Example {
                rows,
                chosen: best.0,
            });
        }
        examples
    }

    #[test]
    fn finds_the_column_that_decides() {
        let examples = invented(300);
        let learned = fit(&examples, "x").unwrap();
        let kept = LinearRanker::retrieval_order("");
        assert!(mrr(&learned, &examples).unwrap() > 0.8);
        assert!(mrr(&kept, &examples).unwrap() < 0.3);
    }

    #[test]
    fn the_cart_follows_adds_removals_and_purchases() {
        let event = |kind, item: &str| Event {
            kind,
            item_id: item.to_owned(),
            ..Event::default()
        };
        let events = [
            event(EventKind::AddToCart, "a"),
            event(EventKind::AddToCart, "b"),
            event(EventKind::View, "c"),
            event(EventKind::RemoveFromCart, "a"),
        ];
        let all: Vec<&Event> = events.iter().collect();
        let ids = |lines: Vec<&Event>| {
            lines
                .iter()
                .map(|line| line.item_id.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(cart(&all)), ["b"]);
        let bought = event(EventKind::Purchase, "d");
        assert_eq!(ids(cart(&[&bought])), ["d"]);
    }
}
