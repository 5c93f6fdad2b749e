//! Small generations, written as a trainer writes them.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::time::Duration;

use ann_index::{BuildParams, FaissIndex, IndexKind};
use retrieval::files::{
    Embeddings, IndexOptions, write_covisitation, write_embeddings, write_fusion, write_index,
    write_popularity, write_space,
};
use retrieval::{FusionWeights, Gate, Kind, Model, Query, Recent};
use snapshot::{Builder, Catalogue, CatalogueItem, Manifest, Snapshot, files};
use tempfile::TempDir;

/// Everything that a model is loaded from, before it is written.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) items: Vec<CatalogueItem>,
    pub(crate) covisitation: Vec<Vec<(u32, f32)>>,
    pub(crate) popularity: Vec<f32>,
    pub(crate) embeddings: Option<Embeddings>,
    /// The kind of index over the embeddings.
    pub(crate) indexed: Option<IndexKind>,
}

impl Parts {
    pub(crate) fn write(&self) -> (TempDir, Snapshot) {
        let dir = tempfile::tempdir().unwrap();
        let mut builder = Builder::new(dir.path().join("snapshot")).unwrap();
        let catalogue = Catalogue::new(self.items.clone()).unwrap();
        builder
            .write(files::ITEMS, &catalogue.to_jsonl().unwrap())
            .unwrap();
        write_covisitation(&mut builder, &self.covisitation).unwrap();
        write_popularity(&mut builder, &self.popularity).unwrap();
        let mut manifest = Manifest::default();
        if let Some(embeddings) = &self.embeddings {
            let mut space = write_embeddings(&mut builder, embeddings).unwrap();
            match self.indexed {
                None => {}
                Some(IndexKind::Faiss) => space.index = Some(write_faiss(&builder, embeddings)),
                Some(kind) => {
                    let options = IndexOptions {
                        kinds: vec![kind],
                        ..IndexOptions::default()
                    };
                    let carts = carts(embeddings);
                    let report = write_index(&mut builder, embeddings, &carts, &options);
                    let report = report.unwrap();
                    space = report.space;
                    manifest.probes = report.probes;
                }
            }
            manifest.spaces.push(space);
        }
        (dir, builder.finish(manifest).unwrap())
    }

    pub(crate) fn model(&self) -> Model {
        let (_dir, snapshot) = self.write();
        Model::load(&snapshot).unwrap()
    }

    /// Counts, for each pair of items, the sessions that hold both, as co-visitation does.
    pub(crate) fn from_sessions(sessions: &[&[u32]]) -> Self {
        let mut ids: Vec<String> = sessions.concat().iter().map(u32::to_string).collect();
        ids.sort();
        ids.dedup();
        let ordinal = |item: &u32| ids.binary_search(&item.to_string()).unwrap();
        let mut popularity = vec![0.0; ids.len()];
        let mut counts = vec![BTreeMap::<u32, f32>::new(); ids.len()];
        for session in sessions {
            for a in session.iter().map(ordinal) {
                popularity[a] += 1.0;
                for b in session.iter().map(ordinal).filter(|&b| b != a) {
                    *counts[a].entry(b as u32).or_default() += 1.0;
                }
            }
        }
        let item = |id: &String| CatalogueItem {
            item_id: id.clone(),
            ..Default::default()
        };
        Self {
            items: ids.iter().map(item).collect(),
            covisitation: counts
                .into_iter()
                .map(|row| row.into_iter().collect())
                .collect(),
            popularity,
            embeddings: None,
            indexed: None,
        }
    }
}

/// As snapshots had it before kinds of index had names.
fn write_faiss(builder: &Builder, embeddings: &Embeddings) -> String {
    let rows = embeddings.vectors.len() / embeddings.dimension;
    let params = BuildParams::for_rows(rows, 1);
    let index = FaissIndex::build_ivf_sq8(&embeddings.vectors, embeddings.dimension, &params);
    let file = files::INDEX.to_owned();
    index.unwrap().save(builder.path(&file).unwrap()).unwrap();
    file
}

/// Rewrites the snapshot of some parts with spaces, and weights when given.
pub(crate) fn with(
    parts: &Parts,
    spaces: &[(&str, Vec<[f32; 2]>)],
    fusion: Option<&FusionWeights>,
) -> (tempfile::TempDir, Snapshot) {
    let (dir, plain) = parts.write();
    let mut builder = Builder::new(dir.path().join("rich")).unwrap();
    for name in plain.manifest().files.keys() {
        builder.write(name, &plain.read(name).unwrap()).unwrap();
    }
    let mut manifest = Manifest {
        spaces: plain.manifest().spaces.clone(),
        ..Manifest::default()
    };
    for (name, rows) in spaces {
        let space = write_space(&mut builder, name, &rows.concat(), 2).unwrap();
        manifest.spaces.push(space);
    }
    if let Some(fusion) = fusion {
        write_fusion(&mut builder, fusion).unwrap();
    }
    (dir, builder.finish(manifest).unwrap())
}

