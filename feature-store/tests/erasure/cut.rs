//! A process that dies between any two commits of an erasure.

use std::sync::Arc;
use std::time::Duration;

use feature_store::store::{Log, Partition, Store};
use feature_store::{FeatureStore, Millis, Outcome, Settings};

use super::{NOW, erase, event, ingest, link, rows};
use crate::on_both_stores;
use crate::support::Fixture;
use crate::support::cut::Cut;

on_both_stores!(
    an_erasure_cut_at_any_commit_is_finished_by_whoever_meets_it,
    a_state_that_a_link_left_behind_is_not_seen_while_its_person_is_erased,
    who_was_being_linked_is_erased_as_well,
    who_was_being_unlinked_stands_alone_after_it,
);

/// Who meets first what was cut off.
#[derive(Copy, Clone, Debug)]
enum Next {
    Deadline,
    Event,
    Link,
    SameAgain,
}

async fn an_erasure_cut_at_any_commit_is_finished_by_whoever_meets_it(fixture: &Fixture) {
    let store = fixture.open().await;
    let mut finished = 0;
    for commits in 1..6 {
        for made in [false, true] {
            for next in [Next::Deadline, Next::Event, Next::Link, Next::SameAgain] {
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

async fn cut_once(
    store: &Arc<dyn Store>,
    name: &str,
    commits: usize,
    made: bool,
    next: Next,
) -> bool {
    let [ann, phone, laptop] = ["ann", "phone", "laptop"].map(|id| format!("{id} {name}"));
    let features = FeatureStore::new(store.clone(), Settings::default());
    let events = [event(&ann, 1), event(&phone, 2), event(&laptop, 3)];
    ingest(&features, &events).await;
    link(&features, &ann, &phone).await;
    link(&features, &ann, &laptop).await;
    let erased_before = rows(&features, Log::Events).await.1;
    let cut = Arc::new(Cut::after(store.clone(), commits, made));
    let cut = FeatureStore::new(cut, Settings::default());
    let done = cut.erase(&phone, NOW).await.is_ok();
    let begun = done || commits > 1 || made;
    if begun {
        let ids = [ann.as_str(), &phone, &laptop];
        let views = features.shoppers(&ids, NOW).await.expect("answers");
        assert_eq!(
            views,
            [None, None, None],
            "{name}: from the first commit on"
        );
    }
    let mut after = event(&laptop, 4);
    after.occurred_at = Millis(NOW.0 + 1);
    match next {
        Next::Event if begun => {
            let late = features.ingest(&[event(&ann, 5)], NOW).await;
            let late = late.expect("answers").remove(0);
            assert!(matches!(late, Outcome::Rejected(_)), "{name}: {late:?}");
            ingest(&features, &[after]).await;
        }
        Next::Link if begun => link(&features, &laptop, &ann).await,
        Next::Deadline if begun => {}
        Next::Event | Next::Link | Next::Deadline | Next::SameAgain => {
            erase(&features, &ann, NOW).await;
        }
    }
    let all: Vec<_> = Partition::all().collect();
    let late = Millis(NOW.0 + Millis::HOUR);
    let claimed = features.claim_due(&all, late, Duration::ZERO, 10_000).await;
    claimed.expect("answers");
    let left = store
        .claim_due(&all, Millis::MAX, Duration::ZERO, 10_000)
        .await;
    for due in left.expect("answers") {
        let is_new = matches!(next, Next::Event) && due.id == format!("shop:{laptop}");
        assert!(!due.id.ends_with(name) || is_new, "{name}: {}", due.id);
    }
    let erased = rows(&features, Log::Events).await.1 - erased_before;
    assert_eq!(erased, 3, "{name}");
    done
}

async fn a_state_that_a_link_left_behind_is_not_seen_while_its_person_is_erased(fixture: &Fixture) {
    let store = fixture.open().await;
    let features = FeatureStore::new(store.clone(), Settings::default());
    ingest(&features, &[event("ann", 1), event("phone", 2)]).await;
    // The state has arrived, and is still where it was as well.
    let dying = dies_after(&store, 3);
    let linked = dying.link("ann", "phone", "link-1", NOW).await;
    assert!(linked.is_err());
    let before = features.shoppers(&["phone"], NOW).await.expect("answers");
    assert_eq!(before[0].as_ref().map(|view| view.carted_units), Some(2));
    assert!(dies_after(&store, 1).erase("ann", NOW).await.is_err());
    let views = features.shoppers(&["ann", "phone"], NOW).await;
    assert_eq!(views, Ok(vec![None, None]));
}

/// A process that makes so many commits.
fn dies_after(store: &Arc<dyn Store>, commits: usize) -> FeatureStore {
    let cut = Arc::new(Cut::after(store.clone(), commits, true));
    FeatureStore::new(cut, Settings::default())
}

async fn who_was_being_linked_is_erased_as_well(fixture: &Fixture) {
    let store = fixture.open().await;
    let features = FeatureStore::new(store.clone(), Settings::default());
    ingest(&features, &[event("ann", 1), event("phone", 2)]).await;
    let dying = dies_after(&store, 1);
    let linked = dying.link("ann", "phone", "link-1", NOW).await;
    assert!(linked.is_err());
    assert_eq!(erase(&features, "ann", NOW).await.removed.ids, 2);
    let views = features.shoppers(&["ann", "phone"], NOW).await;
    assert_eq!(views, Ok(vec![None, None]));
}

async fn who_was_being_unlinked_stands_alone_after_it(fixture: &Fixture) {
    let store = fixture.open().await;
    let features = FeatureStore::new(store.clone(), Settings::default());
    ingest(&features, &[event("ann", 1), event("phone", 2)]).await;
    link(&features, "ann", "phone").await;
    let apart = Millis(NOW.0 - Millis::MINUTE);
    assert!(dies_after(&store, 1).unlink("phone", apart).await.is_err());
    erase(&features, "ann", NOW).await;
    ingest(&features, &[event("phone", 60)]).await;
    let views = features.shoppers(&["ann", "phone"], NOW).await;
    let views = views.expect("answers");
    assert_eq!(views[0], None);
    assert_eq!(views[1].as_ref().map(|view| view.carted_units), Some(1));
}
