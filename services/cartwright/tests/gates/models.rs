//! Models of other libraries from their file to the live snapshot: built, published, examined.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use snapshot::Snapshot;

use crate::built::files;
use crate::shop::{Said, World, cartwright, text};

fn given(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ranking/tests/golden/models");
    folder.join(name)
}

fn golden(name: &str) -> Value {
    serde_json::from_slice(&fs::read(given(&format!("{name}.golden.json"))).unwrap()).unwrap()
}

/// What the library said, as `--golden` reads it: where a number is missing there is nothing.
fn library(golden: &Value, file: &Path) {
    let rows = golden["rows"].as_array().unwrap().iter();
    let scores = golden["scores"].as_array().unwrap().iter();
    let row = |row: &Value| -> Value {
        let cells = row.as_array().unwrap().iter();
        let cell = |cell: &Value| {
            if cell == "nan" {
                Value::Null
            } else {
                cell.clone()
            }
        };
        cells.map(cell).collect()
    };
    let whole = |row: &Value| {
        let mut cells = row.as_array().unwrap().iter();
        cells.all(|cell| cell.as_f64().map_or(cell == "nan", |x| x.abs() < 1e30))
    };
    let pairs = rows
        .zip(scores)
        .filter(|(row, score)| whole(row) && score.is_number());
    let (rows, scores): (Vec<Value>, Vec<&Value>) =
        pairs.map(|(one, score)| (row(one), score)).unzip();
    assert!(!rows.is_empty());
    fs::write(
        file,
        json!({"rows": rows, "scores": scores}).to_string() + "\n",
    )
    .unwrap();
}

/// Builds from the items of `files`, in the folder `model`.
fn build(dir: &Path, more: &[&str]) -> Said {
    let (items, out) = (dir.join("items.jsonl"), dir.join("model"));
    let mut args = vec![
        "snapshot",
        "build",
        "--items",
        text(&items),
        "--out",
        text(&out),
    ];
    args.push("--json");
    args.extend(more);
    cartwright(&args)
}

fn note(said: &Said) -> String {
    said.json()["filled"].to_string()
}

/// Publishes what was built and makes it the live one, with every gate.
fn go_live(world: &World, built: &Said) {
    let id = built.json()["id"].as_str().unwrap().to_owned();
    let published = world.publish(&world.path("model"));
    assert!(published.ok, "{published:?}");
    let said = world.activate(&id, &[]);
    assert!(said.ok, "{said:?}");
    let verdicts = said.json()["verdicts"].as_array().unwrap().clone();
    let golden = verdicts.iter().filter(|one| one["gate"] == "golden");
    assert!(
        golden.clone().any(|one| one["role"] == "recovery"),
        "{said:?}"
    );
    assert!(verdicts.iter().all(|one| one["passed"] == true), "{said:?}");
    assert_eq!(world.live(), id);
}

#[test]
fn a_ranker_of_each_library_goes_live_as_the_file_that_it_is_with_the_librarys_scores() {
    for (name, ending, file) in [
        ("lightgbm_ranker", "txt", "ranker.txt"),
        ("xgboost_ranker", "json", "ranker.json"),
        ("onnx_ranker", "onnx", "ranker.onnx"),
    ] {
        let world = World::empty();
        let dir = world.dir.path();
        files(dir);
        let (ranker, scores) = (given(&format!("{name}.{ending}")), dir.join("scores.jsonl"));
        library(&golden(name), &scores);
        let embeddings = format!("collab={}", text(&dir.join("E.npy")));
        let models = ["--ranker", text(&ranker), "--golden", text(&scores)];
        let built = build(dir, &[&["--embeddings", &embeddings], &models[..]].concat());
        assert!(built.ok, "{built:?}");
        assert!(!note(&built).contains("golden scores"), "{built:?}");
        let snapshot = Snapshot::open(dir.join("model")).unwrap();
        assert_eq!(
            snapshot.read(file).unwrap(),
            fs::read(&ranker).unwrap(),
            "{name}"
        );
        go_live(&world, &built);
        // Scores of another model are not this one's.
        let mut other = golden(name);
        let first = other["scores"][0].as_f64().unwrap();
        other["scores"][0] = json!(first + 1e-4);
        library(&other, &scores);
        let refused = build(dir, &models);
        assert!(
            refused.err.contains("line 1 of golden/rank.jsonl"),
            "{refused:?}"
        );
    }
}

