//! Items of which no event is known, found by what is said of them; price bands; learned weights.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use retrieval::{
    Error, Filter, FusionWeights, Gate, Kind, Model, Normalisation, Query, Source, SourceScore,
    SourceWeight,
};
use support::{Parts, ids, open, recent, shop, with};

/// A point on the circle at so many degrees.
fn at(degrees: f32) -> [f32; 2] {
    [degrees.to_radians().cos(), degrees.to_radians().sin()]
}

/// Ten items without a single event, of which the last has no vector.
fn silent() -> Parts {
    let mut parts = shop(10, false);
    parts.covisitation = vec![Vec::new(); 10];
    parts.popularity = vec![0.0; 10];
    parts.embeddings = None;
    parts
}

fn around() -> Vec<[f32; 2]> {
    let mut rows: Vec<[f32; 2]> = [0.0, 10.0, 20.0, 40.0, 80.0, 85.0, 120.0, 180.0, 200.0]
        .map(at)
        .to_vec();
    rows.push([0.0, 0.0]);
    rows
}

fn viewed(items: &[&str], k: usize) -> Query {
    Query {
        recent: items.iter().map(|id| recent(id, Kind::View)).collect(),
        k,
        ..Query::default()
    }
}

fn named_by(source: Source) -> impl Fn(&SourceScore) -> bool {
    move |one| one.source == source
}

#[test]
fn a_new_shopper_with_two_items_gets_what_lies_between_them_first() {
    let (_dir, snapshot) = with(&silent(), &[("text", around())], None);
    let model = Model::load(&snapshot).unwrap();
    let mut query = viewed(&["i00000", "i00003"], 10);
    query.exclude = vec!["i00000".into(), "i00003".into()];
    let answer = model.retrieve(&query, &open(&model)).unwrap();
    // The mean points at about 20 degrees, a little more to the newest.
    let content: Vec<&str> = answer
        .candidates
        .iter()
        .filter(|one| one.sources.iter().any(named_by(Source::Content)))
        .map(|one| one.item_id.as_str())
        .collect();
    assert_eq!(content, ["i00002", "i00001", "i00004", "i00005"]);
    assert_eq!(answer.candidates.len(), 8, "the rest fills, popular or not");
}

#[test]
fn content_does_not_name_what_it_starts_from() {
    let (_dir, snapshot) = with(&silent(), &[("text", around())], None);
    let model = Model::load(&snapshot).unwrap();
    let mut query = viewed(&["i00000"], 10);
    query.score = vec!["i00000".into(), "i00001".into()];
    let answer = model.retrieve(&query, &open(&model)).unwrap();
    let has = |sources: &[SourceScore]| sources.iter().any(named_by(Source::Content));
    let own = answer.candidates.iter().find(|one| one.item_id == "i00000");
    assert!(!has(&own.unwrap().sources));
    assert!(!has(&answer.scored[0].sources) && has(&answer.scored[1].sources));
}

#[test]
fn two_spaces_count_by_the_mean_of_their_cosines() {
    let mut image = around();
    image.reverse();
    let spaces = [("image", image), ("text", around())];
    let (_dir, snapshot) = with(&silent(), &spaces, None);
    let model = Model::load(&snapshot).unwrap();
    let answer = model
        .retrieve(&viewed(&["i00004"], 10), &open(&model))
        .unwrap();
    let cosine = |a: [f32; 2], b: [f32; 2]| f64::from((a[0] * b[0] + a[1] * b[1]).max(0.0));
    for one in &answer.candidates {
        let Some(said) = one
            .sources
            .iter()
            .find(|one| named_by(Source::Content)(one))
        else {
            continue;
        };
        let mean: f64 = spaces
            .iter()
            .map(|(_, rows)| cosine(rows[4], rows[one.ordinal as usize]) / 2.0)
            .sum();
        assert!((said.score - mean).abs() < 1e-5, "{one:?} {mean}");
    }
}

