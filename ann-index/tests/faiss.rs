//! FAISS against the exact scan: recall, filters, files, threads, memory, bad input.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use std::fs;
use std::sync::Arc;

use ann_index::{
    Bitmap, BuildParams, Error, ExactIndex, FaissIndex, Hit, Index, Plan, PlannerSettings,
    SearchParams, SpaceIndex, TuneSettings, VectorIndex, Vectors, check_compile_options, recall,
    tune,
};
use support::{Numbers, carts, clustered};

const D: usize = 32;

fn params(nlist: u32) -> BuildParams {
    BuildParams {
        nlist,
        iterations: 8,
        seed: 7,
        threads: 2,
    }
}

fn built(vectors: &Vectors, nlist: u32) -> FaissIndex {
    FaissIndex::build_ivf_sq8(vectors.as_slice(), D, &params(nlist)).unwrap()
}

fn hits(index: &dyn VectorIndex, query: &[f32], k: usize, allowed: Option<&Bitmap>) -> Vec<Hit> {
    let mut out = Vec::new();
    index.search(query, k, allowed, &mut out).unwrap();
    out
}

#[test]
fn faiss_is_compiled_for_avx2() {
    assert!(check_compile_options().unwrap().contains("AVX2"));
}

#[test]
fn inverted_lists_reach_high_recall_on_carts_and_all_lists_nearly_all_of_it() {
    let vectors = clustered(20_000, D, 200, 1);
    let index = built(&vectors, 128);
    let exact = ExactIndex::new(Arc::clone(&vectors));
    let (mut quarter, mut all) = (0.0, 0.0);
    let queries = carts(&vectors, 100, 2);
    for query in queries.chunks_exact(D) {
        let truth = hits(&exact, query, 100, None);
        let mut out = Vec::new();
        let report = index
            .search_with(query, 100, SearchParams { nprobe: 32 }, None, &mut out)
            .unwrap();
        assert_eq!((report.plan, report.lists_probed), (Plan::Approximate, 32));
        quarter += recall(&truth, &out);
        index
            .search_with(query, 100, SearchParams { nprobe: 999 }, None, &mut out)
            .unwrap();
        all += recall(&truth, &out);
    }
    assert!(quarter / 100.0 > 0.90, "recall {}", quarter / 100.0);
    assert!(all / 100.0 > 0.96, "recall {}", all / 100.0);
}

#[test]
fn a_flat_index_answers_as_the_scan_does() {
    let vectors = clustered(3_000, D, 20, 3);
    let flat = FaissIndex::build_flat(vectors.as_slice(), D).unwrap();
    let exact = ExactIndex::new(Arc::clone(&vectors));
    let allowed = Bitmap::from_ids(3_000, (0..3_000).step_by(3));
    for query in carts(&vectors, 20, 4).chunks_exact(D) {
        for filter in [None, Some(&allowed)] {
            let (a, b) = (
                hits(&flat, query, 50, filter),
                hits(&exact, query, 50, filter),
            );
            assert!(recall(&a, &b) > 0.999);
            assert!(
                a.iter()
                    .zip(&b)
                    .all(|(x, y)| (x.score - y.score).abs() < 1e-3)
            );
        }
    }
}

#[test]
fn the_same_build_gives_the_same_file() {
    let vectors = clustered(5_000, D, 50, 5);
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<Vec<u8>> = ["a", "b"]
        .iter()
        .map(|name| {
            built(&vectors, 64).save(dir.path().join(name)).unwrap();
            fs::read(dir.path().join(name)).unwrap()
        })
        .collect();
    assert!(bytes[0] == bytes[1]);
}

#[test]
fn saved_loaded_and_mapped_indexes_answer_alike() {
    let vectors = clustered(5_000, D, 50, 6);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.faiss");
    let made = built(&vectors, 64);
    made.save(&path).unwrap();
    let (loaded, mapped) = (
        FaissIndex::load(&path).unwrap(),
        FaissIndex::load_mmap(&path).unwrap(),
    );
    assert_eq!(
        (loaded.len(), loaded.dimension(), loaded.lists()),
        (5_000, D, 64)
    );
    let allowed = Bitmap::from_ids(5_000, (0..5_000).filter(|id| id % 5 != 0));
    for query in carts(&vectors, 30, 7).chunks_exact(D) {
        let expected = hits(&made, query, 40, Some(&allowed));
        assert_eq!(hits(&loaded, query, 40, Some(&allowed)), expected);
        assert_eq!(hits(&mapped, query, 40, Some(&allowed)), expected);
    }
}

#[test]
fn eight_threads_at_once_get_the_answers_of_one() {
    let vectors = clustered(10_000, D, 100, 8);
    let index = built(&vectors, 64);
    let queries = carts(&vectors, 64, 9);
    let allowed = Bitmap::from_ids(10_000, (0..10_000).filter(|id| id % 3 == 0));
    let expected: Vec<Vec<Hit>> = queries
        .chunks_exact(D)
        .map(|query| hits(&index, query, 50, Some(&allowed)))
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    for (query, expected) in queries.chunks_exact(D).zip(&expected) {
                        assert_eq!(&hits(&index, query, 50, Some(&allowed)), expected);
                    }
                }
            });
        }
    });
}

