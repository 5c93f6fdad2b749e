//! The rank stage: in which order to show the candidates.

use std::cmp::Ordering;

use policy::Line;
use ranking::{CartSummary, ItemFacts, assemble};

use super::candidates::{Candidate, SourceScore};
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

/// Best first, equal scores by item id; with the reason when retrieval's order had to do.
pub(crate) fn rank(
    generation: &Generation,
    items: &Items,
    cart: &[Line],
    candidates: Vec<Candidate>,
) -> (Vec<Ranked>, Option<String>) {
    let facts: Vec<Facts<'_>> = candidates
        .iter()
        .map(|candidate| items.facts(generation, &candidate.item_id))
        .collect();
    let (scores, degraded) = match score(generation, cart, &candidates, &facts) {
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

fn score(
    generation: &Generation,
    cart: &[Line],
    candidates: &[Candidate],
    facts: &[Facts<'_>],
) -> Result<Vec<f64>, String> {
    let ranker = generation
        .ranker
        .as_ref()
        .ok_or("the generation has no ranker; in the order of retrieval")?;
    let summary = CartSummary::new(cart.iter().map(|line| {
        (
            line.price_minor,
            line.category.as_str(),
            line.brand.as_str(),
        )
    }));
    let categories: Vec<_> = facts.iter().map(Facts::category).collect();
    let rows: Vec<ItemFacts<'_>> = candidates
        .iter()
        .zip(facts)
        .zip(&categories)
        .map(|((candidate, facts), category)| row(candidate, facts, category))
        .collect();
    let mut scores = Vec::with_capacity(rows.len());
    ranker
        .score(&assemble(&summary, &rows), &mut scores)
        .map_err(|error| format!("{error}; in the order of retrieval"))?;
    if scores.len() == candidates.len() {
        Ok(scores)
    } else {
        Err("the ranker left items out; in the order of retrieval".to_owned())
    }
}

fn row<'a>(candidate: &Candidate, facts: &'a Facts<'_>, category: &'a str) -> ItemFacts<'a> {
    ItemFacts {
        fused: candidate.score,
        revisit: candidate.source("revisit"),
        covisitation: candidate.source("covisitation"),
        collaborative: candidate.source("collaborative"),
        popularity: candidate.source("popularity"),
        price_minor: facts.price().map_or(0, |(price, _)| price),
        category,
        brand: facts.brand(),
    }
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
