//! Erasures among events, links and decisions that happen at the same time.

use feature_store::store::Log;
use feature_store::{FeatureStore, Millis, Settings, ShopperChange};
use proptest::prelude::*;

use super::{MARK, NOW, change, erase, event, raw, read, rows};
use crate::support::{Fixture, open_embedded};
use feature_store::store::Durability;

const IDS: [&str; 4] = ["id-of-ann", "id-of-phone", "id-of-laptop", "id-of-tablet"];

#[derive(Copy, Clone, Debug)]
enum Act {
    Event(usize),
    Link(usize, usize),
    Unlink(usize),
    Decide(usize),
    Erase(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let id = || 0..IDS.len();
    prop_oneof![
        3 => id().prop_map(Act::Event),
        2 => (id(), id()).prop_map(|(a, b)| Act::Link(a, b)),
        1 => id().prop_map(Act::Unlink),
        2 => id().prop_map(Act::Decide),
        2 => id().prop_map(Act::Erase),
    ]
}

async fn run(features: &FeatureStore, act: Act, n: i64) {
    let at = Millis(NOW.0 + n);
    match act {
        Act::Event(id) => {
            let mut event = event(IDS[id], n);
            event.occurred_at = at;
            features.ingest(&[event], at).await.expect("answers");
        }
        Act::Link(id, alias) => {
            let link_id = n.to_string();
            let link = features.link(IDS[id], IDS[alias], &link_id, at);
            link.await.expect("answers").ok();
        }
        Act::Unlink(id) => {
            features.unlink(IDS[id], at).await.expect("answers").ok();
        }
        Act::Decide(id) => {
            let stored = read(features, IDS[id]).await;
            let change = ShopperChange {
                outcomes: Vec::new(),
                ..change(&format!("d{n}"))
            };
            features
                .change(IDS[id], stored, change)
                .await
                .expect("answers");
        }
        Act::Erase(id) => {
            erase(features, IDS[id], at).await;
        }
    }
}

/// Runs the acts, some at a time, then erases whoever is left.
async fn all(fixture: &Fixture, rounds: &[Vec<Act>]) {
    let store = open_embedded(&fixture.path(), Durability::Process).expect("opens");
    let features = FeatureStore::new(std::sync::Arc::new(store), Settings::default());
    let mut n = 0;
    for round in rounds {
        let acts = round.iter().map(|act| {
            n += 1;
            run(&features, *act, n)
        });
        futures::future::join_all(acts).await;
    }
    for id in IDS {
        erase(&features, id, Millis(NOW.0 + 1_000)).await;
    }
    for log in [Log::Events, Log::Decisions, Log::Outbox] {
        assert_eq!(rows(&features, log).await.0, 0, "{log:?}: no row opens");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_else_happens_an_erasure_leaves_nothing(
        rounds in prop::collection::vec(prop::collection::vec(act(), 1..5), 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("starts");
        let fixture = Fixture::embedded();
        runtime.block_on(all(&fixture, &rounds));
        let bytes = runtime.block_on(raw::everything(&fixture));
        prop_assert!(!bytes.is_empty());
        for text in IDS.into_iter().chain([MARK]) {
            prop_assert!(!raw::holds(&bytes, text), "{} is still there", text);
        }
    }
}
