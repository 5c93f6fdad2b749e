use std::sync::Arc;

use ann_index::{ChooseSettings, Considered, IndexKind, TuneSettings, Vectors, choose};
use snapshot::{Builder, ProbeRow, Space};

use super::{Embeddings, METRIC, SPACE};
use crate::Error;

/// Whether and how to build an index.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexOptions {
    /// Fewer items than this get none: they are scanned.
    pub min_rows: usize,
    pub seed: u64,
    /// Kinds to choose from.
    pub kinds: Vec<IndexKind>,
    /// What to measure.
    pub tune: TuneSettings,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            min_rows: 1_000,
            seed: 1,
            kinds: IndexKind::ALL.to_vec(),
            tune: TuneSettings::default(),
        }
    }
}

/// What was written, for the manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexReport {
    pub space: Space,
    pub probes: Vec<ProbeRow>,
    /// What was measured before the choice.
    pub considered: Vec<Considered>,
}

/// Builds the index of the collaborative space: see [`write_space_index`].
///
/// # Errors
/// As [`write_space_index`].
pub fn write_index(
    builder: &mut Builder,
    embeddings: &Embeddings,
    carts: &[f32],
    options: &IndexOptions,
) -> Result<IndexReport, Error> {
    let table = Arc::new(embeddings.table()?);
    write_space_index(builder, SPACE, &table, carts, options)
}

/// Chooses and builds the index of a space, by measuring on vectors of held-out carts (row-major;
/// with fewer than 30 every search stays exact).
///
/// # Errors
/// Vectors that are not whole rows or not finite, a disk error.
pub fn write_space_index(
    builder: &mut Builder,
    name: &str,
    vectors: &Arc<Vectors>,
    carts: &[f32],
    options: &IndexOptions,
) -> Result<IndexReport, Error> {
    let mut space = Space {
        name: name.to_owned(),
        dimension: u32::try_from(vectors.dimension()).unwrap_or(u32::MAX),
        metric: METRIC.to_owned(),
        items: vectors.len() as u64,
        ..Space::default()
    };
    if vectors.len() < options.min_rows.max(1) {
        return Ok(IndexReport {
            space,
            probes: Vec::new(),
            considered: Vec::new(),
        });
    }
    let settings = ChooseSettings {
        kinds: options.kinds.clone(),
        seed: u32::try_from(options.seed & 0x7fff_ffff).unwrap_or(1),
        tune: options.tune.clone(),
        ..ChooseSettings::default()
    };
    let chosen = choose(vectors, carts, &settings)?;
    if let Some(file) = file_of(name, chosen.index.kind()) {
        chosen.index.save(&builder.path(&file)?)?;
        space.index = Some(file);
        space.index_kind = Some(chosen.index.kind().as_str().to_owned());
    }
    let probes = chosen.probes.into_iter().map(|row| probe_row(name, &row));
    Ok(IndexReport {
        space,
        probes: probes.collect(),
        considered: chosen.considered,
    })
}

/// A scan has no file.
fn file_of(space: &str, kind: IndexKind) -> Option<String> {
    match kind {
        IndexKind::Scan => None,
        IndexKind::Codes | IndexKind::Lists => Some(format!("index/{space}.codes")),
        IndexKind::Faiss => Some(format!("index/{space}.faiss")),
    }
}

fn probe_row(space: &str, row: &ann_index::ProbeRow) -> ProbeRow {
    ProbeRow {
        space: space.to_owned(),
        k: row.k,
        selectivity: row.selectivity,
        kind: row.kind.as_str().to_owned(),
        nprobe: row.nprobe,
        budget: row.budget,
        scanned: row.scanned,
        recall: row.recall,
    }
}
