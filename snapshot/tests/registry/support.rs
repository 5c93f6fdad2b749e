use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use snapshot::{Builder, Manifest, NewActivation, Progress, Registry, Snapshot};
use tempfile::TempDir;

/// Runs a test on a folder, and on a bucket where there is one.
pub(crate) fn everywhere<F: Future<Output = ()>>(test: impl Fn(World) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test(World::in_folder()));
    match std::env::var_os("CARTWRIGHT_TEST_BUCKET") {
        Some(bucket) => {
            let bucket = bucket.into_string().unwrap();
            runtime.block_on(test(World::in_bucket(&bucket)));
        }
        None => println!("skipped on a bucket: CARTWRIGHT_TEST_BUCKET names none"),
    }
}

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) registry: Registry,
    pub(crate) url: String,
}

impl World {
    pub(crate) fn in_folder() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = dir.path().join("registry").to_str().unwrap().to_owned();
        Self::at(dir, url)
    }

    fn in_bucket(bucket: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let (process, at) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let url = format!("{bucket}/test-{process}-{at}/models");
        Self::at(tempfile::tempdir().unwrap(), url)
    }

    fn at(dir: TempDir, url: String) -> Self {
        let registry = Registry::open(&url).unwrap();
        Self { dir, registry, url }
    }

    /// A snapshot with one file that all share and one of its own.
    pub(crate) fn snapshot(&self, name: &str) -> Snapshot {
        self.with_files(
            name,
            &[("shared.bin", b"the same"), ("own.bin", name.as_bytes())],
        )
    }

    pub(crate) fn with_files(&self, name: &str, files: &[(&str, &[u8])]) -> Snapshot {
        let mut builder = Builder::new(self.dir.path().join(name)).unwrap();
        for (name, bytes) in files {
            builder.write(name, bytes).unwrap();
        }
        builder.finish(Manifest::default()).unwrap()
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    pub(crate) async fn published(&self, name: &str) -> Snapshot {
        let snapshot = self.snapshot(name);
        self.registry.publish(&snapshot, &quiet).await.unwrap();
        snapshot
    }
}

pub(crate) fn quiet(_: Progress) {}

pub(crate) fn activation(snapshot: &str, by: &str) -> NewActivation {
    NewActivation {
        snapshot: snapshot.to_owned(),
        at_ms: 1_700_000_000_000,
        by: by.to_owned(),
        why: "a test".to_owned(),
        ..NewActivation::default()
    }
}

/// Relative names of all files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    fn walk(root: &Path, folder: &Path, out: &mut Vec<String>) {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, out);
            } else {
                out.push(
                    path.strip_prefix(root)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
    }
    let mut out = Vec::new();
    walk(folder, folder, &mut out);
    out.sort();
    out
}
