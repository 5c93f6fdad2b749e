//! A network that makes a shopper's vector for one space, in the moment of the query.
//!
//! The space `S` may come with `tower/S.onnx` and `tower/S.json`:
//!
//! ```json
//! {"version": 1, "tower_id": "two-tower-2026-03-01", "features": ["mean.0", "mean.1", "count.add"]}
//! ```
//!
//! The vectors of items and the network are two halves of one model, so both name the run that made
//! them: `tower_id` here, and [`snapshot::Space::tower`] for the items. [`check_towers`] compares.
//!
//! | feature | is |
//! |---|---|
//! | `mean.I` | component I of the mean of the recent items' vectors by their weights, made to length 1 |
//! | `count.KIND` | recent items whose newest interaction is a `view`, `add`, `remove`, `checkout` or `purchase` |
//! | `items` | recent items that the generation knows |
//! | `log_price` | mean of ln(price in minor units) by weight, over those with a price; 0 without |
//! | `category.NAME`, `brand.NAME` | share of the weight in a category or any below it, or of a brand |

use serde::{Deserialize, Serialize};
use snapshot::{Builder, Catalogue, CatalogueItem, Snapshot};

use crate::interests::Interest;
use crate::{Error, Kind};

const VERSION: u32 = 1;
/// Name of the metadata of a network that says which run made it.
const ID: &str = "tower_id";

/// Name of the network's file.
#[must_use]
pub fn tower_file(space: &str) -> String {
    format!("tower/{space}.onnx")
}

/// Name of the file that says what the network reads.
#[must_use]
pub fn tower_inputs_file(space: &str) -> String {
    format!("tower/{space}.json")
}

/// `tower/SPACE.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    tower_id: String,
    features: Vec<String>,
}

/// Writes a network for a space of `dimension`, and what it reads by its own metadata: `tower_id`, and
/// `feature_names` in the order of its inputs. The answer is its `tower_id`.
///
/// # Errors
/// No network, one without an id, of another dimension or with features that are unknown.
pub fn write_tower(
    builder: &mut Builder,
    space: &str,
    network: &[u8],
    dimension: usize,
) -> Result<String, Error> {
    let misfit = |detail: String| tower_error(space, detail);
    let parsed = onnx::Network::parse(network).map_err(|error| misfit(error.to_string()))?;
    let Some(id) = parsed.metadata(ID).filter(|id| !id.is_empty()) else {
        return Err(misfit(format!(
            "the network's metadata name no {ID}: the run that made it and the vectors"
        )));
    };
    let stored = Stored {
        version: VERSION,
        tower_id: id.to_owned(),
        features: parsed.features().to_vec(),
    };
    inputs(&parsed, &stored, dimension).map_err(misfit)?;
    let json = serde_json::to_vec_pretty(&stored).map_err(|error| misfit(error.to_string()))?;
    builder.write(&tower_file(space), network)?;
    builder.write(&tower_inputs_file(space), &json)?;
    Ok(stored.tower_id)
}

/// What [`check_towers`] found of one space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TowerCheck {
    pub space: String,
    /// The id that the network names.
    pub measured: String,
    /// The id that the items' vectors name.
    pub bar: String,
    pub passed: bool,
}

/// Whether the network of each space that has one, and the vectors of its items, name the same run.
/// A space without a network is not in the answer.
///
/// # Errors
/// A file that cannot be read as what it is.
pub fn check_towers(snapshot: &Snapshot) -> Result<Vec<TowerCheck>, Error> {
    let mut checks = Vec::new();
    for space in &snapshot.manifest().spaces {
        if let Some(stored) = read(snapshot, &space.name)? {
            let bar = space.tower.clone();
            checks.push(TowerCheck {
                space: space.name.clone(),
                passed: bar.as_ref() == Some(&stored.tower_id),
                measured: stored.tower_id,
                bar: bar.unwrap_or_else(|| "none is named".to_owned()),
            });
        }
    }
    Ok(checks)
}

fn read(snapshot: &Snapshot, space: &str) -> Result<Option<Stored>, Error> {
    let file = tower_inputs_file(space);
    let network = snapshot.has(&tower_file(space));
    if !network && !snapshot.has(&file) {
        return Ok(None);
    }
    let misfit = |detail: String| tower_error(space, detail);
    if !network {
        return Err(misfit(format!("{} is missing", tower_file(space))));
    }
    let stored: Stored = serde_json::from_slice(&snapshot.read(&file)?)
        .map_err(|error| misfit(format!("{file}: {error}")))?;
    if stored.version != VERSION {
        let found = stored.version;
        return Err(misfit(format!(
            "{file}: version is {found}, {VERSION} is allowed"
        )));
    }
    Ok(Some(stored))
}

fn tower_error(space: &str, detail: String) -> Error {
    Error::Tower {
        space: space.to_owned(),
        detail,
    }
}

/// What is known of a shopper when a vector is wanted.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) interests: &'a [Interest],
    pub(crate) catalogue: &'a Catalogue,
    /// The mean of the interests' vectors, of length 1.
    pub(crate) mean: &'a [f32],
}

#[derive(Clone, Debug, PartialEq)]
enum Input {
    Mean(usize),
    Count(Kind),
    Items,
    LogPrice,
    Category(String),
    Brand(String),
}

