//! What is answered, in which order, and why.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use std::time::Duration;

use ann_index::IndexKind;
use retrieval::{COLLABORATIVE_DOWN, Error, Filter, Gate, Kind, Model, PlanKind, Query, Source};
use support::{ARTICLE, Parts, cart, ids, open, recent, shop};

#[test]
fn the_articles_cart_gets_what_shared_most_sessions_and_not_what_is_popular() {
    let model = Parts::from_sessions(&ARTICLE).model();
    let answer = model
        .retrieve(&cart(&["1", "2", "3"], 3), &open(&model))
        .unwrap();
    assert_eq!(ids(&answer), ["4", "6", "9"]);
    let counts: Vec<f64> = answer
        .candidates
        .iter()
        .map(|candidate| candidate.sources[0].score / answer.candidates[0].sources[0].score * 7.0)
        .collect();
    assert!(counts[0] > counts[1] && counts[1] > counts[2], "{counts:?}");
    assert_eq!(answer.candidates[0].sources[0].source, Source::Covisitation);
    assert_eq!(
        (answer.plan.kind, answer.plan.eligible),
        (PlanKind::Exact, 7)
    );
}

#[test]
fn three_more_sessions_change_the_articles_answer() {
    let mut sessions = ARTICLE.to_vec();
    sessions.extend([&[1u32, 2, 3, 8][..]; 3]);
    let model = Parts::from_sessions(&sessions).model();
    let answer = model
        .retrieve(&cart(&["1", "2", "3"], 3), &open(&model))
        .unwrap();
    assert_eq!(ids(&answer), ["8", "4", "6"]);
}

#[test]
fn nothing_recent_gives_what_is_popular() {
    let model = Parts::from_sessions(&ARTICLE).model();
    let query = Query {
        k: 3,
        ..Query::default()
    };
    let answer = model.retrieve(&query, &open(&model)).unwrap();
    // 10, 7 and 8 are in six sessions each, and their ids are compared as bytes.
    assert_eq!(ids(&answer), ["5", "10", "7"]);
    for (rank, candidate) in (0..).zip(&answer.candidates) {
        assert_eq!(candidate.sources.len(), 1);
        assert_eq!(candidate.sources[0].source, Source::Popularity);
        assert_eq!(candidate.sources[0].rank, rank);
        assert!(candidate.score <= 1.0);
    }
}

#[test]
fn popular_items_only_fill_what_is_missing() {
    let model = Parts::from_sessions(&ARTICLE).model();
    let answer = model
        .retrieve(&cart(&["1", "2", "3"], 5), &open(&model))
        .unwrap();
    assert_eq!(ids(&answer), ["4", "6", "9", "5", "10"]);
    let scores: Vec<f64> = answer.candidates.iter().map(|c| c.score).collect();
    assert!(
        scores.windows(2).all(|pair| pair[0] >= pair[1]),
        "{scores:?}"
    );
    assert!(scores[2] > 1.0 && scores[3] <= 1.0, "{scores:?}");
}

#[test]
fn popular_items_of_the_recent_categories_come_before_those_popular_overall() {
    let mut parts = shop(60, false);
    parts.embeddings = None;
    parts.covisitation = vec![Vec::new(); 60];
    let model = parts.model();
    let answer = model
        .retrieve(&cart(&["i00006"], 12), &open(&model))
        .unwrap();
    let category = |id: &str| id[1..].parse::<u32>().unwrap() % 6;
    let found = ids(&answer);
    assert!(found[..9].iter().all(|id| category(id) == 0), "{found:?}");
    assert!(category(found[9]) != 0, "{found:?}");
}

#[test]
fn fewer_eligible_than_asked_for_are_all_answered_as_short() {
    let model = Parts::from_sessions(&ARTICLE).model();
    let answer = model
        .retrieve(&cart(&["1", "2", "3"], 50), &open(&model))
        .unwrap();
    let mut found = ids(&answer);
    found.sort_unstable();
    assert_eq!(found, ["10", "4", "5", "6", "7", "8", "9"]);
    assert_eq!(
        (answer.plan.kind, answer.plan.eligible),
        (PlanKind::Short, 7)
    );
    let exactly = model
        .retrieve(&cart(&["1", "2", "3"], 7), &open(&model))
        .unwrap();
    assert_eq!(
        (exactly.plan.kind, exactly.candidates.len()),
        (PlanKind::Exact, 7)
    );
}

