//! Twelve shoppers, ten items: who has 1, 2 and 3 in the cart is shown what goes with them, and not
//! what most of the others bought.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::path::PathBuf;
use std::time::Duration;

use retrieval::{Gate, Kind, Model, Query, Recent};
use trainer::readers::{Format, scan};
use trainer::{Options, train};

fn example() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/article.csv")
}

fn recommended(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.csv");
    std::fs::write(&path, text).unwrap();
    let log = scan(&path, Format::Interactions, &mut |_, _| {}).unwrap();
    let out = folder.path().join("snapshot");
    // Twelve people, of whom hardly five did anything together.
    let options = Options {
        min_people: 1,
        ..Options::default()
    };
    let report = train(&log.events, &log.items, &options, &out, &mut |_| {}).unwrap();
    let model = Model::load(&report.snapshot).unwrap();
    let cart = ["1", "2", "3"];
    let recent = |item: &str| Recent {
        item_id: item.to_owned(),
        kind: Kind::Add,
        age: Duration::from_secs(60),
    };
    let query = Query {
        recent: cart.map(recent).to_vec(),
        exclude: cart.map(str::to_owned).to_vec(),
        k: 10,
        ..Query::default()
    };
    let answer = model
        .retrieve(&query, &Gate::open(model.catalogue().len()))
        .unwrap();
    answer
        .candidates
        .into_iter()
        .map(|candidate| candidate.item_id)
        .collect()
}

#[test]
fn a_cart_of_1_2_3_is_recommended_4_6_9() {
    let text = std::fs::read_to_string(example()).unwrap();
    assert_eq!(text.lines().count(), 1 + 44);
    let found = recommended(&text);
    assert_eq!(found[..3], ["4", "6", "9"], "{found:?}");
}

#[test]
fn three_more_shoppers_change_it() {
    let mut text = std::fs::read_to_string(example()).unwrap();
    for shopper in ["n1", "n2", "n3"] {
        for item in ["1", "2", "3", "8"] {
            text.push_str(&format!("{shopper},{item}\n"));
        }
    }
    let found = recommended(&text);
    assert!(found[..3].contains(&"8".to_owned()), "{found:?}");
}
