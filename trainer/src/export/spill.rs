//! Answers on disk: they are made in the order of time and written in the order of the labels.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use feature_store::{FeatureValue, Status, Value};

use super::ExportError;

/// Set beside the status where there is a value.
const VALUE: u8 = 0x80;

/// Where a row lies.
#[derive(Copy, Clone, Debug, Default)]
struct Place {
    offset: u64,
    length: u32,
}

/// A nameless file, gone with this value, that takes rows in any order.
pub(super) struct Spill {
    beside: PathBuf,
    file: BufWriter<File>,
    end: u64,
    places: Vec<Place>,
    row: Vec<u8>,
}

/// The same file, for reading.
pub(super) struct Spilled {
    beside: PathBuf,
    file: File,
    places: Vec<Place>,
}

impl Spill {
    pub(super) fn beside(out: &Path, rows: usize) -> Result<Self, ExportError> {
        let file = tempfile::tempfile_in(folder(out)).map_err(failed(out))?;
        Ok(Self {
            beside: out.to_owned(),
            file: BufWriter::with_capacity(1 << 20, file),
            end: 0,
            places: vec![Place::default(); rows],
            row: Vec::new(),
        })
    }

    pub(super) fn put(
        &mut self,
        position: usize,
        values: &[FeatureValue],
    ) -> Result<(), ExportError> {
        self.row.clear();
        for value in values {
            encode(value, &mut self.row);
        }
        self.file
            .write_all(&self.row)
            .map_err(failed(&self.beside))?;
        let place = Place {
            offset: self.end,
            length: length(self.row.len()),
        };
        self.end += self.row.len() as u64;
        if let Some(slot) = self.places.get_mut(position) {
            *slot = place;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Spilled, ExportError> {
        let flushed = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error);
        Ok(Spilled {
            file: flushed.map_err(failed(&self.beside))?,
            beside: self.beside,
            places: self.places,
        })
    }
}

impl Spilled {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The bytes of a row.
    pub(super) fn row(&self, position: usize, bytes: &mut Vec<u8>) -> Result<(), ExportError> {
        let place = self.places.get(position).copied().unwrap_or_default();
        bytes.resize(place.length as usize, 0);
        let read = self.file.read_exact_at(bytes, place.offset);
        read.map_err(failed(&self.beside))
    }
}

pub(super) fn folder(out: &Path) -> &Path {
    let folder = out.parent().unwrap_or(Path::new(""));
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

fn failed(out: &Path) -> impl Fn(io::Error) -> ExportError {
    move |source| ExportError::Spill {
        path: out.to_owned(),
        source,
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn encode(value: &FeatureValue, row: &mut Vec<u8>) {
    let status: u8 = match value.status {
        Status::Present => 0,
        Status::Null => 1,
        Status::NotFound => 2,
        Status::OutsideMaxAge => 3,
    };
    let Some(value) = &value.value else {
        row.push(status);
        return;
    };
    row.push(status | VALUE);
    match value {
        Value::Bool(value) => row.push(u8::from(*value)),
        Value::Int(value) => row.extend(value.to_le_bytes()),
        Value::Double(value) => row.extend(value.to_le_bytes()),
        Value::Text(value) => text(value, row),
        Value::Texts(values) => {
            row.extend(length(values.len()).to_le_bytes());
            values.iter().for_each(|value| text(value, row));
        }
        Value::Doubles(values) => {
            row.extend(length(values.len()).to_le_bytes());
            values
                .iter()
                .for_each(|value| row.extend(value.to_le_bytes()));
        }
    }
}

fn text(value: &str, row: &mut Vec<u8>) {
    row.extend(length(value.len()).to_le_bytes());
    row.extend(value.as_bytes());
}

/// Reads what [`encode`] wrote; `None` where the bytes end early.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn of(row: &'a [u8]) -> Self {
        Self(row)
    }

    /// The status, and whether a value follows.
    pub(super) fn head(&mut self) -> Option<(Status, bool)> {
        let [head] = self.take::<1>()?;
        let status = match head & !VALUE {
            0 => Status::Present,
            1 => Status::Null,
            2 => Status::NotFound,
            3 => Status::OutsideMaxAge,
            _ => return None,
        };
        Some((status, head & VALUE != 0))
    }

    pub(super) fn bool(&mut self) -> Option<bool> {
        self.take().map(|[byte]| byte != 0)
    }

    pub(super) fn int(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    pub(super) fn double(&mut self) -> Option<f64> {
        self.take().map(f64::from_le_bytes)
    }

    pub(super) fn count(&mut self) -> Option<usize> {
        self.take().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.count()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }
}
