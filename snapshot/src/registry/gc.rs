//! Collecting what nobody needs any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use object_store::ObjectMeta;
use serde_json::Value;

use super::intent::{COLLECTING, Intent, LEASE};
use super::{Registry, blob_key, manifest_key};
use crate::{Error, crash};

/// What to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Generations that were live last, the live one and the one before among them: at least 2.
    pub activated: usize,
    /// Snapshots published last, whether they were live or not.
    pub recent: usize,
    /// Whatever is younger than this is left alone.
    pub grace: Duration,
    /// Only say what would go.
    pub dry_run: bool,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            activated: 5,
            recent: 5,
            grace: Duration::from_secs(24 * 3_600),
            dry_run: false,
        }
    }
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Snapshots, by id.
    pub snapshots: Vec<String>,
    /// Contents that no snapshot names any more.
    pub blobs: usize,
    pub blob_bytes: u64,
    /// Uploads that did not come to their end. In a bucket these are invisible: a lifecycle rule
    /// of the bucket removes them.
    pub half_uploads: usize,
    /// Traces of publishers and activations that did not come to their end.
    pub intents: usize,
    /// Snapshots kept, each with the reason.
    pub kept: BTreeMap<String, String>,
}

/// The right to remove.
#[derive(Debug)]
struct Lease {
    now_ms: i64,
    begun: Instant,
    dry_run: bool,
}

/// All that collecting is decided from.
#[derive(Debug)]
struct Seen {
    /// The store's time when collecting began.
    now_ms: i64,
    grace_ms: i64,
    manifests: BTreeMap<String, ObjectMeta>,
    intents: Vec<(ObjectMeta, Intent)>,
}

impl Seen {
    fn is_old(&self, meta: &ObjectMeta) -> bool {
        self.now_ms - meta.last_modified.timestamp_millis() > self.grace_ms
    }

    /// Snapshots that somebody publishes or activates right now.
    fn intended(&self) -> impl Iterator<Item = &Intent> {
        let young = self.intents.iter().filter(|(meta, _)| !self.is_old(meta));
        young.map(|(_, intent)| intent)
    }
}

impl Registry {
    /// Removes snapshots that are neither among those to keep nor young, then every content that
    /// no snapshot names, then what interrupted work left. The live generation and the one before
    /// are never removed, nor is what somebody publishes meanwhile.
    ///
    /// # Errors
    /// [`Error::Collecting`] when somebody else collects; a manifest that is not JSON, whose files
    /// could not be kept; a store that does not answer.
    pub async fn gc(&self, keep: &Keep) -> Result<Collected, Error> {
        let begun = Instant::now();
        let lease = Lease {
            now_ms: self.lock().await?,
            begun,
            dry_run: keep.dry_run,
        };
        let collected = self.collect(keep, &lease).await;
        self.forget(COLLECTING).await;
        collected
    }

    /// Says that leftovers are being collected; the store's time of that.
    async fn lock(&self) -> Result<i64, Error> {
        let seconds = LEASE.as_secs();
        for _ in 0..2 {
            if self.create(COLLECTING, b"{}".to_vec()).await? {
                crash::reached("gc.lock");
                let mine = self.head_of(COLLECTING).await?;
                return mine.map(at_ms).ok_or_else(|| self.collecting(seconds));
            }
            // What a collector left that did not come to its end is over when its time is.
            let probe = Intent::default();
            let said = self.intend(&probe).await?;
            self.forget(&said).await;
            self.forget(COLLECTING).await;
        }
        Err(self.collecting(seconds))
    }

    fn collecting(&self, seconds: u64) -> Error {
        Error::Collecting {
            url: self.url.clone(),
            seconds,
        }
    }

    async fn collect(&self, keep: &Keep, lease: &Lease) -> Result<Collected, Error> {
        let seen = self.see(keep, lease.now_ms).await?;
        let mut done = Collected {
            kept: self.kept(keep, &seen).await?,
            ..Collected::default()
        };
        let gone = seen
            .manifests
            .keys()
            .filter(|id| !done.kept.contains_key(*id));
        done.snapshots = gone.cloned().collect();
        let blobs = self.find("blobs").await?;
        let named = self.named(&seen, &done).await?;
        for (at, id) in (1_usize..).zip(&done.snapshots) {
            self.remove(lease, &manifest_key(id)).await?;
            crash::reached_nth("gc.manifest", at);
        }
        for meta in blobs {
            let Some(sha256) = meta.location.filename().filter(|_| seen.is_old(&meta)) else {
                continue;
            };
            if !named.contains(sha256) {
                self.remove(lease, &blob_key(sha256)).await?;
                done.blobs += 1;
                done.blob_bytes += meta.size;
                crash::reached_nth("gc.blob", done.blobs);
            }
        }
        for (meta, _) in seen.intents.iter().filter(|(meta, _)| seen.is_old(meta)) {
            let name = meta.location.filename().unwrap_or_default();
            self.remove(lease, &format!("intents/{name}")).await?;
            done.intents += 1;
        }
        done.half_uploads = self.remove_half_uploads(keep)?;
        Ok(done)
    }

