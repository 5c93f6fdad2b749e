//! `kill -9` at every step: this test program runs itself again, armed to die at the step.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::Duration;

use snapshot::{Keep, Registry, Snapshot};

use crate::support::{World, activation, files, quiet};

const STEP: &str = "CRASH_AT";

/// The child: publishes, activates, fetches or collects, until it dies.
#[test]
fn child() {
    let text = |name| std::env::var_os(name).and_then(|v| v.into_string().ok());
    let Some(step) = text(STEP) else {
        return;
    };
    snapshot::crash::arm(&step);
    let registry = Registry::open(&text("REGISTRY").unwrap()).unwrap();
    let dir = text("SNAPSHOT").unwrap();
    let cache = std::path::PathBuf::from(text("CACHE").unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let snapshot = Snapshot::open(dir).unwrap();
        if step.starts_with("gc") {
            let keep = Keep {
                activated: 0,
                recent: 0,
                grace: Duration::ZERO,
                dry_run: false,
            };
            registry.gc(&keep).await.unwrap();
        }
        registry.publish(&snapshot, &quiet).await.unwrap();
        let head = registry.head().await.unwrap().map_or(0, |h| h.sequence);
        let new = activation(snapshot.id(), "child");
        registry.append(head, new).await.unwrap();
        registry.fetch(snapshot.id(), &cache, &quiet).await.unwrap();
    });
}

fn dies_at(world: &World, snapshot: &Snapshot, step: &str) {
    let died = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashing::child", "--nocapture"])
        .env(STEP, step)
        .env("REGISTRY", &world.url)
        .env("SNAPSHOT", snapshot.dir())
        .env("CACHE", world.cache())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&died.stderr);
    assert_eq!(died.status.signal(), Some(9), "{step}: {said}");
}

/// Old is live; whoever publishes and activates new dies on the way.
async fn with_one_live(world: &World) -> (Snapshot, Snapshot) {
    let old = world.published("old").await;
    let live = activation(old.id(), "ann");
    world.registry.append(0, live).await.unwrap();
    let large = vec![9; (16 << 20) + 1];
    let new = world.with_files(
        "new",
        &[("a.bin", b"a"), ("b.bin", b"b"), ("l.bin", &large)],
    );
    (old, new)
}

#[test]
fn a_publisher_killed_at_any_step_leaves_all_or_nothing_and_can_go_on() {
    let steps = [
        ("intent", false),
        ("publish.piece", false),
        ("publish.blob.1", false),
        ("publish.blob.2", false),
        ("publish.blob.3", false),
        ("publish.manifest", false),
        ("publish.done", true),
    ];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (step, visible) in steps {
        let world = World::in_folder();
        runtime.block_on(async {
            let (old, new) = with_one_live(&world).await;
            dies_at(&world, &new, step);
            let head = world.registry.head().await.unwrap().unwrap();
            assert_eq!(
                (head.sequence, head.snapshot.as_str()),
                (1, old.id()),
                "{step}"
            );
            let listed = world.registry.list().await.unwrap();
            assert_eq!(
                listed.iter().any(|one| one.id == new.id()),
                visible,
                "{step}"
            );
            let live = world.registry.fetch(old.id(), &world.cache(), &quiet).await;
            live.unwrap().verify().unwrap();
            let published = world.registry.publish(&new, &quiet).await.unwrap();
            assert_eq!(published.already, visible, "{step}");
            let whole = world.registry.fetch(new.id(), &world.cache(), &quiet).await;
            whole.unwrap().verify().unwrap();
        });
    }
}

#[test]
fn whoever_activates_and_dies_has_done_so_or_not() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (step, live) in [("append.record", false), ("append.done", true)] {
        let world = World::in_folder();
        runtime.block_on(async {
            let (old, new) = with_one_live(&world).await;
            dies_at(&world, &new, step);
            let head = world.registry.head().await.unwrap().unwrap();
            let expected = if live { new.id() } else { old.id() };
            assert_eq!(head.snapshot, expected, "{step}");
            let next = activation(new.id(), "ann");
            world.registry.append(head.sequence, next).await.unwrap();
        });
    }
}

#[test]
fn a_fetch_killed_at_any_step_leaves_a_whole_folder_or_none() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let steps = [
        ("fetch.blob.1", false),
        ("fetch.blob.2", false),
        ("fetch.folder", false),
        ("fetch.done", true),
    ];
    for (step, whole) in steps {
        let world = World::in_folder();
        runtime.block_on(async {
            let (_, new) = with_one_live(&world).await;
            dies_at(&world, &new, step);
            assert_eq!(world.cache().join(new.id()).exists(), whole, "{step}");
            let fetched = world.registry.fetch(new.id(), &world.cache(), &quiet).await;
            fetched.unwrap().verify().unwrap();
        });
    }
}

#[test]
fn a_collector_killed_at_any_step_loses_nothing_that_is_kept_and_the_next_finishes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for step in ["gc.lock", "gc.manifest.1", "gc.blob.1"] {
        let world = World::in_folder();
        runtime.block_on(async {
            let (old, new) = with_one_live(&world).await;
            world.published("unused").await;
            tokio::time::sleep(Duration::from_millis(1_100)).await;
            dies_at(&world, &new, step);
            let lock = world.dir.path().join("registry/collecting.json");
            let file = std::fs::File::options().write(true).open(&lock).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
            let keep = Keep {
                activated: 0,
                recent: 0,
                grace: Duration::ZERO,
                dry_run: false,
            };
            world.registry.gc(&keep).await.unwrap();
            let left = files(&world.dir.path().join("registry"));
            // The live one: its two files, its manifest, its record.
            assert_eq!(left.len(), 4, "{step}: {left:?}");
            let live = world.registry.fetch(old.id(), &world.cache(), &quiet).await;
            live.unwrap().verify().unwrap();
        });
    }
}
