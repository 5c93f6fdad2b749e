//! The rank stage: in which order to show the candidates.

use std::cmp::Ordering;

use feature_store::{ItemRow, Millis, Plan, Status};
use policy::Line;
use ranking::{CartSummary, ItemFacts, Matrix, Ranker, Scene, Touch, TouchKind, assemble};
use retrieval::Kind;

use super::candidates::{Candidate, SourceScore};
use super::notes::Reason;
use crate::generation::Generation;
use crate::items::{Facts, Items};

/// A candidate in its place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ranked {
    pub(crate) item_id: String,
    /// Empty when unknown.
    pub(crate) name: String,
    /// The ranker's, or retrieval's where there is no ranker.
    pub(crate) score: f64,
    pub(crate) sources: Vec<SourceScore>,
}

/// The shopper at the moment of ranking.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) cart: &'a [Line],
    /// What candidates were asked for with, newest first.
    pub(crate) recent: &'a [retrieval::Recent],
    /// In the order of the generation's feature names.
    pub(crate) values: &'a [Option<f64>],
    pub(crate) now_ms: i64,
}

/// Why there is no ranker's order: for metrics, and in words.
pub(crate) type Unranked = (Reason, String);

/// Best first, equal scores by item id; with the reason when retrieval's order had to do.
pub(crate) fn rank(
    generation: &Generation,
    items: &Items,
    moment: Moment<'_>,
    candidates: Vec<Candidate>,
) -> (Vec<Ranked>, Option<Unranked>) {
    let facts = of_candidates(generation, items, &candidates);
    let scores = score(generation, items, moment, &candidates, &facts);
    in_order(candidates, &facts, scores)
}

/// In the order of retrieval, because there is no time for another.
pub(crate) fn unranked(
    generation: &Generation,
    items: &Items,
    candidates: Vec<Candidate>,
) -> (Vec<Ranked>, Option<Unranked>) {
    let facts = all_facts(generation, items, candidates.iter().map(|one| &one.item_id));
    let why = "no time was left; in the order of retrieval";
    in_order(candidates, &facts, Err((Reason::NoTime, why.to_owned())))
}

fn in_order(
    candidates: Vec<Candidate>,
    facts: &[Facts<'_>],
    scores: Result<Vec<f64>, Unranked>,
) -> (Vec<Ranked>, Option<Unranked>) {
    let (scores, degraded) = match scores {
        Ok(scores) => (scores, None),
        Err(why) => (candidates.iter().map(|one| one.score).collect(), Some(why)),
    };
    let mut ranked: Vec<Ranked> = candidates
        .into_iter()
        .zip(facts)
        .zip(scores)
        .map(|((candidate, facts), score)| Ranked {
            item_id: candidate.item_id,
            name: facts.name().to_owned(),
            score,
            sources: candidate.sources,
        })
        .collect();
    ranked.sort_by(best_first);
    (ranked, degraded)
}

fn of_candidates<'a>(
    generation: &'a Generation,
    items: &Items,
    candidates: &[Candidate],
) -> Vec<Facts<'a>> {
    let ordinal = |one: &Candidate| {
        let known = one.ordinal;
        known.or_else(|| generation.catalogue().ordinal(&one.item_id))
    };
    candidates
        .iter()
        .map(|one| items.facts_at(generation, &one.item_id, ordinal(one)))
        .collect()
}

fn all_facts<'a, 'b>(
    generation: &'a Generation,
    items: &Items,
    ids: impl Iterator<Item = &'b String>,
) -> Vec<Facts<'a>> {
    ids.map(|id| items.facts(generation, id)).collect()
}

