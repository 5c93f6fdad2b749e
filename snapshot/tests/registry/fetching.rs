use std::fs;
use std::os::unix::fs::MetadataExt as _;

use snapshot::{Error, prune};

use crate::support::{everywhere, files, quiet};

#[test]
fn a_shared_file_is_brought_and_stored_once() {
    everywhere(|world| async move {
        let (a, b) = (world.published("a").await, world.published("b").await);
        let cache = world.cache();
        let first = world.registry.fetch(a.id(), &cache, &quiet).await.unwrap();
        assert_eq!(first.id(), a.id());
        first.verify().unwrap();
        let reused = std::sync::Mutex::new(0);
        let tell = |progress: snapshot::Progress| *reused.lock().unwrap() = progress.reused_bytes;
        let second = world.registry.fetch(b.id(), &cache, &tell).await.unwrap();
        second.verify().unwrap();
        assert_eq!(*reused.lock().unwrap(), 8);
        let inode = |dir: &std::path::Path| fs::metadata(dir.join("shared.bin")).unwrap().ino();
        assert_eq!(inode(first.dir()), inode(second.dir()));
        assert_eq!(files(&cache.join("blobs")).len(), 3);
        assert_eq!(second.dir(), cache.join(b.id()));
    });
}

#[test]
fn many_at_once_bring_one_whole_folder() {
    everywhere(|world| async move {
        let a = world.published("a").await;
        let cache = world.cache();
        let tries = (0..6).map(|_| world.registry.fetch(a.id(), &cache, &quiet));
        for outcome in futures::future::join_all(tries).await {
            outcome.unwrap().verify().unwrap();
        }
        let left = files(&cache);
        assert!(
            !left.iter().any(|name| name.contains(".draft-")),
            "{left:?}"
        );
    });
}

#[test]
fn what_is_broken_in_the_cache_is_brought_again() {
    everywhere(|world| async move {
        let a = world.published("a").await;
        let cache = world.cache();
        let first = world.registry.fetch(a.id(), &cache, &quiet).await.unwrap();
        // The same size and other bytes, in the file that the next generation would share.
        let blob = cache
            .join("blobs")
            .join(&a.manifest().files["shared.bin"].sha256);
        fs::remove_file(&blob).unwrap();
        fs::write(&blob, b"the shame").unwrap();
        let b = world.published("b").await;
        let second = world.registry.fetch(b.id(), &cache, &quiet).await.unwrap();
        second.verify().unwrap();
        // A folder that lost a file.
        fs::remove_file(first.dir().join("own.bin")).unwrap();
        let again = world.registry.fetch(a.id(), &cache, &quiet).await.unwrap();
        again.verify().unwrap();
    });
}

#[test]
fn a_flipped_byte_in_the_registry_is_caught_on_its_way() {
    let world = crate::support::World::in_folder();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let a = world.published("a").await;
        let own = &a.manifest().files["own.bin"].sha256;
        let blob = world.dir.path().join("registry/blobs").join(own);
        fs::write(&blob, b"z").unwrap();
        let refused = world.registry.fetch(a.id(), &world.cache(), &quiet).await;
        assert!(
            matches!(refused, Err(Error::Checksum { .. })),
            "{refused:?}"
        );
        fs::remove_file(&blob).unwrap();
        let refused = world.registry.fetch(a.id(), &world.cache(), &quiet).await;
        assert!(matches!(refused, Err(Error::Gone { .. })), "{refused:?}");
        assert!(!world.cache().join(a.id()).exists());
    });
}

#[test]
fn pruning_keeps_what_is_named_and_what_it_links_to() {
    everywhere(|world| async move {
        let cache = world.cache();
        let (a, b) = (world.published("a").await, world.published("b").await);
        world.registry.fetch(a.id(), &cache, &quiet).await.unwrap();
        let kept = world.registry.fetch(b.id(), &cache, &quiet).await.unwrap();
        let removed = prune(&cache, &[b.id().to_owned()]).unwrap();
        assert_eq!(removed, [a.id()]);
        kept.verify().unwrap();
        // Its own file is no longer linked, and young: somebody may be about to link it.
        assert_eq!(files(&cache.join("blobs")).len(), 3);
        let own = cache
            .join("blobs")
            .join(&a.manifest().files["own.bin"].sha256);
        let file = fs::File::open(&own).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(
            prune(&cache, &[b.id().to_owned()]).unwrap(),
            Vec::<String>::new()
        );
        assert!(!own.exists());
        kept.verify().unwrap();
    });
}
