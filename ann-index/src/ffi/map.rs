use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

/// The beginning of a file, mapped read-only.
#[derive(Debug)]
pub(crate) struct MappedFile {
    map: Mmap,
}

impl MappedFile {
    /// Maps the first `len` bytes. Snapshots are written under a new name and never changed; a
    /// file that is changed while it is mapped may show it.
    pub(crate) fn open(path: &Path, len: u64) -> Result<Self, String> {
        let readable = |error: std::io::Error| error.to_string();
        let file = File::open(path).map_err(readable)?;
        let len = usize::try_from(len).map_err(|error| error.to_string())?;
        // SAFETY: the map is read-only and handed out as bytes that live no longer than it. That
        // nobody cuts the file short is the condition under which snapshots are kept: they are
        // immutable, and a new one has a new name.
        let map = unsafe { memmap2::MmapOptions::new().len(len).populate().map(&file) };
        Ok(Self {
            map: map.map_err(readable)?,
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }
}
