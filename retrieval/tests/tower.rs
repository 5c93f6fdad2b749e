//! A network of the snapshot makes the shopper's vector, and must be the other half of the items'.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a test may fail loudly, in its helpers too"
)]

mod support;

use onnx::Network;
use retrieval::files::write_space;
use retrieval::{
    FusionWeights, Kind, Model, Normalisation, Query, Source, SourceWeight, check_towers,
    tower_file, tower_inputs_file,
};
use snapshot::{Builder, Manifest, Snapshot};
use support::{Parts, open, recent, shop, with};
use tempfile::TempDir;

const TOWER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../ranking/tests/golden/models/onnx_user_tower.onnx"
);
const ITEMS: usize = 30;
const DIMENSION: usize = 8;

fn row(item: usize) -> [f32; DIMENSION] {
    let wave = |axis: usize| ((item * (axis + 3) + axis * axis) as f32).sin();
    let row: [f32; DIMENSION] = std::array::from_fn(wave);
    let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
    row.map(|x| x / length)
}

fn silent() -> Parts {
    let mut parts = shop(ITEMS as u32, false);
    parts.covisitation = vec![Vec::new(); ITEMS];
    parts.popularity = vec![0.0; ITEMS];
    parts.embeddings = None;
    parts
}

fn inputs(id: &str, features: &[String]) -> String {
    serde_json::json!({"version": 1, "tower_id": id, "features": features}).to_string()
}

fn features() -> Vec<String> {
    let mean = (0..DIMENSION).map(|at| format!("mean.{at}"));
    let rest = ["count.view", "count.add", "log_price", "category.c1.s3"];
    mean.chain(rest.map(str::to_owned)).collect()
}

/// A space whose items name `items_id`, with a tower that says `inputs`.
fn written(inputs: &str, items_id: Option<&str>) -> (TempDir, Snapshot) {
    let (dir, plain) = silent().write();
    let mut builder = Builder::new(dir.path().join("rich")).unwrap();
    for name in plain.manifest().files.keys() {
        builder.write(name, &plain.read(name).unwrap()).unwrap();
    }
    let rows: Vec<f32> = (0..ITEMS).flat_map(row).collect();
    let mut space = write_space(&mut builder, "two-tower", &rows, DIMENSION).unwrap();
    space.tower = items_id.map(str::to_owned);
    let network = std::fs::read(TOWER).unwrap();
    builder.write(&tower_file("two-tower"), &network).unwrap();
    let file = tower_inputs_file("two-tower");
    builder.write(&file, inputs.as_bytes()).unwrap();
    let manifest = Manifest {
        spaces: vec![space],
        ..Manifest::default()
    };
    (dir, builder.finish(manifest).unwrap())
}

#[test]
fn the_networks_vector_is_what_items_are_searched_with() {
    let (_dir, snapshot) = written(&inputs("run-7", &features()), Some("run-7"));
    let model = Model::load(&snapshot).unwrap();
    let mut query = Query {
        recent: vec![recent("i00009", Kind::View)],
        k: 10,
        ..Query::default()
    };
    query.exclude = vec!["i00009".to_owned()];
    let answer = model.retrieve(&query, &open(&model)).unwrap();
    assert!(answer.degraded.is_empty());

    // Item 9 costs 9.00 and is in c1.s3; alone, its own vector is the mean.
    let mut values = row(9).to_vec();
    values.extend([1.0, 0.0, 900_f32.ln(), 1.0]);
    let network = Network::parse(&std::fs::read(TOWER).unwrap()).unwrap();
    let vector = network.run(&values).unwrap();
    let cosine = |item: usize| -> f32 { row(item).iter().zip(&vector).map(|(a, b)| a * b).sum() };
    let found: Vec<(usize, f64)> = (answer.candidates.iter())
        .filter_map(|one| {
            let said = one
                .sources
                .iter()
                .find(|said| said.source == Source::Content);
            Some((one.ordinal as usize, said?.score))
        })
        .collect();
    let mut expected: Vec<usize> = (0..ITEMS)
        .filter(|at| *at != 9 && cosine(*at) > 0.0)
        .collect();
    expected.sort_by(|a, b| cosine(*b).total_cmp(&cosine(*a)));
    expected.truncate(10);
    assert_eq!(
        found.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        expected
    );
    for (at, score) in found {
        assert!((score - f64::from(cosine(at))).abs() < 1e-5);
    }
}

