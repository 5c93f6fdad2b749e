//! Writes a snapshot of any size without training one, for drills of swapping: the first items are
//! the load tester's made-up ones, which every such snapshot shares; the rest are its own.
//!
//! `cargo run --release --package trainer --example generation -- OUT ITEMS DIMENSION NUMBER`

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use ann_index::{IndexKind, TuneSettings};
use feature_store::Registry;
use policy::Policy;
use ranking::{Ranker, RiskModel};
use retrieval::files::{
    Embeddings, IndexOptions, write_covisitation, write_embeddings, write_index, write_popularity,
    write_queries,
};
use snapshot::{Builder, Catalogue, CatalogueItem, Manifest, files};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Items that all snapshots share: `load-item-0` and on.
const SHARED: usize = 1_000;
const CLUSTERS: u64 = 256;
const CARTS: usize = 100;
/// Items of each cart.
const LINES: usize = 4;
const NEIGHBOURS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, items, dimension, number] = arguments.as_slice() else {
        return Err("usage: generation OUT ITEMS DIMENSION NUMBER".into());
    };
    let generation = Generation {
        items: items.parse()?,
        dimension: dimension.parse()?,
        number: number.parse()?,
    };
    generation.write(Path::new(out))
}

struct Generation {
    items: usize,
    dimension: usize,
    number: u64,
}

impl Generation {
    fn write(&self, out: &Path) -> Result<(), Box<dyn Error>> {
        let mut builder = Builder::new(out)?;
        let catalogue = Catalogue::new(self.catalogue())?;
        builder.write(files::ITEMS, &catalogue.to_jsonl()?)?;
        let own = |item: &CatalogueItem| !item.item_id.starts_with("load-item-");
        let own: Vec<u32> = (0_u32..)
            .zip(catalogue.items())
            .filter_map(|(ordinal, item)| own(item).then_some(ordinal))
            .take(SHARED)
            .collect();
        // Whatever is in a cart goes with items that only this snapshot has.
        let rows = (0..self.items).map(|at| {
            let pick = |turn: usize| own.get((at * 7 + turn * 13) % own.len().max(1)).copied();
            let picked = [pick(0), pick(1), pick(2)].into_iter().flatten();
            picked.zip([3.0_f32, 2.0, 1.0]).collect()
        });
        write_covisitation(&mut builder, &rows.collect::<Vec<_>>())?;
        let popularity: Vec<f32> = (0..self.items).map(|at| self.unit(1, at)).collect();
        write_popularity(&mut builder, &popularity)?;
        let embeddings = self.embeddings();
        write_embeddings(&mut builder, &embeddings)?;
        let carts = self.carts(&embeddings);
        let index = write_index(&mut builder, &embeddings, &carts, &self.options())?;
        let bands = [(1.0, ann_index::MaskKind::Random)];
        let few = carts.get(..10 * self.dimension).unwrap_or(&carts);
        write_queries(
            &mut builder,
            &embeddings,
            few,
            NEIGHBOURS,
            &bands,
            self.number,
        )?;
        let risk = RiskModel::prior(0.7, "a drill").to_json()?;
        builder.write(files::RISK, risk.as_bytes())?;
        let ranker = Ranker::retrieval_order("a drill").to_json()?;
        builder.write(files::RANKER, ranker.as_bytes())?;
        builder.write(files::POLICY, Policy::DEFAULT.as_bytes())?;
        let resident = self.items as u64 * (self.dimension as u64 * 8 + 600);
        let written = builder.finish(Manifest {
            schema_fingerprint: Registry::standard().fingerprint().to_owned(),
            resident_bytes: resident,
            seed: self.number,
            probes: index.probes,
            spaces: vec![index.space],
            notes: vec!["made up for a drill".to_owned()],
            ..Manifest::default()
        })?;
        #[expect(clippy::print_stdout, reason = "the id is what the program answers")]
        {
            println!("{}", written.id());
        }
        Ok(())
    }

    fn options(&self) -> IndexOptions {
        IndexOptions {
            seed: self.number,
            kinds: vec![IndexKind::Codes, IndexKind::Lists],
            tune: TuneSettings {
                ks: vec![100],
                bands: vec![1.0, 0.1],
                ..TuneSettings::default()
            },
            ..IndexOptions::default()
        }
    }

    fn catalogue(&self) -> Vec<CatalogueItem> {
        let item = |at: usize| CatalogueItem {
            item_id: if at < SHARED {
                format!("load-item-{at}")
            } else {
                format!("only-{}-item-{at}", self.number)
            },
            name: format!("item {at} of {}", self.number),
            category_path: vec!["load".to_owned(), format!("category{}", at % 20)],
            price_minor: 500 + i64::try_from(at % 4_000).unwrap_or_default() * 5,
            currency: "USD".to_owned(),
            ..CatalogueItem::default()
        };
        (0..self.items).map(item).collect()
    }

    /// In clusters, as those of a factorisation lie.
    fn embeddings(&self) -> Embeddings {
        let row = |at: usize| {
            let cluster =
                usize::try_from(xxh3_64_with_seed(&at.to_le_bytes(), self.number) % CLUSTERS)
                    .unwrap_or_default();
            (0..self.dimension).map(move |place| {
                let centre = self.unit(2, cluster * self.dimension + place) - 0.5;
                centre + 0.4 * (self.unit(3, at * self.dimension + place) - 0.5)
            })
        };
        Embeddings {
            vectors: (0..self.items).flat_map(row).collect(),
            dimension: self.dimension,
            alpha: 10.0,
            regularisation: 0.1,
        }
    }

    /// Means of a few items each.
    fn carts(&self, embeddings: &Embeddings) -> Vec<f32> {
        let vectors: Arc<[f32]> = embeddings.vectors.as_slice().into();
        let mut carts = Vec::with_capacity(CARTS * self.dimension);
        for cart in 0..CARTS {
            for place in 0..self.dimension {
                let of_line = |line: usize| {
                    let item = (cart * 31 + line * 17) % self.items;
                    vectors
                        .get(item * self.dimension + place)
                        .copied()
                        .unwrap_or_default()
                };
                carts.push((0..LINES).map(of_line).sum::<f32>() / 4.0);
            }
        }
        carts
    }

    /// From 0 to 1, the same for the same place.
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit an f32")]
    fn unit(&self, stream: u64, at: usize) -> f32 {
        let seed = self.number.wrapping_mul(8).wrapping_add(stream);
        let bits = xxh3_64_with_seed(&at.to_le_bytes(), seed) >> 40;
        bits as f32 / (1_u32 << 24) as f32
    }
}
