//! Events in and values out, on both stores. Redis runs as production would have it: every write
//! synced.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark says what it expects"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use feature_store::store::{Durability, Key, Partition};
use feature_store::{Event, EventKind, FeatureStore, Look, Millis, Settings};
use support::{Fixture, open_embedded};
use tokio::runtime::Runtime;

const START: i64 = 1_700_000_000_000;
const SHOPPERS: i64 = 20_000;

/// The next events of a shop in which everybody is equally busy.
fn events(clock: &AtomicI64, count: i64) -> (Vec<Event>, Millis) {
    let first = clock.fetch_add(count, Ordering::Relaxed);
    let at = |n: i64| Millis(START + n * 10);
    let events = (first..first + count).map(|n| Event {
        event_id: n.to_string(),
        shopper_id: format!("shopper {}", n * 7_919 % SHOPPERS),
        kind: if n % 5 == 0 {
            EventKind::AddToCart
        } else {
            EventKind::View
        },
        item_id: (n * 31 % 5_000).to_string(),
        price_minor: 1_999,
        currency: "EUR".to_owned(),
        category: "electronics.smartphone".to_owned(),
        brand: "brand".to_owned(),
        occurred_at: at(n),
        ..Event::default()
    });
    (events.collect(), at(first + count))
}

fn measure(criterion: &mut Criterion, runtime: &Runtime, name: &str, features: &FeatureStore) {
    let clock = AtomicI64::new(0);
    for _ in 0..40 {
        let (events, now) = events(&clock, 1_000);
        runtime
            .block_on(features.ingest(&events, now))
            .expect("answers");
    }
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20);
    for batch in [1_u32, 100, 1_000] {
        group.throughput(Throughput::Elements(u64::from(batch)));
        group.bench_function(format!("ingest {batch}"), |bencher| {
            bencher.iter(|| {
                let (events, now) = events(&clock, i64::from(batch));
                runtime
                    .block_on(features.ingest(&events, now))
                    .expect("answers")
            });
        });
        let keys: Vec<_> = (0..batch)
            .map(|n| Key::shopper(&format!("shopper {n}")))
            .collect();
        group.bench_function(format!("get_many {batch}"), |bencher| {
            bencher.iter(|| {
                runtime
                    .block_on(features.store().get_many(&keys))
                    .expect("answers")
            });
        });
    }
    group.finish();
}

/// People due at once, and how many a sweeper claims in one call, from so many partitions.
const DUE: usize = 100_000;
const CLAIMED: usize = 256;
const PARTITIONS_AT_ONCE: usize = 16;

/// Claims as the sweeper does, going round. With a lease of nothing what was claimed stays due, so
/// that every claim finds as many.
fn claims(criterion: &mut Criterion, runtime: &Runtime, name: &str, features: &FeatureStore) {
    let now = Millis(START);
    let ids: Vec<String> = (0..DUE).map(|n| format!("due {n}")).collect();
    for some in ids.chunks(1_000) {
        let looks: Vec<_> = some
            .iter()
            .map(|id| (id.as_str(), 0, Look::At(now)))
            .collect();
        let moved = runtime
            .block_on(features.look_again(&looks))
            .expect("answers");
        assert!(moved.iter().all(|moved| *moved));
    }
    let all: Vec<Partition> = Partition::all().collect();
    let mut rounds = all.chunks(PARTITIONS_AT_ONCE).cycle();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(CLAIMED as u64));
    group.bench_function(format!("claim {CLAIMED} of {DUE} due"), |bencher| {
        bencher.iter(|| {
            let partitions = rounds.next().expect("goes round");
            let claim = features.claim_due(partitions, now, Duration::ZERO, CLAIMED);
            let claimed = runtime.block_on(claim).expect("answers");
            assert_eq!(claimed.len(), CLAIMED);
        });
    });
    group.finish();
}

fn stores(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    for durability in [Durability::Process, Durability::Power] {
        let fixture = Fixture::embedded();
        let store = open_embedded(&fixture.path(), durability).expect("opens");
        let features = FeatureStore::new(Arc::new(store), Settings::default());
        measure(
            criterion,
            &runtime,
            &format!("embedded {durability:?}"),
            &features,
        );
        claims(
            criterion,
            &runtime,
            &format!("embedded {durability:?}"),
            &features,
        );
    }
    let args = ["--appendonly", "yes", "--appendfsync", "always"];
    let fixture = runtime.block_on(Fixture::redis_with(&args));
    let features = FeatureStore::new(runtime.block_on(fixture.open()), Settings::default());
    measure(criterion, &runtime, "redis", &features);
    claims(criterion, &runtime, "redis", &features);
}

criterion_group!(benches, stores);
criterion_main!(benches);
