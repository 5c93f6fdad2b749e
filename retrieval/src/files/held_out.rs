use std::sync::Arc;

use ann_index::{ExactIndex, Hit, MaskKind, VectorIndex, Vectors, mask};
use snapshot::{Builder, Snapshot, TensorData, Tensors, files, write_tensors};

use super::Embeddings;
use crate::Error;

/// Vectors of held-out carts with their true neighbours, by which a gate measures recall before a
/// generation goes live.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// Row-major.
    pub queries: Vec<f32>,
    pub dimension: usize,
    /// Seed of the bands' filters: `ann_index::mask` makes them again.
    pub seed: u64,
    pub bands: Vec<HeldOutBand>,
}

/// One filter with each query's true neighbours under it, best first.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOutBand {
    pub selectivity: f32,
    pub kind: MaskKind,
    pub neighbours: Vec<Vec<u32>>,
}

const PADDING: u32 = u32::MAX;

/// Finds the true neighbours of held-out carts by exact search, under each filter, and writes
/// them.
///
/// # Errors
/// Queries of another dimension, or a disk error.
pub fn write_queries(
    builder: &mut Builder,
    embeddings: &Embeddings,
    carts: &[f32],
    k: usize,
    bands: &[(f32, MaskKind)],
    seed: u64,
) -> Result<(), Error> {
    let vectors = Arc::new(embeddings.table()?);
    let carts = Vectors::new(carts.to_vec(), embeddings.dimension)?;
    let exact = ExactIndex::new(Arc::clone(&vectors));
    let mut neighbours = Vec::with_capacity(bands.len() * carts.len() * k);
    for (selectivity, kind) in bands {
        let allowed = mask(&vectors, *kind, f64::from(*selectivity), seed);
        for query in carts.as_slice().chunks_exact(carts.dimension()) {
            let mut hits = Vec::new();
            exact.search(query, k, Some(&allowed), &mut hits)?;
            neighbours.extend(padded(&hits, k));
        }
    }
    let (b, q, d) = (bands.len(), carts.len(), carts.dimension());
    let share = bands.iter().map(|(selectivity, _)| *selectivity).collect();
    let clustered = bands.iter().map(|(_, kind)| code_of(*kind)).collect();
    let bytes = write_tensors(&[
        (
            "queries",
            vec![q, d],
            TensorData::F32(carts.as_slice().to_vec()),
        ),
        ("selectivity", vec![b], TensorData::F32(share)),
        ("clustered", vec![b], TensorData::U32(clustered)),
        ("neighbours", vec![b, q, k], TensorData::U32(neighbours)),
        ("seed", vec![1], TensorData::U64(vec![seed])),
    ])?;
    Ok(builder.write(files::QUERIES, &bytes)?)
}

fn code_of(kind: MaskKind) -> u32 {
    match kind {
        MaskKind::Random => 0,
        MaskKind::Clustered => 1,
        MaskKind::Both => 2,
        MaskKind::Groups => 3,
    }
}

fn kind_of(code: u32) -> MaskKind {
    let known = MaskKind::ALL
        .into_iter()
        .find(|kind| code_of(*kind) == code);
    known.unwrap_or(MaskKind::Random)
}

fn padded(hits: &[Hit], k: usize) -> impl Iterator<Item = u32> {
    hits.iter()
        .map(|hit| hit.id)
        .chain(std::iter::repeat(PADDING))
        .take(k)
}

/// What [`write_queries`] wrote.
///
/// # Errors
/// When the file is absent or its shapes do not fit each other.
pub fn read_queries(snapshot: &Snapshot) -> Result<HeldOut, Error> {
    let tensors = Tensors::open(snapshot.file(files::QUERIES)?)?;
    let misfit = |detail: String| Error::Misfit {
        file: files::QUERIES,
        detail,
    };
    let (&[q, dimension], &[b, _, k]) = (tensors.shape("queries")?, tensors.shape("neighbours")?)
    else {
        return Err(misfit(
            "queries or neighbours have the wrong number of axes".to_owned(),
        ));
    };
    tensors.expect_shape("neighbours", &[b, q, k])?;
    tensors.expect_shape("selectivity", &[b])?;
    tensors.expect_shape("clustered", &[b])?;
    tensors.expect_shape("seed", &[1])?;
    let neighbours = tensors.u32("neighbours")?;
    let kinds = tensors
        .f32("selectivity")?
        .iter()
        .zip(tensors.u32("clustered")?);
    let bands = kinds
        .enumerate()
        .map(|(at, (&selectivity, &clustered))| HeldOutBand {
            selectivity,
            kind: kind_of(clustered),
            neighbours: (0..q)
                .map(|row| unpadded(neighbours, at * q + row, k))
                .collect(),
        });
    Ok(HeldOut {
        queries: tensors.f32("queries")?.to_vec(),
        dimension,
        seed: tensors.u64("seed")?[0],
        bands: bands.collect(),
    })
}

fn unpadded(neighbours: &[u32], row: usize, k: usize) -> Vec<u32> {
    let row = neighbours.get(row * k..(row + 1) * k).unwrap_or(&[]);
    row.iter().copied().filter(|&id| id != PADDING).collect()
}