#[test]
fn unknown_items_are_listed_once_and_say_nothing() {
    let model = Parts::from_sessions(&ARTICLE).model();
    let mut query = cart(&["1", "2", "3"], 3);
    let known = model.retrieve(&query, &open(&model)).unwrap();
    for id in ["zz", "yy", "zz"] {
        query.recent.push(recent(id, Kind::View));
    }
    let answer = model.retrieve(&query, &open(&model)).unwrap();
    assert_eq!(answer.unknown, ["zz", "yy"]);
    assert_eq!(answer.candidates, known.candidates);
}

#[test]
fn what_was_viewed_and_left_is_proposed_again_and_what_was_bought_is_not() {
    let model = shop(300, false).model();
    let mut query = cart(&["i00000"], 20);
    query.recent.push(recent("i00100", Kind::View));
    query.recent.push(recent("i00151", Kind::Purchase));
    let answer = model.retrieve(&query, &open(&model)).unwrap();
    let revisited: Vec<&str> = answer
        .candidates
        .iter()
        .filter(|c| c.sources.iter().any(|s| s.source == Source::Revisit))
        .map(|c| c.item_id.as_str())
        .collect();
    assert_eq!(revisited, ["i00100"]);
}

#[test]
fn a_fresh_interaction_counts_more_than_an_old_one() {
    let model = shop(300, false).model();
    let first = |days_of_a: u64, days_of_b: u64| {
        let mut query = Query {
            k: 50,
            ..Query::default()
        };
        for (id, days) in [("i00010", days_of_a), ("i00045", days_of_b)] {
            let mut item = recent(id, Kind::View);
            item.age = Duration::from_secs(days * 86_400);
            query.recent.push(item);
        }
        let answer = model.retrieve(&query, &open(&model)).unwrap();
        let place = |id: &str| ids(&answer).iter().position(|found| *found == id).unwrap();
        if place("i00010") < place("i00045") {
            "i00010"
        } else {
            "i00045"
        }
    };
    assert_eq!(first(0, 10), "i00010");
    assert_eq!(first(10, 0), "i00045");
}

#[test]
fn vectors_find_items_that_share_no_session() {
    let mut parts = shop(300, false);
    parts.covisitation = vec![Vec::new(); 300];
    let model = parts.model();
    let answer = model
        .retrieve(&cart(&["i00012", "i00018", "i00024"], 10), &open(&model))
        .unwrap();
    assert_eq!(answer.plan.kind, PlanKind::Exact);
    for candidate in &answer.candidates {
        assert_eq!(candidate.sources[0].source, Source::Collaborative);
        assert_eq!(candidate.ordinal % 6, 0, "{candidate:?}");
    }
}

/// Snapshots from before kinds of index had names.
#[test]
fn a_snapshot_with_an_index_of_faiss_still_answers() {
    let mut parts = shop(60_000, false);
    parts.indexed = Some(IndexKind::Faiss);
    let (_dir, snapshot) = parts.write();
    assert_eq!(snapshot.manifest().spaces[0].index_kind, None);
    let model = Model::load(&snapshot).unwrap();
    let answer = model
        .retrieve(&cart(&["i00012", "i00018", "i40000"], 100), &open(&model))
        .unwrap();
    assert_eq!(answer.plan.kind, PlanKind::Approximate);
    assert_eq!(answer.candidates.len(), 100);
}

#[test]
fn an_index_answers_nearly_as_the_scan_does() {
    // So many that lists are worth it.
    let (scan, index) = (shop(60_000, false).model(), shop(60_000, true).model());
    let query = cart(&["i00012", "i00018", "i40000"], 100);
    let exact = scan.retrieve(&query, &open(&scan)).unwrap();
    let probed = index.retrieve(&query, &open(&index)).unwrap();
    assert_eq!(
        (exact.plan.kind, exact.plan.lists_probed),
        (PlanKind::Exact, 0)
    );
    assert_eq!(probed.plan.kind, PlanKind::Approximate);
    assert!(probed.plan.lists_probed > 0);
    let truth = ids(&exact);
    let met = ids(&probed).iter().filter(|id| truth.contains(id)).count();
    assert!(met > 85, "{met} of 100");
    let narrow = Filter {
        brands: vec!["b1".into()],
        max_price_minor: Some(100),
        ..Filter::default()
    };
    let filtered = index
        .retrieve(
            &Query {
                filter: narrow,
                ..query
            },
            &open(&index),
        )
        .unwrap();
    assert_eq!(
        filtered.plan.kind,
        PlanKind::Exact,
        "few allowed items are scanned"
    );
}

