//! Immutable model snapshots: one folder that holds everything a generation answers from.
//!
//! - [`manifest`](Manifest): what is inside, by name, size and checksum, and the snapshot's id.
//! - [`Leaderboard`]: what each way of finding items scored, kept in the manifest.
//! - [`Builder`]: writes a folder beside its target and puts it in place in one rename.
//! - [`Snapshot`]: opens a folder and refuses one that is incomplete or too new.
//! - [`Catalogue`]: the items, whose order gives every other file its ordinals.
//! - [`Tensors`]: named arrays of numbers in safetensors files.
//! - [`Registry`] (feature `registry`): snapshots by id in a folder or a bucket, and the sequence of
//!   [`Activation`] records that says which is live.
//! - [`gates`], [`Verdict`]: what is measured of a snapshot before it may go live.
//! - [`crash`]: a test facility.
//!
//! Vectors, ranker, policy and feature schema travel together, because the classic failure of
//! such systems is one half of a model meeting the other half's older sibling.

mod activation;
mod builder;
mod catalogue;
pub mod crash;
mod error;
pub mod gates;
mod leaderboard;
mod manifest;
mod name;
mod opened;
#[cfg(feature = "registry")]
mod registry;
mod tensor_file;
mod tensors;
mod verdict;

pub use activation::{Action, Activation, NewActivation};
pub use builder::Builder;
pub use catalogue::{Catalogue, CatalogueItem};
pub use error::Error;
pub use leaderboard::{Bounds, Gain, Leaderboard, LeaderboardRow};
pub use manifest::{
    DataRange, FORMAT, FileEntry, MANIFEST, Manifest, Privacy, ProbeRow, READER, Space, id_of,
};
pub use opened::{Report, Snapshot};
#[cfg(feature = "registry")]
pub use registry::{Collected, Keep, Listed, Progress, Published, Registry, Tell, prune};
pub use tensor_file::TensorFile;
pub use tensors::{TensorData, Tensors, write_tensors, write_tensors_with};
pub use verdict::Verdict;

/// Names of the files that every part of the system agrees on.
pub mod files {
    pub const ITEMS: &str = "items.jsonl";
    pub const EMBEDDINGS: &str = "embeddings/collab.safetensors";
    pub const INDEX: &str = "index/collab.faiss";
    pub const COVISITATION: &str = "covisitation.safetensors";
    pub const POPULARITY: &str = "popularity.safetensors";
    pub const RANKER: &str = "ranker.json";
    pub const RISK: &str = "risk.json";
    pub const POLICY: &str = "policy.toml";
    pub const GOLDEN_RETRIEVE: &str = "golden/retrieve.jsonl";
    pub const GOLDEN_RANK: &str = "golden/rank.jsonl";
    pub const GOLDEN_RISK: &str = "golden/risk.jsonl";
    pub const GOLDEN_POLICY: &str = "golden/policy.jsonl";
    pub const QUERIES: &str = "queries/collab.safetensors";
}
