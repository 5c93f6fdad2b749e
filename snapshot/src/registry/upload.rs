//! One file on its way into the registry.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use object_store::{ObjectStoreExt as _, PutPayload, WriteMultipart};
use sha2::{Digest as _, Sha256};

use super::Registry;
use crate::manifest::hex;
use crate::{Error, FileEntry, crash};

/// Size of the pieces that a file goes up in. S3 allows 10,000 of them: 160 GB a file.
const PIECE: usize = 16 << 20;
/// Pieces under way at once.
const PIECES: usize = 3;

/// A file to be uploaded, which has to be what the manifest says.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) path: &'a Path,
    pub(super) entry: &'a FileEntry,
}

impl Registry {
    /// Uploads a file under its checksum. It is hashed on its way, and becomes visible only when
    /// it is what the manifest says. `moved` is told how many bytes each piece has.
    pub(super) async fn upload(
        &self,
        source: &Source<'_>,
        key: &str,
        moved: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        let mut file = File::open(source.path).map_err(Error::io("open", source.path))?;
        let first = piece(&mut file, source.path)?;
        if first.len() < PIECE {
            check(source, &Sha256::digest(&first), first.len() as u64)?;
            let size = first.len() as u64;
            let (path, payload) = (self.key(key), PutPayload::from(first));
            let put = self.store.put(&path, payload).await;
            put.map_err(|e| self.failed("write", key, e))?;
            moved(size);
            return Ok(());
        }
        let upload = self.store.put_multipart(&self.key(key)).await;
        let upload = upload.map_err(|e| self.failed("begin to write", key, e))?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PIECE);
        match self
            .pieces(source, key, file, first, &mut upload, moved)
            .await
        {
            Ok(()) => {
                let finished = upload.finish().await;
                finished.map_err(|e| self.failed("write", key, e))?;
                Ok(())
            }
            Err(error) => {
                // Best effort: what stays behind is invisible, and collected when it is old.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    async fn pieces(
        &self,
        source: &Source<'_>,
        key: &str,
        mut file: File,
        first: Bytes,
        upload: &mut WriteMultipart,
        moved: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        let (mut hash, mut size) = (Sha256::new(), 0);
        let mut next = first;
        while !next.is_empty() {
            hash.update(&next);
            size += next.len() as u64;
            moved(next.len() as u64);
            upload.put(next);
            let ready = upload.wait_for_capacity(PIECES).await;
            ready.map_err(|e| self.failed("write", key, e))?;
            crash::reached("publish.piece");
            next = piece(&mut file, source.path)?;
        }
        check(source, &hash.finalize(), size)
    }
}

/// The next piece of a file; shorter than others at its end, and then empty.
fn piece(file: &mut File, path: &Path) -> Result<Bytes, Error> {
    let mut piece = Vec::new();
    let read = file.take(PIECE as u64).read_to_end(&mut piece);
    read.map_err(Error::io("read", path))?;
    Ok(Bytes::from(piece))
}

fn check(source: &Source<'_>, digest: &[u8], size: u64) -> Result<(), Error> {
    let Source { name, entry, .. } = source;
    if size != entry.size {
        return Err(Error::Size {
            name: (*name).to_owned(),
            expected: entry.size,
            found: size,
        });
    }
    let found = hex(digest);
    if found == entry.sha256 {
        return Ok(());
    }
    Err(Error::Checksum {
        name: (*name).to_owned(),
        expected: entry.sha256.clone(),
        found,
    })
}
