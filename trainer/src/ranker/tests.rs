use feature_store::{EventKind, Millis};
use ranking::forest::{Node, Side, Split, Tree};
use ranking::{Forest, Matrix};

use super::*;
use crate::Options;
use crate::look_back::Trained;
use crate::prng::SplitMix64;

const MINUTE: i64 = 60_000;

fn event(shopper: &str, item: &str, minute: i64) -> Event {
    Event {
        event_id: format!("{shopper}-{item}-{minute}"),
        shopper_id: shopper.to_owned(),
        item_id: item.to_owned(),
        kind: EventKind::View,
        occurred_at: Millis(minute * MINUTE),
        quantity: 1,
        ..Event::default()
    }
}

fn names(names: &[&str]) -> Columns {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Columns::resolve(&names).unwrap()
}

/// Moments at which the candidate of the greatest co-visitation score comes next, whatever its
/// place.
fn invented<'a>(event: &'a Event, columns: &Columns, count: usize) -> Vec<Shown<'a>> {
    let mut random = SplitMix64::new(11);
    let mut shown = Vec::new();
    for at in 0..count {
        let scores: Vec<f64> = (0..30).map(|_| random.unit()).collect();
        let best = (0..30).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        let best = best.unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "a test needs no more")]
        let rows = scores
            .iter()
            .enumerate()
            .flat_map(|(place, score)| [2.0 - place as f32 / 30.0, *score as f32, 0.0]);
        let rows = Matrix::from_values(3, rows.collect()).unwrap();
        let worth = (0..30).map(|at| f64::from(u8::from(at == best))).collect();
        shown.push(Shown::invented(at, event, rows, columns, worth, best));
    }
    shown
}

#[test]
fn both_that_learn_find_the_column_that_decides() {
    let event = event("s", "a", 0);
    let columns = names(&["fused", "covisitation", "item.view_count_24h"]);
    let shown = invented(&event, &columns, 600);
    let (early, late) = parts::share(&shown, 0.7);
    let learned = Learned::from(&columns, early).unwrap();
    let compared = learned.compare(late, 30, 20).unwrap();
    let found = compared.comparison(&columns, &learned.gains);
    let mrr = |order: &str| {
        let mut rows = found.rows.iter();
        rows.find(|row| row.method == order).unwrap().mrr
    };
    assert!(mrr("linear") > 0.9 && mrr("forest") > 0.8, "{found:?}");
    assert!(mrr("retrieval") < 0.3);
    assert_ne!(compared.choose(), Order::Retrieval);
    assert_eq!(found.gains[0].0, "covisitation");
}

#[test]
fn a_column_that_is_not_asked_for_is_not_computed() {
    let split = |feature, left| {
        Node::Split(Split {
            feature,
            below: 0.5,
            missing: Side::Left,
            left,
            right: left + 1,
        })
    };
    let leaf = Node::Leaf;
    let nodes = vec![split(2, 1), leaf(1.0), split(0, 3), leaf(2.0), leaf(3.0)];
    let features = ["fused", "revisit", "item.view_count_24h"].map(str::to_owned);
    let whole = Forest::new(features.to_vec(), 0.5, vec![Tree { nodes }]).unwrap();
    let ranker = forest::ranker(&whole, "x").unwrap();
    assert_eq!(ranker.columns().names(), ["fused", "item.view_count_24h"]);
    let mut scores = Vec::new();
    let rows = Matrix::from_values(2, vec![0.1, 0.9, 0.9, 0.9, 0.9, 0.1]).unwrap();
    ranker.score(&rows, &mut scores).unwrap();
    assert_eq!(scores, [2.5, 3.5, 1.5]);
}

/// A shop of four items that are always seen in the same order.
fn rounds(from: i64, count: i64) -> Vec<Event> {
    (from..from + count)
        .flat_map(|round| {
            let shopper = format!("s{round}");
            ["a", "b", "c", "d"]
                .into_iter()
                .zip(0..)
                .map(move |(item, at)| event(&shopper, item, round * 60 + at))
        })
        .collect()
}

