use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytemuck::Pod;
use safetensors::tensor::{Dtype, TensorInfo, TensorView};

use crate::Error;

pub(crate) mod header;

/// The numbers of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorData {
    F32(Vec<f32>),
    U32(Vec<u32>),
    U64(Vec<u64>),
}

impl TensorData {
    fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::U64(values) => values.len(),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::F32(_) => "f32",
            Self::U32(_) => "u32",
            Self::U64(_) => "u64",
        }
    }

    fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::U32(_) => Dtype::U32,
            Self::U64(_) => Dtype::U64,
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::U32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::U64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    /// Reads the numbers to where they stay. `None` is a type that snapshots have no use for.
    fn read(dtype: Dtype, count: usize, from: &mut impl Read) -> Option<io::Result<Self>> {
        if dtype == Dtype::F32 {
            Some(numbers(count, from).map(Self::F32))
        } else if dtype == Dtype::U32 {
            Some(numbers(count, from).map(Self::U32))
        } else if dtype == Dtype::U64 {
            Some(numbers(count, from).map(Self::U64))
        } else {
            None
        }
    }
}

#[cfg(target_endian = "big")]
compile_error!("tensors are read as the little-endian numbers that their files hold");

fn numbers<T: Pod>(count: usize, from: &mut impl Read) -> io::Result<Vec<T>> {
    let mut numbers = vec![T::zeroed(); count];
    from.read_exact(bytemuck::cast_slice_mut(&mut numbers))?;
    Ok(numbers)
}

/// The named tensors of one safetensors file, in memory.
#[derive(Clone, Debug)]
pub struct Tensors {
    file: String,
    tensors: BTreeMap<String, (Vec<usize>, TensorData)>,
    metadata: BTreeMap<String, String>,
}

impl Tensors {
    /// # Errors
    /// When the file cannot be read, is not safetensors, or holds a type other than f32, u32
    /// and u64.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io("read", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        Self::read(&path.display().to_string(), file, length)
    }

    /// `file` is the name to use in errors.
    ///
    /// # Errors
    /// As [`Tensors::open`].
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        Self::read(file, bytes, bytes.len() as u64)
    }

    fn read(file: &str, mut from: impl Read, length: u64) -> Result<Self, Error> {
        let fail = |detail: String| Error::Tensors {
            file: file.to_owned(),
            detail,
        };
        let (header, _) = header::read(&mut from, length).map_err(fail)?;
        let mut tensors = BTreeMap::new();
        for name in header.offset_keys() {
            let Some(TensorInfo { dtype, shape, .. }) = header.info(&name) else {
                continue;
            };
            let count = shape.iter().product();
            let data = TensorData::read(*dtype, count, &mut from);
            let data = data.ok_or_else(|| {
                fail(format!(
                    "tensor {name} is {dtype}, allowed are f32, u32, u64"
                ))
            })?;
            let data = data.map_err(|e| fail(format!("tensor {name}: {e}")))?;
            tensors.insert(name, (shape.clone(), data));
        }
        let metadata = header.metadata().iter().flatten();
        Ok(Self {
            file: file.to_owned(),
            tensors,
            metadata: metadata.map(|(k, v)| (k.clone(), v.clone())).collect(),
        })
    }

    /// A text that the file's header holds beside the tensors.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// # Errors
    /// When there is no tensor of this name.
    pub fn shape(&self, name: &str) -> Result<&[usize], Error> {
        self.get(name).map(|(shape, _)| shape.as_slice())
    }

    /// # Errors
    /// When there is no tensor of this name, or it is of another type.
    pub fn f32(&self, name: &str) -> Result<&[f32], Error> {
        match self.get(name)? {
            (_, TensorData::F32(values)) => Ok(values),
            (_, other) => Err(self.mistyped(name, "f32", other)),
        }
    }

    /// # Errors
    /// As [`Tensors::f32`].
    pub fn u32(&self, name: &str) -> Result<&[u32], Error> {
        match self.get(name)? {
            (_, TensorData::U32(values)) => Ok(values),
            (_, other) => Err(self.mistyped(name, "u32", other)),
        }
    }

    /// # Errors
    /// As [`Tensors::f32`].
    pub fn u64(&self, name: &str) -> Result<&[u64], Error> {
        match self.get(name)? {
            (_, TensorData::U64(values)) => Ok(values),
            (_, other) => Err(self.mistyped(name, "u64", other)),
        }
    }

    /// Takes the numbers of a tensor out, which has none from then on.
    ///
    /// # Errors
    /// As [`Tensors::f32`].
    pub fn take_f32(&mut self, name: &str) -> Result<Vec<f32>, Error> {
        if let Some((_, TensorData::F32(values))) = self.tensors.get_mut(name) {
            return Ok(std::mem::take(values));
        }
        self.f32(name).map(<[f32]>::to_vec)
    }

    /// # Errors
    /// As [`Tensors::take_f32`].
    pub fn take_u32(&mut self, name: &str) -> Result<Vec<u32>, Error> {
        if let Some((_, TensorData::U32(values))) = self.tensors.get_mut(name) {
            return Ok(std::mem::take(values));
        }
        self.u32(name).map(<[u32]>::to_vec)
    }

    /// # Errors
    /// As [`Tensors::take_f32`].
    pub fn take_u64(&mut self, name: &str) -> Result<Vec<u64>, Error> {
        if let Some((_, TensorData::U64(values))) = self.tensors.get_mut(name) {
            return Ok(std::mem::take(values));
        }
        self.u64(name).map(<[u64]>::to_vec)
    }

    /// Checks a tensor's shape before its numbers are trusted.
    ///
    /// # Errors
    /// When there is no tensor of this name, or its shape differs.
    pub fn expect_shape(&self, name: &str, expected: &[usize]) -> Result<(), Error> {
        let found = self.shape(name)?;
        if found == expected {
            return Ok(());
        }
        Err(self.fail(format!(
            "tensor {name} has shape {found:?}, expected {expected:?}"
        )))
    }

    fn get(&self, name: &str) -> Result<&(Vec<usize>, TensorData), Error> {
        self.tensors
            .get(name)
            .ok_or_else(|| self.fail(format!("tensor {name} is missing")))
    }

    fn mistyped(&self, name: &str, expected: &str, found: &TensorData) -> Error {
        self.fail(format!(
            "tensor {name} is {}, expected {expected}",
            found.type_name()
        ))
    }

    fn fail(&self, detail: String) -> Error {
        Error::Tensors {
            file: self.file.clone(),
            detail,
        }
    }
}

