//! The readers against counts that others published; the sets are in the folder that
//! `CARTWRIGHT_DATA` names.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, in its helpers too, and says what it measured"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use feature_store::{Event, EventKind};
use trainer::readers::{Format, Scan, scan};

/// `None`, and a word about it, where the sets are not at hand.
fn set(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("CARTWRIGHT_DATA").map(|folder| PathBuf::from(folder).join(name));
    let path = path.filter(|path| path.exists());
    if path.is_none() {
        println!("skipped: CARTWRIGHT_DATA names no folder with {name}");
    }
    path
}

fn read(path: &std::path::Path, format: Format) -> Scan {
    scan(path, format, &mut |_, _| {}).unwrap()
}

fn distinct<'a>(events: &'a [Event], field: impl Fn(&'a Event) -> &'a str) -> usize {
    events.iter().map(field).collect::<BTreeSet<_>>().len()
}

#[test]
fn rees46_has_its_published_counts() {
    let Some(path) = set("rees46-oct2019-head/events.csv.zst") else {
        return;
    };
    assert_eq!(Format::guess(&path).unwrap(), Format::Rees46);
    let found = read(&path, Format::Rees46);
    assert_eq!((found.events.len(), found.bad.len()), (17_434, 0));
    assert_eq!(distinct(&found.events, |event| &event.shopper_id), 4_504);
    assert_eq!(distinct(&found.events, |event| &event.item_id), 6_493);
    assert_eq!(found.items.len(), 6_493);
    assert!(found.items.iter().all(|item| !item.name.is_empty()));
    let cleaned = trainer::clean::clean(&found.events);
    assert_eq!(
        (cleaned.counts.accepted, cleaned.counts.duplicates),
        (17_429, 5)
    );
    assert_eq!(cleaned.counts.rejected_in_all(), 0);
    let carts = cleaned
        .events
        .iter()
        .filter(|event| event.kind == EventKind::AddToCart);
    assert_eq!(
        carts
            .map(|event| &event.shopper_id)
            .collect::<BTreeSet<_>>()
            .len(),
        111
    );
}

#[test]
fn online_retail_cleans_to_its_published_counts() {
    let Some(path) = set("online-retail/online_retail.csv.zst") else {
        return;
    };
    let found = read(&path, Format::OnlineRetail);
    assert_eq!(found.events.len() + found.bad.len(), 541_909);
    assert_eq!(found.events.len(), 397_884);
    assert_eq!(distinct(&found.events, |event| &event.order_id), 18_532);
    assert_eq!(distinct(&found.events, |event| &event.shopper_id), 4_338);
    assert_eq!(distinct(&found.events, |event| &event.item_id), 3_665);
}

#[test]
fn session_clicks_have_their_published_counts() {
    let Some(folder) = set("serenade-toy") else {
        return;
    };
    for (file, rows) in [("train.txt.zst", 113_601), ("test.txt", 1_233)] {
        let path = folder.join(file);
        assert_eq!(Format::guess(&path).unwrap(), Format::SessionClicks);
        let found = read(&path, Format::SessionClicks);
        assert_eq!((found.events.len(), found.bad.len()), (rows, 0), "{file}");
    }
}

#[test]
fn rees46_trains_to_a_snapshot_that_beats_popularity() {
    let Some(path) = set("rees46-oct2019-head/events.csv.zst") else {
        return;
    };
    let quality = trained(&path, Format::Rees46);
    assert!(quality["hit_rate_at_20.fused"] > 2.0 * quality["hit_rate_at_20.popularity"]);
}

#[test]
fn online_retail_trains_to_a_snapshot_that_beats_popularity() {
    let Some(path) = set("online-retail/online_retail.csv.zst") else {
        return;
    };
    let quality = trained(&path, Format::OnlineRetail);
    assert!(quality["hit_rate_at_20.fused"] > quality["hit_rate_at_20.popularity"]);
}

fn trained(path: &std::path::Path, format: Format) -> std::collections::BTreeMap<String, f64> {
    let log = read(path, format);
    let folder = tempfile::tempdir().unwrap();
    let start = std::time::Instant::now();
    let mut step = |step: trainer::Step| println!("{:?} {step}", start.elapsed());
    let options = trainer::Options::default();
    let out = folder.path().join("out");
    let report = trainer::train(&log.events, &log.items, &options, &out, &mut step).unwrap();
    println!("{:?} done", start.elapsed());
    println!(
        "{:#?}\n{:#?}\n{:?}",
        report.notes, report.quality, report.als_loss
    );
    println!("{:#?}", report.snapshot.manifest().probes);
    println!(
        "{} golden lines",
        trainer::golden::check(&report.snapshot).unwrap()
    );
    report.quality
}

/// The published figures of this set, measured the same way, are MRR@20 .3277 and hit rate .6402.
#[test]
fn session_clicks_are_predicted_better_than_by_popularity() {
    let Some(folder) = set("serenade-toy") else {
        return;
    };
    let train = read(&folder.join("train.txt.zst"), Format::SessionClicks);
    let test = read(&folder.join("test.txt"), Format::SessionClicks);
    let found = trainer::evaluate_retrieval(
        &train.events,
        &test.events,
        &[],
        &trainer::Options::default(),
        &trainer::EvaluationOptions::default(),
        &mut |_, _| {},
    )
    .unwrap();
    println!("{found:#?}");
    let board = found.leaderboard.unwrap();
    let of = |method| board.row("all", method).unwrap();
    assert_eq!(of("fused").predictions, 931);
    assert!(of("fused").hit_rate > 10.0 * of("popularity").hit_rate);
}
