//! One retrieval over 100,000 items with 64 dimensions, on one thread, source by source.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a benchmark may fail loudly"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use ann_index::{BuildParams, FaissIndex, SearchParams, VectorIndex as _, Vectors, recall};

use criterion::{Criterion, criterion_group, criterion_main};
use retrieval::files::{
    Embeddings, IndexOptions, write_covisitation, write_embeddings, write_index, write_popularity,
    write_space, write_space_index,
};
use retrieval::{Filter, FusionWeights, Gate, Kind, Model, Query, Recent};
use snapshot::{Builder, Catalogue, CatalogueItem, Manifest, Snapshot, files};

const ITEMS: u32 = 100_000;
const DIMENSION: usize = 64;
const NEIGHBOURS: usize = 50;

struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u32) -> u32 {
        ((self.next() >> 33) % u64::from(n)) as u32
    }

    fn even(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    }
}

fn embeddings(numbers: &mut Numbers) -> Embeddings {
    let centers: Vec<f32> = (0..500 * DIMENSION).map(|_| numbers.even()).collect();
    let mut vectors = Vec::with_capacity(ITEMS as usize * DIMENSION);
    for id in 0..ITEMS as usize {
        let center = &centers[(id % 500) * DIMENSION..(id % 500 + 1) * DIMENSION];
        vectors.extend(center.iter().map(|x| x + 0.4 * numbers.even()));
    }
    Embeddings {
        vectors,
        dimension: DIMENSION,
        alpha: 20.0,
        regularisation: 1.0,
    }
}

/// Carts of three items, folded in as serving will do it.
fn carts(embeddings: &Embeddings, numbers: &mut Numbers, count: usize) -> Vec<f32> {
    let fold_in = embeddings.fold_in().unwrap();
    (0..count)
        .flat_map(|_| {
            fold_in
                .vector([0; 3].map(|_| (numbers.below(ITEMS), 3.0)))
                .unwrap()
        })
        .collect()
}

/// The same vectors at length 1, as a space of content.
fn add_content(builder: &mut Builder, embeddings: &Embeddings, manifest: &mut Manifest) {
    let lengths = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
    let unit: Vec<f32> = embeddings
        .vectors
        .chunks_exact(DIMENSION)
        .flat_map(|row| row.iter().map(move |x| x / lengths(row)))
        .collect();
    write_space(builder, "text", &unit, DIMENSION).unwrap();
    let mut numbers = Numbers(31);
    let carts: Vec<f32> = (0..100)
        .flat_map(|_| {
            let start = numbers.below(ITEMS) as usize * DIMENSION;
            unit[start..start + DIMENSION].to_vec()
        })
        .collect();
    let vectors = Arc::new(Vectors::new(unit, DIMENSION).unwrap());
    let options = IndexOptions::default();
    let report = write_space_index(builder, "text", &vectors, &carts, &options).unwrap();
    manifest.spaces.push(report.space);
    manifest.probes.extend(report.probes);
}

fn build(out: &std::path::Path, content: bool) -> Snapshot {
    let mut numbers = Numbers(9);
    let mut builder = Builder::new(out).unwrap();
    let item = |id: u32| CatalogueItem {
        item_id: format!("item-{id:06}"),
        category_path: vec![format!("c{}", id % 20), format!("s{}", id % 400)],
        brand: format!("b{}", id % 50),
        price_minor: i64::from(id % 1_000) * 10 + 10,
        ..CatalogueItem::default()
    };
    let catalogue = Catalogue::new((0..ITEMS).map(item).collect()).unwrap();
    builder
        .write(files::ITEMS, &catalogue.to_jsonl().unwrap())
        .unwrap();
    let mut row = |_| -> Vec<(u32, f32)> {
        (0..NEIGHBOURS)
            .map(|at| (numbers.below(ITEMS), 1.0 + at as f32))
            .collect()
    };
    let rows: Vec<Vec<(u32, f32)>> = (0..ITEMS).map(&mut row).collect();
    write_covisitation(&mut builder, &rows).unwrap();
    let popularity: Vec<f32> = (0..ITEMS)
        .map(|id| 1e6 / (1.0 + (id * 7 % ITEMS) as f32))
        .collect();
    write_popularity(&mut builder, &popularity).unwrap();
    let embeddings = embeddings(&mut numbers);
    write_embeddings(&mut builder, &embeddings).unwrap();
    let held_out = carts(&embeddings, &mut numbers, 100);
    let report = write_index(
        &mut builder,
        &embeddings,
        &held_out,
        &IndexOptions::default(),
    )
    .unwrap();
    println!("probes measured: {:#?}", report.probes);
    let mut manifest = Manifest {
        spaces: vec![report.space],
        probes: report.probes,
        ..Manifest::default()
    };
    if content {
        add_content(&mut builder, &embeddings, &mut manifest);
    }
    builder.finish(manifest).unwrap()
}

