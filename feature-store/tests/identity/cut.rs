//! A process that dies between any two commits of a link or an unlinking.

use std::sync::Arc;
use std::time::Duration;

use feature_store::store::{Partition, Store};
use feature_store::{EventKind, FeatureStore, Millis, Settings};

use super::{NOW, cart, event, ingest, view};
use crate::on_both_stores;
use crate::support::Fixture;
use crate::support::cut::Cut;

on_both_stores!(a_link_cut_at_any_commit_loses_and_doubles_nothing);

/// Who meets first what was cut off.
#[derive(Copy, Clone, Debug)]
enum Next {
    Deadline,
    Event,
    SameAgain,
}

/// Claims what is due as the sweeper does, which ends links, and says what is scheduled then.
async fn deadlines(features: &FeatureStore) -> Vec<String> {
    let all: Vec<_> = Partition::all().collect();
    let claim = features.claim_due(&all, NOW, Duration::ZERO, 10_000);
    claim.await.expect("answers");
    let left = features.store();
    let left = left.claim_due(&all, Millis::MAX, Duration::ZERO, 10_000);
    let left = left.await.expect("answers").into_iter();
    left.map(|due| due.id).collect()
}

async fn a_link_cut_at_any_commit_loses_and_doubles_nothing(fixture: &Fixture) {
    let store = fixture.open().await;
    let mut finished = 0;
    for commits in 1..9 {
        for made in [false, true] {
            for next in [Next::Deadline, Next::Event, Next::SameAgain] {
                let name = format!("{commits} {made} {next:?}");
                finished += usize::from(cut_once(&store, &name, commits, made, next).await);
            }
        }
    }
    assert!(
        finished > 0,
        "some lived long enough, so every commit was cut"
    );
}

/// Says whether the link ended before the process died.
async fn cut_once(
    store: &Arc<dyn Store>,
    name: &str,
    commits: usize,
    made: bool,
    next: Next,
) -> bool {
    let (ann, phone) = (format!("ann {name}"), format!("phone {name}"));
    let features = FeatureStore::new(store.clone(), Settings::default());
    let add = |n: i64, shopper: &str| {
        let id = format!("{name} {n}");
        event(&id, shopper, EventKind::AddToCart, &format!("item {n}"), n)
    };
    ingest(&features, &[add(1, &ann), add(2, &phone)]).await;
    let cut = FeatureStore::new(
        Arc::new(Cut::after(store.clone(), commits, made)),
        Settings::default(),
    );
    let linked = cut.link(&ann, &phone, name, NOW).await.is_ok();
    let begun = linked || commits > 1 || made;
    // Whatever the step: nobody sees anything twice, and each id still sees its own.
    assert!(view(&features, &phone).await.carted_units >= 1, "{name}");
    assert!(view(&features, &ann).await.carted_units <= 2, "{name}");
    match next {
        Next::Deadline if begun => {}
        Next::Event => ingest(&features, &[add(3, &phone)]).await,
        Next::Deadline | Next::SameAgain => {
            let again = features.link(&ann, &phone, name, NOW).await;
            again.expect("answers").expect("is linked");
        }
    }
    let left = deadlines(&features).await;
    assert!(
        left.iter().all(|id| !id.starts_with("link:")),
        "{name}: {left:?}"
    );
    if !begun && !matches!(next, Next::SameAgain | Next::Deadline) {
        return linked;
    }
    let units = if matches!(next, Next::Event) { 3 } else { 2 };
    let views = [view(&features, &ann).await, view(&features, &phone).await];
    assert_eq!(views[0], views[1], "{name}");
    assert_eq!(views[0].carted_units, units, "{name}");
    assert_eq!(cart(&views[0]).len() as u64, units, "{name}");
    assert!(left.contains(&format!("shop:{ann}")), "{name}: {left:?}");
    assert!(!left.contains(&format!("shop:{phone}")), "{name}: {left:?}");
    cut_unlinking(store, &features, (&ann, &phone), (commits, made)).await;
    linked
}

async fn cut_unlinking(
    store: &Arc<dyn Store>,
    features: &FeatureStore,
    (ann, phone): (&str, &str),
    (commits, made): (usize, bool),
) {
    let before = view(features, ann).await;
    let cut = FeatureStore::new(
        Arc::new(Cut::after(store.clone(), commits, made)),
        Settings::default(),
    );
    let at = Millis(NOW.0 - 30 * Millis::MINUTE);
    let done = cut.unlink(phone, at).await.is_ok();
    let rug = event(
        &format!("{phone} rug"),
        phone,
        EventKind::AddToCart,
        "rug",
        50,
    );
    ingest(features, &[rug]).await;
    if done || commits > 1 || made {
        assert_eq!(cart(&view(features, phone).await), [("rug", 1)]);
        assert_eq!(view(features, ann).await, before);
    } else {
        assert_eq!(
            view(features, ann).await.carted_units,
            before.carted_units + 1
        );
    }
}
