//! Indexes of 8-bit codes: exact where they say so, the same bytes every time, and files that are
//! either whole or refused.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use std::fs;
use std::sync::{Arc, LazyLock};

use ann_index::{
    Bitmap, BuildParams, CodeIndex, ExactIndex, Hit, Plan, VectorIndex, Vectors, recall,
};
use proptest::prelude::*;
use support::{Numbers, carts, clustered};

const D: usize = 24;
const ROWS: usize = 6_000;

fn params(nlist: u32, threads: u32) -> BuildParams {
    BuildParams {
        nlist,
        iterations: 5,
        seed: 3,
        threads,
    }
}

struct Setup {
    vectors: Arc<Vectors>,
    queries: Vec<f32>,
    scan: CodeIndex,
    lists: CodeIndex,
}

static SETUP: LazyLock<Setup> = LazyLock::new(|| {
    let vectors = clustered(ROWS, D, 60, 1);
    Setup {
        queries: carts(&vectors, 20, 2),
        scan: CodeIndex::build_scan(Arc::clone(&vectors)).unwrap(),
        lists: CodeIndex::build_lists(Arc::clone(&vectors), &params(90, 1)).unwrap(),
        vectors,
    }
});

fn query(at: usize) -> &'static [f32] {
    SETUP.queries.chunks_exact(D).nth(at % 20).unwrap()
}

fn exact(vectors: &Arc<Vectors>, query: &[f32], k: usize, allowed: Option<&Bitmap>) -> Vec<Hit> {
    let mut out = Vec::new();
    ExactIndex::new(Arc::clone(vectors))
        .search(query, k, allowed, &mut out)
        .unwrap();
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn looking_at_everything_is_the_exact_scan_bit_for_bit(
        at in 0usize..20,
        k in prop_oneof![1usize..10, 50usize..300, Just(7_000)],
        start in 0u32..6_000,
        step in 1usize..200,
        len in 0usize..6_000,
        free: bool,
    ) {
        let chosen = (start..ROWS as u32).step_by(step).take(len);
        let allowed = Bitmap::from_ids(ROWS, chosen);
        let allowed = (!free).then_some(&allowed);
        let expected = exact(&SETUP.vectors, query(at), k, allowed);
        for index in [&SETUP.scan, &SETUP.lists] {
            let mut out = Vec::new();
            let report = index.search(query(at), k, allowed, &mut out).unwrap();
            prop_assert_eq!(report.plan, Plan::Exact);
            prop_assert_eq!(&out, &expected);
        }
    }

    #[test]
    fn rows_of_any_dimension_and_length_give_the_exact_answer(
        dimension in 1usize..150,
        rows in 1usize..90,
        scale in -12i32..12,
        seed in 0u64..1_000,
        ties: bool,
    ) {
        let mut numbers = Numbers::new(seed);
        let mut data: Vec<f32> = (0..rows * dimension).map(|_| numbers.normal()).collect();
        for row in data.chunks_exact_mut(dimension) {
            // Lengths that differ by orders of magnitude, a few rows of zeros, and equal rows.
            let length = 10f32.powi(scale + (numbers.below(5) as i32) - 2);
            let length = if numbers.below(10) == 0 { 0.0 } else { length };
            row.iter_mut().for_each(|x| *x = if ties { x.signum() } else { *x * length });
        }
        let vectors = Arc::new(Vectors::new(data, dimension).unwrap());
        let query: Vec<f32> = (0..dimension).map(|_| numbers.normal()).collect();
        let scan = CodeIndex::build_scan(Arc::clone(&vectors)).unwrap();
        let mut out = Vec::new();
        for k in [1, 10, 100] {
            scan.search(&query, k, None, &mut out).unwrap();
            prop_assert_eq!(&out, &exact(&vectors, &query, k, None));
        }
    }

    #[test]
    fn a_budget_is_kept_and_the_answer_is_full(
        at in 0usize..20,
        k in 1usize..100,
        budget in 1u64..3_000,
        step in 1usize..40,
    ) {
        let allowed = Bitmap::from_ids(ROWS, (0..ROWS as u32).step_by(step));
        let mut out = Vec::new();
        let report = SETUP.lists.search_with(query(at), k, budget, Some(&allowed), &mut out).unwrap();
        let eligible = allowed.count();
        prop_assert_eq!(report.eligible, eligible);
        prop_assert_eq!(out.len() as u64, eligible.min(k as u64));
        prop_assert!(out.iter().all(|hit| allowed.contains(hit.id)));
        let truth = exact(&SETUP.vectors, query(at), k, Some(&allowed));
        if report.plan == Plan::Exact {
            prop_assert_eq!(&out, &truth);
        }
        // More than the budget is looked at only to finish the last list.
        let mut more = Vec::new();
        SETUP.lists.search_with(query(at), k, budget * 2, Some(&allowed), &mut more).unwrap();
        prop_assert!(recall(&truth, &more) >= recall(&truth, &out));
    }
}

