//! The folders of fetched snapshots on this machine: `CACHE/ID`, hard links into `CACHE/blobs`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use super::check_id;
use crate::{Error, MANIFEST, Manifest, Snapshot};

pub(super) const BLOBS: &str = "blobs";
/// What is still being written begins so.
pub(super) const DRAFT: &str = ".draft-";

/// A snapshot that was brought before. What is there and is not whole is removed.
pub(super) fn opened(folder: &Path, id: &str) -> Result<Option<Snapshot>, Error> {
    if !folder.exists() {
        return Ok(None);
    }
    match Snapshot::open(folder) {
        Ok(here) if here.id() == id => Ok(Some(here)),
        Ok(_) | Err(_) => {
            fs::remove_dir_all(folder).map_err(Error::io("remove", folder))?;
            Ok(None)
        }
    }
}

/// Links the blobs under their names into a hidden folder, which then takes its place by one rename.
pub(super) fn assemble(
    cache: &Path,
    id: &str,
    manifest: &Manifest,
    json: &[u8],
) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let work = tempfile::Builder::new()
        .prefix(DRAFT)
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir_in(cache)
        .map_err(Error::io("create a folder in", cache))?;
    for (name, entry) in &manifest.files {
        let path = work.path().join(name);
        let folder = path.parent().unwrap_or(work.path());
        fs::create_dir_all(folder).map_err(Error::io("create folder", folder))?;
        link(&cache.join(BLOBS).join(&entry.sha256), &path)?;
    }
    let path = work.path().join(MANIFEST);
    fs::write(&path, json).map_err(Error::io("write", &path))?;
    let place = cache.join(id);
    match fs::rename(work.path(), &place) {
        Ok(()) => {
            // The folder is no longer temporary.
            let _ = work.keep();
            Ok(())
        }
        // Another process was as quick, with the same content.
        Err(_) if place.join(MANIFEST).is_file() => Ok(()),
        Err(error) => Err(Error::io("put in place", place)(error)),
    }
}

/// A second name for the same bytes, or a copy where the file system knows no links.
fn link(from: &Path, to: &Path) -> Result<(), Error> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Error::io("link", from)(error))
        }
        Err(_) => fs::copy(from, to)
            .map(drop)
            .map_err(Error::io("copy", from)),
    }
}

/// A file that no generation links to is left alone for this long: somebody may be about to.
const YOUNG: Duration = Duration::from_secs(3_600);

/// Removes fetched snapshots except those of `keep`, and files that none of the rest links to.
/// What a running process has mapped stays readable to it. Returns the ids removed.
///
/// # Errors
/// A disk error.
pub fn prune(cache: &Path, keep: &[String]) -> Result<Vec<String>, Error> {
    let mut removed = Vec::new();
    for entry in entries(cache)? {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let leftover = name.starts_with(DRAFT) && is_old(&entry.path());
        if leftover || check_id(&name).is_ok() && !keep.contains(&name) {
            fs::remove_dir_all(entry.path()).map_err(Error::io("remove", entry.path()))?;
            removed.extend((!leftover).then_some(name));
        }
    }
    for entry in entries(&cache.join(BLOBS))? {
        let unlinked = entry.metadata().is_ok_and(|meta| meta.nlink() < 2);
        if unlinked && is_old(&entry.path()) {
            fs::remove_file(entry.path()).map_err(Error::io("remove", entry.path()))?;
        }
    }
    removed.sort();
    Ok(removed)
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, Error> {
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .collect::<Result<_, _>>()
            .map_err(Error::io("read folder", folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("read folder", folder)(error)),
    }
}

/// By the file's own clock. One that cannot be told is young.
fn is_old(path: &Path) -> bool {
    let age = |meta: fs::Metadata| meta.modified().ok()?.elapsed().ok();
    fs::metadata(path)
        .ok()
        .and_then(age)
        .is_some_and(|age| age > YOUNG)
}
