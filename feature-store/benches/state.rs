//! What a shopper's value costs: to take an event in, to read, to write and to load it.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use feature_store::{Event, EventKind, Millis, Registry, Shopper};

const START: i64 = 1_700_000_000_000;

fn event(id: usize, span_ms: usize, of: usize) -> Event {
    let kinds = [
        EventKind::View,
        EventKind::View,
        EventKind::View,
        EventKind::AddToCart,
    ];
    let offset = i64::try_from(id * span_ms / of.max(1)).unwrap_or(0);
    Event {
        event_id: format!("event-{id}"),
        shopper_id: "shopper".into(),
        kind: kinds.get(id % 4).copied().unwrap_or_default(),
        item_id: format!("item-{}", id * 7 % 120),
        price_minor: 1_999,
        currency: "EUR".into(),
        occurred_at: Millis(START + offset),
        category: format!("home.room-{}", id % 9),
        brand: format!("brand-{}", id % 17),
        ..Event::default()
    }
}

/// Nine of ten events of these days are folded into the base by the end.
const TEN_DAYS_MS: usize = 10 * 86_400_000;

/// `count` events over a span.
fn shopper(count: usize, span_ms: usize) -> Shopper {
    let mut shopper = Shopper::empty();
    for id in 0..count {
        shopper.apply(&event(id, span_ms, count), Millis(i64::MAX));
    }
    shopper
}

fn state(criterion: &mut Criterion) {
    for count in [10, 100, 1_000] {
        let known = shopper(count, TEN_DAYS_MS);
        let bytes = known.encode();
        let next = event(count, TEN_DAYS_MS, count);
        let now = next.occurred_at;
        let mut group = criterion.benchmark_group("state");
        group.bench_function(BenchmarkId::new("decode", count), |b| {
            b.iter(|| Shopper::decode(black_box(&bytes)));
        });
        group.bench_function(BenchmarkId::new("encode", count), |b| {
            b.iter(|| known.encode());
        });
        group.bench_function(BenchmarkId::new("apply", count), |b| {
            b.iter_batched_ref(
                || known.clone(),
                |shopper| shopper.apply(&next, now),
                BatchSize::SmallInput,
            );
        });
        group.bench_function(BenchmarkId::new("view", count), |b| {
            b.iter(|| known.view(now));
        });
        group.finish();
    }
}

fn features(criterion: &mut Criterion) {
    let view = shopper(100, TEN_DAYS_MS).view(Millis(START + 10 * 86_400_000));
    let registry = Registry::standard();
    let names: Vec<&str> = registry.features().iter().map(|def| def.name).collect();
    let Ok(plan) = registry.plan(&names) else {
        return;
    };
    criterion.bench_function("features/all", |b| b.iter(|| plan.shopper(Some(&view))));
    criterion.bench_function("features/plan", |b| b.iter(|| registry.plan(&names)));
}

/// All that `GetFeatures` does for a shopper between the store's bytes and the answer's values.
fn read(criterion: &mut Criterion) {
    let registry = Registry::standard();
    let of_shopper = |name: &&str| name.starts_with("shopper.");
    let names = registry.features().iter().map(|def| def.name);
    let names: Vec<&str> = names.filter(of_shopper).take(50).collect();
    let Ok(plan) = registry.plan(&names) else {
        return;
    };
    for count in [24, 240] {
        let bytes = shopper(count, 10 * 3_600_000).encode();
        let now = Millis(START + 10 * 3_600_000);
        criterion.bench_function(&format!("read/{count}"), |b| {
            b.iter(|| {
                let shopper = Shopper::decode(black_box(&bytes)).ok();
                plan.shopper(shopper.map(|shopper| shopper.into_view(now)).as_ref())
            });
        });
    }
}

criterion_group!(benches, state, features, read);
criterion_main!(benches);
