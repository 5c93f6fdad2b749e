use std::sync::Arc;

use ann_index::{BuildParams, FaissIndex, TuneSettings, tune};
use snapshot::{Builder, ProbeRow, Space, files};

use super::{Embeddings, METRIC, SPACE};
use crate::Error;

/// Whether and how to build an index.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexOptions {
    /// Fewer items than this get none: they are scanned.
    pub min_rows: usize,
    pub seed: u64,
    /// What to measure the probes for.
    pub tune: TuneSettings,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self {
            min_rows: 1_000,
            seed: 1,
            tune: TuneSettings::default(),
        }
    }
}

/// What was written, for the manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexReport {
    pub space: Space,
    pub probes: Vec<ProbeRow>,
}

/// Builds the index of the space and measures how far to probe it, on vectors of held-out carts
/// (row-major; without any, no table is made and serving probes on the safe side).
///
/// # Errors
/// Vectors that are not whole rows or not finite, a disk error.
pub fn write_index(
    builder: &mut Builder,
    embeddings: &Embeddings,
    carts: &[f32],
    options: &IndexOptions,
) -> Result<IndexReport, Error> {
    let table = Arc::new(embeddings.table()?);
    let mut space = Space {
        name: SPACE.to_owned(),
        dimension: u32::try_from(table.dimension()).unwrap_or(u32::MAX),
        metric: METRIC.to_owned(),
        items: table.len() as u64,
        index: None,
    };
    if table.len() < options.min_rows.max(1) {
        return Ok(IndexReport {
            space,
            probes: Vec::new(),
        });
    }
    let seed = u32::try_from(options.seed & 0x7fff_ffff).unwrap_or(1);
    let params = BuildParams::for_rows(table.len(), seed);
    let index = FaissIndex::build_ivf_sq8(table.as_slice(), table.dimension(), &params)?;
    index.save(builder.path(files::INDEX)?)?;
    space.index = Some(files::INDEX.to_owned());
    let measured = match carts {
        [] => Vec::new(),
        carts => tune(&index, &table, carts, &options.tune)?,
    };
    let probes = measured.into_iter().map(probe_row).collect();
    Ok(IndexReport { space, probes })
}

fn probe_row(row: ann_index::ProbeRow) -> ProbeRow {
    ProbeRow {
        space: SPACE.to_owned(),
        k: row.k,
        selectivity: row.selectivity,
        kind: row.kind.as_str().to_owned(),
        nprobe: row.nprobe,
        recall: row.recall,
    }
}
