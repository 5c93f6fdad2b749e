use std::path::Path;
use std::sync::Arc;

use crate::{CodeIndex, Error, FaissIndex, Vectors};

/// How a space is searched.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum IndexKind {
    /// Full vectors, scanned.
    Scan,
    /// 8-bit codes, scanned; exact.
    Codes,
    /// 8-bit codes in inverted lists.
    Lists,
    /// Inverted lists of FAISS with its 8-bit codes.
    Faiss,
}

impl IndexKind {
    pub const ALL: [Self; 4] = [Self::Scan, Self::Codes, Self::Lists, Self::Faiss];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Codes => "codes",
            Self::Lists => "lists",
            Self::Faiss => "faiss",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An index of any kind.
#[derive(Debug)]
pub enum Index {
    Scan,
    Codes(CodeIndex),
    Lists(CodeIndex),
    Faiss(FaissIndex),
}

impl Index {
    /// Maps the index file of this kind that was saved over these vectors. A scan has no file.
    ///
    /// # Errors
    /// When the file is missing, damaged, of another kind, or made from other vectors.
    pub fn load(kind: IndexKind, path: &Path, vectors: &Arc<Vectors>) -> Result<Self, Error> {
        let codes = || CodeIndex::load(path, Arc::clone(vectors));
        let index = match kind {
            IndexKind::Scan => Self::Scan,
            IndexKind::Codes => Self::Codes(codes()?),
            IndexKind::Lists => Self::Lists(codes()?),
            IndexKind::Faiss => Self::Faiss(FaissIndex::load_mmap(path)?),
        };
        match &index {
            Self::Codes(codes) if codes.lists() > 0 => Err(other_kind(path, "has lists")),
            Self::Lists(codes) if codes.lists() == 0 => Err(other_kind(path, "has no lists")),
            Self::Scan | Self::Codes(_) | Self::Lists(_) | Self::Faiss(_) => Ok(index),
        }
    }

    /// Writes the index file; nothing for a scan.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Scan => Ok(()),
            Self::Codes(index) | Self::Lists(index) => index.save(path),
            Self::Faiss(index) => index.save(path),
        }
    }

    #[must_use]
    pub fn kind(&self) -> IndexKind {
        match self {
            Self::Scan => IndexKind::Scan,
            Self::Codes(_) => IndexKind::Codes,
            Self::Lists(_) => IndexKind::Lists,
            Self::Faiss(_) => IndexKind::Faiss,
        }
    }

    /// Number of inverted lists; 0 when there are none.
    #[must_use]
    pub fn lists(&self) -> u32 {
        match self {
            Self::Scan => 0,
            Self::Codes(index) | Self::Lists(index) => index.lists(),
            Self::Faiss(index) => index.lists(),
        }
    }
}

fn other_kind(path: &Path, found: &str) -> Error {
    Error::File {
        path: path.to_owned(),
        detail: format!("it is of another kind than the manifest says: it {found}"),
    }
}
