//! What scoring with a forest costs, on one thread.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a benchmark may fail loudly"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ranking::Forest;
use ranking::forest::{Node, Side, Split, Tree};

const COLUMNS: usize = 32;

struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u32 << 24) as f32
    }
}

/// Full trees: no row leaves early.
fn forest(trees: usize, depth: u32, numbers: &mut Numbers) -> Forest {
    let splits = (1_u32 << depth) - 1;
    let trees = (0..trees)
        .map(|_| {
            let mut nodes = Vec::new();
            for at in 0..splits {
                nodes.push(Node::Split(Split {
                    feature: (numbers.next() % COLUMNS as u64) as u32,
                    below: numbers.unit(),
                    missing: if numbers.next().is_multiple_of(2) {
                        Side::Left
                    } else {
                        Side::Right
                    },
                    left: 2 * at + 1,
                    right: 2 * at + 2,
                }));
            }
            nodes.extend((0..=splits).map(|_| Node::Leaf(f64::from(numbers.unit()))));
            Tree { nodes }
        })
        .collect();
    let names = (0..COLUMNS).map(|at| format!("f{at}")).collect();
    Forest::new(names, 0.0, trees).unwrap()
}

fn rows(count: usize, numbers: &mut Numbers) -> Vec<f32> {
    let mut value = || {
        if numbers.next().is_multiple_of(10) {
            f32::NAN
        } else {
            numbers.unit()
        }
    };
    (0..count * COLUMNS).map(|_| value()).collect()
}

fn score(c: &mut Criterion) {
    let mut group = c.benchmark_group("forest");
    for (count, trees, depth) in [
        (1, 100, 6),
        (100, 100, 6),
        (500, 300, 6),
        (100, 100, 8),
        (100, 100, 10),
    ] {
        let mut numbers = Numbers(42);
        let forest = forest(trees, depth, &mut numbers);
        let rows = rows(count, &mut numbers);
        let mut scores = vec![0.0; count];
        let name = format!("{count} rows x {trees} trees x depth {depth}");
        let mut call = || {
            forest
                .score_rows(black_box(&rows), COLUMNS, &mut scores)
                .unwrap();
            black_box(&mut scores);
        };
        println!("{name}: {:?} at best", least(&mut call));
        group.bench_function(BenchmarkId::from_parameter(name), |b| b.iter(&mut call));
    }
    group.finish();
}

/// The least of many calls: what it costs when nobody else needs the core.
fn least(call: &mut impl FnMut()) -> Duration {
    let once = |call: &mut dyn FnMut()| {
        let started = Instant::now();
        call();
        started.elapsed()
    };
    let calls = (0..5_000).map(|_| once(call));
    calls.min().unwrap_or_default()
}

criterion_group!(benches, score);
criterion_main!(benches);
