//! One query at a time over 100,000 rows of 64 dimensions, by each kind of index and under filters.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark may fail loudly"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::sync::Arc;

use ann_index::{
    Bitmap, ChooseSettings, CodeIndex, ExactIndex, PlannerSettings, SpaceIndex, VectorIndex, choose,
};
use criterion::{Criterion, criterion_group, criterion_main};
use support::{carts, shop};

const ROWS: usize = 100_000;
const D: usize = 64;

fn search(criterion: &mut Criterion) {
    let (vectors, _) = shop(ROWS, D, 1);
    let exact = ExactIndex::new(Arc::clone(&vectors));
    let codes = CodeIndex::build_scan(Arc::clone(&vectors)).unwrap();
    let chosen = choose(
        &vectors,
        &carts(&vectors, 150, 2),
        &ChooseSettings::default(),
    )
    .unwrap();
    let planner = PlannerSettings::default();
    let space =
        SpaceIndex::new(Arc::clone(&vectors), chosen.index, chosen.probes, planner).unwrap();
    let queries = carts(&vectors, 200, 3);
    let mut group = criterion.benchmark_group("100000x64, k 100");
    for share in [1, 2, 10, 100, 1_000] {
        let ids = (0..ROWS as u32).filter(|id| id.wrapping_mul(2_654_435_761) % share == 0);
        let allowed = Bitmap::from_ids(ROWS, ids);
        let indexes: [(&str, &dyn VectorIndex); 3] = [
            ("full vectors", &exact),
            ("codes", &codes),
            ("chosen", &space),
        ];
        for (name, index) in indexes {
            let mut next = queries.chunks_exact(D).cycle();
            let mut out = Vec::new();
            group.bench_function(format!("{name}, one in {share} allowed"), |bencher| {
                bencher.iter(|| {
                    let query = next.next().unwrap_or(&[]);
                    let report = index.search(query, 100, Some(&allowed), &mut out);
                    black_box(report.unwrap())
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, search);
criterion_main!(benches);
