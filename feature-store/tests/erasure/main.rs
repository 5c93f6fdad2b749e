//! What is left of a person who was erased, on both stores.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects"
)]

#[path = "../support/mod.rs"]
mod support;

use feature_store::store::{Commit, CommitOutcome, Log, Op, Partition};
use feature_store::{ErasuresRead, FeatureStore, Millis, Settings, Tombstone};
use support::Fixture;

on_both_stores!(
    a_deployment_has_one_key_for_hashes,
    erasures_are_read_in_pages_and_once_each,
);

async fn open(fixture: &Fixture) -> FeatureStore {
    FeatureStore::new(fixture.open().await, Settings::default())
}

async fn a_deployment_has_one_key_for_hashes(fixture: &Fixture) {
    let store = fixture.open().await;
    let [one, two, three] = [0; 3].map(|_| FeatureStore::new(store.clone(), Settings::default()));
    let asked = futures::future::join3(one.mac_key(), two.mac_key(), three.mac_key());
    let (first, second, third) = asked.await;
    let key = first.expect("answers");
    assert_eq!((second, third), (Ok(key.clone()), Ok(key.clone())));
    drop((store, one, two, three));
    assert_eq!(open(fixture).await.mac_key().await, Ok(key));
}

async fn erasures_are_read_in_pages_and_once_each(fixture: &Fixture) {
    let features = open(fixture).await;
    let key = features.mac_key().await.expect("answers");
    let mut read = ErasuresRead::default();
    assert_eq!(features.erasures(&mut read).await, Ok(Vec::new()));
    let mut expected = Vec::new();
    for n in 0..700 {
        let id = format!("ann{}", n % 600);
        // All in one partition, so that one page does not hold them.
        let partition = Partition::of("ann");
        let tombstone = Tombstone {
            shopper: key.of(&id),
            erased_at: Millis(n),
        };
        let value = tombstone.encode().into();
        let ops = vec![Op::Append {
            log: Log::Erasures,
            value,
        }];
        let outcome = features.store().commit(vec![Commit { partition, ops }]);
        assert_eq!(outcome.await, Ok(vec![CommitOutcome::Done]));
        expected.push(tombstone);
    }
    let mut found = Vec::new();
    loop {
        let page = features.erasures(&mut read).await.expect("answers");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 512, "{} in a page", page.len());
        found.extend(page);
    }
    assert_eq!(found, expected);
    assert_eq!(features.erasures(&mut read).await, Ok(Vec::new()));
}
