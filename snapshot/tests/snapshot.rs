//! Building, opening and verifying, and what is refused.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::panic,
    reason = "a test may fail loudly, in its helpers too"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;
use snapshot::{Builder, DataRange, Error, Manifest, ProbeRow, Snapshot, Space, id_of};
use tempfile::TempDir;

fn manifest() -> Manifest {
    Manifest {
        schema_fingerprint: "abc".into(),
        resident_bytes: 1 << 20,
        cpu_level: "x86-64-v3".into(),
        data: DataRange {
            from_ms: 1,
            to_ms: 2,
            events: 3,
        },
        seed: 42,
        created_at_ms: 1_600_000_000_000,
        parent: Some("parent".into()),
        probes: vec![ProbeRow {
            space: "collab".into(),
            k: 100,
            selectivity: 0.1,
            kind: "random".into(),
            nprobe: 16,
            recall: 0.1 + 0.2,
            ..ProbeRow::default()
        }],
        spaces: vec![Space {
            name: "collab".into(),
            dimension: 64,
            ..Space::default()
        }],
        ..Manifest::default()
    }
}

fn build(out: &Path, content: &[u8], manifest: Manifest) -> Result<Snapshot, Error> {
    let mut builder = Builder::new(out)?;
    builder.write("items.jsonl", content)?;
    fs::write(builder.path("index/collab.faiss")?, b"index").unwrap();
    builder.finish(manifest)
}

fn built() -> (TempDir, Snapshot) {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = build(&dir.path().join("s"), b"content", manifest()).unwrap();
    (dir, snapshot)
}

fn entries(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Changes the manifest on disk and opens the folder again.
fn reopened(snapshot: &Snapshot, from: &str, to: &str) -> Result<Snapshot, Error> {
    let path = snapshot.dir().join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    Snapshot::open(snapshot.dir())
}

#[test]
fn what_was_built_can_be_opened_verified_and_read() {
    let (dir, snapshot) = built();
    let again = Snapshot::open(dir.path().join("s")).unwrap();
    assert_eq!(again.id(), snapshot.id());
    assert_eq!(again.manifest(), snapshot.manifest());
    assert_eq!(again.read("items.jsonl").unwrap(), b"content");
    let report = again.verify().unwrap();
    assert_eq!(
        (report.files, report.bytes, report.unlisted.len()),
        (2, 12, 0)
    );
    assert!(matches!(again.read("other"), Err(Error::Unlisted { .. })));
    assert_eq!(entries(dir.path()), ["s"], "nothing temporary is left");
    let mode = fs::metadata(again.dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755, "another user can read it");
}

#[test]
fn an_abandoned_build_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = Builder::new(dir.path().join("s")).unwrap();
    builder.write("items.jsonl", b"content").unwrap();
    drop(builder);
    assert!(entries(dir.path()).is_empty());
}

#[test]
fn the_id_is_that_of_the_content() {
    let (_dir, snapshot) = built();
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str, content: &[u8], manifest| {
        build(&dir.path().join(name), content, manifest)
            .unwrap()
            .id()
            .to_owned()
    };
    let later = Manifest {
        created_at_ms: 5,
        parent: None,
        ..manifest()
    };
    assert_eq!(at("later", b"content", later), snapshot.id());
    assert_ne!(at("other", b"Content", manifest()), snapshot.id());
    assert_ne!(
        at(
            "seed",
            b"content",
            Manifest {
                seed: 43,
                ..manifest()
            }
        ),
        snapshot.id()
    );
    assert_eq!(snapshot.id().len(), 64);
}

#[test]
fn a_snapshot_is_replaced_and_anything_else_is_not() {
    let (dir, first) = built();
    let second = build(&dir.path().join("s"), b"new", manifest()).unwrap();
    assert_ne!(first.id(), second.id());
    assert_eq!(second.read("items.jsonl").unwrap(), b"new");
    assert_eq!(entries(dir.path()), ["s"]);
    let other = dir.path().join("photos");
    fs::create_dir(&other).unwrap();
    assert!(
        build(&other, b"x", manifest()).is_ok(),
        "an empty folder may be used"
    );
    let other = dir.path().join("more-photos");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("cat.jpg"), b"meow").unwrap();
    assert!(matches!(Builder::new(&other), Err(Error::Occupied { .. })));
    assert!(Builder::new(other.join("cat.jpg")).is_err());
    assert_eq!(entries(&other), ["cat.jpg"]);
}