#[test]
fn without_the_index_two_sources_answer_and_the_answer_says_so() {
    let (_dir, snapshot) = shop(300, false).write();
    let whole = Model::load(&snapshot).unwrap();
    let part = Model::load_without_index(&snapshot).unwrap();
    let query = cart(&["i00012"], 20);
    assert!(
        whole
            .retrieve(&query, &open(&whole))
            .unwrap()
            .degraded
            .is_empty()
    );
    let answer = part.retrieve(&query, &open(&part)).unwrap();
    assert_eq!(answer.degraded, [COLLABORATIVE_DOWN]);
    assert_eq!(answer.candidates.len(), 20);
    let by_vectors = |s: &retrieval::SourceScore| s.source == Source::Collaborative;
    assert!(
        !answer
            .candidates
            .iter()
            .any(|c| c.sources.iter().any(by_vectors))
    );
}

#[test]
fn the_same_query_gets_the_same_answer_each_time_and_from_each_load() {
    let parts = shop(2_000, true);
    let (a, b) = (parts.model(), parts.model());
    let query = cart(&["i00012", "i00500", "i01000"], 100);
    let first = a.retrieve(&query, &open(&a)).unwrap();
    for model in [&a, &b, &a] {
        assert_eq!(model.retrieve(&query, &open(model)).unwrap(), first);
    }
}

#[test]
fn generations_of_different_size_can_share_a_thread() {
    let (large, small) = (shop(2_000, false).model(), shop(50, false).model());
    let query = cart(&["i00012"], 10);
    let first = small.retrieve(&query, &open(&small)).unwrap();
    large.retrieve(&query, &open(&large)).unwrap();
    assert_eq!(small.retrieve(&query, &open(&small)).unwrap(), first);
}

#[test]
fn similar_items_are_near_and_do_not_hold_the_item_itself() {
    let model = shop(300, false).model();
    let answer = model
        .similar("i00012", 15, &Filter::default(), &open(&model))
        .unwrap();
    assert_eq!(answer.candidates.len(), 15);
    assert!(
        answer
            .candidates
            .iter()
            .all(|c| c.ordinal % 6 == 0 && c.item_id != "i00012")
    );
    assert!(
        answer.candidates[0].sources[0].score <= 1.0 + 1e-6,
        "the cosine of an angle"
    );
    let error = model
        .similar("nope", 5, &Filter::default(), &open(&model))
        .unwrap_err();
    assert!(matches!(error, Error::UnknownItem { item_id } if item_id == "nope"));
}

#[test]
fn similar_items_without_vectors_come_from_shared_sessions() {
    let model = Parts::from_sessions(&ARTICLE).model();
    let answer = model
        .similar("3", 2, &Filter::default(), &open(&model))
        .unwrap();
    assert_eq!(ids(&answer), ["2", "4"]);
}

#[test]
fn limits_are_named_when_they_are_broken() {
    let model = Parts::from_sessions(&ARTICLE).model();
    let gate = open(&model);
    let message = |query: Query, gate: &Gate| model.retrieve(&query, gate).unwrap_err().to_string();
    assert_eq!(message(cart(&["1"], 0), &gate), "k is 0, from 1 to 1000");
    assert_eq!(
        message(cart(&["1"], 1_001), &gate),
        "k is 1001, from 1 to 1000"
    );
    let many = cart(&["1"; 201], 5);
    assert!(message(many, &gate).starts_with("recent_items is 201 entries long"));
    let mut crossed = cart(&["1"], 5);
    crossed.filter.min_price_minor = Some(10);
    crossed.filter.max_price_minor = Some(9);
    assert!(message(crossed, &gate).starts_with("filter.min_price_minor is 10"));
    assert!(message(cart(&["1"], 5), &Gate::open(3)).starts_with("gate is made for 3 items"));
}
