//! The index that a snapshot gets, measured on carts that it was not tuned on, under filters that
//! it was not tuned on.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use std::sync::{Arc, LazyLock};

use ann_index::{
    Bitmap, ChooseSettings, Considered, ExactIndex, Index, IndexKind, Plan, PlannerSettings,
    SpaceIndex, TuneSettings, VectorIndex, Vectors, choose, recall,
};
use support::{Numbers, carts, shop};

const ROWS: usize = 60_000;
const D: usize = 64;
const K: usize = 100;

struct Setup {
    vectors: Arc<Vectors>,
    clusters: Vec<usize>,
    queries: Vec<f32>,
    space: SpaceIndex,
    considered: Vec<Considered>,
}

static SETUP: LazyLock<Setup> = LazyLock::new(|| {
    let (vectors, clusters) = shop(ROWS, D, 1);
    let settings = ChooseSettings {
        kinds: vec![IndexKind::Scan, IndexKind::Codes, IndexKind::Lists],
        ..ChooseSettings::default()
    };
    let chosen = choose(&vectors, &carts(&vectors, 150, 2), &settings).unwrap();
    let planner = PlannerSettings::default();
    Setup {
        queries: carts(&vectors, 60, 3),
        space: SpaceIndex::new(Arc::clone(&vectors), chosen.index, chosen.probes, planner).unwrap(),
        considered: chosen.considered,
        vectors,
        clusters,
    }
});

/// Rows drawn evenly.
fn drawn(share: f64, seed: u64) -> Bitmap {
    let mut numbers = Numbers::new(seed);
    let bar = (share * f64::from(1 << 30)) as usize;
    let ids = (0..ROWS as u32).filter(|_| numbers.below(1 << 30) < bar);
    Bitmap::from_ids(ROWS, ids)
}

/// Whole clusters, the last one cut: a category.
fn of_clusters(share: f64, seed: u64) -> Bitmap {
    let mut numbers = Numbers::new(seed);
    let mut order: Vec<(u64, usize)> = (0..ROWS / 50).map(|at| (numbers.next(), at)).collect();
    order.sort_unstable();
    let mut rank = vec![0; order.len()];
    for (place, (_, cluster)) in order.into_iter().enumerate() {
        rank[cluster] = place;
    }
    let mut ids: Vec<u32> = (0..ROWS as u32).collect();
    ids.sort_by_key(|&id| (rank[SETUP.clusters[id as usize]], id));
    ids.truncate((share * ROWS as f64) as usize);
    Bitmap::from_ids(ROWS, ids)
}

/// Mean recall over the carts, and the plans taken.
fn measure(allowed: Option<&Bitmap>) -> (f64, Vec<Plan>) {
    let exact = ExactIndex::new(Arc::clone(&SETUP.vectors));
    let (mut sum, mut plans) = (0.0, Vec::new());
    for query in SETUP.queries.chunks_exact(D) {
        let (mut truth, mut found) = (Vec::new(), Vec::new());
        exact.search(query, K, allowed, &mut truth).unwrap();
        let report = SETUP.space.search(query, K, allowed, &mut found).unwrap();
        assert_eq!(found.len(), truth.len(), "{report:?}");
        assert!(
            found
                .iter()
                .all(|hit| allowed.is_none_or(|set| set.contains(hit.id)))
        );
        let met = recall(&truth, &found);
        assert!(report.plan == Plan::Approximate || met >= 1.0, "{report:?}");
        sum += met;
        plans.push(report.plan);
    }
    (sum / plans.len() as f64, plans)
}