#[test]
fn features_of_a_network_are_mapped_and_its_scores_stay_the_librarys() {
    let world = World::empty();
    let dir = world.dir.path();
    files(dir);
    let (ranker, scores) = (given("onnx_hard_rows.onnx"), dir.join("scores.jsonl"));
    library(&golden("onnx_hard_rows"), &scores);
    let models = ["--ranker", text(&ranker), "--golden", text(&scores)];
    let refused = build(dir, &models);
    assert!(
        refused.err.contains("x0: nothing is called like that"),
        "{refused:?}"
    );
    let ours = [
        "fused",
        "place",
        "log_price",
        "in_cart",
        "cart_lines",
        "revisit",
        "sessions",
    ];
    let names: Value = (0..)
        .zip(ours)
        .map(|(at, ours)| (format!("x{at}"), json!(ours)))
        .collect();
    let map = dir.join("names.json");
    fs::write(&map, names.to_string()).unwrap();
    let built = build(dir, &[&models[..], &["--names", text(&map)]].concat());
    assert!(built.ok, "{built:?}");
    assert_eq!(built.json()["renamed"].as_array().unwrap().len(), 7);
    let file = dir.join("model/ranker.onnx");
    let shown = cartwright(&["model", "inspect", "--model", text(&file), "--json"]).json();
    let features = shown["features"].as_array().unwrap().iter();
    let features: Vec<&Value> = features.map(|one| &one["name"]).collect();
    assert_eq!(features, ours);
    go_live(&world, &built);
}

#[test]
fn a_tower_goes_live_with_the_vectors_of_its_run_and_with_no_others() {
    let world = World::empty();
    let dir = world.dir.path();
    files(dir);
    let space = format!("text={}", text(&dir.join("E.npy")));
    let tower = format!("text={}", text(&given("onnx_named_tower.onnx")));
    let fusion = dir.join("weights.json");
    let weights = json!({"version": 1, "sources": {}, "newest": 1.0, "price_bands": 0,
        "spaces": {"text": 0.5}});
    fs::write(&fusion, weights.to_string()).unwrap();
    let args = [
        "--embeddings",
        &space,
        "--tower",
        &tower,
        "--fusion",
        text(&fusion),
    ];
    let with = |more: &[&str]| build(dir, &[&args[..], more].concat());
    let unnamed = with(&[]);
    assert!(
        unnamed
            .err
            .contains("nothing says which run made the vectors"),
        "{unnamed:?}"
    );
    let stale = with(&["--run", "text=run-6"]);
    assert!(
        stale.err.contains("\"run-7\" for vectors of run \"run-6\""),
        "{stale:?}"
    );
    let nowhere = build(dir, &["--tower", &tower]);
    assert!(
        nowhere.err.contains("no vectors of a space text"),
        "{nowhere:?}"
    );
    let built = with(&["--run", "text=run-7"]);
    assert!(built.ok, "{built:?}");
    let snapshot = Snapshot::open(dir.join("model")).unwrap();
    assert!(snapshot.has("tower/text.onnx") && snapshot.has("fusion.json"));
    assert_eq!(
        snapshot.manifest().spaces[0].tower.as_deref(),
        Some("run-7")
    );
    let said = cartwright(&[
        "snapshot",
        "verify",
        text(snapshot.dir()),
        "--gates",
        "--json",
    ]);
    let verdicts = said.json()["verdicts"].as_array().unwrap().clone();
    let tower = verdicts.iter().find(|one| one["gate"] == "tower").unwrap();
    assert_eq!(
        (&tower["passed"], &tower["role"]),
        (&json!(true), &json!("candidates"))
    );
}