fn trained(events: &[Event]) -> Trained {
    Trained::on(events, &[], &Options::default(), &mut |_, _| {}).unwrap()
}

fn alike(found: &[f32], expected: &[f32]) -> bool {
    let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    found.len() == expected.len() && apart.fold(0.0, f32::max) < 1e-6
}

#[test]
fn a_moment_is_seen_as_it_was_before_what_came_next() {
    let (past, fit) = (rounds(0, 40), rounds(40, 1));
    let trained = trained(&past);
    let columns = names(&["touches", "touched_place", "item.view_count_30d"]);
    let shown = examples(&trained.model, &[&past], &fit, &columns, 10).unwrap();
    let next: Vec<&str> = shown
        .iter()
        .map(|one| one.moment.next.item_id.as_str())
        .collect();
    assert_eq!(next, ["b", "c", "d"]);
    let ordinal = |item: &str| trained.model.catalogue().ordinal(item).unwrap();
    let row = |at: usize, item: &str| {
        let place = shown[at]
            .ordinals
            .iter()
            .position(|one| *one == ordinal(item));
        shown[at].rows.row(place.unwrap()).unwrap().to_vec()
    };
    // Before `c` came, `a` and `b` had been seen, `b` last.
    assert!(alike(&row(1, "a")[..2], &[1.0, 1.0]));
    assert!(alike(&row(1, "b")[..2], &[1.0, 0.0]));
    assert!(alike(&row(1, "c")[..1], &[0.0]));
    // The views of closed minutes: 40 of the past, and not the one of the same minute.
    assert!(alike(&row(0, "a")[2..], &[40.0]));
    assert!(alike(&row(1, "a")[2..], &[41.0]));
    assert!(alike(&row(1, "b")[2..], &[40.0]));
}

#[test]
fn what_becomes_of_an_item_is_what_showing_it_is_worth() {
    let past = rounds(0, 40);
    let mut fit = rounds(40, 1);
    fit.push(Event {
        event_id: "bought".to_owned(),
        kind: EventKind::Purchase,
        price_minor: 100,
        currency: "EUR".to_owned(),
        ..event("s40", "d", 40 * 60 + 5)
    });
    let trained = trained(&past);
    let shown = examples(&trained.model, &[&past], &fit, &names(&["fused"]), 10).unwrap();
    let worth = |item: &str| {
        let ordinal = trained.model.catalogue().ordinal(item).unwrap();
        let place = shown[0].ordinals.iter().position(|one| *one == ordinal);
        shown[0].worth[place.unwrap()]
    };
    // Next, then seen, then bought in the end; `a` does not come again.
    let expected = [("b", 2.0), ("c", 1.0), ("d", 3.0), ("a", 0.0)];
    for (item, expected) in expected {
        assert!((worth(item) - expected).abs() < 1e-12, "{item}");
    }
}

#[test]
fn too_few_examples_keep_the_order_of_retrieval() {
    let (past, fit) = (rounds(0, 40), rounds(40, 5));
    let ranked = learn(&trained(&past).model, &[&past], &fit).unwrap();
    assert!(ranked.quality.is_empty());
    let told = ranked.ranker.describe();
    assert!(
        told.starts_with("linear ranker: fused +1.000; keeps the order of retrieval: 15 examples"),
        "{told}"
    );
}

#[test]
fn the_same_events_give_the_same_ranker_on_any_number_of_threads() {
    let (past, fit) = (rounds(0, 40), rounds(40, 120));
    let trained = trained(&past);
    let json = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let ranked = pool
            .unwrap()
            .install(|| learn(&trained.model, &[&past], &fit).unwrap());
        ranked.ranker.to_json().unwrap()
    };
    assert_eq!(json(1), json(3));
}
