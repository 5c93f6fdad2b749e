//! One generation of models: everything that a decision is made with, loaded as a whole.

mod features;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use feature_store::{Plan, Registry};
use generations::Role;
use kit::Clock;
use policy::Policy;
use ranking::{Columns, Ranker, RiskModel};
use retrieval::Model;
use snapshot::{Catalogue, CatalogueItem, Snapshot, Verdict, files};

use crate::gates;

pub(crate) use features::Features;

/// What is loaded from one snapshot. Never changed, only replaced.
#[derive(Debug)]
pub(crate) struct Generation {
    id: String,
    loaded_at_ms: i64,
    resident_bytes: u64,
    features: Features,
    categories: Vec<String>,
    pub(crate) risk: RiskModel,
    /// `None` when the snapshot has none: retrieval's order is kept.
    pub(crate) ranker: Option<Ranker>,
    /// The features of items that the ranker reads.
    pub(crate) item_features: Plan,
    pub(crate) policy: Policy,
    /// Co-visitation and popularity, for when the candidates role does not answer.
    pub(crate) fallback: Model,
}

/// Why a snapshot cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file of the snapshot cannot be read.
    #[error("the snapshot in {dir} cannot be read")]
    Snapshot {
        /// The folder.
        dir: PathBuf,
        /// What is wrong with it.
        #[source]
        source: snapshot::Error,
    },
    /// The tables of the candidate sources cannot be read.
    #[error("the snapshot's candidate sources cannot be loaded")]
    Retrieval(#[from] retrieval::Error),
    /// A model is no model of this version.
    #[error("{file} of the snapshot cannot be used")]
    Model {
        /// Name inside the snapshot.
        file: &'static str,
        /// What is wrong with it.
        #[source]
        source: ranking::Error,
    },
    /// Nobody can say which of two files is meant.
    #[error("the snapshot holds {file} and {second}; one of them is allowed")]
    Twice {
        /// One of them.
        file: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A model or a rule reads a feature that this version does not compute.
    #[error("the generation reads the feature {name}, which is unknown{near}")]
    Feature {
        /// The feature.
        name: String,
        /// Names that are close to it.
        near: String,
    },
    /// The policy file has mistakes.
    #[error("the policy in {path} has mistakes: {problems}")]
    Policy {
        /// The file.
        path: PathBuf,
        /// All of them.
        problems: String,
    },
    /// The policy file cannot be read.
    #[error("the policy in {path} cannot be read")]
    PolicyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Generation {
    /// Loads a snapshot, with the policy of `policy` in place of its own when given. Reads files
    /// and takes its time: not for a thread that answers requests.
    pub(crate) fn load(
        opened: &Snapshot,
        policy: Option<&Path>,
        now_ms: i64,
    ) -> Result<Self, LoadError> {
        let fallback = Model::load_without_index(opened)?;
        let risk = load_risk(opened)?;
        let policy = load_policy(opened, policy)?;
        let ranker = load_ranker(opened)?;
        let columns = ranker.as_ref().map(Ranker::columns);
        let of_items = columns.map_or(&[][..], Columns::item_features);
        Ok(Self {
            item_features: plan(of_items)?,
            id: opened.id().to_owned(),
            loaded_at_ms: now_ms,
            resident_bytes: opened.manifest().resident_bytes,
            features: Features::plan(&risk, &policy, columns)?,
            categories: categories(fallback.catalogue()),
            ranker,
            risk,
            policy,
            fallback,
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn features(&self) -> &Features {
        &self.features
    }

    pub(crate) fn catalogue(&self) -> &Arc<Catalogue> {
        self.fallback.catalogue()
    }

    /// The item at a place of the catalogue, and its category path with dots.
    pub(crate) fn item(&self, ordinal: u32) -> Option<(&CatalogueItem, &str)> {
        let category = self.categories.get(usize::try_from(ordinal).ok()?)?;
        Some((self.catalogue().get(ordinal)?, category))
    }
}

impl generations::Generation for Generation {
    fn id(&self) -> &str {
        &self.id
    }

    fn loaded_at_ms(&self) -> i64 {
        self.loaded_at_ms
    }

    fn items(&self) -> usize {
        self.catalogue().len()
    }

    fn resident_bytes(&self) -> u64 {
        self.resident_bytes
    }
}

/// How this role makes a generation. What the shop says of items lies in a table of its own, which
/// no generation replaces.
#[derive(Debug)]
pub(crate) struct Recovery {
    /// Policy file to decide by, in place of a snapshot's own.
    pub(crate) policy: Option<PathBuf>,
    pub(crate) clock: Clock,
}

impl Role for Recovery {
    type Generation = Generation;
    type Error = LoadError;

    fn name(&self) -> &'static str {
        crate::ROLE
    }

    fn load(&self, snapshot: &Snapshot) -> Result<Generation, LoadError> {
        let now_ms = self.clock.now_ms();
        let generation = Generation::load(snapshot, self.policy.as_deref(), now_ms)?;
        tracing::info!(
            generation = generation.id(),
            risk = generation.risk.describe(),
            "models are loaded"
        );
        Ok(generation)
    }

    fn refusal(&self, error: &LoadError) -> Verdict {
        gates::refusal(error)
    }

    fn examine(
        &self,
        new: &Generation,
        snapshot: &Snapshot,
        live: Option<&Generation>,
    ) -> Vec<Verdict> {
        gates::examine(new, snapshot, live)
    }
}

/// Finds the features in the registry.
fn plan(names: &[String]) -> Result<Plan, LoadError> {
    let plan = Registry::standard().plan(names);
    plan.map_err(|unknown| LoadError::Feature {
        near: match unknown.near.as_slice() {
            [] => String::new(),
            near => format!(", near are {}", near.join(", ")),
        },
        name: unknown.name,
    })
}

fn unreadable(dir: &Path, source: snapshot::Error) -> LoadError {
    LoadError::Snapshot {
        dir: dir.to_owned(),
        source,
    }
}

fn bytes(opened: &Snapshot, name: &str) -> Result<Vec<u8>, LoadError> {
    let read = opened.read(name);
    read.map_err(|source| unreadable(opened.dir(), source))
}

fn text(opened: &Snapshot, name: &str) -> Result<String, LoadError> {
    Ok(String::from_utf8_lossy(&bytes(opened, name)?).into_owned())
}

fn load_ranker(opened: &Snapshot) -> Result<Option<Ranker>, LoadError> {
    let mut files = Ranker::FILES.into_iter().filter(|file| opened.has(file));
    let Some(file) = files.next() else {
        return Ok(None);
    };
    if let Some(second) = files.next() {
        return Err(LoadError::Twice { file, second });
    }
    let ranker = Ranker::load(&bytes(opened, file)?);
    let ranker = ranker.map_err(|source| LoadError::Model { file, source })?;
    Ok(Some(ranker))
}

fn load_risk(opened: &Snapshot) -> Result<RiskModel, LoadError> {
    let mut files = RiskModel::FILES.into_iter().filter(|file| opened.has(file));
    let file = files.next().unwrap_or(files::RISK);
    if let Some(second) = files.next() {
        return Err(LoadError::Twice { file, second });
    }
    let risk = RiskModel::load(&bytes(opened, file)?);
    risk.map_err(|source| LoadError::Model { file, source })
}

fn load_policy(opened: &Snapshot, instead: Option<&Path>) -> Result<Policy, LoadError> {
    let (path, toml) = match instead {
        Some(path) => (path.to_owned(), read_policy(path)?),
        None => (
            opened.dir().join(files::POLICY),
            text(opened, files::POLICY)?,
        ),
    };
    Policy::parse(&toml).map_err(|problems| LoadError::Policy {
        path,
        problems: problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; "),
    })
}

fn read_policy(path: &Path) -> Result<String, LoadError> {
    std::fs::read_to_string(path).map_err(|source| LoadError::PolicyFile {
        path: path.to_owned(),
        source,
    })
}

fn categories(catalogue: &Catalogue) -> Vec<String> {
    catalogue
        .items()
        .iter()
        .map(|item| item.category_path.join("."))
        .collect()
}
