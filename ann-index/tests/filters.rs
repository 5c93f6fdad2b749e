//! Filters: whatever is allowed and however it is asked for, nothing else is answered.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use std::sync::{Arc, LazyLock};

use ann_index::{
    Bitmap, BuildParams, CodeIndex, ExactIndex, FaissIndex, Hit, Index, MaskKind, Plan,
    PlannerSettings, ProbeRow, SearchParams, SpaceIndex, VectorIndex, Vectors,
};
use proptest::prelude::*;
use support::{carts, clustered};

const D: usize = 16;
const ROWS: usize = 3_000;
const NLIST: u32 = 48;

struct Setup {
    vectors: Arc<Vectors>,
    queries: Vec<f32>,
    spaces: Vec<SpaceIndex>,
    lists: FaissIndex,
    flat: FaissIndex,
}

static SETUP: LazyLock<Setup> = LazyLock::new(|| {
    let vectors = clustered(ROWS, D, 40, 1);
    let queries = carts(&vectors, 20, 2);
    let scan_only = PlannerSettings {
        exact_rows: ROWS + 1,
        exact_eligible: 0,
    };
    let index_first = PlannerSettings {
        exact_rows: 0,
        exact_eligible: 0,
    };
    let mixed = PlannerSettings {
        exact_rows: 0,
        exact_eligible: 700,
    };
    let params = BuildParams {
        nlist: NLIST,
        iterations: 5,
        seed: 3,
        threads: 1,
    };
    let build = || FaissIndex::build_ivf_sq8(vectors.as_slice(), D, &params).unwrap();
    let space = |settings| {
        SpaceIndex::new(
            Arc::clone(&vectors),
            Index::Faiss(build()),
            Vec::new(),
            settings,
        )
        .unwrap()
    };
    let codes = CodeIndex::build_scan(Arc::clone(&vectors)).unwrap();
    let code_lists = CodeIndex::build_lists(Arc::clone(&vectors), &params).unwrap();
    let ours = [Index::Codes(codes), Index::Lists(code_lists)]
        .map(|index| SpaceIndex::new(Arc::clone(&vectors), index, table(), index_first).unwrap());
    let spaces = [scan_only, index_first, mixed].map(space);
    let spaces = spaces.into_iter().chain(ours).collect();
    let flat = FaissIndex::build_flat(vectors.as_slice(), D).unwrap();
    let lists = build();
    Setup {
        vectors,
        queries,
        spaces,
        lists,
        flat,
    }
});

/// Small budgets, so that lists are left out wherever the planner may.
fn table() -> Vec<ProbeRow> {
    let row = |selectivity, budget| ProbeRow {
        k: 20,
        selectivity,
        kind: MaskKind::Random,
        nprobe: 0,
        budget,
        scanned: 150,
        recall: 0.9,
    };
    vec![row(1.0, 100), row(0.3, 40), row(0.05, 25)]
}

fn query(at: usize) -> &'static [f32] {
    SETUP.queries.chunks_exact(D).nth(at % 20).unwrap()
}

