//! Session neighbours against published figures, on the set in the folder that `CARTWRIGHT_DATA`
//! names.

#![allow(
    clippy::unwrap_used,
    reason = "a test may fail loudly, in its helpers too"
)]

use std::path::Path;

use feature_store::Event;
use retrieval::SessionSettings;
use trainer::next_item::evaluate_next_item;
use trainer::readers::{Format, scan};

fn read(path: &Path) -> Vec<Event> {
    scan(path, Format::SessionClicks, &mut |_, _| {})
        .unwrap()
        .events
}

/// The authors of the set publish .3277 and .6402, and .3401 for their best settings.
#[test]
fn session_clicks_are_predicted_better_than_published() {
    let folder =
        std::env::var_os("CARTWRIGHT_DATA").map(|data| Path::new(&data).join("serenade-toy"));
    let Some(folder) = folder.filter(|folder| folder.exists()) else {
        println!("skipped: CARTWRIGHT_DATA names no folder with serenade-toy");
        return;
    };
    let train = read(&folder.join("train.txt.zst"));
    let (valid, test) = (
        read(&folder.join("valid.txt")),
        read(&folder.join("test.txt")),
    );
    let start = std::time::Instant::now();
    let found = evaluate_next_item(&train, Some(&valid), &test, 20, &mut |_| {}).unwrap();
    println!(
        "{:?} {:#?} {:#?} {:#?}",
        start.elapsed(),
        found.metrics(),
        found.settings,
        found.tuned
    );
    assert_eq!(found.score.predictions(), 931);
    assert!(found.score.mrr() >= 0.3647, "MRR {}", found.score.mrr());
    assert!(
        found.score.hit_rate() >= 0.667,
        "hit rate {}",
        found.score.hit_rate()
    );
    let chosen = SessionSettings {
        idf: 0.0,
        ..SessionSettings::default()
    };
    assert_eq!(found.settings, chosen);
    let reference = found.reference.mrr();
    assert!((0.337..0.343).contains(&reference), "VMIS-kNN {reference}");
    assert!(found.difference.low > 0.0, "{:?}", found.difference);
    let again = evaluate_next_item(&train, Some(&valid), &test, 20, &mut |_| {}).unwrap();
    assert_eq!(again, found);
}
