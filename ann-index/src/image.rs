//! An index as the bytes of its file: built into memory or mapped, and read in place.

use std::path::Path;

use bytemuck::{AnyBitPattern, Pod, Zeroable};

use crate::envelope;
use crate::ffi::MappedFile;

/// Where a section may begin: a cache line.
pub(crate) const ALIGN: usize = 64;

#[derive(Copy, Clone, Debug, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; ALIGN]);

/// Bytes that begin at a cache line.
#[derive(Debug)]
pub(crate) enum Image {
    Owned(Lines),
    Mapped(MappedFile),
}

/// Bytes in memory, zero where nothing was written.
#[derive(Debug)]
pub(crate) struct Lines {
    lines: Vec<Line>,
    len: usize,
}

impl Lines {
    pub(crate) fn new(len: usize) -> Self {
        Self {
            lines: vec![Line::zeroed(); len.div_ceil(ALIGN)],
            len,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.lines)
            .get(..self.len)
            .unwrap_or(&[])
    }

    /// Copies a section to its place; what would stand past the end is left out.
    pub(crate) fn put<T: Pod>(&mut self, section: Section, values: &[T]) {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.lines);
        let place = bytes.get_mut(section.from..).unwrap_or(&mut []);
        for (to, from) in place.iter_mut().zip(bytemuck::cast_slice::<T, u8>(values)) {
            *to = *from;
        }
    }
}

/// Where a section is, in bytes.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) from: usize,
    pub(crate) len: usize,
}

impl Section {
    /// The section of `count` values of `T` that follows this one, or `None` when no memory could
    /// hold it.
    pub(crate) fn then<T>(self, count: usize) -> Option<Self> {
        let end = self.from.checked_add(self.len)?;
        Some(Self {
            from: end.checked_next_multiple_of(ALIGN)?,
            len: count.checked_mul(size_of::<T>())?,
        })
    }
}

impl Image {
    /// Maps a file after its checksum was compared, which also brings its pages into memory.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let content = envelope::check(path)?;
        MappedFile::open(path, content).map(Self::Mapped)
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), String> {
        let readable = |error: std::io::Error| error.to_string();
        std::fs::write(path, self.bytes()).map_err(readable)?;
        envelope::seal(path).map_err(readable)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(lines) => lines.bytes(),
            Self::Mapped(file) => file.bytes(),
        }
    }

    /// The values of a section; none when it does not lie inside the image.
    pub(crate) fn section<T: AnyBitPattern>(&self, section: Section) -> &[T] {
        let end = section.from.saturating_add(section.len);
        let bytes = self.bytes().get(section.from..end).unwrap_or(&[]);
        bytemuck::try_cast_slice(bytes).unwrap_or(&[])
    }
}
