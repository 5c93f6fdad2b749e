//! Training equals serving: from the same state both make the same rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use feature_store::{
    Event, EventKind, ItemTable, ItemUpdate, Outcome, Registry, Shopper, ShopperView, Tally,
};
use policy::Policy;
use ranking::forest::Tree;
use ranking::{Forest, RiskModel};
use retrieval::files::{write_covisitation, write_popularity};
use retrieval::{Gate, Query};
use snapshot::{Builder, Catalogue, CatalogueItem, Manifest, files};
use trainer::ranker::scene::{Reader, Shelf, question, rows as rows_of_training};

use super::*;
use crate::cart;
use crate::convert;
use crate::decide::candidates as stage;
use crate::request::CartLine;
use crate::shopper::Recent;

const START_MS: i64 = 1_767_225_600_000;
const MINUTE_MS: i64 = 60_000;

fn events() -> Vec<Event> {
    use EventKind::{AddToCart, Purchase, RemoveFromCart, View};
    let rows = [
        ("other", View, "7", 0, 0),
        ("s", View, "1", 1, 0),
        ("other", Purchase, "2", 2, 1_900),
        ("s", Purchase, "9", 3, 8_500),
        ("s", View, "2", 200, 0),
        ("s", AddToCart, "2", 201, 2_100),
        ("other", AddToCart, "3", 202, 0),
        ("s", View, "3", 203, 0),
        ("s", AddToCart, "4", 204, 0),
        ("s", AddToCart, "5", 205, 5_000),
        ("s", RemoveFromCart, "4", 206, 0),
        ("s", View, "unknown", 207, 0),
        ("s", View, "6", 208, 0),
    ];
    let event = |(shopper, kind, item, minute, price_minor): (&str, _, &str, i64, i64)| Event {
        event_id: format!("{shopper}-{minute}"),
        shopper_id: shopper.to_owned(),
        item_id: item.to_owned(),
        kind,
        occurred_at: Millis(START_MS + minute * MINUTE_MS),
        quantity: 1,
        price_minor,
        currency: if price_minor > 0 { "EUR" } else { "" }.to_owned(),
        ..Event::default()
    };
    rows.into_iter().map(event).collect()
}

fn catalogue() -> Catalogue {
    let item = |number: i64| CatalogueItem {
        item_id: number.to_string(),
        category_path: vec!["shoes".to_owned(), format!("kind {}", number % 3)],
        brand: ["acme", "", "other"][usize::try_from(number % 3).unwrap()].to_owned(),
        price_minor: if number == 8 { 0 } else { 1_000 * number },
        currency: "EUR".to_owned(),
        ..CatalogueItem::default()
    };
    Catalogue::new((1..=10).map(item).collect()).unwrap()
}

/// A generation whose ranker asks for every column there is.
fn generation(dir: &Path) -> Generation {
    let catalogue = catalogue();
    let mut builder = Builder::new(dir).unwrap();
    let mut write = |name, bytes: &[u8]| builder.write(name, bytes).unwrap();
    let columns = trainer::ranker::columns().unwrap();
    let forest = Forest::new(columns.names().to_vec(), 0.0, vec![Tree::leaf(1.0)]).unwrap();
    let ranker = Ranker::forest(forest, "a test").unwrap();
    write(files::ITEMS, &catalogue.to_jsonl().unwrap());
    write(files::RANKER, ranker.to_json().unwrap().as_bytes());
    let risk = RiskModel::prior(0.7, "a test").to_json().unwrap();
    write(files::RISK, risk.as_bytes());
    write(files::POLICY, Policy::DEFAULT.as_bytes());
    let neighbours: Vec<Vec<(u32, f32)>> = (0..10)
        .map(|at| vec![((at + 1) % 10, 2.0), ((at + 2) % 10, 1.0)])
        .collect();
    write_covisitation(&mut builder, &neighbours).unwrap();
    write_popularity(
        &mut builder,
        &[9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.5],
    )
    .unwrap();
    builder.finish(Manifest::default()).unwrap();
    Generation::load(&snapshot::Snapshot::open(dir).unwrap(), None, 0).unwrap()
}

/// What the features role keeps of the events: the shopper, and how items do.
fn states(events: &[Event], now: Millis) -> (ShopperView, Tally) {
    let mut shopper = Shopper::empty();
    let mut tally = Tally::new();
    let as_of = Millis(now.0 - now.0.rem_euclid(MINUTE_MS));
    tally.advance(as_of);
    for event in events {
        if event.shopper_id == "s" {
            assert_eq!(shopper.apply(event, event.occurred_at), Outcome::Accepted);
        }
        if event.occurred_at < as_of {
            tally.count(&event.item_id, event.kind, event.occurred_at);
        }
    }
    (shopper.view(now), tally)
}