fn query(k: usize, filter: Filter) -> Query {
    let mut numbers = Numbers(77);
    let recent: Vec<Recent> = (0..8)
        .map(|at| Recent {
            item_id: format!("item-{:06}", numbers.below(ITEMS)),
            kind: if at < 3 { Kind::Add } else { Kind::View },
            age: Duration::from_secs(60 * at),
        })
        .collect();
    let exclude = recent
        .iter()
        .take(3)
        .map(|recent| recent.item_id.clone())
        .collect();
    Query {
        recent,
        exclude,
        k,
        filter,
        ..Query::default()
    }
}

/// What a query costs before any vector is searched: d³/6 multiplications and 8 rank-one terms.
fn fold_in(c: &mut Criterion) {
    let fold_in = embeddings(&mut Numbers(3)).fold_in().unwrap();
    let items: Vec<(u32, f32)> = (0..8).map(|at| (at * 977, 1.0)).collect();
    c.bench_function("fold in 8 items", |b| {
        b.iter(|| fold_in.vector(black_box(&items).iter().copied()).unwrap());
    });
}

/// FAISS's own call on vectors of the same making, with the vector of the same cart: what finding
/// neighbours alone costs there, at the first number of lists with a recall of .95 on other carts.
fn faiss_alone(c: &mut Criterion) {
    let mut numbers = Numbers(3);
    let embeddings = embeddings(&mut numbers);
    let flat = FaissIndex::build_flat(&embeddings.vectors, DIMENSION).unwrap();
    let params = BuildParams::for_rows(ITEMS as usize, 1);
    let lists = FaissIndex::build_ivf_sq8(&embeddings.vectors, DIMENSION, &params).unwrap();
    let carts = carts(&embeddings, &mut numbers, 100);
    let mut found = (Vec::new(), Vec::new());
    let mut recall_at = |nprobe| {
        let of = |cart: &[f32]| {
            let params = SearchParams { nprobe };
            flat.search(cart, 100, None, &mut found.0).unwrap();
            lists
                .search_with(cart, 100, params, None, &mut found.1)
                .unwrap();
            recall(&found.0, &found.1)
        };
        carts.chunks_exact(DIMENSION).map(of).sum::<f64>() / 100.0
    };
    let nprobe = (0..10).map(|n| 1 << n).find(|n| recall_at(*n) >= 0.95);
    let nprobe = nprobe.unwrap_or(1_024);
    let fold_in = embeddings.fold_in().unwrap();
    let items: Vec<(u32, f32)> = (0..8).map(|at| (at * 977, 1.0)).collect();
    let vector = fold_in.vector(items.iter().copied()).unwrap();
    let mut out = Vec::new();
    c.bench_function("FAISS alone, flat, k100", |b| {
        b.iter(|| {
            flat.search(black_box(&vector), 100, None, &mut out)
                .unwrap()
        });
    });
    c.bench_function(
        &format!("FAISS alone, {nprobe} lists of 8-bit codes, k100"),
        |b| {
            let params = SearchParams { nprobe };
            b.iter(|| {
                let query = black_box(&vector);
                lists
                    .search_with(query, 100, params, None, &mut out)
                    .unwrap()
            });
        },
    );
}

fn retrieve(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = build(&dir.path().join("snapshot"), false);
    let model = Model::load(&snapshot).unwrap();
    let whole = build(&dir.path().join("whole"), true);
    let whole = Model::load(&whole).unwrap();
    let whole = whole.with_fusion(FusionWeights {
        price_bands: 4,
        ..FusionWeights::default()
    });
    let whole = whole.unwrap();
    let mut asking = query(100, Filter::default());
    asking.score = asking.exclude.clone();
    let tables = Model::load_without_index(&snapshot).unwrap();
    let gate = Gate::open(model.catalogue().len());
    let brand = Filter {
        brands: vec!["b7".into()],
        ..Filter::default()
    };
    let half = Filter {
        max_price_minor: Some(5_000),
        ..Filter::default()
    };
    let cases = [
        ("k100", &model, query(100, Filter::default())),
        ("k100 one brand of 50", &model, query(100, brand)),
        ("k100 half by price", &model, query(100, half)),
        ("k100 and the cart's lines scored", &model, asking),
        (
            "k100 with content and price bands",
            &whole,
            query(100, Filter::default()),
        ),
        ("k500", &model, query(500, Filter::default())),
        (
            "k100 without the index",
            &tables,
            query(100, Filter::default()),
        ),
    ];
    for (name, model, query) in &cases {
        println!("{name}: {:?}", model.retrieve(query, &gate).unwrap().plan);
        c.bench_function(name, |b| {
            b.iter(|| model.retrieve(black_box(query), &gate).unwrap())
        });
    }
    c.bench_function("load", |b| b.iter(|| Model::load(&snapshot).unwrap()));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = fold_in, faiss_alone, retrieve
}
criterion_main!(benches);