    async fn see(&self, keep: &Keep, now_ms: i64) -> Result<Seen, Error> {
        let mut intents = Vec::new();
        for meta in self.find("intents").await? {
            let name = format!("intents/{}", meta.location.filename().unwrap_or_default());
            if let Some(json) = self.get(&name).await? {
                // One cut short names nothing yet, and so protects nothing yet.
                intents.push((meta, serde_json::from_slice(&json).unwrap_or_default()));
            }
        }
        let manifests = self.find("manifests").await?.into_iter();
        let manifests = manifests.filter_map(|meta| {
            let id = meta.location.filename()?.strip_suffix(".json")?.to_owned();
            Some((id, meta))
        });
        Ok(Seen {
            now_ms,
            grace_ms: i64::try_from(keep.grace.as_millis()).unwrap_or(i64::MAX),
            manifests: manifests.collect(),
            intents,
        })
    }

    /// Snapshots to keep, and why.
    async fn kept(&self, keep: &Keep, seen: &Seen) -> Result<BTreeMap<String, String>, Error> {
        let mut kept = BTreeMap::new();
        let mut note = |id: &str, why: &str| {
            if seen.manifests.contains_key(id) {
                kept.entry(id.to_owned()).or_insert_with(|| why.to_owned());
            }
        };
        let mut live: Vec<String> = Vec::new();
        for record in self.history().await?.into_iter().rev() {
            if !live.contains(&record.snapshot) && live.len() < keep.activated.max(2) {
                live.push(record.snapshot);
            }
        }
        for (at, id) in live.iter().enumerate() {
            let why = match at {
                0 => "live",
                1 => "live before",
                _ => "live lately",
            };
            note(id, why);
        }
        for intent in seen.intended() {
            note(&intent.snapshot, "being published or activated");
        }
        let mut newest: Vec<_> = seen.manifests.iter().collect();
        newest.sort_by_key(|(id, meta)| (std::cmp::Reverse(meta.last_modified), *id));
        for (at, (id, meta)) in newest.into_iter().enumerate() {
            if at < keep.recent {
                note(id, "published lately");
            } else if !seen.is_old(meta) {
                note(id, "younger than the grace period");
            }
        }
        Ok(kept)
    }

    /// Contents that something kept names.
    async fn named(&self, seen: &Seen, done: &Collected) -> Result<BTreeSet<String>, Error> {
        let mut named: BTreeSet<String> = BTreeSet::new();
        for id in done.kept.keys() {
            let json = self.get(&manifest_key(id)).await?;
            named.extend(blobs_of(&json.unwrap_or_default())?);
        }
        let intended = seen
            .intended()
            .flat_map(|intent| intent.blobs.iter().cloned());
        named.extend(intended);
        Ok(named)
    }

    /// Removes one object, while there is time: whoever publishes after it counts on that.
    async fn remove(&self, lease: &Lease, name: &str) -> Result<(), Error> {
        if lease.dry_run {
            return Ok(());
        }
        let lock = self.head_of(COLLECTING).await?;
        // Half of the time, so that a request that hangs does not outlive the rest.
        if lock.map(at_ms) != Some(lease.now_ms) || lease.begun.elapsed() > LEASE / 2 {
            return Err(self.collecting(LEASE.as_secs()));
        }
        self.delete(name).await.map(drop)
    }

    /// In a folder, an upload that was cut short leaves a file beside its target.
    fn remove_half_uploads(&self, keep: &Keep) -> Result<usize, Error> {
        let Some(folder) = &self.folder else {
            return Ok(0);
        };
        let mut removed = 0;
        for below in ["blobs", "manifests", "activations", "intents"] {
            let Ok(entries) = std::fs::read_dir(folder.join(below)) else {
                continue;
            };
            for entry in entries {
                let entry = entry.map_err(Error::io("read folder", folder))?;
                let half = entry.file_name().to_string_lossy().contains('#');
                let age = entry
                    .metadata()
                    .ok()
                    .and_then(|m| m.modified().ok()?.elapsed().ok());
                if half && age.is_some_and(|age| age > keep.grace) {
                    removed += 1;
                    if !keep.dry_run {
                        let path = entry.path();
                        std::fs::remove_file(&path).map_err(Error::io("remove", path))?;
                    }
                }
            }
        }
        Ok(removed)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map asks for")]
fn at_ms(meta: ObjectMeta) -> i64 {
    meta.last_modified.timestamp_millis()
}

/// The contents that a manifest names, also one that this build cannot read otherwise.
fn blobs_of(json: &[u8]) -> Result<Vec<String>, Error> {
    let manifest: Value = serde_json::from_slice(json).map_err(|e| Error::Manifest {
        detail: format!("{e}; nothing is collected, since what it names is not known"),
    })?;
    let files = manifest.get("files").and_then(Value::as_object);
    let entries = files.into_iter().flat_map(|files| files.values());
    let names = entries.filter_map(|entry| entry.get("sha256")?.as_str());
    Ok(names.map(str::to_owned).collect())
}