/// The table that follows the features role: rows for items with events alone.
fn table(events: &[Event], tally: &Tally) -> Items {
    let seen: BTreeMap<&str, ()> = events.iter().map(|e| (e.item_id.as_str(), ())).collect();
    let table = ItemTable::new();
    let stats = seen.into_keys().map(|item_id| ItemUpdate::Stats {
        item_id: item_id.to_owned(),
        stats: tally.stats(item_id),
    });
    table.apply(stats.collect());
    Items::new(Arc::new(table))
}

/// The shopper as it arrives over the wire.
fn received(
    view: &ShopperView,
    names: &[String],
) -> (Vec<CartLine>, Vec<Recent>, Vec<Option<f64>>) {
    let line = |line: &feature_store::CartLine| CartLine {
        item_id: line.item_id.to_string(),
        quantity: line.quantity,
        price_minor: line.price_minor,
        currency: line.currency.to_string(),
        added_at_ms: Some(line.added_at.0),
        category: line.category.to_string(),
        brand: line.brand.to_string(),
    };
    let kinds = BTreeMap::from([
        (EventKind::View, Kind::View),
        (EventKind::AddToCart, Kind::Add),
        (EventKind::RemoveFromCart, Kind::Remove),
        (EventKind::Purchase, Kind::Purchase),
    ]);
    let recent = |one: &feature_store::Recent| Recent {
        item_id: one.item_id.to_string(),
        kind: kinds[&one.kind],
        at_ms: one.occurred_at.0,
    };
    let plan = Registry::standard().plan(names).unwrap();
    let values = plan.shopper(Some(view)).into_iter();
    (
        view.cart.lines.iter().map(line).collect(),
        view.recent.iter().map(recent).collect(),
        values
            .map(|feature| {
                let value = feature.value.filter(|_| feature.status == Status::Present);
                value.and_then(|value| value.as_f64())
            })
            .collect(),
    )
}

#[test]
fn serving_makes_the_rows_of_training() {
    let dir = tempfile::tempdir().unwrap();
    let generation = generation(&dir.path().join("snapshot"));
    let events = events();
    let now = Millis(START_MS + 238 * MINUTE_MS + 30_000);
    let (view, tally) = states(&events, now);
    let items = table(&events, &tally);
    let (lines, recent, values) = received(&view, generation.features().names());

    let asked = question(&view, Vec::new(), stage::CANDIDATES);
    let serving = stage::query(&lines, &recent, now.0);
    assert_eq!(serving.recent, asked.recent);
    assert_eq!(serving.k, asked.k);

    let gate = Gate::open(10);
    let query = Query {
        exclude: Vec::new(),
        ..asked.clone()
    };
    let answer = generation.fallback.retrieve(&query, &gate).unwrap();
    assert!(answer.candidates.len() > 5);

    let ranker = generation.ranker.as_ref().unwrap();
    let reader = Reader::new(ranker.columns()).unwrap();
    let shelf = Shelf::new(generation.catalogue());
    let trained = rows_of_training(
        &reader,
        &shelf,
        &view,
        &asked.recent,
        &answer.candidates,
        &|item_id| tally.stats(item_id),
    );

    let candidates = convert::own_found(answer).candidates;
    let cart = cart::price(&lines, &generation, &items);
    let moment = Moment {
        cart: &cart.lines,
        recent: &serving.recent,
        values: &values,
        now_ms: now.0,
    };
    let facts = all_facts(
        &generation,
        &items,
        candidates.iter().map(|one| &one.item_id),
    );
    let served = rows(ranker, &generation, &items, moment, &candidates, &facts);

    let names = ranker.columns().names();
    for (row, (a, b)) in trained.rows().zip(served.rows()).enumerate() {
        for ((name, a), b) in names.iter().zip(a).zip(b) {
            assert_eq!(a.to_bits(), b.to_bits(), "row {row}, {name}: {a} {b}");
        }
    }
    assert_eq!(trained.len(), served.len());
    // The comparison is of something: most columns have a value somewhere.
    let has_value = |at: usize| trained.rows().any(|row| row[at].abs() > 0.0);
    let filled = (0..names.len()).filter(|at| has_value(*at)).count();
    assert!(filled * 2 > names.len(), "{filled} of {}", names.len());
}