#[test]
fn what_is_near_an_item_does_not_depend_on_the_tower() {
    let (_dir, snapshot) = written(&inputs("run-7", &features()), Some("run-7"));
    let model = Model::load(&snapshot).unwrap();
    let answer = model.similar("i00009", 3, &retrieval::Filter::default(), &open(&model));
    let nearest = answer.unwrap().candidates[0].ordinal as usize;
    let near = |item: usize| -> f32 { row(item).iter().zip(row(9)).map(|(a, b)| a * b).sum() };
    let best = (0..ITEMS)
        .filter(|at| *at != 9)
        .max_by(|a, b| near(*a).total_cmp(&near(*b)));
    assert_eq!(Some(nearest), best);
}

#[test]
fn a_tower_of_another_run_does_not_pass() {
    let check = |items: Option<&str>| {
        let (_dir, snapshot) = written(&inputs("run-7", &features()), items);
        check_towers(&snapshot).unwrap().remove(0)
    };
    assert!(check(Some("run-7")).passed);
    let stale = check(Some("run-6"));
    assert!(!stale.passed);
    assert_eq!(
        (stale.measured.as_str(), stale.bar.as_str()),
        ("run-7", "run-6")
    );
    let unnamed = check(None);
    assert!(!unnamed.passed && unnamed.bar == "none is named");
    let (_dir, without) = silent().write();
    assert!(check_towers(&without).unwrap().is_empty());
}

#[test]
fn a_tower_that_does_not_fit_is_refused_with_what_is_allowed() {
    let problem = |inputs: &str| {
        let (_dir, snapshot) = written(inputs, Some("run-7"));
        Model::load(&snapshot).unwrap_err().to_string()
    };
    let mut short = features();
    short.pop();
    assert!(problem(&inputs("run-7", &short)).ends_with(
        "space two-tower: features names 11 values, 12 are allowed, what the network reads"
    ));
    let mut odd = features();
    odd[3] = "mean.8".to_owned();
    assert!(
        problem(&inputs("run-7", &odd)).contains("features names \"mean.8\", mean.I, count.KIND")
    );
    assert!(
        problem("{\"version\": 2, \"tower_id\": \"a\", \"features\": []}").contains("version is 2")
    );
}

#[test]
fn spaces_count_by_their_weights() {
    let rows = |angle: fn(f32) -> f32| {
        let at = |item: usize| [angle(item as f32).cos(), angle(item as f32).sin()];
        (0..ITEMS).map(at).collect::<Vec<[f32; 2]>>()
    };
    // Near in `text` are the next items, near in `image` those ten further on.
    let spaces = [
        ("text", rows(|at| at * 0.05)),
        ("image", rows(|at| ((at as i32 * 7) % 30) as f32 * 0.05)),
    ];
    let first = |text: f64, image: f64| {
        let mut fusion = FusionWeights {
            spaces: [("text".to_owned(), text), ("image".to_owned(), image)].into(),
            ..FusionWeights::default()
        };
        fusion.sources[Source::Content as usize] = SourceWeight::new(1.0, Normalisation::Best);
        let (_dir, snapshot) = with(&silent(), &spaces, Some(&fusion));
        let model = Model::load(&snapshot).unwrap();
        let query = Query {
            recent: vec![recent("i00000", Kind::View)],
            exclude: vec!["i00000".to_owned()],
            k: 5,
            ..Query::default()
        };
        let answer = model.retrieve(&query, &open(&model)).unwrap();
        answer.candidates[0].ordinal
    };
    assert_eq!(first(1.0, 0.0), 1);
    assert_eq!(first(0.0, 1.0), 13, "13 · 7 is 1 mod 30");
    assert_ne!(first(1.0, 1.0), 13);
}
