//! A snapshot of what a team has: items, vectors, a ranker, a risk model, a policy, made elsewhere.
//!
//! What is not given is filled in, and said: [`Built::filled`]. Nothing is learned here.

mod items;
mod made;
mod names;
mod towers;
mod vectors;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ann_index::Vectors;
use feature_store::{Millis, Registry};
use ranking::{Ranker, RiskModel};
use retrieval::files::{
    Embeddings, FUSION, IndexOptions, SPACE, write_covisitation, write_embeddings, write_index,
    write_popularity, write_queries, write_space, write_space_index,
};
use retrieval::{FusionWeights, Model};
use snapshot::{Builder, Catalogue, Manifest, ProbeRow, Snapshot, Space, files};

use crate::look_back::draft_folder;
use crate::{Error, golden, held_out};

pub use names::Names;

/// What a team has.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Parquet, CSV, or JSON lines.
    pub items: PathBuf,
    /// By the space's name: `.npy` with a row for each line of `items`, or `.safetensors`.
    pub embeddings: BTreeMap<String, PathBuf>,
    /// α and λ of the factorisation that `collab` comes from, by which a cart becomes a vector.
    pub alpha: f64,
    pub regularisation: f64,
    /// By the space's name: a network that makes a shopper's vector in it, as ONNX.
    pub towers: BTreeMap<String, PathBuf>,
    /// By the space's name: the run that made its vectors, where their file does not say it.
    pub runs: BTreeMap<String, String>,
    /// Weights of sources and spaces, as `fusion.json` has them.
    pub fusion: Option<PathBuf>,
    pub ranker: Option<PathBuf>,
    pub risk: Option<PathBuf>,
    /// Text of the policy; the shipped one when absent.
    pub policy: Option<String>,
    /// Rows with the scores that the library gave, as JSON lines.
    pub golden: Option<PathBuf>,
    /// Measured figures by name, as JSON.
    pub quality: Option<PathBuf>,
    /// The model's names of features to the registry's.
    pub names: BTreeMap<String, String>,
    pub created_at_ms: i64,
    pub seed: u64,
}

/// What was built.
#[derive(Debug)]
pub struct Built {
    pub snapshot: Snapshot,
    /// What was not given and is in it all the same, each in a sentence.
    pub filled: Vec<String>,
    /// The model's features that go by another name in the registry: theirs, ours.
    pub renamed: Vec<(String, String)>,
}

/// Builds the snapshot in `out`.
///
/// # Errors
/// A file that cannot be read or does not fit; every feature without a counterpart, with near names.
pub fn build(given: &Given, out: &Path) -> Result<Built, Error> {
    towers::check_names(given)?;
    let (catalogue, order) = items::read(&given.items)?;
    let mut work = Work {
        given,
        catalogue,
        filled: Vec::new(),
        renamed: Vec::new(),
        files: Vec::new(),
    };
    let models = work.models()?;
    let folder = draft_folder()?;
    let draft = work.draft(&order, folder.path())?;
    work.golden(&draft, &models)?;
    let snapshot = work.finish(&draft, out)?;
    Ok(Built {
        snapshot,
        filled: work.filled,
        renamed: work.renamed,
    })
}

struct Work<'a> {
    given: &'a Given,
    catalogue: Catalogue,
    filled: Vec<String>,
    renamed: Vec<(String, String)>,
    /// Of the finished snapshot, beside those of the draft.
    files: Vec<(String, Vec<u8>)>,
}

struct Models {
    ranker: Option<Ranker>,
    risk: RiskModel,
    policy: policy::Policy,
}

