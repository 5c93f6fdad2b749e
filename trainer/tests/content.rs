//! A new item and a new shopper, in a real shop: the set is in the folder that `CARTWRIGHT_DATA`
//! names.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, in its helpers too, and says what it found"
)]

use std::path::PathBuf;
use std::time::Duration;

use feature_store::Item;
use retrieval::{Answer, Filter, Gate, Kind, Model, Query, Recent, Source};
use trainer::readers::{Format, scan};

/// Lines of the log that are enough for its common items.
const LINES: usize = 60_000;

fn item(item_id: &str, name: &str) -> Item {
    Item {
        item_id: item_id.to_owned(),
        name: name.to_owned(),
        ..Item::default()
    }
}

fn shown(model: &Model, answer: &Answer) -> Vec<String> {
    let name = |one: &retrieval::Candidate| {
        let item = model.catalogue().get(one.ordinal).unwrap();
        let sources: Vec<&str> = one
            .sources
            .iter()
            .map(|said| said.source.as_str())
            .collect();
        format!("{} {} ({})", item.item_id, item.name, sources.join(", "))
    };
    answer.candidates.iter().map(name).collect()
}

#[test]
fn a_new_item_is_reached_and_a_new_shopper_gets_what_goes_with_two_items() {
    let folder = std::env::var_os("CARTWRIGHT_DATA").map(PathBuf::from);
    let path = folder.map(|folder| folder.join("online-retail/online_retail.csv.zst"));
    let Some(path) = path.filter(|path| path.exists()) else {
        println!("skipped: CARTWRIGHT_DATA names no folder with online-retail");
        return;
    };
    let mut log = scan(&path, Format::OnlineRetail, &mut |_, _| {}).unwrap();
    log.events.truncate(LINES);
    log.items
        .push(item("NEW-1", "PINK HANGING HEART T-LIGHT HOLDER"));
    log.items.push(item("NEW-2", "LUNCH BAG BLUE SKULL"));
    let folder = tempfile::tempdir().unwrap();
    let options = trainer::Options::default();
    let out = folder.path().join("out");
    let report = trainer::train(&log.events, &log.items, &options, &out, &mut |_| {}).unwrap();
    let model = Model::load(&report.snapshot).unwrap();
    let gate = Gate::open(model.catalogue().len());
    let cart = ["85123A", "21733"];
    let query = Query {
        recent: cart
            .map(|id| Recent {
                item_id: id.to_owned(),
                kind: Kind::Add,
                age: Duration::ZERO,
            })
            .to_vec(),
        exclude: cart.map(str::to_owned).to_vec(),
        k: 100,
        ..Query::default()
    };
    let answer = model.retrieve(&query, &gate).unwrap();
    println!("{}", report.notes.join("\n"));
    println!(
        "two heart holders:\n{}",
        shown(&model, &answer)[..12].join("\n")
    );
    let new = answer.candidates.iter().find(|one| one.item_id == "NEW-1");
    let new = new.expect("the new holder is among the candidates");
    assert_eq!(new.sources[0].source, Source::Content, "{new:?}");
    assert!(new.sources[0].rank < 5, "{new:?}");

    for id in ["NEW-1", "NEW-2"] {
        let similar = model.similar(id, 8, &Filter::default(), &gate).unwrap();
        let shown = shown(&model, &similar);
        println!("like {id}:\n{}", shown.join("\n"));
        let words: &[&str] = if id == "NEW-1" {
            &["HEART", "T-LIGHT", "HANGING"]
        } else {
            &["LUNCH", "BAG", "SKULL"]
        };
        let alike = |line: &&String| words.iter().any(|word| line.contains(word));
        assert!(shown.iter().filter(alike).count() >= 6, "{shown:?}");
    }
}