#[test]
fn a_flipped_byte_is_found_with_both_checksums() {
    let (_dir, snapshot) = built();
    fs::write(snapshot.dir().join("items.jsonl"), b"cOntent").unwrap();
    let again = Snapshot::open(snapshot.dir()).unwrap();
    let Error::Checksum {
        name,
        expected,
        found,
    } = again.verify().unwrap_err()
    else {
        panic!("another error");
    };
    assert_eq!(name, "items.jsonl");
    assert_eq!(expected, snapshot.manifest().files["items.jsonl"].sha256);
    assert_ne!(expected, found);
}

#[test]
fn a_truncated_or_missing_file_is_found_on_opening() {
    let (_dir, snapshot) = built();
    let index = snapshot.dir().join("index/collab.faiss");
    fs::write(&index, b"ind").unwrap();
    let error = Snapshot::open(snapshot.dir()).unwrap_err().to_string();
    assert_eq!(
        error,
        "file index/collab.faiss has 3 bytes, the manifest says 5"
    );
    fs::remove_file(&index).unwrap();
    assert!(matches!(
        Snapshot::open(snapshot.dir()),
        Err(Error::Missing { .. })
    ));
}

#[test]
fn files_outside_the_folder_are_never_read() {
    for foreign in ["../secret", "/etc/hostname", "a/../../secret", ""] {
        let (_dir, snapshot) = built();
        let error = reopened(&snapshot, "items.jsonl", foreign).unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{foreign}: {error}");
    }
    let (dir, snapshot) = built();
    let secret = dir.path().join("secret");
    fs::write(&secret, b"content").unwrap();
    fs::remove_file(snapshot.dir().join("items.jsonl")).unwrap();
    symlink(&secret, snapshot.dir().join("items.jsonl")).unwrap();
    assert!(matches!(
        Snapshot::open(snapshot.dir()),
        Err(Error::Name { .. })
    ));
}

#[test]
fn names_that_leave_the_folder_are_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = Builder::new(dir.path().join("s")).unwrap();
    assert!(builder.write("../x", b"").is_err());
    assert!(builder.write("/tmp/x", b"").is_err());
    assert!(builder.write("manifest.json", b"").is_err());
    builder.write("a", b"1").unwrap();
    assert!(matches!(builder.write("a", b"2"), Err(Error::Twice { .. })));
}

#[test]
fn files_that_the_manifest_does_not_name_are_reported() {
    let (_dir, snapshot) = built();
    fs::write(snapshot.dir().join("index/stray"), b"x").unwrap();
    assert_eq!(snapshot.verify().unwrap().unlisted, ["index/stray"]);
}

#[test]
fn a_snapshot_for_a_later_reader_is_refused_whatever_else_it_holds() {
    let (_dir, snapshot) = built();
    let error = reopened(&snapshot, "\"min_reader\": 2", "\"min_reader\": 3").unwrap_err();
    assert_eq!(
        error.to_string(),
        "snapshot needs reader version 3, this build reads up to 2"
    );
    let error = Manifest::parse(br#"{"format": 9, "min_reader": 7, "files": [1]}"#).unwrap_err();
    assert!(matches!(error, Error::TooNew { min_reader: 7, .. }));
    let error = Manifest::parse(br#"{"format": 9, "min_reader": 1}"#).unwrap_err();
    assert!(matches!(
        error,
        Error::Format {
            found: 9,
            allowed: 1
        }
    ));
}

#[test]
fn fields_of_a_later_writer_are_ignored_and_count_for_the_id() {
    let (_dir, snapshot) = built();
    let id = snapshot.id().to_owned();
    let again = reopened(
        &snapshot,
        "\"seed\": 42",
        "\"colour\": \"red\", \"seed\": 42",
    )
    .unwrap();
    assert_eq!(again.manifest().seed, 42);
    assert_ne!(again.id(), id);
}

#[test]
fn no_manifest_and_a_broken_one_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Snapshot::open(dir.path()),
        Err(Error::NotASnapshot { .. })
    ));
    assert!(matches!(
        Snapshot::open(dir.path().join("no")),
        Err(Error::NotASnapshot { .. })
    ));
    fs::write(dir.path().join("manifest.json"), b"{").unwrap();
    assert!(matches!(
        Snapshot::open(dir.path()),
        Err(Error::Manifest { .. })
    ));
}

