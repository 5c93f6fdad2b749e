//! From the registry to a folder of this machine.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::cache::{self, BLOBS};
use super::{Progress, Registry, Tell, blob_key};
use crate::builder::measure;
use crate::manifest::hex;
use crate::{Error, FileEntry, Manifest, Snapshot, crash};

impl Registry {
    /// Brings a snapshot to `cache/ID` and opens it. A file that another generation has brought
    /// already is used again: both folders hold links to one copy. Each file is checked on its
    /// way, the folder appears whole or not at all, and any number of processes may do so at once.
    ///
    /// # Errors
    /// No such snapshot, a file that is not what the manifest says, a full disk, a store that does
    /// not answer.
    pub async fn fetch(&self, id: &str, cache: &Path, tell: Tell<'_>) -> Result<Snapshot, Error> {
        super::check_id(id)?;
        let folder = cache.join(id);
        if let Some(here) = cache::opened(&folder, id)? {
            return Ok(here);
        }
        let (json, manifest) = self.read_manifest(id).await?;
        let blobs = cache.join(BLOBS);
        fs::create_dir_all(&blobs).map_err(Error::io("create folder", &blobs))?;
        self.fetch_blobs(&manifest, &blobs, tell).await?;
        crash::reached("fetch.folder");
        cache::assemble(cache, id, &manifest, &json)?;
        crash::reached("fetch.done");
        Snapshot::open(&folder)
    }

    async fn fetch_blobs(
        &self,
        manifest: &Manifest,
        blobs: &Path,
        tell: Tell<'_>,
    ) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        let files = manifest.files.iter();
        let files: Vec<_> = files.filter(|(_, e)| seen.insert(&e.sha256)).collect();
        let mut progress = Progress {
            total_bytes: files.iter().map(|(_, entry)| entry.size).sum(),
            ..Progress::default()
        };
        for (at, (name, entry)) in (1_usize..).zip(files) {
            name.clone_into(&mut progress.file);
            let place = blobs.join(&entry.sha256);
            if is_here(&place, entry)? {
                progress.done_bytes += entry.size;
                progress.reused_bytes += entry.size;
                tell(progress.clone());
                continue;
            }
            let mut moved = |bytes| {
                progress.done_bytes += bytes;
                tell(progress.clone());
            };
            self.fetch_blob(name, entry, &place, &mut moved).await?;
            crash::reached_nth("fetch.blob", at);
        }
        Ok(())
    }

    async fn fetch_blob(
        &self,
        name: &str,
        entry: &FileEntry,
        place: &Path,
        moved: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), Error> {
        let key = blob_key(&entry.sha256);
        let found = match self.store.get(&self.key(&key)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(Error::Gone {
                    key,
                    url: self.url.clone(),
                });
            }
            Err(error) => return Err(self.failed("read", &key, error)),
        };
        let folder = place.parent().unwrap_or(place);
        let mut file = NamedTempFile::with_prefix_in(cache::DRAFT, folder)
            .map_err(Error::io("create a file in", folder))?;
        let (mut hash, mut size) = (Sha256::new(), 0);
        let mut pieces = found.into_stream();
        let failed = |error| self.failed("read", &key, error);
        while let Some(piece) = pieces.try_next().await.map_err(failed)? {
            hash.update(&piece);
            size += piece.len() as u64;
            file.write_all(&piece)
                .map_err(Error::io("write", file.path()))?;
            moved(piece.len() as u64);
        }
        let found = FileEntry {
            sha256: hex(&hash.finalize()),
            size,
        };
        crate::opened::compare(name, entry, &found)?;
        keep(file, place)
    }
}

/// Whether a blob is in the cache and is what its name says. One that is not is fetched again.
fn is_here(place: &Path, entry: &FileEntry) -> Result<bool, Error> {
    match fs::symlink_metadata(place) {
        Ok(meta) if meta.is_file() && meta.len() == entry.size => Ok(measure(place)? == *entry),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("look at", place)(error)),
    }
}

/// Gives a checked file its name. Generations share it, so nobody may write to it.
fn keep(file: NamedTempFile, place: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let read_only = fs::Permissions::from_mode(0o444);
    file.as_file()
        .set_permissions(read_only)
        .and_then(|()| file.as_file().sync_all())
        .map_err(Error::io("keep", file.path()))?;
    let kept: Result<File, _> = file.persist(place);
    let failed = |error: tempfile::PersistError| {
        Error::io("put in place", PathBuf::from(place))(error.error)
    };
    kept.map(drop).map_err(failed)
}