#[test]
fn items_like_one_without_events_are_those_described_like_it() {
    let (_dir, snapshot) = with(&silent(), &[("text", around())], None);
    let model = Model::load(&snapshot).unwrap();
    let similar = |id: &str| {
        let answer = model.similar(id, 3, &Filter::default(), &open(&model));
        answer.unwrap()
    };
    assert_eq!(ids(&similar("i00005"))[..2], ["i00004", "i00006"]);
    // No vector either: popular ones of its category, and no error.
    assert_eq!(similar("i00009").candidates.len(), 3);
}

#[test]
fn the_gate_and_filters_hold_for_content_too() {
    let (_dir, snapshot) = with(&silent(), &[("text", around())], None);
    let model = Model::load(&snapshot).unwrap();
    let mut gate = Gate::open(10);
    gate.block(1);
    let mut query = viewed(&["i00000"], 10);
    query.filter.brands = vec!["b1".into(), "b2".into()];
    let answer = model.retrieve(&query, &gate).unwrap();
    let mut found = ids(&answer);
    found.sort_unstable();
    assert_eq!(found, ["i00002", "i00005", "i00006", "i00009"]);
}

#[test]
fn refuses_a_space_that_does_not_fit() {
    let mut short = around();
    short.pop();
    let mut long = around();
    long[3] = [3.0, 4.0];
    let message = |rows| {
        let (_dir, snapshot) = with(&silent(), &[("text", rows)], None);
        let error: Error = Model::load(&snapshot).unwrap_err();
        error.to_string()
    };
    let start = "space text does not fit the catalogue: ";
    assert_eq!(message(short), format!("{start}9 vectors for 10 items"));
    assert_eq!(
        message(long),
        format!("{start}the vector of ordinal 3 has length 5, allowed are 1 and 0")
    );
}

#[test]
fn weights_of_the_snapshot_change_the_order_and_without_them_it_is_the_defaults() {
    let parts = shop(300, false);
    let query = viewed(&["i00012", "i00100"], 50);
    let ask = |fusion: Option<&FusionWeights>| {
        let (_dir, snapshot) = with(&parts, &[], fusion);
        let model = Model::load(&snapshot).unwrap();
        model.retrieve(&query, &open(&model)).unwrap()
    };
    let plain = ask(None);
    assert_eq!(ask(Some(&FusionWeights::default())), plain);
    let mut vectors_first = FusionWeights {
        sources: [SourceWeight::new(0.0, Normalisation::Rank); Source::COUNT],
        ..FusionWeights::default()
    };
    vectors_first.sources[Source::Collaborative as usize].weight = 1.0;
    let answer = ask(Some(&vectors_first));
    let best = |one: &SourceScore| one.source == Source::Collaborative && one.rank == 0;
    assert!(answer.candidates[0].sources.iter().any(best), "{answer:?}");
    assert_ne!(ids(&answer), ids(&plain));
}

#[test]
fn with_price_bands_popular_items_of_a_like_price_come_first() {
    let mut parts = shop(400, false);
    parts.embeddings = None;
    parts.covisitation = vec![Vec::new(); 400];
    parts.popularity = vec![1.0; 400];
    for (at, item) in parts.items.iter_mut().enumerate() {
        item.category_path = vec!["one".into()];
        item.price_minor = if at % 2 == 0 { 100 + at as i64 } else { 90_000 };
    }
    let first = |price_bands| {
        let fusion = FusionWeights {
            price_bands,
            ..FusionWeights::default()
        };
        let (_dir, snapshot) = with(&parts, &[], Some(&fusion));
        let model = Model::load(&snapshot).unwrap();
        let answer = model
            .retrieve(&viewed(&["i00001"], 50), &open(&model))
            .unwrap();
        let dear = |one: &&retrieval::Candidate| one.ordinal % 2 == 1;
        answer.candidates.iter().skip(1).filter(dear).count()
    };
    assert_eq!(first(2), 49, "all as dear as the one viewed");
    assert!(first(0) < 30);
}