fn score(
    generation: &Generation,
    items: &Items,
    moment: Moment<'_>,
    candidates: &[Candidate],
    facts: &[Facts<'_>],
) -> Result<Vec<f64>, Unranked> {
    let ranker = generation.ranker.as_ref().ok_or_else(|| {
        let why = "the generation has no ranker; in the order of retrieval";
        (Reason::NoModel, why.to_owned())
    })?;
    let mut scores = Vec::with_capacity(candidates.len());
    ranker
        .score(
            &rows(ranker, generation, items, moment, candidates, facts),
            &mut scores,
        )
        .map_err(|error| {
            let why = format!("{error}; in the order of retrieval");
            (Reason::ModelFailed, why)
        })?;
    if scores.len() == candidates.len() {
        Ok(scores)
    } else {
        let why = "the ranker left items out; in the order of retrieval";
        Err((Reason::ModelFailed, why.to_owned()))
    }
}

/// What the ranker reads, one row for each candidate: the same numbers as in training.
fn rows(
    ranker: &Ranker,
    generation: &Generation,
    items: &Items,
    moment: Moment<'_>,
    candidates: &[Candidate],
    facts: &[Facts<'_>],
) -> Matrix {
    let touched = all_facts(
        generation,
        items,
        moment.recent.iter().map(|one| &one.item_id),
    );
    let touched_categories: Vec<_> = touched.iter().map(Facts::category).collect();
    let touches = moment.recent.iter().zip(&touched).zip(&touched_categories);
    let lines = moment.cart.iter();
    let scene = Scene {
        cart: CartSummary::new(lines.map(|line| {
            let (category, brand) = (line.category.as_str(), line.brand.as_str());
            (line.price_minor, category, brand)
        })),
        in_cart: (moment.cart.iter().map(|line| line.item_id.as_str())).collect(),
        touches: touches
            .map(|((one, facts), category)| touch(one, facts, category))
            .collect(),
        shopper: generation.features().of_ranker(moment.values),
    };
    let categories: Vec<_> = facts.iter().map(Facts::category).collect();
    let now = Millis(moment.now_ms);
    let rows: Vec<ItemFacts<'_>> = candidates
        .iter()
        .zip(facts)
        .zip(&categories)
        .map(|((candidate, facts), category)| ItemFacts {
            features: features(&generation.item_features, facts, now),
            ..row(candidate, facts, category)
        })
        .collect();
    assemble(ranker.columns(), &scene, &rows)
}

fn touch<'a>(one: &'a retrieval::Recent, facts: &'a Facts<'_>, category: &'a str) -> Touch<'a> {
    Touch {
        item_id: &one.item_id,
        kind: match one.kind {
            Kind::View => TouchKind::View,
            Kind::Add => TouchKind::Add,
            Kind::Remove => TouchKind::Remove,
            Kind::Checkout => TouchKind::Checkout,
            Kind::Purchase => TouchKind::Purchase,
        },
        age_s: one.age.as_secs_f64(),
        price_minor: facts.price().map_or(0, |(price, _)| price),
        category,
        brand: facts.brand(),
    }
}

/// The item's statistics as features; what the catalogue says is in the columns.
fn features(plan: &Plan, facts: &Facts<'_>, now: Millis) -> Vec<Option<f64>> {
    if plan.is_empty() {
        return Vec::new();
    }
    let row = ItemRow {
        stats: facts.stats,
        ..ItemRow::default()
    };
    let values = plan.item(Some(&row), now).into_iter();
    values
        .map(|feature| match feature.status {
            Status::Present => feature.value.and_then(|value| value.as_f64()),
            Status::Null | Status::NotFound | Status::OutsideMaxAge => None,
        })
        .collect()
}

fn row<'a>(candidate: &'a Candidate, facts: &'a Facts<'_>, category: &'a str) -> ItemFacts<'a> {
    let mut row = ItemFacts {
        item_id: &candidate.item_id,
        fused: candidate.score,
        price_minor: facts.price().map_or(0, |(price, _)| price),
        category,
        brand: facts.brand(),
        ..ItemFacts::default()
    };
    for said in &candidate.sources {
        row.hear(&said.source, said.score, said.rank);
    }
    row
}

fn best_first(a: &Ranked, b: &Ranked) -> Ordering {
    b.score
        .total_cmp(&a.score)
        .then_with(|| a.item_id.cmp(&b.item_id))
}

/// The items of a `Rank` request that the generation does not know, after those that it knows.
pub(crate) fn unknown_last(generation: &Generation, ranked: &mut [Ranked]) {
    let unknown = |one: &Ranked| generation.catalogue().ordinal(&one.item_id).is_none();
    ranked.sort_by_key(unknown);
    let lowest = ranked
        .iter()
        .filter(|one| !unknown(one))
        .map(|one| one.score)
        .fold(0.0, f64::min);
    for one in ranked.iter_mut().filter(|one| unknown(one)) {
        one.score = lowest;
    }
}

#[cfg(test)]
mod tests;
