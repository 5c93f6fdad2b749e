//! Snapshots by id in a folder or a bucket.
//!
//! | object | what it is |
//! |---|---|
//! | `blobs/SHA256` | the content of a file, once, whichever snapshots name it |
//! | `manifests/ID.json` | a snapshot's manifest, written last: what has none is invisible |
//! | `activations/00000042.json` | one record of the sequence that says what is live |
//! | `intents/ID-N.json` | somebody publishes or activates this snapshot right now |
//! | `collecting.json` | leftovers are being collected right now |
//!
//! Publishing names its intent, then looks whether somebody collects; collecting says so, then
//! looks for intents. So one of the two sees the other, and nothing that is about to be named is
//! removed. All ages are told by the store's clock.

mod cache;
mod fetch;
mod gc;
mod history;
mod intent;
mod location;
mod publish;
mod upload;

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};

use crate::{Error, Manifest, id_of};

pub use cache::prune;
pub use gc::{Collected, Keep};
pub use publish::Published;

/// Requests under way at once.
const AT_ONCE: usize = 8;

/// Where snapshots are published, and which of them is live. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    url: String,
    store: Arc<dyn ObjectStore>,
    root: Path,
    /// The folder, when it is one.
    folder: Option<std::path::PathBuf>,
}

/// How far an upload or a download is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The file that is being moved.
    pub file: String,
    pub done_bytes: u64,
    pub total_bytes: u64,
    /// Of the bytes done, those that were there already.
    pub reused_bytes: u64,
}

/// Who is told of progress.
pub type Tell<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// One published snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: String,
    pub published_at_ms: i64,
    /// What it says of itself, or why this build cannot read it.
    pub manifest: Result<Box<Manifest>, String>,
}

impl Registry {
    /// `url` is a folder, `file://…`, `s3://bucket/prefix`, `gs://bucket/prefix` or
    /// `az://container/prefix`. Credentials, region and endpoint come from the environment, under
    /// the names that each cloud's own tools use. Opening asks nothing of the store.
    ///
    /// # Errors
    /// Another scheme, or settings that do not make a client.
    pub fn open(url: &str) -> Result<Self, Error> {
        location::open(url)
    }

    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All that is published, newest first, then by id.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn list(&self) -> Result<Vec<Listed>, Error> {
        let found = self.find("manifests").await?;
        let read = found.into_iter().filter_map(|meta| {
            let id = meta.location.filename()?.strip_suffix(".json")?.to_owned();
            check_id(&id).ok()?;
            Some(async move {
                let read = match self.read_manifest(&id).await {
                    Ok((_, manifest)) => Ok(Box::new(manifest)),
                    Err(Error::NotPublished { .. }) => return Ok(None),
                    Err(store @ Error::Store { .. }) => return Err(store),
                    Err(other) => Err(other.to_string()),
                };
                Ok(Some(Listed {
                    id,
                    published_at_ms: meta.last_modified.timestamp_millis(),
                    manifest: read,
                }))
            })
        });
        let listed = futures::stream::iter(read).buffered(AT_ONCE);
        let listed = listed.try_filter_map(|one| async move { Ok(one) });
        let mut listed: Vec<Listed> = listed.try_collect().await?;
        listed.sort_by(|a, b| {
            let newest_first = b.published_at_ms.cmp(&a.published_at_ms);
            newest_first.then_with(|| a.id.cmp(&b.id))
        });
        Ok(listed)
    }

    /// # Errors
    /// No such snapshot, or one that this build cannot read.
    pub async fn manifest(&self, id: &str) -> Result<Manifest, Error> {
        Ok(self.read_manifest(id).await?.1)
    }

