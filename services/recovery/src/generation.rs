//! One generation of models: everything that a decision is made with, loaded as a whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use feature_store::{Plan, Registry};
use policy::Policy;
use ranking::{Columns, Ranker, RiskModel, Standing};
use retrieval::Model;
use snapshot::{Catalogue, CatalogueItem, Snapshot, files};

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
    /// The folder is no complete snapshot.
    #[error("the snapshot in {dir} cannot be opened")]
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
    pub(crate) fn load(dir: &Path, policy: Option<&Path>, now_ms: i64) -> Result<Self, LoadError> {
        let opened = open(dir)?;
        let fallback = Model::load_without_index(&opened)?;
        let risk = load_risk(&opened)?;
        let policy = load_policy(&opened, policy)?;
        let ranker = load_ranker(&opened)?;
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

    pub(crate) fn loaded_at_ms(&self) -> i64 {
        self.loaded_at_ms
    }

    pub(crate) fn resident_bytes(&self) -> u64 {
        self.resident_bytes
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

/// In the registry, the features that a rule reads as `shopper.…` carry this before their name.
const SHOPPER: &str = "shopper.";

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
enum Read {
    /// A place among the names.
    Feature(usize),
    /// What the candidates say of the cart, by name.
    Standing(String),
}

/// Which features to ask for, and who reads them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Features {
    /// Every feature of the registry once.
    names: Vec<String>,
    /// What the risk model reads, in its order.
    risk: Vec<Read>,
    /// Features of rules: place in `names`, and the name that rules know.
    rules: Vec<(usize, String)>,
    /// Features that the ranker reads, in its order: places in `names`.
    ranked: Vec<usize>,
}

impl Features {
    fn plan(
        risk: &RiskModel,
        policy: &Policy,
        ranked: Option<&Columns>,
    ) -> Result<Self, LoadError> {
        let ranked = ranked.map_or(&[][..], Columns::shopper_features);
        let features = Self::of(risk.feature_names(), policy.shopper_features(), ranked);
        plan(&features.names)?;
        Ok(features)
    }

    fn of(risk: &[String], rules: &[String], ranked: &[String]) -> Self {
        let mut features = Self::default();
        for name in risk {
            let read = if Standing::is_name(name) {
                Read::Standing(name.clone())
            } else {
                Read::Feature(features.place(name))
            };
            features.risk.push(read);
        }
        for rule in rules {
            let place = features.place(&format!("{SHOPPER}{rule}"));
            features.rules.push((place, rule.clone()));
        }
        for name in ranked {
            let place = features.place(name);
            features.ranked.push(place);
        }
        features
    }

    fn place(&mut self, name: &str) -> usize {
        let known = self.names.iter().position(|one| one == name);
        known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The values that the risk model reads, in its order.
    pub(crate) fn of_risk(&self, values: &[Option<f64>], standing: &Standing) -> Vec<Option<f64>> {
        let value = |read: &Read| match read {
            Read::Feature(place) => values.get(*place).copied().flatten(),
            Read::Standing(name) => standing.value(name),
        };
        self.risk.iter().map(value).collect()
    }

    /// The values that the ranker reads, in its order.
    pub(crate) fn of_ranker(&self, values: &[Option<f64>]) -> Vec<Option<f64>> {
        let value = |place: &usize| values.get(*place).copied().flatten();
        self.ranked.iter().map(value).collect()
    }

    /// The values that rules read, by the names that rules know; those without a value are absent.
    pub(crate) fn of_rules(&self, values: &[Option<f64>]) -> impl Iterator<Item = (String, f64)> {
        self.rules.iter().filter_map(|(place, rule)| {
            let value = values.get(*place).copied().flatten()?;
            Some((rule.clone(), value))
        })
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

fn open(dir: &Path) -> Result<Snapshot, LoadError> {
    Snapshot::open(dir).map_err(|source| unreadable(dir, source))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn asks_for_each_feature_once() {
        let features = Features::of(
            &names(&["shopper.a", "item.b"]),
            &names(&["a", "c"]),
            &names(&["shopper.d", "shopper.a"]),
        );
        assert_eq!(
            features.names(),
            names(&["shopper.a", "item.b", "shopper.c", "shopper.d"])
        );
        let values = [Some(1.0), None, Some(3.0), Some(4.0)];
        let standing = Standing::new([0.5], Some(0.75));
        assert_eq!(features.of_ranker(&values), [Some(4.0), Some(1.0)]);
        assert_eq!(features.of_risk(&values, &standing), [Some(1.0), None]);
        let rules: Vec<_> = features.of_rules(&values).collect();
        assert_eq!(rules, [("a".to_owned(), 1.0), ("c".to_owned(), 3.0)]);
    }

    #[test]
    fn what_candidates_say_of_the_cart_is_asked_of_no_store() {
        let risk = names(&["shopper.a", Standing::MARGIN, "shopper.b"]);
        let features = Features::of(&risk, &names(&["b"]), &[]);
        assert_eq!(features.names(), names(&["shopper.a", "shopper.b"]));
        let values = [Some(1.0), Some(2.0)];
        let known = Standing::new([0.5], Some(0.75));
        let expected = [Some(1.0), Some(0.25), Some(2.0)];
        assert_eq!(features.of_risk(&values, &known), expected);
        let missing = [Some(1.0), None, Some(2.0)];
        assert_eq!(features.of_risk(&values, &Standing::default()), missing);
    }

    #[test]
    fn without_values_there_is_nothing_to_read() {
        let features = Features::of(&names(&["shopper.a"]), &names(&["b"]), &[]);
        assert_eq!(features.of_risk(&[], &Standing::default()), [None]);
        assert_eq!(features.of_rules(&[Some(1.0)]).count(), 0);
    }
}
