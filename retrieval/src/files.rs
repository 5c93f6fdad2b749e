//! The layout of the files that this crate reads, and their writers. A trainer writes through
//! these functions, so both sides agree by construction.
//!
//! | file | tensors |
//! |---|---|
//! | `covisitation.safetensors` | `offsets` u64 \[n+1\], `neighbours` u32 \[m\], `weights` f32 \[m\]: row i is `offsets[i]..offsets[i+1]`, by weight, then ordinal |
//! | `sessions.safetensors` (optional) | `offsets` u64 \[s+1\], `items` u32 \[m\], `ended` u64 \[s\]: past sessions newest first, session i is `offsets[i]..offsets[i+1]` in the shopper's order; `shoppers` u64 \[s\] (optional), the first 8 bytes, little-endian, of a MAC of each session's shopper; `settings` f32 \[13\], the fields of [`SessionSettings`](crate::SessionSettings) |
//! | `popularity.safetensors` | `scores` f32 \[n\], 0 or more |
//! | `embeddings/collab.safetensors` | `items` f32 \[n,d\], `gram` f32 \[d,d\] = YᵀY, `alpha` and `regularisation` f32 \[1\] |
//! | `embeddings/NAME.safetensors` (optional, any number) | a space of content, such as `text`: `items` f32 \[n,d\], rows of length 1, or zeros for an item without |
//! | `tower/NAME.onnx`, `tower/NAME.json` (optional) | the network that makes a shopper's vector in the space, and what it reads |
//! | `fusion.json` (optional) | [`FusionWeights`]: `version` 1, `sources` by name with `weight` and `normalisation`, `newest`, `price_bands`, weights of `spaces` by name |
//! | `index/collab.codes` or `index/collab.faiss` (optional) | the same vectors as 8-bit codes, ours or FAISS's: the manifest's space names the file and its kind |
//! | `queries/collab.safetensors` | `queries` f32 \[q,d\] and, for each of b filters, `selectivity` f32 \[b\], `clustered` u32 \[b\] (0 random, 1 clustered, 2 both, 3 groups), `neighbours` u32 \[b,q,k\] (padded with `u32::MAX`); `seed` u64 \[1\] of the filters |
//!
//! n counts the catalogue's items, and all ids are ordinals of the catalogue.

mod held_out;
mod index;
mod sessions;
mod spaces;

use std::sync::Arc;

use ann_index::Vectors;
use snapshot::{Builder, Snapshot, Space, TensorData, Tensors, files, write_tensors};

use crate::fold_in::{FoldIn, gram};
use crate::{Error, FusionWeights};

pub use held_out::{HeldOut, HeldOutBand, read_queries, write_queries};
pub use index::{IndexOptions, IndexReport, write_index, write_space_index};
pub(crate) use sessions::read_sessions;
pub use sessions::write_sessions;
pub(crate) use spaces::read_space;
pub use spaces::{space_file, write_space};

/// Name of the file of past sessions.
pub const SESSIONS: &str = "sessions.safetensors";
/// Name of the file of learned fusion weights.
pub const FUSION: &str = "fusion.json";
/// Name of the space of the factorisation. All others are of content.
pub const SPACE: &str = "collab";
/// Its metric, as the manifest names it.
pub const METRIC: &str = "inner_product";

/// Item factors of a weighted least-squares factorisation, row i for ordinal i.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    pub vectors: Vec<f32>,
    pub dimension: usize,
    /// Confidence is 1 + alpha × strength.
    pub alpha: f32,
    pub regularisation: f32,
}

impl Embeddings {
    /// What turns a few items into a vector, as serving will do it.
    ///
    /// # Errors
    /// Vectors that are not whole rows or not finite, bad scalars.
    pub fn fold_in(&self) -> Result<FoldIn, Error> {
        let vectors = Arc::new(self.table()?);
        let gram = gram(&vectors);
        FoldIn::new(vectors, &gram, self.alpha, self.regularisation)
    }

    pub(crate) fn table(&self) -> Result<Vectors, Error> {
        Ok(Vectors::new(self.vectors.clone(), self.dimension)?)
    }
}

