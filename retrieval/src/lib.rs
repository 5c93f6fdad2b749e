//! Candidates for a shopper, from one loaded generation.
//!
//! - [`Model`]: a loaded generation; [`Model::retrieve`] is the way in.
//! - [`Query`], [`Filter`], [`Gate`]: what is known of the shopper, what may be answered, and what
//!   can be sold right now.
//! - `sources`: revisit, rebuy, sessions, co-visitation, collaborative, content, popularity. Each
//!   names items with a score.
//! - [`Sessions`]: past sessions like the current one, in the order of their items.
//! - `tower`: a network that makes the query of a space; [`check_towers`] is its gate.
//! - `fusion`: one list out of the sources' lists, every item tagged with who named it;
//!   [`FusionWeights`] says how.
//! - [`interactions`]: what a query says of the shopper, from recent items and the cart.
//! - [`FoldIn`]: a shopper's vector by least squares from a few items.
//! - [`Model::recall`]: how much of the truth the index finds, for a gate.
//! - [`files`]: the layout of the tensor files, for the one who writes them and for us.
//! - `weights`: every constant that ranking inside this crate depends on, besides those.
//!
//! Nothing here knows of gRPC, stores, money or the clock.

mod answer;
mod asked;
mod error;
mod filters;
mod fold_in;
mod fusion;
mod gate;
mod interactions;
mod interests;
mod model;
mod query;
mod recall;
mod scratch;
mod search;
mod sessions;
mod sources;
mod tower;
mod weights;

pub mod files;

/// The target of spans that are stages of a query; whoever serves us collects them.
const STAGE: &str = "stage";

pub use answer::{Answer, AnswerPlan, Candidate, PlanKind, Scored, Source, SourceScore};
pub use error::Error;
pub use fold_in::FoldIn;
pub use fusion::{FusionWeights, Normalisation, SourceWeight};
pub use gate::Gate;
pub use interactions::interactions;
pub use model::{COLLABORATIVE_DOWN, Model};
pub use query::{Filter, Kind, Query, Recent};
pub use recall::BandRecall;
pub use sessions::{Erased, SessionSettings, SessionTable, Sessions};
pub use tower::{TowerCheck, check_towers, tower_file, tower_inputs_file, write_tower};

/// Checks that the vector index was compiled for the processors we serve on. Returns what it was
/// compiled with.
///
/// # Errors
/// When it was compiled without AVX2; the message says how to build it with.
pub fn check_index() -> Result<String, Error> {
    Ok(ann_index::check_compile_options()?)
}
