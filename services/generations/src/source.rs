//! Where a role's snapshots come from, and what it remembers of them on its own disk.

use std::fs::{File, Metadata, TryLockError};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use snapshot::Registry;

use crate::settings::Setup;

/// How the names of memories end.
const MEMORY: &str = ".live.json";
/// The file that whoever loads holds locked.
const TURN: &str = ".turn";
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// A snapshot that came less than this ago may be on its way into another role.
const YOUNG: Duration = Duration::from_secs(3_600);

/// A registry, and the folder on this machine that its snapshots are fetched to.
#[derive(Debug)]
pub(crate) struct Source {
    /// For the thread that loads. A client's connections belong to the runtime that opened them.
    pub(crate) loading: Registry,
    /// For the tasks that follow.
    pub(crate) following: Registry,
    pub(crate) cache: PathBuf,
    role: &'static str,
}

/// What was live last, for a start without the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) snapshot: String,
    pub(crate) sequence: u64,
}

impl Source {
    pub(crate) fn open(role: &'static str, setup: &Setup) -> Result<Option<Self>, snapshot::Error> {
        let Some(url) = &setup.registry else {
            return Ok(None);
        };
        Ok(Some(Self {
            loading: Registry::open(url)?,
            following: Registry::open(url)?,
            cache: setup.cache.clone(),
            role,
        }))
    }

    /// What was live when this role went down, and the folder where it should be.
    pub(crate) fn remembered(&self) -> Option<(Remembered, PathBuf)> {
        let json = std::fs::read(self.memory()).ok()?;
        let remembered: Remembered = serde_json::from_slice(&json).ok()?;
        let folder = self.cache.join(&remembered.snapshot);
        Some((remembered, folder))
    }

    /// Remembers what is live: beside the old memory first, so that one of them is always whole.
    pub(crate) fn remember(&self, remembered: &Remembered) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.cache)?;
        let (memory, draft) = (self.memory(), self.draft());
        std::fs::write(&draft, serde_json::to_vec(remembered)?)?;
        std::fs::rename(draft, memory)
    }

    /// Removes fetched snapshots that this role does not hold, unless another role remembers them or
    /// they came a short while ago: whoever shares the cache may be about to load them.
    pub(crate) fn tidy(&self, held: &[String]) -> Result<Vec<String>, snapshot::Error> {
        let mut keep = held.to_vec();
        for entry in std::fs::read_dir(&self.cache)
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(MEMORY) {
                let remembered = std::fs::read(entry.path()).ok();
                let remembered = remembered.and_then(|json| serde_json::from_slice(&json).ok());
                keep.extend(remembered.map(|one: Remembered| one.snapshot));
            } else if entry.metadata().is_ok_and(|meta| !is_old(&meta)) {
                keep.push(name);
            }
        }
        snapshot::prune(&self.cache, &keep)
    }

    /// One at a time of those that share the cache fetches and loads, until it drops what this
    /// returns: two at once would take two cores, and twice the memory's bandwidth, from those that
    /// answer on the same machine. `None` when it waited for as long as `patience`, or where files
    /// know no locks.
    pub(crate) async fn turn(&self, patience: Duration) -> Option<File> {
        std::fs::create_dir_all(&self.cache).ok()?;
        let turn = File::create(self.cache.join(TURN)).ok()?;
        let begun = Instant::now();
        loop {
            match turn.try_lock() {
                Ok(()) => return Some(turn),
                Err(TryLockError::WouldBlock) if begun.elapsed() < patience => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
            }
        }
    }

    fn memory(&self) -> PathBuf {
        self.cache.join(format!("{}{MEMORY}", self.role))
    }

    /// Of this process alone: others may share the cache.
    fn draft(&self) -> PathBuf {
        let process = std::process::id();
        self.cache.join(format!(".{}.live.{process}", self.role))
    }
}

/// By the file's own clock. One that cannot be told is young.
fn is_old(meta: &Metadata) -> bool {
    let age = meta.modified().ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age > YOUNG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(cache: &std::path::Path, role: &'static str) -> Source {
        let setup = Setup {
            registry: Some(cache.join("registry").display().to_string()),
            cache: cache.join("cache"),
            ..Setup::default()
        };
        Source::open(role, &setup).unwrap().unwrap()
    }

    fn live(snapshot: &str) -> Remembered {
        Remembered {
            snapshot: snapshot.to_owned(),
            sequence: 3,
        }
    }

    #[test]
    fn what_was_live_is_remembered_and_forgotten_for_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let source = source(dir.path(), "candidates");
        assert!(source.remembered().is_none());
        for snapshot in ["a", "b"] {
            source.remember(&live(snapshot)).unwrap();
        }
        let (remembered, folder) = source.remembered().unwrap();
        assert_eq!(remembered, live("b"));
        assert_eq!(folder, dir.path().join("cache/b"));
    }

    #[tokio::test]
    async fn roles_that_share_a_cache_load_one_after_another() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (
            source(dir.path(), "candidates"),
            source(dir.path(), "recovery"),
        );
        let turn = one.turn(Duration::ZERO).await.unwrap();
        assert!(other.turn(Duration::from_millis(30)).await.is_none());
        let next = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(turn);
        };
        let (waited, ()) = tokio::join!(other.turn(Duration::from_secs(60)), next);
        assert!(waited.is_some());
        assert!(one.turn(Duration::ZERO).await.is_none());
        drop(waited);
        assert!(one.turn(Duration::ZERO).await.is_some());
    }

    #[test]
    fn old_snapshots_that_nobody_remembers_leave_the_cache() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (
            source(dir.path(), "candidates"),
            source(dir.path(), "recovery"),
        );
        let ids = ["1", "2", "3", "4"].map(|digit| digit.repeat(64));
        for id in &ids {
            std::fs::create_dir_all(dir.path().join("cache").join(id)).unwrap();
        }
        other.remember(&live(&ids[1])).unwrap();
        let long_ago = std::fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
        for id in &ids[..3] {
            let folder = std::fs::File::open(dir.path().join("cache").join(id)).unwrap();
            folder.set_times(long_ago).unwrap();
        }
        let removed = one.tidy(&ids[..1]).unwrap();
        assert_eq!(
            removed,
            ids[2..3],
            "the others are held, remembered, or young"
        );
    }
}
