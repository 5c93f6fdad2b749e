//! What it costs to share a budget out among 100,000 carts of six arms.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use policy::allocate::{Carts, Choice, choose};

fn options(cart: u64) -> Vec<Choice> {
    (0..6_u64)
        .map(|arm| {
            let mixed = (cart * 6 + arm + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            let cost = (mixed % 2_000) as u32;
            Choice {
                value: 30.0 * f64::from(cost).sqrt() + f64::from((mixed >> 11) as u32 % 97),
                cost_minor: cost.into(),
            }
        })
        .collect()
}

fn allocate(criterion: &mut Criterion) {
    let mut carts = Carts::with_capacity(100_000, 6);
    for cart in 0..100_000 {
        if carts.push(&options(cart)).is_err() {
            return;
        }
    }
    let mut group = criterion.benchmark_group("allocate");
    group.sample_size(10);
    group.bench_function("100k_carts_of_6", |bencher| {
        bencher.iter(|| black_box(&carts).allocate(5_000_000));
    });
    group.finish();
    let one = options(7);
    criterion.bench_function("allocate/choose_one", |bencher| {
        bencher.iter(|| choose(black_box(&one), 0.4));
    });
}

criterion_group!(benches, allocate);
criterion_main!(benches);