impl Work<'_> {
    fn fill(&mut self, what: impl Into<String>) {
        self.filled.push(what.into());
    }

    fn models(&mut self) -> Result<Models, Error> {
        let policy = match &self.given.policy {
            Some(text) => text.clone(),
            None => {
                self.fill("policy: the shipped one");
                policy::Policy::DEFAULT.to_owned()
            }
        };
        let parsed = golden::parse_policy(&policy)?;
        self.files
            .push((files::POLICY.to_owned(), policy.into_bytes()));
        let ranker = match &self.given.ranker {
            Some(path) => {
                let bytes = self.known_names(path, "the ranker", &Names::of_ranker())?;
                let ranker = Ranker::load(&bytes)?;
                self.files.push((names::file("ranker", &bytes), bytes));
                Some(ranker)
            }
            None => {
                self.fill("ranker: none, so that items are shown in the order of retrieval");
                None
            }
        };
        let risk = if let Some(path) = &self.given.risk {
            let bytes = self.known_names(path, "the risk model", &Names::of_risk())?;
            let risk = RiskModel::load(&bytes)?;
            self.files.push((names::file("risk", &bytes), bytes));
            risk
        } else {
            let why = "no risk model was given, so half of the carts are taken to be left";
            self.fill(format!("risk: a stated prior of 0.5; {why}"));
            let prior = RiskModel::prior(0.5, why);
            let json = prior.to_json()?.into_bytes();
            self.files.push((files::RISK.to_owned(), json));
            prior
        };
        Ok(Models {
            ranker,
            risk,
            policy: parsed,
        })
    }

    /// The model's file with the registry's names in place of its own.
    fn known_names(&mut self, path: &Path, what: &str, known: &Names) -> Result<Vec<u8>, Error> {
        let bytes = read(path)?;
        let (bytes, renamed) = known.rename(&bytes, &self.given.names, what)?;
        self.renamed.extend(renamed);
        Ok(bytes)
    }

    /// Everything that retrieval reads.
    fn draft(&mut self, order: &[usize], at: &Path) -> Result<Snapshot, Error> {
        let mut builder = Builder::new(at)?;
        builder.write(files::ITEMS, &self.catalogue.to_jsonl()?)?;
        if let Some(path) = &self.given.fusion {
            let weights = FusionWeights::parse(&read(path)?)?;
            builder.write(FUSION, &weights.to_json()?)?;
        }
        let items = self.catalogue.len();
        self.fill("co-visitation: none, since no events were given");
        write_covisitation(&mut builder, &vec![Vec::new(); items])?;
        self.fill("popularity: all items alike, since no events were given");
        write_popularity(&mut builder, &vec![1.0; items])?;
        let (mut spaces, mut probes) = (Vec::new(), Vec::new());
        let given = self.given.embeddings.clone();
        for (name, path) in &given {
            let table = vectors::read(name, path, &self.catalogue, order)?;
            let run = towers::run_of(self.given, name, path, table.run.as_deref())?;
            let dimension = table.dimension;
            let (mut space, rows) = if name == SPACE {
                self.collaborative(&mut builder, table)?
            } else {
                self.content(&mut builder, name, &table)?
            };
            towers::write(&mut builder, self.given, name, dimension, run.as_deref())?;
            space.tower = run;
            spaces.push(space);
            probes.extend(rows);
        }
        if spaces.is_empty() {
            self.fill(
                "vectors: none, so that only what shoppers looked at and popular items are named",
            );
        }
        // The collaborative space is the first, wherever its name falls.
        spaces.sort_by_key(|space| space.name != SPACE);
        Ok(builder.finish(Manifest {
            spaces,
            probes,
            ..self.manifest()
        })?)
    }

    fn collaborative(
        &mut self,
        builder: &mut Builder,
        table: vectors::Table,
    ) -> Result<(Space, Vec<ProbeRow>), Error> {
        let embeddings = Embeddings {
            vectors: table.rows,
            dimension: table.dimension,
            alpha: narrow(self.given.alpha),
            regularisation: narrow(self.given.regularisation),
        };
        write_embeddings(builder, &embeddings)?;
        let carts = made::carts(&embeddings)?;
        let options = IndexOptions {
            seed: self.given.seed,
            ..IndexOptions::default()
        };
        let few = held_out::few(&carts, embeddings.dimension);
        let report = write_index(builder, &embeddings, &few, &options)?;
        if !carts.is_empty() {
            self.fill(format!(
                "held-out carts: {} made of one to three items each, drawn evenly, to tune the index and \
                 measure recall with",
                carts.len() / embeddings.dimension
            ));
            let (k, seed) = (held_out::NEIGHBOURS, self.given.seed);
            write_queries(builder, &embeddings, &carts, k, &held_out::BANDS, seed)?;
        }
        Ok((report.space, report.probes))
    }

    fn content(
        &mut self,
        builder: &mut Builder,
        name: &str,
        table: &vectors::Table,
    ) -> Result<(Space, Vec<ProbeRow>), Error> {
        let rows = table.of_length_one();
        write_space(builder, name, &rows, table.dimension)?;
        let options = IndexOptions {
            seed: self.given.seed,
            ..IndexOptions::default()
        };
        let vectors = Arc::new(Vectors::new(rows, table.dimension)?);
        let few = made::rows(&vectors);
        let report = write_space_index(builder, name, &vectors, &few, &options)?;
        Ok((report.space, report.probes))
    }

    /// Requests with the answers that this build gives, and the library's own scores where given.
    fn golden(&mut self, draft: &Snapshot, models: &Models) -> Result<(), Error> {
        let model = Model::load(draft)?;
        let retrieve = golden::asked(&model, made::queries(&self.catalogue))?;
        self.files
            .push((files::GOLDEN_RETRIEVE.to_owned(), retrieve));
        let risk = golden::risk(&models.risk, &[])?;
        self.files.push((files::GOLDEN_RISK.to_owned(), risk));
        // Decisions of a fixed moment: the same files give the same snapshot whenever it is built.
        let policed = golden::policed(&models.policy, &self.catalogue, Millis(0))?;
        self.files.push((files::GOLDEN_POLICY.to_owned(), policed));
        self.fill("golden requests of retrieval, risk and policy: made by this build");
        let Some(ranker) = &models.ranker else {
            return Ok(());
        };
        let rank = if let Some(path) = &self.given.golden {
            read(path)?
        } else {
            self.fill(
                "golden scores of the ranker: made by this build, and not by the library that trained \
                 it; --golden FILE takes the library's",
            );
            made::ranked(ranker)?
        };
        made::check_ranked(ranker, &rank)?;
        self.files.push((files::GOLDEN_RANK.to_owned(), rank));
        Ok(())
    }

    fn manifest(&self) -> Manifest {
        Manifest {
            schema_fingerprint: Registry::standard().fingerprint().to_owned(),
            cpu_level: crate::train::CPU_LEVEL.to_owned(),
            seed: self.given.seed,
            ..Manifest::default()
        }
    }

    fn finish(&mut self, draft: &Snapshot, out: &Path) -> Result<Snapshot, Error> {
        let manifest = draft.manifest();
        let mut builder = Builder::new(out)?;
        let mut size = 0;
        for (name, entry) in &manifest.files {
            builder.write(name, &draft.read(name)?)?;
            size += entry.size;
        }
        for (name, bytes) in &self.files {
            builder.write(name, bytes)?;
            size += bytes.len() as u64;
        }
        let quality = self.quality()?;
        let renamed = self.renamed.iter();
        let renamed = renamed.map(|(theirs, ours)| format!("feature {theirs} is read as {ours}"));
        let filled = self.filled.iter().map(|what| format!("filled in: {what}"));
        Ok(builder.finish(Manifest {
            // Texts and hash tables take about as much again as their files.
            resident_bytes: 2 * size,
            created_at_ms: self.given.created_at_ms,
            spaces: manifest.spaces.clone(),
            probes: manifest.probes.clone(),
            quality,
            notes: filled.chain(renamed).collect(),
            ..self.manifest()
        })?)
    }

    fn quality(&mut self) -> Result<BTreeMap<String, f64>, Error> {
        let Some(path) = &self.given.quality else {
            self.fill(
                "quality: not measured, which the quality gate refuses where the live one is",
            );
            return Ok(BTreeMap::new());
        };
        let parsed = serde_json::from_slice(&read(path)?);
        parsed.map_err(|source| Error::Json {
            what: "the figures of --quality",
            source,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| unfit(path, error.to_string()))
}

/// A file that was given and cannot be used.
fn unfit(path: &Path, detail: impl Into<String>) -> Error {
    Error::Given {
        file: path.display().to_string(),
        detail: detail.into(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "stored in single precision"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}
