use std::sync::Arc;

use ann_index::Vectors;
use snapshot::{Builder, Snapshot, Space, TensorData, Tensors, write_tensors};

use super::METRIC;
use crate::Error;

/// Name of the file of a space's vectors.
#[must_use]
pub fn space_file(name: &str) -> String {
    format!("embeddings/{name}.safetensors")
}

/// Writes a space in which items that are alike point the same way: row-major, row i for ordinal
/// i, each of length 1 or all zeros for an item of which the space knows nothing. Returns the
/// manifest's entry.
///
/// # Errors
/// Vectors that are not whole rows or not finite, or a disk error.
pub fn write_space(
    builder: &mut Builder,
    name: &str,
    vectors: &[f32],
    dimension: usize,
) -> Result<Space, Error> {
    let table = Vectors::new(vectors.to_vec(), dimension)?;
    let items = TensorData::F32(table.as_slice().to_vec());
    let bytes = write_tensors(&[("items", vec![table.len(), dimension], items)])?;
    builder.write(&space_file(name), &bytes)?;
    Ok(Space {
        name: name.to_owned(),
        dimension: u32::try_from(dimension).unwrap_or(u32::MAX),
        metric: METRIC.to_owned(),
        items: table.len() as u64,
        ..Space::default()
    })
}

/// How far a row's length may be from 1.
const ROUNDING: f32 = 1e-3;

/// What [`write_space`] wrote.
pub(crate) fn read_space(
    snapshot: &Snapshot,
    name: &str,
    items: usize,
) -> Result<Arc<Vectors>, Error> {
    let misfit = |detail: String| Error::Space {
        name: name.to_owned(),
        detail,
    };
    let mut tensors = Tensors::open(snapshot.file(&space_file(name))?)?;
    let &[rows, dimension] = tensors.shape("items")? else {
        return Err(misfit("tensor items has not two axes".to_owned()));
    };
    if rows != items {
        return Err(misfit(format!("{rows} vectors for {items} items")));
    }
    let vectors = Vectors::new(tensors.take_f32("items")?, dimension)?;
    let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
    let lengths = vectors.as_slice().chunks_exact(dimension).map(length);
    match lengths
        .enumerate()
        .find(|(_, l)| *l > 0.0 && (l - 1.0).abs() > ROUNDING)
    {
        Some((at, length)) => Err(misfit(format!(
            "the vector of ordinal {at} has length {length}, allowed are 1 and 0"
        ))),
        None => Ok(Arc::new(vectors)),
    }
}
