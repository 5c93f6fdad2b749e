use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::manifest::hex;
use crate::{Error, FORMAT, FileEntry, MANIFEST, Manifest, Snapshot, name};

/// Writes a snapshot: files go to a hidden folder beside the target, which takes the target's
/// place in one rename once everything is on disk. A reader never sees a half-written snapshot,
/// and a builder that is dropped leaves nothing behind.
#[derive(Debug)]
pub struct Builder {
    target: PathBuf,
    parent: PathBuf,
    work: TempDir,
}

impl Builder {
    /// # Errors
    /// When `out` is a file or a non-empty folder that is not a snapshot, or when the folder
    /// above it cannot be written.
    pub fn new(out: impl AsRef<Path>) -> Result<Self, Error> {
        let target =
            std::path::absolute(out.as_ref()).map_err(Error::io("resolve", out.as_ref()))?;
        check_target(&target)?;
        let parent = target.parent().unwrap_or(&target).to_owned();
        fs::create_dir_all(&parent).map_err(Error::io("create folder", &parent))?;
        let work = tempfile::Builder::new()
            .prefix(".snapshot-")
            .tempdir_in(&parent)
            .map_err(Error::io("create a folder in", &parent))?;
        Ok(Self {
            target,
            parent,
            work,
        })
    }

    /// Writes one file.
    ///
    /// # Errors
    /// A name that is not allowed or already written, or a disk error.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path(name)?;
        if path.exists() {
            return Err(Error::Twice {
                name: name.to_owned(),
            });
        }
        fs::write(&path, bytes).map_err(Error::io("write", path))
    }

    /// Where an engine that writes files itself puts the file of this name. Its folder exists.
    ///
    /// # Errors
    /// A name that is not allowed, or a disk error.
    pub fn path(&self, name: &str) -> Result<PathBuf, Error> {
        name::check(name)?;
        let path = self.work.path().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("create folder", folder))?;
        }
        Ok(path)
    }

    /// Adds checksums and sizes to the manifest, makes everything durable and puts the folder in
    /// place. Whatever `files`, `format` the given manifest holds is replaced.
    ///
    /// # Errors
    /// A disk error; the target is then as it was.
    pub fn finish(self, mut manifest: Manifest) -> Result<Snapshot, Error> {
        manifest.format = FORMAT;
        manifest.files = BTreeMap::new();
        seal(self.work.path(), "", &mut manifest.files)?;
        let json = manifest.to_json()?;
        let path = self.work.path().join(MANIFEST);
        fs::write(&path, json).map_err(Error::io("write", &path))?;
        sync(&path)?;
        sync(self.work.path())?;
        open_to_readers(self.work.path())?;
        put_in_place(self.work, &self.target, &self.parent)?;
        Snapshot::open(&self.target)
    }
}

fn check_target(target: &Path) -> Result<(), Error> {
    let mut entries = match fs::read_dir(target) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(Error::Io {
                action: "read folder",
                path: target.to_owned(),
                source,
            });
        }
    };
    if entries.next().is_none() || target.join(MANIFEST).is_file() {
        return Ok(());
    }
    Err(Error::Occupied {
        path: target.to_owned(),
    })
}

/// Hashes and syncs every file below `folder`, children before their folder.
fn seal(folder: &Path, prefix: &str, files: &mut BTreeMap<String, FileEntry>) -> Result<(), Error> {
    let entries = fs::read_dir(folder).map_err(Error::io("read folder", folder))?;
    for entry in entries {
        let entry = entry.map_err(Error::io("read folder", folder))?;
        let path = entry.path();
        let part = entry.file_name().into_string().map_err(|bad| Error::Name {
            name: bad.to_string_lossy().into_owned(),
            reason: "it is not UTF-8",
        })?;
        let name = format!("{prefix}{part}");
        name::check(&name)?;
        if path.is_dir() {
            seal(&path, &format!("{name}/"), files)?;
        } else {
            files.insert(name, measure(&path)?);
        }
        sync(&path)?;
    }
    Ok(())
}

/// Size and sha256 of a file, read in pieces: an index need not fit into memory twice.
pub(crate) fn measure(path: &Path) -> Result<FileEntry, Error> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if read == 0 {
            return Ok(FileEntry {
                sha256: hex(&hash.finalize()),
                size,
            });
        }
        hash.update(&buffer[..read]);
        size += read as u64;
    }
}

fn sync(path: &Path) -> Result<(), Error> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(Error::io("sync", path))
}

/// A temporary folder belongs to its creator alone; a snapshot is read by the servers' user.
fn open_to_readers(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
        .map_err(Error::io("set permissions of", folder))
}

/// Renames the finished folder to its place. A snapshot that is there is first moved aside, and
/// moved back when the second rename fails.
fn put_in_place(work: TempDir, target: &Path, parent: &Path) -> Result<(), Error> {
    let aside = tempfile::Builder::new()
        .prefix(".snapshot-old-")
        .tempdir_in(parent)
        .map_err(Error::io("create a folder in", parent))?;
    let old = aside.path().join("old");
    let replaced = match fs::rename(target, &old) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(source) => {
            return Err(Error::Io {
                action: "move aside",
                path: target.to_owned(),
                source,
            });
        }
    };
    if let Err(source) = fs::rename(work.path(), target) {
        if replaced {
            fs::rename(&old, target).map_err(Error::io("move back", target))?;
        }
        return Err(Error::Io {
            action: "put in place",
            path: target.to_owned(),
            source,
        });
    }
    // The folder is no longer temporary; without this its old path would be removed on drop.
    let _ = work.keep();
    sync(parent)?;
    aside.close().map_err(Error::io("remove the old", target))
}

/// Appends one line of JSON to `out`.
pub(crate) fn push_json_line<T: serde::Serialize>(out: &mut Vec<u8>, row: &T) -> io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    out.write_all(b"\n")
}
