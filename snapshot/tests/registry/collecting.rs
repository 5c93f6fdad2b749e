use std::time::Duration;

use snapshot::{Error, Keep};

use crate::support::{World, activation, everywhere, files, quiet};

/// Keeps next to nothing.
fn greedy() -> Keep {
    Keep {
        activated: 0,
        recent: 0,
        grace: Duration::ZERO,
        dry_run: false,
    }
}

/// Stores tell times to the second; a moment later everything is older than no grace at all.
async fn a_moment_later() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

#[test]
fn the_live_one_and_the_one_before_are_kept_and_the_rest_goes() {
    everywhere(|world| async move {
        let all = [
            world.published("a").await,
            world.published("b").await,
            world.published("c").await,
            world.published("d").await,
        ];
        for (after, one) in (0..).zip(&all[..3]) {
            world
                .registry
                .append(after, activation(one.id(), "ann"))
                .await
                .unwrap();
        }
        a_moment_later().await;
        let dry = Keep {
            dry_run: true,
            ..greedy()
        };
        let would = world.registry.gc(&dry).await.unwrap();
        assert_eq!(world.registry.list().await.unwrap().len(), 4);
        let done = world.registry.gc(&greedy()).await.unwrap();
        assert_eq!(would, done);
        let mut gone = [all[0].id(), all[3].id()];
        gone.sort_unstable();
        assert_eq!(done.snapshots, gone);
        assert_eq!((done.blobs, done.blob_bytes), (2, 2));
        assert_eq!(done.kept[all[2].id()], "live");
        assert_eq!(done.kept[all[1].id()], "live before");
        for kept in [&all[1], &all[2]] {
            let fetched = world
                .registry
                .fetch(kept.id(), &world.cache(), &quiet)
                .await;
            fetched.unwrap().verify().unwrap();
        }
        // The history names what is gone, and stays.
        assert_eq!(world.registry.history().await.unwrap().len(), 3);
        let back = world
            .registry
            .append(3, activation(all[0].id(), "ann"))
            .await;
        assert!(matches!(back, Err(Error::NotPublished { .. })));
    });
}

#[test]
fn what_is_young_or_recent_is_kept() {
    everywhere(|world| async move {
        let a = world.published("a").await;
        let kept = world.registry.gc(&Keep::default()).await.unwrap();
        assert_eq!(kept.kept[a.id()], "published lately");
        let young = Keep {
            grace: Duration::from_secs(3_600),
            ..greedy()
        };
        let kept = world.registry.gc(&young).await.unwrap();
        assert_eq!(kept.kept[a.id()], "younger than the grace period");
        assert_eq!(kept.snapshots, Vec::<String>::new());
    });
}

#[test]
fn while_somebody_collects_nobody_publishes_and_a_dead_collector_is_waited_for() {
    let world = World::in_folder();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        world.published("a").await;
        let lock = world.dir.path().join("registry/collecting.json");
        std::fs::write(&lock, b"{}").unwrap();
        let b = world.snapshot("b");
        let refused = world.registry.publish(&b, &quiet).await.unwrap_err();
        assert!(matches!(refused, Error::Collecting { .. }), "{refused}");
        assert!(matches!(
            world.registry.gc(&Keep::default()).await,
            Err(Error::Collecting { .. })
        ));
        let eleven_minutes_ago = std::time::SystemTime::UNIX_EPOCH;
        let file = std::fs::File::options().write(true).open(&lock).unwrap();
        file.set_modified(eleven_minutes_ago).unwrap();
        world.registry.publish(&b, &quiet).await.unwrap();
        world.registry.gc(&Keep::default()).await.unwrap();
        assert!(!lock.exists());
        let left = files(&world.dir.path().join("registry/intents"));
        assert_eq!(left, Vec::<String>::new());
    });
}

#[test]
fn a_manifest_that_cannot_be_read_keeps_everything() {
    let world = World::in_folder();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let a = world.published("a").await;
        let id = "2".repeat(64);
        let folder = world.dir.path().join("registry/manifests");
        // A later build's manifest is understood as far as its files.
        let text = std::fs::read_to_string(folder.join(format!("{}.json", a.id()))).unwrap();
        let newer = text.replace("\"min_reader\": 2", "\"min_reader\": 99");
        std::fs::write(folder.join(format!("{id}.json")), newer).unwrap();
        std::fs::remove_file(folder.join(format!("{}.json", a.id()))).unwrap();
        a_moment_later().await;
        let keep = Keep {
            recent: 1,
            ..greedy()
        };
        let done = world.registry.gc(&keep).await.unwrap();
        assert_eq!(done.blobs, 0);
        std::fs::write(folder.join(format!("{id}.json")), "{").unwrap();
        let error = world.registry.gc(&keep).await.unwrap_err().to_string();
        assert!(error.contains("nothing is collected"), "{error}");
        assert_eq!(files(&world.dir.path().join("registry/blobs")).len(), 2);
    });
}