/// The bytes of a safetensors file with these tensors, given as name, shape and numbers.
///
/// # Errors
/// When a shape does not fit the number of values.
pub fn write_tensors(tensors: &[(&str, Vec<usize>, TensorData)]) -> Result<Vec<u8>, Error> {
    write_tensors_with(tensors, &[])
}

/// As [`write_tensors`], with texts for the file's header.
///
/// # Errors
/// As [`write_tensors`].
pub fn write_tensors_with(
    tensors: &[(&str, Vec<usize>, TensorData)],
    metadata: &[(&str, &str)],
) -> Result<Vec<u8>, Error> {
    let fail = |detail: String| Error::Tensors {
        file: "to write".to_owned(),
        detail,
    };
    let mut raw = BTreeMap::new();
    for (name, shape, data) in tensors {
        if shape.iter().product::<usize>() != data.len() {
            return Err(fail(format!(
                "tensor {name} has shape {shape:?} and {} values",
                data.len()
            )));
        }
        raw.insert(*name, (data.dtype(), shape.clone(), data.to_bytes()));
    }
    let views = raw
        .iter()
        .map(|(name, (dtype, shape, bytes))| {
            TensorView::new(*dtype, shape.clone(), bytes).map(|view| (*name, view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| fail(e.to_string()))?;
    let texts = metadata.iter();
    let texts: HashMap<String, String> = texts
        .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
        .collect();
    let texts = (!texts.is_empty()).then_some(texts);
    safetensors::serialize(views, texts).map_err(|e| fail(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        write_tensors(&[
            (
                "b",
                vec![2, 2],
                TensorData::F32(vec![1.0, -2.5, 0.0, f32::MIN_POSITIVE]),
            ),
            ("a", vec![3], TensorData::U32(vec![1, 2, u32::MAX])),
            ("c", vec![1], TensorData::U64(vec![u64::MAX])),
        ])
        .unwrap()
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let tensors = Tensors::parse("x", &sample()).unwrap();
        assert_eq!(
            tensors.f32("b").unwrap(),
            [1.0, -2.5, 0.0, f32::MIN_POSITIVE]
        );
        assert_eq!(tensors.u32("a").unwrap(), [1, 2, u32::MAX]);
        assert_eq!(tensors.u64("c").unwrap(), [u64::MAX]);
        assert!(tensors.expect_shape("b", &[2, 2]).is_ok());
    }

    #[test]
    fn texts_of_the_header_are_read_back() {
        let tensor = ("a", vec![1], TensorData::U32(vec![1]));
        let bytes = write_tensors_with(&[tensor], &[("ids", "[\"x\"]")]).unwrap();
        let tensors = Tensors::parse("x", &bytes).unwrap();
        assert_eq!(tensors.metadata("ids"), Some("[\"x\"]"));
        assert_eq!(tensors.metadata("other"), None);
    }

    #[test]
    fn writes_the_same_bytes_each_time() {
        assert_eq!(sample(), sample());
    }

    #[test]
    fn names_what_is_missing_mistyped_or_misshapen() {
        let tensors = Tensors::parse("x.safetensors", &sample()).unwrap();
        let message = |error: Error| error.to_string();
        assert!(message(tensors.f32("z").unwrap_err()).contains("tensor z is missing"));
        assert!(message(tensors.f32("a").unwrap_err()).contains("is u32, expected f32"));
        let error = message(tensors.expect_shape("b", &[4]).unwrap_err());
        assert!(error.contains("[2, 2], expected [4]"), "{error}");
    }

    #[test]
    fn what_is_taken_is_there_once() {
        let mut tensors = Tensors::parse("x", &sample()).unwrap();
        assert_eq!(tensors.take_u32("a").unwrap(), [1, 2, u32::MAX]);
        assert_eq!(tensors.take_u32("a").unwrap(), [0; 0]);
        assert_eq!(tensors.take_u64("c").unwrap(), [u64::MAX]);
        assert_eq!(tensors.take_f32("b").unwrap().len(), 4);
        let error = tensors.take_f32("a").unwrap_err().to_string();
        assert!(error.contains("is u32, expected f32"), "{error}");
    }

    #[test]
    fn refuses_a_truncated_file_and_a_shape_that_does_not_fit() {
        let bytes = sample();
        for len in [0, 4, 8, bytes.len() - 1] {
            assert!(Tensors::parse("x", &bytes[..len]).is_err(), "{len}");
        }
        assert!(write_tensors(&[("a", vec![2], TensorData::U32(vec![1]))]).is_err());
    }
}
