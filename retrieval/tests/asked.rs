//! Items that a query asks about, and items that were bought.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use retrieval::{Kind, Model, Query, Source, SourceScore};
use support::{ARTICLE, Parts, cart, ids, open, recent, shop, whole_shop};

const ITEMS: u32 = 240;

static MODEL: LazyLock<Model> = LazyLock::new(|| whole_shop(ITEMS, false));

fn name(ordinal: u32) -> String {
    format!("i{ordinal:05}")
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-5
}

/// Vectors are multiplied in another order here and there, so that items of equal vectors may
/// change places: at most three have equal ones.
fn same_rank(a: &SourceScore, b: &SourceScore) -> bool {
    let most = if a.source == Source::Collaborative {
        3
    } else {
        0
    };
    a.rank.abs_diff(b.rank) <= most
}

fn same(a: &[SourceScore], b: &[SourceScore]) -> bool {
    let by_source = |list: &[SourceScore]| {
        let mut list = list.to_vec();
        list.sort_by_key(|one| one.source);
        list
    };
    a.len() == b.len()
        && by_source(a)
            .iter()
            .zip(by_source(b))
            .all(|(a, b)| a.source == b.source && same_rank(a, &b) && close(a.score, b.score))
}

fn scores_as_if_let_in(
    recents: &[(u32, Kind)],
    exclude: Vec<String>,
    rebuy: bool,
) -> Result<(), TestCaseError> {
    let query = Query {
        recent: recents
            .iter()
            .map(|&(id, kind)| recent(&name(id), kind))
            .collect(),
        score: exclude.clone(),
        exclude,
        k: ITEMS as usize,
        rebuy,
        ..Query::default()
    };
    let answer = MODEL.retrieve(&query, &open(&MODEL)).unwrap();
    prop_assert_eq!(answer.scored.len(), query.score.len());
    for scored in &answer.scored {
        let mut without = query.clone();
        without.exclude.retain(|id| *id != scored.item_id);
        without.score.clear();
        let answer = MODEL.retrieve(&without, &open(&MODEL)).unwrap();
        // What was bought stays out whatever is excluded.
        if let Some(candidate) = answer
            .candidates
            .iter()
            .find(|c| c.item_id == scored.item_id)
        {
            prop_assert!(scored.known);
            prop_assert!(
                close(scored.score, candidate.score),
                "{scored:?} {candidate:?}"
            );
            prop_assert!(
                same(&scored.sources, &candidate.sources),
                "{scored:?} {candidate:?}"
            );
        }
    }
    Ok(())
}

/// One entry more ends the walk past the popular before this item's place.
#[test]
fn an_item_at_the_end_of_the_popular_is_tagged_as_it_would_be() {
    let recents = [(187, Kind::Checkout), (43, Kind::Add), (153, Kind::View)];
    scores_as_if_let_in(&recents, vec![name(167)], false).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_item_asked_about_scores_as_it_would_if_it_were_let_in(
        recents in prop::collection::vec((0..ITEMS, 0u8..5), 1..10),
        exclude in prop::collection::vec((0..ITEMS).prop_map(name), 1..30),
        rebuy in any::<bool>(),
    ) {
        let kinds = [Kind::View, Kind::Add, Kind::Remove, Kind::Checkout, Kind::Purchase];
        let recent: Vec<_> = recents.iter().map(|&(id, kind)| (id, kinds[usize::from(kind)])).collect();
        scores_as_if_let_in(&recent, exclude, rebuy)?;
    }

    #[test]
    fn asking_changes_no_candidate(
        recents in prop::collection::vec(0..ITEMS, 0..6),
        score in prop::collection::vec((0..ITEMS + 9).prop_map(name), 1..40),
        k in 1usize..260,
    ) {
        let mut query = Query {
            recent: recents.iter().map(|&id| recent(&name(id), Kind::Add)).collect(),
            exclude: score.iter().step_by(2).cloned().collect(),
            k,
            ..Query::default()
        };
        let plain = MODEL.retrieve(&query, &open(&MODEL)).unwrap();
        query.score = score;
        let answer = MODEL.retrieve(&query, &open(&MODEL)).unwrap();
        prop_assert_eq!(&answer.candidates, &plain.candidates);
        for scored in &answer.scored {
            let Some(candidate) = plain.candidates.iter().find(|c| c.item_id == scored.item_id) else {
                continue;
            };
            prop_assert_eq!((scored.score, &scored.sources), (candidate.score, &candidate.sources));
        }
    }
}

#[test]
fn each_entry_is_answered_in_its_place_and_unknown_ones_say_so() {
    let model = Parts::from_sessions(&ARTICLE).model();
    let mut query = cart(&["1", "2", "3"], 3);
    query.score = ["3", "zz", "4", "3"].map(str::to_owned).to_vec();
    let answer = model.retrieve(&query, &open(&model)).unwrap();
    let said: Vec<_> = answer
        .scored
        .iter()
        .map(|one| (one.item_id.as_str(), one.known, one.score > 1.0))
        .collect();
    let expected = [
        ("3", true, true),
        ("zz", false, false),
        ("4", true, true),
        ("3", true, true),
    ];
    assert_eq!(said, expected);
    assert_eq!(ids(&answer), ["4", "6", "9"], "and the answer is as before");
}

#[test]
fn too_many_or_empty_entries_are_refused() {
    let model = Parts::from_sessions(&ARTICLE).model();
    let mut query = cart(&["1"], 3);
    query.score = vec!["4".to_owned(); 201];
    let message = |query: &Query| {
        let error = model.retrieve(query, &open(&model)).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        message(&query),
        "score is 201 entries long, at most 200 are allowed"
    );
    query.score = vec![String::new()];
    assert_eq!(
        message(&query),
        "score is empty in one entry, each must be a name"
    );
}

#[test]
fn what_was_bought_comes_back_only_when_asked_for_and_the_staple_first() {
    let model = shop(300, false).model();
    let bought = |id: &str, days: u64| {
        let mut one = recent(id, Kind::Purchase);
        one.age = Duration::from_secs(days * 86_400);
        one
    };
    let mut query = Query {
        recent: vec![
            bought("i00007", 200),
            bought("i00040", 30),
            bought("i00040", 60),
            bought("i00040", 90),
            bought("i00151", 30),
        ],
        k: 300,
        ..Query::default()
    };
    let owned = ["i00007", "i00040", "i00151"];
    let answer = model.retrieve(&query, &open(&model)).unwrap();
    assert_eq!(answer.plan.eligible, 297);
    assert!(!ids(&answer).iter().any(|id| owned.contains(id)));
    query.rebuy = true;
    let answer = model.retrieve(&query, &open(&model)).unwrap();
    let by_rebuy = |one: &SourceScore| one.source == Source::Rebuy;
    let mut named: Vec<_> = answer
        .candidates
        .iter()
        .filter_map(|c| {
            Some((
                c.sources.iter().find(|s| by_rebuy(s))?.rank,
                c.item_id.as_str(),
            ))
        })
        .collect();
    named.sort_unstable();
    assert_eq!(named, [(0, "i00040"), (1, "i00151"), (2, "i00007")]);
}