/// Writes each item's neighbours, in any order, with weights above 0. Rows are sorted here.
///
/// # Errors
/// A disk error.
pub fn write_covisitation(builder: &mut Builder, rows: &[Vec<(u32, f32)>]) -> Result<(), Error> {
    let mut offsets = vec![0];
    let (mut neighbours, mut weights) = (Vec::new(), Vec::new());
    for row in rows {
        let mut row = row.clone();
        row.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        for (neighbour, weight) in row {
            neighbours.push(neighbour);
            weights.push(weight);
        }
        offsets.push(neighbours.len() as u64);
    }
    let bytes = write_tensors(&[
        ("offsets", vec![offsets.len()], TensorData::U64(offsets)),
        (
            "neighbours",
            vec![neighbours.len()],
            TensorData::U32(neighbours),
        ),
        ("weights", vec![weights.len()], TensorData::F32(weights)),
    ])?;
    Ok(builder.write(files::COVISITATION, &bytes)?)
}

/// Writes how much shoppers want each item: any scale, 0 or more.
///
/// # Errors
/// A disk error.
pub fn write_popularity(builder: &mut Builder, scores: &[f32]) -> Result<(), Error> {
    let scores = TensorData::F32(scores.to_vec());
    let bytes = write_tensors(&[("scores", vec![len_of(&scores)], scores)])?;
    Ok(builder.write(files::POPULARITY, &bytes)?)
}

fn len_of(data: &TensorData) -> usize {
    match data {
        TensorData::F32(values) => values.len(),
        TensorData::U32(values) => values.len(),
        TensorData::U64(values) => values.len(),
    }
}

/// Writes how the sources' lists become one.
///
/// # Errors
/// Weights outside their limits, or a disk error.
pub fn write_fusion(builder: &mut Builder, weights: &FusionWeights) -> Result<(), Error> {
    Ok(builder.write(FUSION, &weights.to_json()?)?)
}

/// The defaults when the snapshot has no such file.
pub(crate) fn read_fusion(snapshot: &Snapshot) -> Result<FusionWeights, Error> {
    if snapshot.has(FUSION) {
        FusionWeights::parse(&snapshot.read(FUSION)?)
    } else {
        Ok(FusionWeights::default())
    }
}

/// Writes the factors with what folding in needs. Returns the manifest's entry for the space,
/// without an index: see [`write_index`].
///
/// # Errors
/// Vectors that are not whole rows or not finite, or a disk error.
pub fn write_embeddings(builder: &mut Builder, embeddings: &Embeddings) -> Result<Space, Error> {
    let table = embeddings.table()?;
    let (n, d) = (table.len(), table.dimension());
    let bytes = write_tensors(&[
        (
            "items",
            vec![n, d],
            TensorData::F32(embeddings.vectors.clone()),
        ),
        ("gram", vec![d, d], TensorData::F32(gram(&table))),
        ("alpha", vec![1], TensorData::F32(vec![embeddings.alpha])),
        (
            "regularisation",
            vec![1],
            TensorData::F32(vec![embeddings.regularisation]),
        ),
    ])?;
    builder.write(files::EMBEDDINGS, &bytes)?;
    Ok(Space {
        name: SPACE.to_owned(),
        dimension: u32::try_from(d).unwrap_or(u32::MAX),
        metric: METRIC.to_owned(),
        items: n as u64,
        ..Space::default()
    })
}

/// What [`write_embeddings`] wrote.
#[derive(Debug)]
pub(crate) struct StoredEmbeddings {
    pub(crate) vectors: Vec<f32>,
    pub(crate) dimension: usize,
    pub(crate) gram: Vec<f32>,
    pub(crate) alpha: f32,
    pub(crate) regularisation: f32,
}

pub(crate) fn read_embeddings(snapshot: &Snapshot) -> Result<StoredEmbeddings, Error> {
    let mut tensors = Tensors::open(snapshot.file(files::EMBEDDINGS)?)?;
    let shape = tensors.shape("items")?;
    let &[_, dimension] = shape else {
        let detail = format!("tensor items has shape {shape:?}, expected two numbers");
        return Err(Error::Misfit {
            file: files::EMBEDDINGS,
            detail,
        });
    };
    tensors.expect_shape("gram", &[dimension, dimension])?;
    Ok(StoredEmbeddings {
        vectors: tensors.take_f32("items")?,
        dimension,
        gram: tensors.take_f32("gram")?,
        alpha: scalar(&tensors, "alpha")?,
        regularisation: scalar(&tensors, "regularisation")?,
    })
}

fn scalar(tensors: &Tensors, name: &str) -> Result<f32, Error> {
    tensors.expect_shape(name, &[1])?;
    Ok(tensors.f32(name)?[0])
}