#[test]
fn bad_queries_are_refused_with_what_was_expected() {
    let vectors = clustered(500, D, 5, 13);
    let lists = built(&vectors, 8);
    let space = SpaceIndex::new(
        Arc::clone(&vectors),
        Index::Scan,
        Vec::new(),
        PlannerSettings::default(),
    )
    .unwrap();
    let flat = FaissIndex::build_flat(vectors.as_slice(), D).unwrap();
    let exact = ExactIndex::new(Arc::clone(&vectors));
    let good = vec![0.5; D];
    let mut nan = good.clone();
    nan[3] = f32::NAN;
    for index in [&space as &dyn VectorIndex, &lists, &flat, &exact] {
        let mut out = Vec::new();
        let mut refusal = |query: &[f32], k, allowed: Option<&Bitmap>| {
            index.search(query, k, allowed, &mut out).unwrap_err()
        };
        assert!(matches!(
            refusal(&good[1..], 5, None),
            Error::Dimension { .. }
        ));
        assert!(matches!(
            refusal(&nan, 5, None),
            Error::NotFinite { at: 3, .. }
        ));
        assert!(matches!(
            refusal(&good, 0, None),
            Error::Invalid { field: "k", .. }
        ));
        let short = Bitmap::full(499);
        assert!(matches!(
            refusal(&good, 5, Some(&short)),
            Error::FilterLength { .. }
        ));
    }
}

#[test]
fn bad_builds_are_refused() {
    let rows = vec![0.5; D * 10];
    assert!(
        FaissIndex::build_ivf_sq8(&rows, D, &params(11)).is_err(),
        "more lists than rows"
    );
    assert!(FaissIndex::build_ivf_sq8(&rows, D, &params(0)).is_err());
    assert!(FaissIndex::build_ivf_sq8(&rows[1..], D, &params(2)).is_err());
    assert!(FaissIndex::build_flat(&[f32::INFINITY; 4], 4).is_err());
    assert!(Vectors::new(vec![0.0; 4], 0).is_err());
}

#[test]
fn damaged_files_are_errors_and_never_crashes() {
    let vectors = clustered(1_000, D, 10, 14);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.faiss");
    built(&vectors, 16).save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let damaged = dir.path().join("damaged");
    let refused = |content: &[u8]| {
        fs::write(&damaged, content).unwrap();
        FaissIndex::load(&damaged).is_err() && FaissIndex::load_mmap(&damaged).is_err()
    };
    for len in [0, 3, 4, 20, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(refused(&bytes[..len]), "cut to {len}");
    }
    let mut numbers = Numbers::new(15);
    let garbage: Vec<u8> = (0..4_096).map(|_| numbers.next() as u8).collect();
    assert!(refused(&garbage));
    let missing = FaissIndex::load(dir.path().join("absent")).unwrap_err();
    assert!(missing.to_string().contains("absent"), "{missing}");
    for at in (0..120).chain((120..bytes.len()).step_by(997)) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        assert!(refused(&changed), "byte {at}");
    }
}

#[test]
fn an_index_must_fit_its_vectors() {
    let vectors = clustered(1_000, D, 10, 16);
    let other = clustered(999, D, 10, 16);
    let space = SpaceIndex::new(
        vectors,
        Index::Faiss(built(&other, 8)),
        Vec::new(),
        PlannerSettings::default(),
    );
    assert!(space.is_err());
}

#[test]
fn the_tuned_table_reaches_its_target_on_other_carts() {
    let vectors = clustered(20_000, D, 200, 17);
    let index = built(&vectors, 128);
    let settings = TuneSettings {
        ks: vec![50],
        target_recall: 0.95,
        bands: vec![1.0, 0.2],
        seed: 3,
    };
    let table = tune(&index, &vectors, &carts(&vectors, 80, 18), &settings).unwrap();
    assert_eq!(
        table.len(),
        5,
        "all rows have one shape, a share of them four"
    );
    assert!(table.iter().all(|row| row.recall >= 0.95), "{table:?}");
    assert!(table[1].nprobe >= table[0].nprobe, "{table:?}");
    let planner = PlannerSettings {
        exact_rows: 0,
        exact_eligible: 0,
    };
    let space = SpaceIndex::new(Arc::clone(&vectors), Index::Faiss(index), table, planner).unwrap();
    let exact = ExactIndex::new(Arc::clone(&vectors));
    let queries = carts(&vectors, 80, 19);
    let mut sum = 0.0;
    for query in queries.chunks_exact(D) {
        let mut out = Vec::new();
        let report = space.search(query, 50, None, &mut out).unwrap();
        assert_eq!(report.plan, Plan::Approximate);
        sum += recall(&hits(&exact, query, 50, None), &out);
    }
    assert!(sum / 80.0 > 0.93, "recall {}", sum / 80.0);
}
