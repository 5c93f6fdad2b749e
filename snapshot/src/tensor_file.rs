use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use crate::Error;
use crate::tensors::header;

const BUFFER: usize = 1 << 18;

/// A safetensors file that is looked through in a fixed amount of memory, whatever its size.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    header: Metadata,
    /// Where the numbers begin.
    data: u64,
}

impl TensorFile {
    /// Reads the header.
    ///
    /// # Errors
    /// When the file cannot be read, or its header does not say where its numbers are.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("open", path))?.len();
        let read = header::read(&mut file, length);
        let (header, data) = read.map_err(|detail| fail(path, detail))?;
        Ok(Self {
            path: path.to_owned(),
            header,
            data,
        })
    }

    /// `None` when there is no such tensor.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.header.info(name)?.shape)
    }

    /// Shows each row of a matrix of f32 in its order.
    ///
    /// # Errors
    /// No such matrix, or a file that ends before it.
    pub fn rows(&self, name: &str, each: &mut dyn FnMut(&[f32])) -> Result<(), Error> {
        let (mut from, info) = self.at(name, Dtype::F32)?;
        let &[rows, width] = info.shape.as_slice() else {
            let shape = &info.shape;
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
        let (mut from, info) = self.at(name, Dtype::U32)?;
        let mut bytes = [0; 4];
        for _ in 0..info.shape.iter().product::<usize>() {
            let read = from.read_exact(&mut bytes);
            read.map_err(Error::io("read", &self.path))?;
            each(u32::from_le_bytes(bytes));
        }
        Ok(())
    }

    fn at(&self, name: &str, dtype: Dtype) -> Result<(BufReader<File>, &TensorInfo), Error> {
        let missing = || fail(&self.path, format!("tensor {name} of {dtype} is missing"));
        let info = self.header.info(name).filter(|info| info.dtype == dtype);
        let info = info.ok_or_else(missing)?;
        let file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        let mut file = BufReader::with_capacity(BUFFER, file);
        let start = self.data.saturating_add(info.data_offsets.0 as u64);
        let sought = file.seek(SeekFrom::Start(start));
        sought.map_err(Error::io("read", &self.path))?;
        Ok((file, info))
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
        assert!(TensorFile::open(&path).is_err());
        std::fs::write(&path, &bytes).unwrap();
        let shrinks = TensorFile::open(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(shrinks.numbers("b", &mut |_| ()).is_err());
        std::fs::write(&path, b"not a header at all").unwrap();
        assert!(TensorFile::open(&path).is_err());
    }
}
