//! Bytes of a file, decompressed where needed, with a meter for progress.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::ReadError;

/// The first bytes of every zstd frame (RFC 8878, section 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];
/// Enough for any header line.
const HEAD: u64 = 64 * 1024;

/// How far reading is; cheap to clone, shared with the reader.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    read: Arc<AtomicU64>,
    total: u64,
}

impl Meter {
    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

/// An opened file, its first bytes known.
pub(crate) struct Source {
    path: PathBuf,
    head: Vec<u8>,
    rest: Box<dyn Read + Send>,
    meter: Meter,
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Self, ReadError> {
        let broken = |source| ReadError::Open {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(broken)?;
        let total = file.metadata().map_err(broken)?.len();
        let meter = Meter {
            read: Arc::default(),
            total,
        };
        let counted = Counted {
            file,
            read: Arc::clone(&meter.read),
        };
        let mut rest = decompressed(counted).map_err(broken)?;
        let mut head = Vec::new();
        rest.by_ref()
            .take(HEAD)
            .read_to_end(&mut head)
            .map_err(broken)?;
        if head.starts_with(BYTE_ORDER_MARK) {
            head.drain(..BYTE_ORDER_MARK.len());
        }
        if head.iter().all(u8::is_ascii_whitespace) {
            return Err(ReadError::Empty {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            head,
            rest,
            meter,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// For recognising a format; what is not UTF-8 in it reads as the replacement character.
    pub(crate) fn first_line(&self) -> String {
        let line = self
            .head
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        String::from_utf8_lossy(line)
            .trim_end_matches('\r')
            .to_owned()
    }

    pub(crate) fn into_reader(self) -> Box<dyn BufRead + Send> {
        Box::new(BufReader::new(Cursor::new(self.head).chain(self.rest)))
    }
}

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read
            .fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(count)
    }
}

fn decompressed(counted: Counted) -> std::io::Result<Box<dyn Read + Send>> {
    let mut file = BufReader::new(counted);
    let is_zstd = file.fill_buf()?.starts_with(&ZSTD_MAGIC);
    if is_zstd {
        Ok(Box::new(zstd::stream::read::Decoder::with_buffer(file)?))
    } else {
        Ok(Box::new(file))
    }
}
