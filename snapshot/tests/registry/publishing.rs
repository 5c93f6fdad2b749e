use std::sync::Mutex;

use snapshot::{Error, Registry};

use crate::support::{everywhere, files, quiet};

#[test]
fn what_is_published_is_listed_and_reads_back() {
    everywhere(|world| async move {
        assert_eq!(world.registry.list().await.unwrap(), []);
        let snapshot = world.snapshot("a");
        let told = Mutex::new(Vec::new());
        let tell = |progress| told.lock().unwrap().push(progress);
        let published = world.registry.publish(&snapshot, &tell).await.unwrap();
        assert_eq!(published.id, snapshot.id());
        assert_eq!((published.uploaded, published.reused), (2, 0));
        assert!(!published.already);
        let last = told.lock().unwrap().last().cloned().unwrap();
        assert_eq!((last.done_bytes, last.total_bytes), (9, 9));

        let listed = world.registry.list().await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].id, snapshot.id());
        let manifest = world.registry.manifest(snapshot.id()).await.unwrap();
        assert_eq!(&manifest, snapshot.manifest());
        let short = &snapshot.id()[..8];
        assert_eq!(world.registry.resolve(short).await.unwrap(), snapshot.id());
    });
}

#[test]
fn a_file_that_two_generations_share_goes_up_once() {
    everywhere(|world| async move {
        world.published("a").await;
        let second = world.snapshot("b");
        let published = world.registry.publish(&second, &quiet).await.unwrap();
        assert_eq!((published.uploaded, published.reused), (1, 1));
        assert_eq!((published.uploaded_bytes, published.reused_bytes), (1, 8));
        let again = world.registry.publish(&second, &quiet).await.unwrap();
        assert!(again.already);
        assert_eq!((again.uploaded, again.reused), (0, 2));
    });
}

#[test]
fn a_large_file_goes_up_in_pieces_and_comes_back_whole() {
    everywhere(|world| async move {
        // Two whole pieces and a rest; and one that ends with its piece.
        let large: Vec<u8> = (0..40_000_000_u32).map(|i| (i % 251) as u8).collect();
        let even = vec![7; 16 << 20];
        let snapshot = world.with_files("large", &[("large.bin", &large), ("even.bin", &even)]);
        world.registry.publish(&snapshot, &quiet).await.unwrap();
        let cache = world.cache();
        let fetched = world.registry.fetch(snapshot.id(), &cache, &quiet).await;
        fetched.unwrap().verify().unwrap();
    });
}

#[test]
fn a_file_that_changed_since_it_was_built_is_not_published() {
    everywhere(|world| async move {
        for (name, size) in [("small", 100), ("large", 17 << 20)] {
            let snapshot = world.with_files(name, &[("x.bin", &vec![1; size])]);
            let mut bytes = vec![1; size];
            bytes[size - 1] = 2;
            std::fs::write(snapshot.dir().join("x.bin"), bytes).unwrap();
            let refused = world.registry.publish(&snapshot, &quiet).await;
            assert!(
                matches!(refused, Err(Error::Checksum { .. })),
                "{refused:?}"
            );
        }
        assert_eq!(world.registry.list().await.unwrap(), []);
    });
}

#[test]
fn a_blob_cut_short_in_the_registry_is_sent_again() {
    let world = crate::support::World::in_folder();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let first = world.published("a").await;
        let shared = &first.manifest().files["shared.bin"].sha256;
        let blob = world.dir.path().join("registry/blobs").join(shared);
        std::fs::write(&blob, b"the").unwrap();
        let second = world.snapshot("b");
        let published = world.registry.publish(&second, &quiet).await.unwrap();
        assert_eq!(published.uploaded, 2);
        assert_eq!(std::fs::read(&blob).unwrap(), b"the same");
    });
}

#[test]
fn two_publishers_of_one_snapshot_both_succeed_and_leave_one() {
    everywhere(|world| async move {
        let snapshot = world.snapshot("a");
        let (one, two) = tokio::join!(
            world.registry.publish(&snapshot, &quiet),
            world.registry.publish(&snapshot, &quiet)
        );
        assert_eq!(one.unwrap().id, two.unwrap().id);
        assert_eq!(world.registry.list().await.unwrap().len(), 1);
        let registry = world.dir.path().join("registry");
        let left = files(&registry);
        assert!(
            !left.iter().any(|name| name.starts_with("intents")),
            "{left:?}"
        );
    });
}

#[test]
fn an_id_that_is_not_there_is_named_with_the_registry() {
    everywhere(|world| async move {
        world.published("a").await;
        let id = "0".repeat(64);
        let error = world.registry.manifest(&id).await.unwrap_err().to_string();
        assert!(error.contains(&id) && error.contains(&world.url), "{error}");
        for bad in ["../../etc/passwd", "", "xyz"] {
            let error = world.registry.manifest(bad).await.unwrap_err().to_string();
            assert!(error.contains("64 digits"), "{error}");
        }
    });
}

#[test]
fn a_manifest_under_another_id_or_with_a_path_for_a_checksum_is_refused() {
    let world = crate::support::World::in_folder();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let snapshot = world.published("a").await;
        let manifests = world.dir.path().join("registry/manifests");
        let other = "1".repeat(64);
        let from = manifests.join(format!("{}.json", snapshot.id()));
        std::fs::copy(&from, manifests.join(format!("{other}.json"))).unwrap();
        let error = world
            .registry
            .manifest(&other)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("its content makes it"), "{error}");

        let text = std::fs::read_to_string(&from).unwrap();
        let sha = &snapshot.manifest().files["own.bin"].sha256;
        let evil = text.replace(sha, "../../../../etc/passwd");
        let id = snapshot::id_of(evil.as_bytes()).unwrap();
        std::fs::write(manifests.join(format!("{id}.json")), evil).unwrap();
        let error = world.registry.manifest(&id).await.unwrap_err().to_string();
        assert!(error.contains("sha256 of own.bin"), "{error}");
        // What cannot be read is listed with the reason, beside what can.
        let listed = world.registry.list().await.unwrap();
        assert_eq!(listed.iter().filter(|one| one.manifest.is_err()).count(), 2);
    });
}

#[test]
fn a_registry_that_is_not_there_yet_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(dir.path().join("none").to_str().unwrap()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        assert_eq!(registry.list().await.unwrap(), []);
        assert_eq!(registry.head().await.unwrap(), None);
    });
    assert_eq!(files(dir.path()), Vec::<String>::new());
}
