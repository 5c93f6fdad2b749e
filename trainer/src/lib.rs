//! Event logs in, a snapshot out.
//!
//! | module | what it does |
//! |---|---|
//! | [`readers`] | files of events, one small reader for each format |
//! | [`mod@clean`] | keeps what serving would accept, by the same code |
//! | [`sessions`], `moments` | splits events into visits; what came before, and what next |
//! | `views` | what serving would have known of the shopper then |
//! | [`models`] | what candidates come from: [`als`], [`covisitation`], `past_sessions`, [`popularity`] |
//! | [`text`], [`vectors`] | spaces of content: what is written of items, and vectors made elsewhere |
//! | `fusion` | the weights of the sources, fitted to later events |
//! | [`risk`] | how likely a cart is to be left: samples, weights or trees, calibration |
//! | [`mod@boost`] | forests of decision trees by gradient boosting |
//! | [`ranker`] | the order of candidates: that of retrieval, linear, or a forest |
//! | `people` | who was erased, and a MAC of each shopper for the sessions that are kept |
//! | `parts`, `look_back` | what is learned from, what use is fitted on, and what is judged on |
//! | [`evaluate`], [`leaderboard`], [`exam`], [`metrics`] | how good candidates are on events not seen |
//! | [`bootstrap`] | how sure a measured difference is |
//! | [`next_item`] | session neighbours: chosen on validation sessions, measured on test ones |
//! | [`next_basket`] | what is bought after a cut in time, tuned on a window before it |
//! | [`mod@export`] | training rows: what was known of a shopper and an item at the time of a label |
//! | `tables` | tables in files, parquet or CSV, by typed columns |
//! | `held_out`, `walks`, [`golden`] | carts and requests by which a snapshot is checked later |
//! | `train` | [`train()`]: all of it in order, into one snapshot |
//! | [`mod@build`] | a snapshot of what was made elsewhere |
//!
//! Time comes from events and randomness from a seed, so that the same input gives the same
//! snapshot, on any machine and any number of threads. Nothing here serves, or knows of a store.

pub mod als;
pub mod boost;
pub mod bootstrap;
pub mod build;
pub mod clean;
pub mod covisitation;
pub mod evaluate;
pub mod exam;
pub mod export;
pub mod golden;
pub mod leaderboard;
pub mod metrics;
pub mod models;
pub mod next_basket;
pub mod next_item;
pub mod popularity;
pub mod ranker;
pub mod ratings;
pub mod readers;
pub mod risk;
pub mod sessions;
pub mod text;
pub mod vectors;

mod catalogue;
mod cholesky;
mod error;
mod fusion;
mod held_out;
mod look_back;
mod moments;
mod options;
mod parts;
mod past_sessions;
mod people;
mod prng;
mod report;
mod strength;
mod tables;
mod train;
mod views;
mod walks;

pub use error::Error;
pub use evaluate::{RankingEvaluation, evaluate_ranking, evaluate_retrieval, split_by_time};
pub use leaderboard::{Evaluation, EvaluationOptions};
pub use models::{ItemSpace, Models};
pub use options::{MIN_PEOPLE, Options};
pub use people::{LeftOut, People};
pub use report::{Counts, Stage, Step, TrainReport};
pub use tables::TableError;
pub use train::train;
pub use vectors::GivenVectors;