/// What a reader would write first: score everything, sort, cut.
fn plain(query: &[f32], k: usize, allowed: &Bitmap) -> Vec<u32> {
    let score = |id: u32| -> f64 {
        let row = SETUP.vectors.row(id).unwrap();
        row.iter()
            .zip(query)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    let mut all: Vec<(f64, u32)> = allowed.iter().map(|id| (score(id), id)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    all.into_iter().take(k).map(|(_, id)| id).collect()
}

fn ids(hits: &[Hit]) -> Vec<u32> {
    hits.iter().map(|hit| hit.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn only_allowed_rows_are_answered_and_enough_of_them(
        at in 0usize..20,
        k in 1usize..200,
        start in 0u32..3_000,
        step in 1usize..40,
        len in 1usize..3_000,
    ) {
        let chosen = (start..).step_by(step).take(len).filter(|&id| (id as usize) < ROWS);
        let allowed = Bitmap::from_ids(ROWS, chosen);
        for space in &SETUP.spaces {
            let mut out = Vec::new();
            let report = space.search(query(at), k, Some(&allowed), &mut out).unwrap();
            prop_assert!(out.iter().all(|hit| allowed.contains(hit.id)));
            let enough = k.min(usize::try_from(allowed.count()).unwrap());
            prop_assert_eq!(out.len(), enough, "{:?}", report);
            prop_assert_eq!(report.eligible, allowed.count());
            let mut unique = ids(&out);
            unique.sort_unstable();
            unique.dedup();
            prop_assert_eq!(unique.len(), out.len());
            if report.plan == Plan::Exact {
                prop_assert_eq!(ids(&out), plain(query(at), k, &allowed));
            }
        }
    }

    /// FAISS itself, with no planner that could scan instead.
    #[test]
    fn faiss_answers_only_allowed_rows_and_all_lists_hold_enough(
        at in 0usize..20,
        k in 1usize..200,
        nprobe in 1u32..60,
        start in 0u32..3_000,
        step in 1usize..40,
        inverted: bool,
    ) {
        let chosen = (start..).step_by(step).take_while(|&id| (id as usize) < ROWS);
        let mut allowed = Bitmap::from_ids(ROWS, chosen);
        if inverted {
            let mut rest = Bitmap::full(ROWS);
            rest.and_not(&allowed);
            allowed = rest;
        }
        let enough = k.min(usize::try_from(allowed.count()).unwrap());
        let mut out = Vec::new();
        let params = SearchParams { nprobe };
        SETUP.lists.search_with(query(at), k, params, Some(&allowed), &mut out).unwrap();
        prop_assert!(out.iter().all(|hit| allowed.contains(hit.id)));
        prop_assert!(nprobe < NLIST || out.len() == enough);
        SETUP.flat.search(query(at), k, Some(&allowed), &mut out).unwrap();
        prop_assert_eq!(out.len(), enough);
        prop_assert!(out.iter().all(|hit| allowed.contains(hit.id)));
    }

    #[test]
    fn equal_sets_get_equal_answers_however_they_were_made(
        at in 0usize..20,
        low in 0u32..1_500,
        high in 1_500u32..3_000,
    ) {
        let direct = Bitmap::from_ids(ROWS, low..high);
        let mut cut = Bitmap::full(ROWS);
        cut.and_not(&Bitmap::from_ids(ROWS, 0..low));
        cut.and_not(&Bitmap::from_ids(ROWS, high..3_000));
        let mut joined = Bitmap::from_ids(ROWS, low..1_500);
        joined.or(&Bitmap::from_ids(ROWS, 1_500..high));
        for space in &SETUP.spaces {
            let answer = |allowed| {
                let mut out = Vec::new();
                space.search(query(at), 30, Some(allowed), &mut out).unwrap();
                out
            };
            prop_assert_eq!(answer(&cut), answer(&direct));
            prop_assert_eq!(answer(&joined), answer(&direct));
        }
    }
}

#[test]
fn no_filter_and_a_filter_that_allows_everything_are_one() {
    let everything = Bitmap::full(ROWS);
    for space in &SETUP.spaces {
        let (mut free, mut full) = (Vec::new(), Vec::new());
        space.search(query(0), 25, None, &mut free).unwrap();
        space
            .search(query(0), 25, Some(&everything), &mut full)
            .unwrap();
        assert_eq!(free, full);
    }
}

#[test]
fn nothing_allowed_gives_nothing() {
    for space in &SETUP.spaces {
        let mut out = vec![Hit { id: 1, score: 1.0 }];
        let report = space
            .search(query(0), 25, Some(&Bitmap::new(ROWS)), &mut out)
            .unwrap();
        assert_eq!((out.len(), report.eligible), (0, 0));
    }
}

#[test]
fn the_planner_scans_few_rows_and_probes_for_many() {
    let mixed = &SETUP.spaces[2];
    let mut out = Vec::new();
    let few = Bitmap::from_ids(ROWS, 0..600);
    assert_eq!(
        mixed
            .search(query(0), 10, Some(&few), &mut out)
            .unwrap()
            .plan,
        Plan::Exact
    );
    let report = mixed.search(query(0), 10, None, &mut out).unwrap();
    assert_eq!(report.plan, Plan::Approximate);
    assert!(report.lists_probed > 0);
}

/// What the planner takes depends on how many rows are allowed: on either side of a threshold the
/// answer must be full, and the exact side exact.
#[test]
fn a_fifth_to_either_side_of_a_threshold_nothing_is_lost() {
    let space = &SETUP.spaces[4];
    let mut plans = Vec::new();
    for eligible in 20..ROWS {
        if ![80, 100, 120].contains(&(eligible * 100 / 150)) && eligible % 97 != 0 {
            continue;
        }
        let allowed = Bitmap::from_ids(
            ROWS,
            (0..ROWS as u32).filter(|id| id * 7 % 3_000 < eligible as u32),
        );
        let mut out = Vec::new();
        let report = space
            .search(query(eligible), 20, Some(&allowed), &mut out)
            .unwrap();
        assert_eq!(out.len(), 20, "{eligible} rows allowed");
        assert!(out.iter().all(|hit| allowed.contains(hit.id)));
        if report.plan == Plan::Exact {
            assert_eq!(ids(&out), plain(query(eligible), 20, &allowed));
        }
        plans.push(report.plan);
    }
    assert!(plans.contains(&Plan::Exact) && plans.contains(&Plan::Approximate));
}

#[test]
fn equal_scores_are_in_order_of_id() {
    let same = Arc::new(Vectors::new(vec![1.0; 200], 2).unwrap());
    let mut out = Vec::new();
    ExactIndex::new(same)
        .search(&[1.0, 1.0], 10, None, &mut out)
        .unwrap();
    assert_eq!(ids(&out), (0..10).collect::<Vec<_>>());
}
