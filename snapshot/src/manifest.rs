use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Error, Leaderboard, name};

/// Name of the manifest inside a snapshot folder.
pub const MANIFEST: &str = "manifest.json";
/// Layout that this build writes.
pub const FORMAT: u32 = 1;
/// Highest `min_reader` that this build understands.
pub const READER: u32 = 2;

/// What a snapshot holds and where it came from.
///
/// Fields that a later version adds are ignored here; one that must not be ignored raises
/// `min_reader`, and an older build then refuses the whole snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    pub format: u32,
    pub min_reader: u32,
    /// Fingerprint of the feature registry that the models were trained with.
    pub schema_fingerprint: String,
    pub files: BTreeMap<String, FileEntry>,
    /// Memory that a loaded generation needs, as estimated by the trainer.
    pub resident_bytes: u64,
    /// Instruction set that the index code was built for, such as `x86-64-v3`.
    pub cpu_level: String,
    pub data: DataRange,
    pub seed: u64,
    pub created_at_ms: i64,
    /// Id of the snapshot that this one follows.
    pub parent: Option<String>,
    pub probes: Vec<ProbeRow>,
    pub quality: BTreeMap<String, f64>,
    /// Absent where the log left nothing to measure on, and in snapshots of older trainers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaderboard: Option<Leaderboard>,
    pub notes: Vec<String>,
    pub spaces: Vec<Space>,
    /// Absent in snapshots that were not trained on events here, and in those of older trainers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Privacy>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            format: FORMAT,
            min_reader: READER,
            schema_fingerprint: String::new(),
            files: BTreeMap::new(),
            resident_bytes: 0,
            cpu_level: String::new(),
            data: DataRange::default(),
            seed: 0,
            created_at_ms: 0,
            parent: None,
            probes: Vec::new(),
            quality: BTreeMap::new(),
            leaderboard: None,
            notes: Vec::new(),
            spaces: Vec::new(),
            privacy: None,
        }
    }
}

/// What training did for the people in the events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Privacy {
    /// Different shoppers below which nothing of what they did together was published; 1: everything
    /// was.
    pub min_people: u32,
    /// Pairs of items that fewer made, out of co-visitation for that.
    pub pairs_left_out: u64,
    /// Items that fewer dealt with, without a vector for that.
    pub items_left_out: u64,
    /// Fingerprint of the key under which each past session carries a MAC of its shopper; absent: they
    /// carry none, and those of an erased shopper stay until the next training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_key: Option<String>,
    /// Erased shoppers whose events were found and left out, and those events; absent: nobody said who
    /// was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased_shoppers: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased_events: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Lower-case hex.
    pub sha256: String,
    pub size: u64,
}

/// The events that the models were trained on.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataRange {
    pub from_ms: i64,
    pub to_ms: i64,
    pub events: u64,
}

/// How far to look for a share of allowed rows, and the recall measured with that.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeRow {
    pub space: String,
    pub k: u32,
    /// Share of rows that the filter allows, 0 to 1.
    pub selectivity: f64,
    /// Shape of the filter measured with: `random`, `clustered`, `groups`, or `both` at once.
    pub kind: String,
    /// Lists of FAISS to probe; 0 for another index.
    pub nprobe: u32,
    /// Allowed rows to look at before a walk over lists of codes ends; 0 for FAISS. From reader 2.
    pub budget: u64,
    /// Rows that this looked at in the mean, allowed or not. From reader 2.
    pub scanned: u64,
    pub recall: f64,
}

/// One embedding space.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Space {
    pub name: String,
    pub dimension: u32,
    /// `inner_product`.
    pub metric: String,
    pub items: u64,
    /// Name of the index file; absent when the space is only ever scanned.
    pub index: Option<String>,
    /// `codes`, `lists` or `faiss`; absent in manifests before reader 2, whose indexes are FAISS's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_kind: Option<String>,
    /// The run that made the vectors together with a network for shoppers; the network in the
    /// snapshot must name the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tower: Option<String>,
}

impl Manifest {
    /// Parses a manifest and checks that this build can read what it describes.
    ///
    /// # Errors
    /// Invalid JSON, another format, a `min_reader` above [`READER`], a file name that is not
    /// allowed.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let value: Value = serde_json::from_slice(json).map_err(invalid)?;
        check_versions(&value)?;
        let manifest: Self = serde_json::from_value(value).map_err(invalid)?;
        manifest
            .files
            .keys()
            .try_for_each(|file| name::check(file))?;
        Ok(manifest)
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>, Error> {
        let mut json = serde_json::to_vec_pretty(self).map_err(invalid)?;
        json.push(b'\n');
        Ok(json)
    }
}

/// The versions are looked at before the rest: a newer manifest may not even have our fields.
fn check_versions(value: &Value) -> Result<(), Error> {
    let min_reader = version(value, "min_reader")?;
    if min_reader > READER {
        return Err(Error::TooNew {
            min_reader,
            reader: READER,
        });
    }
    match version(value, "format")? {
        FORMAT => Ok(()),
        found => Err(Error::Format {
            found,
            allowed: FORMAT,
        }),
    }
}

fn version(value: &Value, field: &str) -> Result<u32, Error> {
    let found = value
        .get(field)
        .and_then(Value::as_u64)
        .and_then(|v| u32::try_from(v).ok());
    found.ok_or_else(|| Error::Manifest {
        detail: format!("{field} is not a whole number from 0"),
    })
}

/// The id of the snapshot that this manifest describes: sha256, in hex, of its JSON with keys
/// sorted, no spaces, and without `parent` and `created_at_ms`, so that the same content has the
/// same id whenever and after whatever it was built.
///
/// It is taken from the JSON and not from [`Manifest`], so that fields this build does not know
/// count as well.
///
/// # Errors
/// Invalid JSON.
pub fn id_of(json: &[u8]) -> Result<String, Error> {
    let mut value: Value = serde_json::from_slice(json).map_err(invalid)?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("parent");
        fields.remove("created_at_ms");
    }
    let mut canonical = String::new();
    write_canonical(&value, &mut canonical);
    Ok(hex(&Sha256::digest(canonical)))
}

/// Sorts keys itself: whether `serde_json` does depends on a feature that any crate of a build
/// can switch on.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.iter().collect();
            write_joined(out, '{', sorted.into_iter(), '}', |(key, value), out| {
                write_scalar(&Value::String(key.clone()), out);
                out.push(':');
                write_canonical(value, out);
            });
        }
        Value::Array(values) => write_joined(out, '[', values.iter(), ']', write_canonical),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            write_scalar(value, out);
        }
    }
}

fn write_joined<T>(
    out: &mut String,
    open: char,
    values: impl Iterator<Item = T>,
    close: char,
    write: impl Fn(T, &mut String),
) {
    out.push(open);
    for (at, value) in values.enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(value, out);
    }
    out.push(close);
}

fn write_scalar(value: &Value, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err asks for"
)]
fn invalid(error: serde_json::Error) -> Error {
    Error::Manifest {
        detail: error.to_string(),
    }
}
