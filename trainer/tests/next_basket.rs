//! The next basket of a real shop; the set is in the folder that `CARTWRIGHT_DATA` names.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail loudly, and says what it measured"
)]

use std::path::Path;

use feature_store::Millis;
use trainer::Options;
use trainer::next_basket::{NextBasketOptions, cleaned, evaluate_next_basket};
use trainer::readers::{Format, scan};

/// 2011-10-01 and 2011-11-01, in UTC.
const OCTOBER: Millis = Millis(1_317_427_200_000);
const NOVEMBER: Millis = Millis(1_320_105_600_000);

#[test]
fn baskets_of_november_are_predicted_better_than_by_popularity_or_one_source() {
    let folder = std::env::var_os("CARTWRIGHT_DATA");
    let file = folder.map(|data| Path::new(&data).join("online-retail/online_retail.csv.zst"));
    let Some(file) = file.filter(|file| file.exists()) else {
        println!("skipped: CARTWRIGHT_DATA names no folder with online-retail");
        return;
    };
    let log = scan(&file, Format::OnlineRetail, &mut |_, _| {}).unwrap();
    let asked = NextBasketOptions {
        cut: NOVEMBER,
        valid_from: OCTOBER,
        k: 20,
        tune: false,
    };
    let options = Options {
        dimension: 32,
        iterations: 8,
        ..Options::default()
    };
    let events = cleaned(&log.events);
    let found = evaluate_next_basket(&events, &log.items, &options, &asked, &mut |_| {}).unwrap();
    for slice in ["all_items", "new_items"] {
        let of = |method: &str| {
            let row = found.leaderboard.row(slice, method).unwrap();
            println!(
                "{slice} {method}: recall {:.4} nDCG {:.4}",
                row.recall, row.ndcg
            );
            row.clone()
        };
        let fused = of("fused");
        for method in ["popularity", "collaborative", "covisitation"] {
            let other = of(method);
            assert!(fused.recall > other.recall, "{slice}: {method}");
            assert!(fused.ndcg > other.ndcg, "{slice}: {method}");
        }
        // Of items that a shopper never bought, neighbours of baskets alone tell as much as all
        // sources together; the weights are fitted to whole baskets.
        let sessions = of("sessions");
        let least = if slice == "all_items" { 1.0 } else { 0.97 };
        assert!(fused.recall > least * sessions.recall, "{slice}: sessions");
        assert!(fused.ndcg > least * sessions.ndcg, "{slice}: sessions");
        let gain = fused.gain.unwrap();
        assert!(gain.recall.low > 0.0 && gain.ndcg.low > 0.0, "{gain:?}");
    }
    let questions = |slice: &str| found.leaderboard.row(slice, "fused").unwrap().predictions;
    assert_eq!(questions("all_items"), 1_543);
    assert!(questions("new_shoppers") > 300 && questions("cold_items") > 200);
}
