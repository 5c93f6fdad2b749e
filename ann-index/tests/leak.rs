//! Alone in its process, so that no other test's memory is counted.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use std::fs;

use ann_index::{Bitmap, BuildParams, FaissIndex, VectorIndex};
use support::{Numbers, carts, clustered};

const D: usize = 32;

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn twenty_thousand_filtered_searches_keep_no_memory() {
    let vectors = clustered(2_000, D, 20, 10);
    let params = BuildParams {
        nlist: 16,
        iterations: 5,
        seed: 1,
        threads: 1,
    };
    let index = FaissIndex::build_ivf_sq8(vectors.as_slice(), D, &params).unwrap();
    let query = carts(&vectors, 1, 11);
    let mut out = Vec::new();
    let mut numbers = Numbers::new(12);
    let mut search = |times: usize| {
        for _ in 0..times {
            let start = numbers.below(1_000) as u32;
            let allowed = Bitmap::from_ids(2_000, start..start + 900);
            index.search(&query, 20, Some(&allowed), &mut out).unwrap();
        }
    };
    search(2_000);
    let before = resident_kib();
    search(20_000);
    let grown = resident_kib().saturating_sub(before);
    // The parameters of one search alone, left behind each time, would be 1,500 KiB.
    assert!(grown < 1_024, "{grown} KiB");
}