/// The user's half of a model of two towers.
#[derive(Debug)]
pub(crate) struct Tower {
    space: String,
    inputs: Vec<Input>,
    network: onnx::Network,
}

impl Tower {
    /// `None` when the space has none.
    pub(crate) fn load(
        snapshot: &Snapshot,
        space: &str,
        dimension: usize,
    ) -> Result<Option<Self>, Error> {
        let Some(stored) = read(snapshot, space)? else {
            return Ok(None);
        };
        let misfit = |detail: String| tower_error(space, detail);
        let network = onnx::Network::parse(&snapshot.read(&tower_file(space))?)
            .map_err(|error| misfit(error.to_string()))?;
        Ok(Some(Self {
            space: space.to_owned(),
            inputs: inputs(&network, &stored, dimension).map_err(misfit)?,
            network,
        }))
    }

    /// The shopper's vector, of the space's dimension.
    pub(crate) fn vector(&self, seen: Seen<'_>) -> Result<Vec<f32>, Error> {
        let stage = tracing::info_span!(target: crate::STAGE, "tower", space = self.space);
        let _entered = stage.entered();
        let row: Vec<f32> = self.inputs.iter().map(|input| input.value(seen)).collect();
        let failed = |detail: String| tower_error(&self.space, detail);
        let vector = self
            .network
            .run(&row)
            .map_err(|error| failed(error.to_string()))?;
        if vector.iter().all(|x| x.is_finite()) {
            return Ok(vector);
        }
        Err(failed(
            "the network answered with what is not finite".to_owned(),
        ))
    }
}

/// What each value of a row is, when network, names and space fit together.
fn inputs(
    network: &onnx::Network,
    stored: &Stored,
    dimension: usize,
) -> Result<Vec<Input>, String> {
    if network.width() != dimension {
        let width = network.width();
        return Err(format!(
            "the network answers with {width} values, {dimension} are allowed, the dimension of the \
             space"
        ));
    }
    let (reads, named) = (network.features().len(), stored.features.len());
    if reads != named {
        return Err(format!(
            "features names {named} values, {reads} are allowed, what the network reads"
        ));
    }
    let inputs = stored.features.iter().map(|name| {
        input(name, dimension).ok_or_else(|| {
            let known = "mean.I, count.KIND, items, log_price, category.NAME and brand.NAME";
            format!("features names {name:?}, {known} are allowed")
        })
    });
    inputs.collect()
}

fn input(name: &str, dimension: usize) -> Option<Input> {
    let (kind, rest) = name.split_once('.').unwrap_or((name, ""));
    let part = || (!rest.is_empty()).then(|| rest.to_owned());
    match kind {
        "items" if rest.is_empty() => Some(Input::Items),
        "log_price" if rest.is_empty() => Some(Input::LogPrice),
        "mean" => {
            let component = rest.parse().ok();
            component.filter(|at| *at < dimension).map(Input::Mean)
        }
        "count" => match rest {
            "view" => Some(Input::Count(Kind::View)),
            "add" => Some(Input::Count(Kind::Add)),
            "remove" => Some(Input::Count(Kind::Remove)),
            "checkout" => Some(Input::Count(Kind::Checkout)),
            "purchase" => Some(Input::Count(Kind::Purchase)),
            _ => None,
        },
        "category" => part().map(Input::Category),
        "brand" => part().map(Input::Brand),
        _ => None,
    }
}

impl Input {
    fn value(&self, seen: Seen<'_>) -> f32 {
        match self {
            Self::Mean(at) => seen.mean.get(*at).copied().unwrap_or(0.0),
            Self::Count(kind) => count(seen.interests.iter().filter(|one| one.newest == *kind)),
            Self::Items => count(seen.interests.iter()),
            Self::LogPrice => log_price(seen),
            Self::Category(name) => share(seen, |item| is_in(item, name)),
            Self::Brand(name) => share(seen, |item| item.brand == *name),
        }
    }
}

/// A category path is written with dots between.
fn is_in(item: &CatalogueItem, name: &str) -> bool {
    let mut path = item.category_path.iter();
    name.split('.')
        .all(|part| path.next().is_some_and(|one| one == part))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "there are at most 200 interests"
)]
fn count<'a>(interests: impl Iterator<Item = &'a Interest>) -> f32 {
    interests.count() as f32
}

fn share(seen: Seen<'_>, holds: impl Fn(&CatalogueItem) -> bool) -> f32 {
    let (mut inside, mut all) = (0.0, 0.0);
    for interest in seen.interests {
        all += interest.weight;
        if seen.catalogue.get(interest.ordinal).is_some_and(&holds) {
            inside += interest.weight;
        }
    }
    if all > 0.0 { inside / all } else { 0.0 }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the logarithm of a price needs no more than single precision"
)]
fn log_price(seen: Seen<'_>) -> f32 {
    let (mut sum, mut all) = (0.0, 0.0);
    for interest in seen.interests {
        let item = seen.catalogue.get(interest.ordinal);
        if let Some(item) = item.filter(|item| item.price_minor > 0) {
            sum += interest.weight * (item.price_minor as f64).ln() as f32;
            all += interest.weight;
        }
    }
    if all > 0.0 { sum / all } else { 0.0 }
}