#[test]
fn the_first_manifest_ever_written_still_opens_with_its_id() {
    let json = include_bytes!("golden/manifest-1.json");
    let manifest = Manifest::parse(json).unwrap();
    assert_eq!(manifest.format, 1);
    assert_eq!(manifest.files["items.jsonl"].size, 7);
    assert_eq!(manifest.probes[0].nprobe, 16);
    assert_eq!(
        manifest.spaces[0].index.as_deref(),
        Some("index/collab.faiss")
    );
    assert_eq!(
        manifest.quality["recall_at_100"].to_bits(),
        0.97f64.to_bits()
    );
    assert_eq!(manifest.spaces[0].index_kind, None);
    assert_eq!(
        (manifest.probes[0].budget, manifest.probes[0].scanned),
        (0, 0)
    );
    let id = include_str!("golden/manifest-1.id").trim();
    assert_eq!(id_of(json).unwrap(), id);
}

#[test]
fn a_manifest_that_names_its_kind_of_index_still_opens_with_its_id() {
    let json = include_bytes!("golden/manifest-2.json");
    let manifest = Manifest::parse(json).unwrap();
    assert_eq!(manifest.min_reader, 2);
    let space = &manifest.spaces[0];
    assert_eq!(space.index.as_deref(), Some("index/collab.codes"));
    assert_eq!(space.index_kind.as_deref(), Some("lists"));
    let row = &manifest.probes[0];
    assert_eq!((row.nprobe, row.budget, row.scanned), (0, 4_585, 5_010));
    assert_eq!(row.kind, "both");
    let id = include_str!("golden/manifest-2.id").trim();
    assert_eq!(id_of(json).unwrap(), id);
}

#[test]
fn a_manifest_that_speaks_of_people_still_opens_with_its_id() {
    let json = include_bytes!("golden/manifest-3.json");
    let privacy = Manifest::parse(json).unwrap().privacy.unwrap();
    assert_eq!((privacy.min_people, privacy.pairs_left_out), (5, 25_143));
    assert_eq!(privacy.items_left_out, 6_143);
    assert_eq!(privacy.sessions_key.as_deref(), Some("92b2b75604ed3c76"));
    let erased = (privacy.erased_shoppers, privacy.erased_events);
    assert_eq!(erased, (Some(2), Some(31)));
    let id = include_str!("golden/manifest-3.id").trim();
    assert_eq!(id_of(json).unwrap(), id);
    let before = Manifest::parse(include_bytes!("golden/manifest-2.json")).unwrap();
    assert_eq!(before.privacy, None);
}

proptest! {
    #[test]
    fn numbers_keep_the_id_through_reading_and_writing(recall: f64, seed: u64, shuffled: bool) {
        prop_assume!(recall.is_finite());
        let (a, b) = if shuffled { ("recall", "seed") } else { ("seed", "recall") };
        let value = |key: &str| if key == "seed" { seed.to_string() } else { format!("{recall:e}") };
        let json = format!("{{\"{a}\": {},\"{b}\":{}}}", value(a), value(b));
        let ordered = serde_json::json!({ "recall": recall, "seed": seed }).to_string();
        prop_assert_eq!(id_of(json.as_bytes()).unwrap(), id_of(ordered.as_bytes()).unwrap());
    }
}
