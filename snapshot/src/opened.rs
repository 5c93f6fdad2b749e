use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::builder::measure;
use crate::{Error, FileEntry, MANIFEST, Manifest, id_of};

/// An opened snapshot folder: its manifest has been read, and every file is there at its size.
#[derive(Clone, Debug)]
pub struct Snapshot {
    dir: PathBuf,
    manifest: Manifest,
    id: String,
}

/// What [`Snapshot::verify`] looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub files: usize,
    pub bytes: u64,
    /// Files in the folder that the manifest does not name. They are never read.
    pub unlisted: Vec<String>,
}

impl Snapshot {
    /// # Errors
    /// No manifest, one that this build cannot read, or a file that is missing or of another
    /// size. Checksums are left to [`Snapshot::verify`], which reads everything.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        let dir = dir.as_ref().to_owned();
        let json = read_manifest(&dir)?;
        let manifest = Manifest::parse(&json)?;
        let root = fs::canonicalize(&dir).map_err(Error::io("resolve", &dir))?;
        for (name, entry) in &manifest.files {
            check_file(&dir, &root, name, entry)?;
        }
        Ok(Self {
            dir,
            manifest,
            id: id_of(&json)?,
        })
    }

    /// Sha256 of the manifest without parent and creation time, in hex.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.manifest.files.contains_key(name)
    }

    /// Where a file of this snapshot is.
    ///
    /// # Errors
    /// When the manifest does not name it.
    pub fn file(&self, name: &str) -> Result<PathBuf, Error> {
        if self.has(name) {
            Ok(self.dir.join(name))
        } else {
            Err(Error::Unlisted {
                name: name.to_owned(),
            })
        }
    }

    /// # Errors
    /// When the manifest does not name the file, or it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.file(name)?;
        fs::read(&path).map_err(Error::io("read", path))
    }

    /// Reads every file and compares its checksum.
    ///
    /// # Errors
    /// The first file, by name, whose content differs, with both checksums.
    pub fn verify(&self) -> Result<Report, Error> {
        let mut bytes = 0;
        for (name, expected) in &self.manifest.files {
            let found = measure(&self.dir.join(name))?;
            compare(name, expected, &found)?;
            bytes += found.size;
        }
        let mut unlisted = Vec::new();
        self.collect_unlisted(&self.dir, "", &mut unlisted)?;
        unlisted.sort();
        Ok(Report {
            files: self.manifest.files.len(),
            bytes,
            unlisted,
        })
    }

    fn collect_unlisted(
        &self,
        folder: &Path,
        prefix: &str,
        out: &mut Vec<String>,
    ) -> Result<(), Error> {
        for entry in fs::read_dir(folder).map_err(Error::io("read folder", folder))? {
            let entry = entry.map_err(Error::io("read folder", folder))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(Error::io("read", entry.path()))?;
            if kind.is_dir() {
                self.collect_unlisted(&entry.path(), &format!("{name}/"), out)?;
            } else if name != MANIFEST && !self.has(&name) {
                out.push(name);
            }
        }
        Ok(())
    }
}

fn read_manifest(dir: &Path) -> Result<Vec<u8>, Error> {
    let path = dir.join(MANIFEST);
    match fs::read(&path) {
        Ok(json) => Ok(json),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NotASnapshot {
            path: dir.to_owned(),
        }),
        Err(source) => Err(Error::Io {
            action: "read",
            path,
            source,
        }),
    }
}

/// The file must be there, at its size, and inside the folder once links are followed.
fn check_file(dir: &Path, root: &Path, name: &str, entry: &FileEntry) -> Result<(), Error> {
    let path = dir.join(name);
    let real = match fs::canonicalize(&path) {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::Missing {
                name: name.to_owned(),
                path: dir.to_owned(),
            });
        }
        Err(source) => {
            return Err(Error::Io {
                action: "resolve",
                path,
                source,
            });
        }
    };
    if !real.starts_with(root) {
        return Err(Error::Name {
            name: name.to_owned(),
            reason: "it links out of the snapshot",
        });
    }
    let found = fs::metadata(&real).map_err(Error::io("read", &path))?;
    if !found.is_file() {
        return Err(Error::Name {
            name: name.to_owned(),
            reason: "it is not a regular file",
        });
    }
    check_size(name, entry.size, found.len())
}

pub(crate) fn compare(name: &str, expected: &FileEntry, found: &FileEntry) -> Result<(), Error> {
    check_size(name, expected.size, found.size)?;
    if expected.sha256 == found.sha256 {
        return Ok(());
    }
    Err(Error::Checksum {
        name: name.to_owned(),
        expected: expected.sha256.clone(),
        found: found.sha256.clone(),
    })
}

fn check_size(name: &str, expected: u64, found: u64) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::Size {
        name: name.to_owned(),
        expected,
        found,
    })
}
