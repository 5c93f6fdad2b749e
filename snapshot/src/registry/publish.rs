//! Publishing: files first, the manifest last.

use std::collections::BTreeMap;

use super::intent::Intent;
use super::upload::Source;
use super::{Progress, Registry, Tell, blob_key, check_id, manifest_key};
use crate::{Error, FileEntry, MANIFEST, Snapshot, crash, id_of};

/// What publishing did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    pub id: String,
    /// It was there already, whole.
    pub already: bool,
    /// Distinct files sent, and their bytes.
    pub uploaded: usize,
    pub uploaded_bytes: u64,
    /// Distinct files that were there already.
    pub reused: usize,
    pub reused_bytes: u64,
}

impl Registry {
    /// Uploads what of a snapshot is not there yet, under its content's name, checks that all of
    /// it has arrived, and only then writes the manifest: until that moment nobody sees any of it,
    /// and after it all of it is there. Publishing again what is published changes nothing.
    ///
    /// # Errors
    /// A file that is not what the manifest says, leftovers being collected, a store that does not
    /// answer. Nothing is visible then.
    pub async fn publish(&self, snapshot: &Snapshot, tell: Tell<'_>) -> Result<Published, Error> {
        check_id(snapshot.id())?;
        let files = distinct(snapshot)?;
        let intent = Intent {
            snapshot: snapshot.id().to_owned(),
            blobs: files.keys().map(|sha256| (*sha256).to_owned()).collect(),
        };
        let said = self.intend(&intent).await?;
        let published = self.publish_intended(snapshot, &files, tell).await;
        self.forget(&said).await;
        published
    }

    async fn publish_intended(
        &self,
        snapshot: &Snapshot,
        files: &Distinct<'_>,
        tell: Tell<'_>,
    ) -> Result<Published, Error> {
        let json = manifest_of(snapshot)?;
        let mut done = Published {
            id: snapshot.id().to_owned(),
            ..Published::default()
        };
        let total_bytes = files.values().map(|(_, entry)| entry.size).sum();
        let mut progress = Progress {
            total_bytes,
            ..Progress::default()
        };
        for (at, (name, entry)) in (1_usize..).zip(files.values()) {
            (*name).clone_into(&mut progress.file);
            let key = blob_key(&entry.sha256);
            if self.has_arrived(&key, entry.size).await? {
                done.reused += 1;
                done.reused_bytes += entry.size;
                progress.reused_bytes += entry.size;
                progress.done_bytes += entry.size;
                tell(progress.clone());
                continue;
            }
            let path = snapshot.file(name)?;
            let source = Source {
                name,
                path: &path,
                entry,
            };
            let mut moved = |bytes| {
                progress.done_bytes += bytes;
                tell(progress.clone());
            };
            self.upload(&source, &key, &mut moved).await?;
            if !self.has_arrived(&key, entry.size).await? {
                return Err(Error::Gone {
                    key,
                    url: self.url.clone(),
                });
            }
            done.uploaded += 1;
            done.uploaded_bytes += entry.size;
            crash::reached_nth("publish.blob", at);
        }
        crash::reached("publish.manifest");
        done.already = !self.create(&manifest_key(&done.id), json).await?;
        crash::reached("publish.done");
        // What is there under this id says the same, or it would have another id.
        self.read_manifest(&done.id).await?;
        Ok(done)
    }

    async fn has_arrived(&self, key: &str, size: u64) -> Result<bool, Error> {
        Ok(self
            .head_of(key)
            .await?
            .is_some_and(|meta| meta.size == size))
    }
}

/// One name and entry for each content.
type Distinct<'a> = BTreeMap<&'a str, (&'a str, &'a FileEntry)>;

fn distinct(snapshot: &Snapshot) -> Result<Distinct<'_>, Error> {
    let mut files = Distinct::new();
    for (name, entry) in &snapshot.manifest().files {
        check_id(&entry.sha256).map_err(|_| Error::Manifest {
            detail: format!("sha256 of {name} is {:?}", entry.sha256),
        })?;
        files.entry(&entry.sha256).or_insert((name, entry));
    }
    Ok(files)
}

/// The manifest's bytes as they are on disk, if they still make this snapshot's id.
fn manifest_of(snapshot: &Snapshot) -> Result<Vec<u8>, Error> {
    let path = snapshot.dir().join(MANIFEST);
    let json = std::fs::read(&path).map_err(Error::io("read", path))?;
    let found = id_of(&json)?;
    if found == snapshot.id() {
        return Ok(json);
    }
    Err(Error::Manifest {
        detail: format!("it was {} when opened and is {found} now", snapshot.id()),
    })
}
