//! What a read of hot state costs, by kind of read: alone, and with another thread that reads too.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use kit::Live;

fn reads(criterion: &mut Criterion, group: &str, live: &Live<u64>) {
    let mut group = criterion.benchmark_group(group);
    group.bench_function("guard", |bench| bench.iter(|| black_box(*live.guard())));
    group.bench_function("load", |bench| bench.iter(|| black_box(live.load())));
    let mut cached = live.cache();
    group.bench_function("cached", |bench| bench.iter(|| black_box(**cached.get())));
    group.finish();
}

fn bench(criterion: &mut Criterion) {
    let live = Arc::new(Live::new(7_u64));
    reads(criterion, "alone", &live);
    let stop = Arc::new(AtomicBool::new(false));
    let (other, stopped) = (live.clone(), stop.clone());
    let reader = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            black_box(other.load());
        }
    });
    reads(criterion, "beside another reader", &live);
    stop.store(true, Ordering::Relaxed);
    drop(reader.join());
}

criterion_group!(benches, bench);
criterion_main!(benches);
