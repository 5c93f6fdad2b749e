use std::collections::BTreeSet;
use std::time::Duration;

use rayon::prelude::*;
use retrieval::{Gate, Model, Query};

use super::Basket;
use crate::moments::recent;
use crate::{Error, exam};

/// Events of a shopper that a query holds, the latest.
const RECENT: usize = 200;
/// Items that a query can exclude.
const EXCLUDED: usize = 1_000;
/// Candidates asked for, as serving asks.
pub(crate) const DEPTH: usize = 100;

/// What is asked about a basket.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// All of its items, from the history; what was bought may come back.
    AllItems,
    /// The items that are new to the shopper, from the history.
    NewItems,
    /// All but its first two items, from those two, for a shopper without history.
    NewShoppers,
}

impl Protocol {
    pub const ALL: [Self; 3] = [Self::AllItems, Self::NewItems, Self::NewShoppers];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllItems => "all_items",
            Self::NewItems => "new_items",
            Self::NewShoppers => "new_shoppers",
        }
    }
}

/// Items of a new shopper's basket that are given.
const GIVEN: usize = 2;

/// One prediction to make.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    pub shopper: &'a str,
    pub protocol: Protocol,
    pub wanted: Vec<&'a str>,
    /// Given items of a new shopper's basket.
    pub given: Vec<&'a str>,
    pub query: Query,
    /// Never an answer.
    pub barred: BTreeSet<&'a str>,
}

/// The questions of a protocol; baskets that it does not concern ask none.
#[must_use]
pub fn questions<'a>(baskets: &'a [Basket<'a>], protocol: Protocol) -> Vec<Question<'a>> {
    let asked = baskets
        .iter()
        .filter_map(|basket| question(basket, protocol));
    asked.collect()
}

fn question<'a>(basket: &'a Basket<'a>, protocol: Protocol) -> Option<Question<'a>> {
    let is_new = basket.history.is_empty();
    if is_new != (protocol == Protocol::NewShoppers) {
        return None;
    }
    let (given, rest) =
        basket
            .items
            .split_at(basket.items.len().min(if is_new { GIVEN } else { 0 }));
    let barred: BTreeSet<&str> = match protocol {
        Protocol::AllItems => BTreeSet::new(),
        Protocol::NewItems => basket.history.iter().map(|event| &*event.item_id).collect(),
        Protocol::NewShoppers => given.iter().copied().collect(),
    };
    let wanted: Vec<&str> = rest
        .iter()
        .copied()
        .filter(|item| !barred.contains(item))
        .collect();
    if wanted.is_empty() {
        return None;
    }
    Some(Question {
        shopper: basket.shopper,
        protocol,
        wanted,
        given: given.to_vec(),
        query: query(basket, given, &barred, protocol),
        barred,
    })
}

fn query(
    basket: &Basket<'_>,
    given: &[&str],
    barred: &BTreeSet<&str>,
    protocol: Protocol,
) -> Query {
    let latest = basket.history.iter().rev();
    let mut recent: Vec<_> = latest
        .filter_map(|event| recent(event, basket.asked_at))
        .take(RECENT)
        .collect();
    // What a new shopper has put into the cart so far, the latest a moment ago.
    let placed = given.iter().rev().zip(0..);
    recent.extend(placed.map(|(item, seconds)| retrieval::Recent {
        item_id: (*item).to_owned(),
        kind: retrieval::Kind::Add,
        age: Duration::from_secs(seconds),
    }));
    Query {
        recent,
        exclude: barred
            .iter()
            .take(EXCLUDED)
            .map(|&item| item.to_owned())
            .collect(),
        k: DEPTH,
        rebuy: protocol == Protocol::AllItems,
        ..Query::default()
    }
}

/// What a model answers to each question, as far as it may: the best `k`.
pub(crate) fn lists<T: Send>(
    model: &Model,
    questions: &[Question<'_>],
    of: impl Fn(&Gate, &Question<'_>) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let gate = Gate::open(model.catalogue().len());
    questions
        .par_iter()
        .map(|question| of(&gate, question))
        .collect()
}

/// The first `k` that may be answered.
pub(crate) fn permitted(
    model: &Model,
    question: &Question<'_>,
    ordinals: impl Iterator<Item = u32>,
    k: usize,
) -> Vec<u32> {
    let may = |ordinal: &u32| {
        let item = model.catalogue().get(*ordinal);
        item.is_some_and(|item| !question.barred.contains(item.item_id.as_str()))
    };
    ordinals.filter(may).take(k).collect()
}

/// The same popular items for all, but for those barred.
pub(crate) fn popular(
    model: &Model,
    scores: &[f32],
    questions: &[Question<'_>],
    k: usize,
) -> Vec<Vec<u32>> {
    let order = exam::best_first(scores, scores.len());
    let of = |question: &Question<'_>| permitted(model, question, order.iter().copied(), k);
    questions.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use feature_store::{Event, Millis};

    use super::super::split::tests::bought;
    use super::super::{Basket, baskets};
    use super::*;

    fn log() -> Vec<Event> {
        vec![
            bought("known", "1", "a", 1),
            bought("known", "1", "b", 1),
            bought("known", "2", "a", 20),
            bought("known", "2", "c", 20),
            bought("new", "3", "a", 30),
            bought("new", "3", "b", 30),
            bought("new", "3", "c", 30),
            bought("small", "4", "a", 40),
            bought("small", "4", "b", 40),
        ]
    }

    fn asked<'a>(baskets: &'a [Basket<'a>], protocol: Protocol) -> Vec<Question<'a>> {
        questions(baskets, protocol)
    }

    #[test]
    fn all_items_may_come_again_and_new_items_are_asked_for_without_what_is_known() {
        let log = log();
        let baskets = baskets(&log, Millis(10), Millis(100));
        let all = asked(&baskets, Protocol::AllItems);
        assert_eq!(
            all.len(),
            1,
            "shoppers without history are asked about elsewhere"
        );
        assert_eq!(all[0].wanted, ["a", "c"]);
        assert!(all[0].query.rebuy && all[0].query.exclude.is_empty());
        assert_eq!(all[0].query.recent.len(), 2);
        let new = asked(&baskets, Protocol::NewItems);
        assert_eq!(new[0].wanted, ["c"]);
        assert!(!new[0].query.rebuy);
        assert_eq!(new[0].query.exclude, ["a", "b"]);
    }

    #[test]
    fn a_new_shopper_is_asked_for_the_rest_of_the_basket() {
        let log = log();
        let baskets = baskets(&log, Millis(10), Millis(100));
        let found = asked(&baskets, Protocol::NewShoppers);
        assert_eq!(
            found.len(),
            1,
            "a basket of two items leaves nothing to ask for"
        );
        assert_eq!(
            (found[0].shopper, &found[0].given[..]),
            ("new", &["a", "b"][..])
        );
        assert_eq!(found[0].wanted, ["c"]);
        let recent = &found[0].query.recent;
        assert_eq!(recent[0].item_id, "b", "the later one is the newer one");
        assert!(recent[0].age < recent[1].age);
    }
}