#[test]
fn recall_at_100_is_95_percent_under_every_filter() {
    assert_eq!(SETUP.space.kind(), IndexKind::Lists);
    let (all, plans) = measure(None);
    assert!(all >= 0.95, "no filter: {all}");
    assert!(plans.iter().all(|&plan| plan == Plan::Approximate));
    for share in [0.5, 0.1, 0.01, 0.001] {
        let root = f64::sqrt(share);
        let mut both = drawn(root, 5);
        both.and(&of_clusters(root, 6));
        for (name, mask) in [
            ("random", drawn(share, 7)),
            ("clusters", of_clusters(share, 8)),
            ("both", both),
        ] {
            let (recall, _) = measure(Some(&mask));
            assert!(recall >= 0.95, "{share} {name}: {recall}");
        }
    }
}

/// Where the table has a band, and a fifth to either side of it.
#[test]
fn recall_holds_between_the_bands() {
    for share in [0.4, 0.6, 0.16, 0.24, 0.08, 0.12, 0.04, 0.06, 0.016, 0.024] {
        for mask in [drawn(share, 9), of_clusters(share, 10)] {
            let (recall, _) = measure(Some(&mask));
            assert!(recall >= 0.95, "{share}: {recall}");
        }
    }
}

#[test]
fn all_but_a_carts_own_items_costs_what_no_filter_costs() {
    let mut most = Bitmap::full(ROWS);
    (0..30).for_each(|id| most.clear(id * 997));
    let (recall, plans) = measure(Some(&most));
    assert!(recall >= 0.95, "{recall}");
    assert!(plans.iter().all(|&plan| plan == Plan::Approximate));
    let query = &SETUP.queries[..D];
    let mut out = Vec::new();
    let free = SETUP.space.search(query, K, None, &mut out).unwrap();
    let cart = SETUP.space.search(query, K, Some(&most), &mut out).unwrap();
    assert!(
        cart.scanned <= free.scanned + ROWS as u64 / 50,
        "{cart:?} {free:?}"
    );
}

#[test]
fn the_choice_is_the_least_work_and_says_what_else_was_measured() {
    let considered = &SETUP.considered;
    let kinds: Vec<IndexKind> = considered.iter().map(|one| one.kind).collect();
    let expected = [
        IndexKind::Scan,
        IndexKind::Codes,
        IndexKind::Lists,
        IndexKind::Lists,
    ];
    assert_eq!(kinds, expected);
    let least = considered.iter().min_by_key(|one| one.work).unwrap();
    assert_eq!(least.kind, IndexKind::Lists);
    assert!(least.recall >= 0.97, "{least:?}");
}

#[test]
fn few_rows_or_few_carts_keep_the_answer_exact() {
    let (small, _) = shop(4_000, D, 11);
    let kind = |vectors: &Arc<Vectors>, queries: usize| {
        let carts = carts(vectors, queries, 12);
        let chosen = choose(vectors, &carts, &ChooseSettings::default()).unwrap();
        assert!(chosen.probes.is_empty());
        chosen.index.kind()
    };
    assert_eq!(kind(&small, 100), IndexKind::Codes);
    assert_eq!(kind(&SETUP.vectors, 10), IndexKind::Codes);
    let (tiny, _) = shop(200, D, 13);
    assert_eq!(kind(&tiny, 0), IndexKind::Scan);
}

#[test]
fn the_choice_and_its_bytes_are_the_same_whatever_the_threads() {
    let (vectors, _) = shop(8_000, D, 14);
    let carts = carts(&vectors, 60, 15);
    let dir = tempfile::tempdir().unwrap();
    let made = |threads| {
        let settings = ChooseSettings {
            threads,
            tune: TuneSettings {
                ks: vec![10],
                ..TuneSettings::default()
            },
            ..ChooseSettings::default()
        };
        let chosen = choose(&vectors, &carts, &settings).unwrap();
        let path = dir.path().join(threads.to_string());
        chosen.index.save(&path).unwrap();
        let loaded = Index::load(chosen.index.kind(), &path, &vectors).unwrap();
        assert_eq!(loaded.lists(), chosen.index.lists());
        (
            chosen.probes,
            chosen.considered,
            std::fs::read(path).unwrap(),
        )
    };
    assert!(made(1) == made(2));
}