/// A shop with every source: half of its items nobody has touched, and a third has no text.
pub(crate) fn whole_shop(n: u32, indexed: bool) -> Model {
    let mut parts = shop(n, indexed);
    for at in (0..n as usize).filter(|at| at % 2 == 1) {
        parts.popularity[at] = 0.0;
        parts.covisitation[at].clear();
    }
    let text = (0..n).map(|at| {
        let angle = f64::from(at) * 0.037;
        let point = [angle.cos() as f32, angle.sin() as f32];
        if at % 3 == 0 { [0.0, 0.0] } else { point }
    });
    let fusion = FusionWeights {
        price_bands: 3,
        ..FusionWeights::default()
    };
    let (_dir, snapshot) = with(&parts, &[("text", text.collect())], Some(&fusion));
    Model::load(&snapshot).unwrap()
}

/// The twelve sessions of the article.
pub(crate) const ARTICLE: [&[u32]; 12] = [
    &[1, 2, 3],
    &[2, 3, 4],
    &[1, 3, 4, 6],
    &[2, 3, 4, 6, 9],
    &[1, 4, 6, 9],
    &[5, 7, 8, 10],
    &[5, 7, 8, 10],
    &[5, 7, 8, 10],
    &[5, 7, 8, 10],
    &[5, 7, 8],
    &[5, 7, 10],
    &[5, 8, 10],
];

/// Means of three items.
fn carts(embeddings: &Embeddings) -> Vec<f32> {
    let d = embeddings.dimension;
    let rows = embeddings.vectors.len() / d;
    let row = |at: usize| &embeddings.vectors[at % rows * d..][..d];
    (0..60)
        .flat_map(|cart| {
            let (a, b, c) = (row(cart * 7), row(cart * 31 + 5), row(cart * 113 + 11));
            (0..d).map(move |axis| (a[axis] + b[axis] + c[axis]) / 3.0)
        })
        .collect()
}

/// A shop of `n` items in 6 categories and 4 brands, with vectors that lie by category.
pub(crate) fn shop(n: u32, indexed: bool) -> Parts {
    let item = |id: u32| CatalogueItem {
        item_id: format!("i{id:05}"),
        category_path: vec![format!("c{}", id % 2), format!("s{}", id % 6)],
        brand: format!("b{}", id % 4),
        price_minor: i64::from(id % 50) * 100,
        ..Default::default()
    };
    let wave = |id: u32, axis: u32| ((id * (axis + 3) + axis) % 17) as f32 / 17.0 - 0.3;
    let near = |id: u32, axis: u32| if id % 6 == axis % 6 { 1.0 } else { 0.0 };
    let vectors = (0..n).flat_map(|id| (0..8).map(move |axis| near(id, axis) + wave(id, axis)));
    let neighbours = |id: u32| {
        let others = (1..9u32).map(move |step| ((id + step * 6) % n, 10.0 - step as f32));
        others.filter(move |(other, _)| *other != id).collect()
    };
    Parts {
        items: (0..n).map(item).collect(),
        covisitation: (0..n).map(neighbours).collect(),
        popularity: (0..n).map(|id| ((id * 7) % 101) as f32).collect(),
        embeddings: Some(Embeddings {
            vectors: vectors.collect(),
            dimension: 8,
            alpha: 10.0,
            regularisation: 1.0,
        }),
        indexed: indexed.then_some(IndexKind::Lists),
    }
}

pub(crate) fn recent(item_id: &str, kind: Kind) -> Recent {
    Recent {
        item_id: item_id.to_owned(),
        kind,
        age: Duration::ZERO,
    }
}

/// A cart of these items, which are not to be recommended again.
pub(crate) fn cart(items: &[&str], k: usize) -> Query {
    Query {
        recent: items.iter().map(|id| recent(id, Kind::Add)).collect(),
        exclude: items.iter().map(|id| (*id).to_owned()).collect(),
        k,
        ..Query::default()
    }
}

pub(crate) fn open(model: &Model) -> Gate {
    Gate::open(model.catalogue().len())
}

pub(crate) fn ids(answer: &retrieval::Answer) -> Vec<&str> {
    answer
        .candidates
        .iter()
        .map(|candidate| candidate.item_id.as_str())
        .collect()
}
