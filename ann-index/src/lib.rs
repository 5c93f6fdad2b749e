//! Nearest-neighbour search over item vectors, by inner product, with filters.
//!
//! - [`vectors`]: the row-major table that everything here searches.
//! - [`bitmap`]: which rows may be answered.
//! - [`exact`]: the scan of every allowed row; the truth that the rest is measured against.
//! - [`faiss`]: inverted lists with 8-bit codes, built, stored and searched by FAISS.
//! - [`space`]: the planner that takes the exact scan or the index, whichever is cheaper at the
//!   recall asked for, and says which it took.
//! - [`mod@tune`]: measures how many lists to probe for each share of allowed rows.
//! - `ffi`: the only unsafe code of the workspace.
//!
//! This crate knows nothing of where vectors come from.

extern crate faiss_sys;

mod bitmap;
mod envelope;
mod error;
mod exact;
mod faiss;
mod ffi;
mod index;
mod space;
mod top;
mod tune;
mod vectors;

pub use bitmap::Bitmap;
pub use error::Error;
pub use exact::ExactIndex;
pub use faiss::{BuildParams, FaissIndex, SearchParams, check_compile_options};
pub use index::{Hit, Plan, SearchReport, VectorIndex, recall};
pub use space::{PlannerSettings, SpaceIndex};
pub use tune::{MaskKind, ProbeRow, TuneSettings, mask, tune};
pub use vectors::Vectors;
