//! What a shopper did before the current visit, and the item dealt with last.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use std::time::Duration;

use retrieval::{Answer, FusionWeights, Kind, Model, Query, Recent, Source};
use support::{ARTICLE, Parts, open};

/// Views by (item, minutes ago).
fn query(recent: &[(&str, u64)]) -> Query {
    let view = |&(item_id, minutes): &(&str, u64)| Recent {
        item_id: item_id.to_owned(),
        kind: Kind::View,
        age: Duration::from_secs(60 * minutes),
    };
    Query {
        recent: recent.iter().map(view).collect(),
        k: 10,
        ..Query::default()
    }
}

fn shares(earlier: f32) -> FusionWeights {
    let mut weights = FusionWeights::default();
    for source in &mut weights.sources {
        *source = source.with_earlier(earlier);
    }
    weights
}

fn scores(answer: &Answer) -> Vec<(&str, f64)> {
    let candidates = answer.candidates.iter();
    candidates.map(|one| (&*one.item_id, one.score)).collect()
}

fn model(weights: FusionWeights) -> Model {
    let model = Parts::from_sessions(&ARTICLE).model();
    model.with_fusion(weights).unwrap()
}

#[test]
fn a_source_without_earlier_visits_answers_as_if_they_had_not_been() {
    let (whole, none) = (model(shares(1.0)), model(shares(0.0)));
    let now = query(&[("1", 0)]);
    let ask = |model: &Model, query: &Query| model.retrieve(query, &open(model)).unwrap();
    let before = query(&[("1", 0), ("2", 31)]);
    assert_eq!(scores(&ask(&none, &before)), scores(&ask(&none, &now)));
    assert_ne!(scores(&ask(&whole, &before)), scores(&ask(&none, &now)));
}

#[test]
fn a_visit_reaches_back_to_the_first_longer_pause() {
    let (whole, none) = (model(shares(1.0)), model(shares(0.0)));
    let visit = query(&[("1", 10), ("2", 40), ("3", 70)]);
    let ask = |model: &Model| model.retrieve(&visit, &open(model)).unwrap();
    assert_eq!(scores(&ask(&none)), scores(&ask(&whole)));
}

#[test]
fn where_the_current_visit_knows_no_item_the_earlier_ones_speak() {
    let (whole, none) = (model(shares(1.0)), model(shares(0.0)));
    let visit = query(&[("no such item", 0), ("2", 100), ("3", 900)]);
    let ask = |model: &Model| model.retrieve(&visit, &open(model)).unwrap();
    assert_eq!(scores(&ask(&none)), scores(&ask(&whole)));
}

#[test]
fn what_was_bought_in_an_earlier_visit_stays_out_whatever_its_share() {
    let none = model(shares(0.0));
    let mut asked = query(&[("1", 0), ("4", 90)]);
    asked.recent[1].kind = Kind::Purchase;
    let answer = none.retrieve(&asked, &open(&none)).unwrap();
    assert!(scores(&answer).iter().all(|(item, _)| *item != "4"));
}

#[test]
fn the_item_dealt_with_last_gets_its_share_of_what_revisit_adds_and_the_others_all() {
    let weights = FusionWeights {
        again: 0.25,
        ..FusionWeights::default()
    };
    let (plain, less) = (model(FusionWeights::default()), model(weights.clone()));
    let asked = query(&[("1", 0), ("2", 1)]);
    let ask = |model: &Model| model.retrieve(&asked, &open(model)).unwrap();
    let (before, after) = (ask(&plain), ask(&less));
    let of = |answer: &Answer, item: &str| {
        let found = scores(answer).into_iter().find(|(id, _)| *id == item);
        found.unwrap().1
    };
    let revisit = weights.of(Source::Revisit).weight;
    let lost = of(&before, "1") - of(&after, "1");
    assert!((lost - 0.75 * revisit).abs() < 1e-9, "{lost}");
    for (item, score) in scores(&after).into_iter().filter(|(id, _)| *id != "1") {
        assert_eq!(score.to_bits(), of(&before, item).to_bits(), "{item}");
    }
}
