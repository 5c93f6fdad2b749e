//! What cannot be read, or is not what was built: refused before anything is loaded, and not even
//! published.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::shop::{World, cartwright, good, text};

struct Case {
    name: &'static str,
    gate: &'static str,
    harm: fn(&Path),
}

fn manifest(dir: &Path, from: &str, to: &str) {
    let path = dir.join("manifest.json");
    let json = fs::read_to_string(&path).unwrap();
    assert!(json.contains(from), "{from}");
    fs::write(path, json.replacen(from, to, 1)).unwrap();
}

const CASES: &[Case] = &[
    Case {
        name: "a truncated file",
        gate: "integrity",
        harm: |dir| {
            let bytes = fs::read(dir.join("items.jsonl")).unwrap();
            fs::write(dir.join("items.jsonl"), &bytes[..bytes.len() / 2]).unwrap();
        },
    },
    Case {
        name: "a flipped byte",
        gate: "integrity",
        harm: |dir| {
            let path = dir.join("embeddings/collab.safetensors");
            let mut bytes = fs::read(&path).unwrap();
            let at = bytes.len() - 9;
            bytes[at] ^= 1;
            fs::write(path, bytes).unwrap();
        },
    },
    Case {
        name: "a missing file",
        gate: "integrity",
        harm: |dir| fs::remove_file(dir.join("popularity.safetensors")).unwrap(),
    },
    Case {
        name: "a manifest for a newer reader",
        gate: "manifest",
        harm: |dir| manifest(dir, "\"min_reader\": 2", "\"min_reader\": 99"),
    },
    Case {
        name: "another format",
        gate: "manifest",
        harm: |dir| manifest(dir, "\"format\": 1", "\"format\": 7"),
    },
    Case {
        name: "an absolute path in the manifest",
        gate: "manifest",
        harm: |dir| manifest(dir, "\"risk.json\"", "\"/etc/passwd\""),
    },
    Case {
        name: "a path that leaves the folder",
        gate: "manifest",
        harm: |dir| manifest(dir, "\"risk.json\"", "\"../risk.json\""),
    },
    Case {
        name: "a symlink out of the folder",
        gate: "manifest",
        harm: |dir| {
            fs::remove_file(dir.join("risk.json")).unwrap();
            symlink("/etc/passwd", dir.join("risk.json")).unwrap();
        },
    },
    Case {
        name: "a folder in a file's place",
        gate: "manifest",
        harm: |dir| {
            fs::remove_file(dir.join("risk.json")).unwrap();
            fs::create_dir(dir.join("risk.json")).unwrap();
        },
    },
    Case {
        name: "a manifest that is no JSON",
        gate: "manifest",
        harm: |dir| fs::write(dir.join("manifest.json"), "{").unwrap(),
    },
    Case {
        name: "no manifest",
        gate: "manifest",
        harm: |dir| fs::remove_file(dir.join("manifest.json")).unwrap(),
    },
];

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn what_is_not_whole_is_refused_and_not_even_published() {
    let world = World::new();
    for case in CASES {
        let dir = world.path(case.name);
        copy(good().dir(), &dir);
        (case.harm)(&dir);
        let said = cartwright(&["snapshot", "verify", text(&dir), "--gates", "--json"]);
        assert!(!said.ok, "{}", case.name);
        assert_eq!(said.refusing(), [case.gate], "{}: {said:?}", case.name);
        // Into a registry that has none of it: what is there already is not sent.
        let empty = world.path("empty");
        let published = cartwright(&[
            "snapshot",
            "publish",
            text(&dir),
            "--registry",
            text(&empty),
        ]);
        assert!(!published.ok, "{}", case.name);
        let listed = cartwright(&["snapshot", "list", "--registry", text(&empty), "--json"]);
        assert_eq!(listed.json(), serde_json::json!([]), "{}", case.name);
    }
    assert_eq!(world.live(), good().id());
}

#[test]
fn a_gate_that_leaves_nothing_to_serve_cannot_be_forced() {
    let world = World::new();
    for gate in [
        "manifest",
        "integrity",
        "items",
        "dimension",
        "vectors",
        "features",
        "load",
    ] {
        let said = world.activate(good().id(), &[gate]);
        assert!(said.err.contains("nothing that can be served"), "{said:?}");
    }
    let said = world.activate(good().id(), &["speed"]);
    assert!(said.err.contains("there is no gate \"speed\""), "{said:?}");
    assert!(said.err.contains("recall"), "{said:?}");
    assert_eq!(world.history().len(), 1);
}
