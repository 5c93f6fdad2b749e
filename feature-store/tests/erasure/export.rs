//! What of a person an export tells: all that an erasure removes.

use feature_store::store::Log;
use feature_store::{Exported, FeatureStore, Look, ShopperChange};

use super::{MARK, NOW, ann, change, event, ingest, open, read, rows};
use crate::on_both_stores;
use crate::support::Fixture;

on_both_stores!(all_that_an_erasure_removes_is_exported_and_nothing_of_others);

/// Somebody else of whom everything is kept that is not in a log of `ann`'s.
async fn bob(features: &FeatureStore) {
    ingest(features, &[event("bob-id", 9)]).await;
    let change = ShopperChange {
        look: Look::Never,
        ..change("d9")
    };
    let before = read(features, "bob-id").await;
    features
        .change("bob-id", before, change)
        .await
        .expect("answers");
}

/// What is told, by kind, and in which order; the records themselves hold the person's mark.
async fn told(features: &FeatureStore, shopper: &str) -> Vec<(&'static str, String)> {
    let exporter = features.export(shopper, NOW).await.expect("answers");
    let mut exporter = exporter.expect("is known");
    let mut told = Vec::new();
    while let Some(some) = exporter.next().await.expect("answers") {
        for one in some {
            let (kind, id, bytes) = match one {
                Exported::Event(logged) => {
                    told.push(("event", logged.event.event_id));
                    continue;
                }
                Exported::Decision(record) => ("decision", String::new(), record),
                Exported::Action(row) => ("action", String::new(), row),
                Exported::Outcome(entry) => ("outcome", String::new(), entry),
                Exported::DeadLetter(letter) => ("letter", String::new(), letter),
                Exported::Coupon(serial, record) => ("coupon", serial, record),
                Exported::StoredCart(reference, record) => ("cart", reference, record),
            };
            let text = String::from_utf8(bytes.to_vec()).expect("is text");
            assert!(text.starts_with(MARK), "{text}");
            told.push((kind, id));
        }
    }
    told
}

async fn all_that_an_erasure_removes_is_exported_and_nothing_of_others(fixture: &Fixture) {
    let features = open(fixture).await;
    ann(&features).await;
    bob(&features).await;
    let count = |told: &[(&str, String)], kind: &str| {
        told.iter().filter(|(known, _)| *known == kind).count()
    };
    for id in ["ann-id", "phone-id"] {
        let exporter = features.export(id, NOW).await.expect("answers");
        let exporter = exporter.expect("is known");
        assert_eq!(exporter.person_id, "ann-id");
        assert_eq!(exporter.other_ids, ["phone-id"]);
        assert_eq!(exporter.looked_at_next, Some(NOW));
        let section = format!("{MARK} section");
        assert_eq!(exporter.recoveries, [("ann-id".to_owned(), section.into())]);
        let view = exporter.view.expect("is known");
        assert_eq!((view.consents.len(), view.cart.lines.len()), (1, 4));
        let told = told(&features, id).await;
        let kinds = [
            "event", "decision", "action", "outcome", "letter", "coupon", "cart",
        ];
        let counts = kinds.map(|kind| count(&told, kind));
        assert_eq!(counts, [4, 2, 2, 2, 1, 1, 1], "{told:?}");
        assert!(told.iter().all(|(_, id)| !id.contains("bob")), "{told:?}");
        assert!(told.contains(&("coupon", "coupon".to_owned())));
        assert!(told.contains(&("cart", "cart".to_owned())));
    }
    // What was redriven waits in a log of its own.
    let letter = features.dead_letters(9).await.expect("answers").remove(0);
    let row = format!("{MARK} again").into();
    assert_eq!(features.redrive(&letter, row).await, Ok(true));
    assert_eq!(rows(&features, Log::Redriven).await, (1, 0));
    let told = told(&features, "ann-id").await;
    assert_eq!((count(&told, "letter"), count(&told, "action")), (0, 3));
}