#[test]
fn queries_too_large_or_small_for_codes_are_scanned() {
    for scale in [0.0, 1e-30, 1e20] {
        let query: Vec<f32> = query(3).iter().map(|x| x * scale).collect();
        for index in [&SETUP.scan, &SETUP.lists] {
            let mut out = Vec::new();
            let report = index.search_with(&query, 30, 40, None, &mut out).unwrap();
            assert_eq!(report.plan, Plan::Exact);
            assert_eq!(out, exact(&SETUP.vectors, &query, 30, None));
        }
    }
}

#[test]
fn vectors_too_large_for_codes_are_refused() {
    let vectors = Arc::new(Vectors::new(vec![1.0, 2e15], 1).unwrap());
    let error = CodeIndex::build_scan(vectors).unwrap_err().to_string();
    assert!(error.contains("1e15"), "{error}");
}

#[test]
fn the_same_vectors_give_the_same_bytes_whatever_the_threads() {
    let vectors = clustered(20_000, D, 100, 5);
    let dir = tempfile::tempdir().unwrap();
    let bytes = |threads| {
        let path = dir.path().join(format!("{threads}"));
        let index = CodeIndex::build_lists(Arc::clone(&vectors), &params(300, threads)).unwrap();
        index.save(&path).unwrap();
        fs::read(path).unwrap()
    };
    let one = bytes(1);
    assert!(one == bytes(2) && one == bytes(3) && one == bytes(1));
}

#[test]
fn an_index_comes_back_from_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let allowed = Bitmap::from_ids(ROWS, (0..ROWS as u32).filter(|id| id % 5 != 0));
    for index in [&SETUP.scan, &SETUP.lists] {
        index.save(&path).unwrap();
        let loaded = CodeIndex::load(&path, Arc::clone(&SETUP.vectors)).unwrap();
        assert_eq!(loaded.lists(), index.lists());
        for at in 0..20 {
            let answer = |index: &CodeIndex| {
                let mut out = Vec::new();
                let report = index
                    .search_with(query(at), 40, 500, Some(&allowed), &mut out)
                    .unwrap();
                (report, out)
            };
            assert_eq!(answer(&loaded), answer(index));
        }
    }
}

#[test]
fn a_damaged_or_foreign_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let damaged = dir.path().join("damaged");
    let vectors = clustered(600, D, 10, 14);
    let index = CodeIndex::build_lists(Arc::clone(&vectors), &params(12, 1)).unwrap();
    index.save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let refused = |content: &[u8]| {
        fs::write(&damaged, content).unwrap();
        CodeIndex::load(&damaged, Arc::clone(&vectors)).is_err()
    };
    assert!(!refused(&bytes));
    for len in [0, 3, 24, 64, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(refused(&bytes[..len]), "cut to {len}");
    }
    for at in (0..120).chain((120..bytes.len()).step_by(211)) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        assert!(refused(&changed), "byte {at}");
    }
    let other = clustered(600, D, 10, 15);
    let error = CodeIndex::load(&path, other).unwrap_err().to_string();
    assert!(error.contains("other vectors"), "{error}");
    let longer = clustered(601, D, 10, 14);
    let error = CodeIndex::load(&path, longer).unwrap_err().to_string();
    assert!(
        error.contains("600 rows") && error.contains("601"),
        "{error}"
    );
}

/// A file whose checksum is right and whose numbers are not: nothing in it may be believed.
#[test]
fn a_file_sealed_over_wrong_numbers_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let vectors = clustered(600, D, 10, 14);
    let index = CodeIndex::build_lists(Arc::clone(&vectors), &params(12, 1)).unwrap();
    index.save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let content = bytes.len() - 24;
    // The shape in the header, the lists' starts and sizes, and the first ids.
    for at in (8..24)
        .chain(32..40)
        .chain(64..72)
        .chain(128..136)
        .chain(192..200)
    {
        let mut changed = bytes[..content].to_vec();
        changed[at] ^= 0x15;
        let hash = xxhash_rust::xxh3::xxh3_64(&changed);
        changed.extend(b"CWANNIX1");
        changed.extend((content as u64).to_le_bytes());
        changed.extend(hash.to_le_bytes());
        fs::write(&path, &changed).unwrap();
        let loaded = CodeIndex::load(&path, Arc::clone(&vectors));
        assert!(loaded.is_err(), "byte {at}");
    }
}
