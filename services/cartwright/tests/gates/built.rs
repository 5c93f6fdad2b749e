//! Snapshots of what a team has: what is filled in, what is renamed, and what is refused.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::shop::{Said, World, cartwright, text};

const ITEMS: usize = 40;
const WIDTH: usize = 6;

/// Items as JSON lines in no order, and their vectors as NumPy writes them.
pub(crate) fn files(dir: &Path) {
    let id = |at: usize| format!("sku-{}", (at * 7) % ITEMS);
    let lines: Vec<String> = (0..ITEMS)
        .map(|at| json!({"item_id": id(at), "name": "lamp", "price_minor": 100 + at, "currency": "EUR"}))
        .map(|item| item.to_string())
        .collect();
    fs::write(dir.join("items.jsonl"), lines.join("\n")).unwrap();
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({ITEMS}, {WIDTH}), }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    npy.extend(header.as_bytes());
    for at in 0..ITEMS * WIDTH {
        let x = f32::from(u8::try_from(at * 31 % 101).unwrap()) / 100.0 - 0.4;
        npy.extend(x.to_le_bytes());
    }
    fs::write(dir.join("E.npy"), npy).unwrap();
    let ranker = json!({"columns": ["fused", "log_price"], "means": [0.0, 0.0], "scales": [1.0, 1.0],
        "weights": [1.0, -0.5], "note": "a test"});
    fs::write(dir.join("ranker.json"), ranker.to_string()).unwrap();
}

fn build(dir: &Path, more: &[&str]) -> Said {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let collab = format!("collab={}", path("E.npy"));
    let (items, ranker, out) = (path("items.jsonl"), path("ranker.json"), path("model"));
    let mut args = vec![
        "snapshot",
        "build",
        "--items",
        &items,
        "--embeddings",
        &collab,
    ];
    args.extend(["--ranker", &ranker, "--out", &out, "--json"]);
    args.extend(more);
    cartwright(&args)
}

fn filled(said: &Said) -> Vec<String> {
    let json = said.json();
    let filled = json["filled"].as_array().unwrap().iter();
    filled.map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_not_given_is_filled_in_and_said_and_the_rest_passes_every_gate() {
    let world = World::new();
    let dir = world.dir.path();
    files(dir);
    let built = build(dir, &[]);
    assert!(built.ok, "{built:?}");
    let filled = filled(&built);
    for what in ["policy", "risk", "co-visitation", "popularity", "quality"] {
        assert!(
            filled.iter().any(|one| one.starts_with(what)),
            "{what}: {filled:?}"
        );
    }
    let own = "made by this build, and not by the library";
    assert!(filled.iter().any(|one| one.contains(own)), "{filled:?}");
    let model = dir.join("model");
    let said = cartwright(&["snapshot", "verify", text(&model), "--gates", "--json"]);
    assert!(said.ok, "{said:?}");
    // The label travels with the snapshot.
    let shown = cartwright(&["snapshot", "show", text(&model), "--json"]).json();
    let notes: Vec<&Value> = shown["manifest"]["notes"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    assert!(
        notes
            .iter()
            .any(|note| note.as_str().unwrap().contains(own)),
        "{notes:?}"
    );
    // Against a live one that was measured, it has to say how good it is.
    assert!(world.publish(&model).ok);
    let refused = world.activate(shown["id"].as_str().unwrap(), &[]);
    assert_eq!(refused.refusing(), ["quality"], "{refused:?}");
}

#[test]
fn the_same_files_give_the_same_snapshot() {
    let world = World::new();
    files(world.dir.path());
    let first = build(world.dir.path(), &[]).json()["id"].clone();
    assert_eq!(build(world.dir.path(), &[]).json()["id"], first);
}

#[test]
fn scores_of_the_library_are_kept_when_they_are_ours_and_refused_when_not() {
    let world = World::new();
    let dir = world.dir.path();
    files(dir);
    let golden = dir.join("golden.jsonl");
    fs::write(
        &golden,
        "{\"rows\": [[2.0, 1.0], [0.5, 3.0]], \"scores\": [1.5, -1.0]}\n",
    )
    .unwrap();
    let built = build(dir, &["--golden", text(&golden)]);
    assert!(built.ok, "{built:?}");
    assert!(
        !filled(&built)
            .iter()
            .any(|one| one.starts_with("golden scores"))
    );
    let model = dir.join("model");
    assert!(cartwright(&["snapshot", "verify", text(&model), "--gates"]).ok);
    fs::write(&golden, "{\"rows\": [[2.0, 1.0]], \"scores\": [1.6]}\n").unwrap();
    let refused = build(dir, &["--golden", text(&golden)]);
    assert!(
        refused.err.contains("line 1 of golden/rank.jsonl"),
        "{refused:?}"
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let world = World::new();
    let dir = world.dir.path();
    files(dir);
    let items = fs::read_to_string(dir.join("items.jsonl")).unwrap();
    fs::write(dir.join("items.jsonl"), items.lines().next().unwrap()).unwrap();
    let said = build(dir, &[]);
    assert!(said.err.contains("40 rows for 1 items"), "{said:?}");
    fs::write(dir.join("items.jsonl"), format!("{items}\n{{\"item\":}}")).unwrap();
    let said = build(dir, &[]);
    assert!(said.err.contains("line 41"), "{said:?}");
    fs::write(dir.join("items.jsonl"), items).unwrap();
    let npy = fs::read(dir.join("E.npy")).unwrap();
    fs::write(dir.join("E.npy"), &npy[..npy.len() - 4]).unwrap();
    let said = build(dir, &[]);
    assert!(said.err.contains("cut short"), "{said:?}");
}