    /// The id that a person shortened, when exactly one begins so.
    ///
    /// # Errors
    /// None or several begin so.
    pub async fn resolve(&self, short: &str) -> Result<String, Error> {
        if check_id(short).is_ok() {
            return Ok(short.to_owned());
        }
        let found = self.find("manifests").await?;
        let names = found.iter().filter_map(|meta| meta.location.filename());
        let ids = names.filter_map(|name| name.strip_suffix(".json"));
        let mut like = ids.filter(|id| !short.is_empty() && id.starts_with(short));
        match (like.next(), like.next()) {
            (Some(one), None) => Ok(one.to_owned()),
            (Some(_), Some(_)) => Err(Error::Id {
                id: format!("{short}… (several snapshots begin so)"),
            }),
            (None, _) => Err(Error::NotPublished {
                id: short.to_owned(),
                url: self.url.clone(),
            }),
        }
    }

    /// The manifest as it was published, and what it says.
    async fn read_manifest(&self, id: &str) -> Result<(Bytes, Manifest), Error> {
        check_id(id)?;
        let json = self.get(&manifest_key(id)).await?;
        let json = json.ok_or_else(|| Error::NotPublished {
            id: id.to_owned(),
            url: self.url.clone(),
        })?;
        let manifest = Manifest::parse(&json)?;
        let found = id_of(&json)?;
        if found != id {
            let detail = format!("it is published as {id}, its content makes it {found}");
            return Err(Error::Manifest { detail });
        }
        for (name, entry) in &manifest.files {
            check_id(&entry.sha256).map_err(|_| Error::Manifest {
                detail: format!("sha256 of {name} is {:?}", entry.sha256),
            })?;
        }
        Ok((json, manifest))
    }

    fn key(&self, name: &str) -> Path {
        let parts = name.split('/');
        parts.fold(self.root.clone(), |path, part| path.join(part))
    }

    fn failed(&self, action: &'static str, name: &str, source: object_store::Error) -> Error {
        Error::Store {
            action,
            key: name.to_owned(),
            url: self.url.clone(),
            source: Box::new(source),
        }
    }

    /// The whole of a small object; `None` when there is none.
    async fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let found = match self.store.get(&self.key(name)).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", name, error)),
        }
    }

    async fn head_of(&self, name: &str) -> Result<Option<ObjectMeta>, Error> {
        match self.store.head(&self.key(name)).await {
            Ok(meta) => Ok(Some(meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("look at", name, error)),
        }
    }

    /// Writes a small object unless there is one; says whether it did.
    async fn create(&self, name: &str, bytes: Vec<u8>) -> Result<bool, Error> {
        let payload = PutPayload::from(bytes);
        let key = self.key(name);
        match self
            .store
            .put_opts(&key, payload, PutMode::Create.into())
            .await
        {
            Ok(_) => Ok(true),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(false),
            Err(error) => Err(self.failed("create", name, error)),
        }
    }

    /// Whether there was one.
    async fn delete(&self, name: &str) -> Result<bool, Error> {
        match self.store.delete(&self.key(name)).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed("remove", name, error)),
        }
    }

    /// The objects directly below a name.
    async fn find(&self, name: &str) -> Result<Vec<ObjectMeta>, Error> {
        let found = self.store.list(Some(&self.key(name)));
        let found: Result<Vec<ObjectMeta>, _> = found.try_collect().await;
        found.map_err(|error| self.failed("list", name, error))
    }
}

fn manifest_key(id: &str) -> String {
    format!("manifests/{id}.json")
}

fn blob_key(sha256: &str) -> String {
    format!("blobs/{sha256}")
}

/// Ids and checksums become names of objects and files, so they are nothing but digits.
fn check_id(id: &str) -> Result<(), Error> {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if id.len() == 64 && id.bytes().all(digit) {
        return Ok(());
    }
    Err(Error::Id { id: id.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_nothing_but_digits() {
        assert!(check_id(&"a0".repeat(32)).is_ok());
        for bad in [
            "",
            "..",
            &"A0".repeat(32),
            &"a0".repeat(33),
            &"/.".repeat(32),
        ] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }
}
