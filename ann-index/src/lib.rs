//! Nearest-neighbour search over item vectors, by inner product, with filters.
//!
//! - [`vectors`]: the row-major table that everything here searches.
//! - [`bitmap`]: which rows may be answered.
//! - [`exact`]: the scan of every allowed row; the truth that the rest is measured against.
//! - [`coded`]: rows as 8-bit codes, scanned or in inverted lists, and exact over what they look at.
//! - [`faiss`]: inverted lists with 8-bit codes, built, stored and searched by FAISS.
//! - [`kind`]: an index of any of these kinds, with its file.
//! - [`space`]: the planner that takes the cheapest way to the recall asked for, and says which it
//!   took.
//! - [`mod@tune`]: measures how far to look for each share of allowed rows, and chooses the kind.
//! - `ffi` and `simd`: the only unsafe code of the workspace.
//!
//! This crate knows nothing of where vectors come from. `docs/ann.md` has how it works and what
//! was measured.

extern crate faiss_sys;

mod bitmap;
mod coded;
mod envelope;
mod error;
mod exact;
mod faiss;
mod ffi;
mod image;
mod index;
mod kind;
mod simd;
mod space;
mod top;
mod tune;
mod vectors;

pub use bitmap::Bitmap;
pub use coded::{Budget, CodeIndex};
pub use error::Error;
pub use exact::ExactIndex;
pub use faiss::{BuildParams, FaissIndex, SearchParams, check_compile_options};
pub use index::{Hit, Plan, SearchReport, VectorIndex, recall};
pub use kind::{Index, IndexKind};
pub use space::{PlannerSettings, SpaceIndex};
pub use tune::{
    ChooseSettings, Chosen, Considered, MaskKind, ProbeRow, TuneSettings, choose, mask, tune,
};
pub use vectors::Vectors;
