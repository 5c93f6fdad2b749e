use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Error;

/// Headers beyond this are no headers.
const LONGEST_HEADER: u64 = 100 << 20;
const BUFFER: usize = 1 << 18;

/// A safetensors file that is looked through in a fixed amount of memory, whatever its size.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    data: u64,
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

impl TensorFile {
    /// Reads the header.
    ///
    /// # Errors
    /// When the file cannot be read or has no header.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let mut length = [0; 8];
        let read = file.read_exact(&mut length);
        read.map_err(Error::io("read the header of", path))?;
        let length = u64::from_le_bytes(length);
        let fail = |detail: String| fail(path, detail);
        if length > LONGEST_HEADER {
            return Err(fail(format!("a header of {length} bytes")));
        }
        let mut header = Vec::new();
        let read = file.take(length).read_to_end(&mut header);
        read.map_err(Error::io("read the header of", path))?;
        let header: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&header).map_err(|e| fail(e.to_string()))?;
        let entries = header
            .into_iter()
            .filter(|(name, _)| name != "__metadata__");
        let entries = entries.map(|(name, entry)| Ok((name, serde_json::from_value(entry)?)));
        let entries: Result<_, serde_json::Error> = entries.collect();
        Ok(Self {
            path: path.to_owned(),
            data: 8 + length,
            entries: entries.map_err(|e| fail(e.to_string()))?,
        })
    }

    /// `None` when there is no such tensor.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.entries.get(name)?.shape)
    }

    /// Shows each row of a matrix of f32 in its order.
    ///
    /// # Errors
    /// No such matrix, or a file that ends before it.
    pub fn rows(&self, name: &str, each: &mut dyn FnMut(&[f32])) -> Result<(), Error> {
        let (mut from, entry) = self.at(name, "F32")?;
        let &[rows, width] = entry.shape.as_slice() else {
            let shape = &entry.shape;
            return Err(fail(
                &self.path,
                format!("{name} has shape {shape:?}, no matrix"),
            ));
        };
        let mut bytes = vec![0; width * 4];
        let mut row = vec![0.0; width];
        for _ in 0..rows {
            let read = from.read_exact(&mut bytes);
            read.map_err(Error::io("read", &self.path))?;
            let numbers = bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes);
            row.iter_mut().zip(numbers).for_each(|(to, x)| *to = x);
            each(&row);
        }
        Ok(())
    }

    /// Shows each number of a tensor of u32.
    ///
    /// # Errors
    /// As [`TensorFile::rows`].
    pub fn numbers(&self, name: &str, each: &mut dyn FnMut(u32)) -> Result<(), Error> {
        let (mut from, entry) = self.at(name, "U32")?;
        let mut bytes = [0; 4];
        for _ in 0..entry.shape.iter().product::<usize>() {
            let read = from.read_exact(&mut bytes);
            read.map_err(Error::io("read", &self.path))?;
            each(u32::from_le_bytes(bytes));
        }
        Ok(())
    }

    fn at(&self, name: &str, dtype: &str) -> Result<(BufReader<File>, &Entry), Error> {
        let missing = || fail(&self.path, format!("tensor {name} of {dtype} is missing"));
        let entry = self.entries.get(name).filter(|entry| entry.dtype == dtype);
        let entry = entry.ok_or_else(missing)?;
        let file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        let mut file = BufReader::with_capacity(BUFFER, file);
        let start = self.data.saturating_add(entry.data_offsets.0);
        let sought = file.seek(SeekFrom::Start(start));
        sought.map_err(Error::io("read", &self.path))?;
        Ok((file, entry))
    }
}

fn fail(path: &Path, detail: String) -> Error {
    Error::Tensors {
        file: path.display().to_string(),
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TensorData, write_tensors_with};

    #[test]
    fn shows_what_was_written_row_by_row() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        let rows = TensorData::F32(vec![1.0, 2.0, 3.0, 4.0, f32::NAN, 6.0]);
        let numbers = TensorData::U32(vec![7, u32::MAX]);
        let tensors = [("a", vec![3, 2], rows), ("b", vec![2], numbers)];
        let bytes = write_tensors_with(&tensors, &[("ids", "x")]).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let file = TensorFile::open(&path).unwrap();
        assert_eq!(file.shape("a"), Some(&[3, 2][..]));
        assert_eq!(file.shape("__metadata__"), None);
        let mut seen = Vec::new();
        file.rows("a", &mut |row| seen.push(row.to_vec())).unwrap();
        assert_eq!(seen[1], [3.0, 4.0]);
        assert!(seen[2][0].is_nan());
        let mut seen = Vec::new();
        file.numbers("b", &mut |x| seen.push(x)).unwrap();
        assert_eq!(seen, [7, u32::MAX]);
        assert!(file.rows("b", &mut |_| ()).is_err());
        assert!(file.numbers("c", &mut |_| ()).is_err());

        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let short = TensorFile::open(&path).unwrap();
        assert!(short.numbers("b", &mut |_| ()).is_err());
        std::fs::write(&path, b"not a header at all").unwrap();
        assert!(TensorFile::open(&path).is_err());
    }
}
