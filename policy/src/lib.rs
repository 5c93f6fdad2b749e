//! Actions, eligibility and value: what to do about a cart.

mod action;
mod decision;
mod inputs;
mod problem;

pub use action::Action;
pub use decision::{Considered, Decision, Offer, RunnerUp};
pub use inputs::{Inputs, Line};
pub use problem::Problem;

/// A policy file, checked and compiled.
#[derive(Debug)]
pub struct Policy {
    version: String,
}

impl Policy {
    /// The policy file that is shipped.
    pub const DEFAULT: &str = "";

    /// Reads a policy file; reports every mistake at once.
    ///
    /// # Errors
    /// All problems, in the order of the file.
    pub fn parse(_toml: &str) -> Result<Policy, Vec<Problem>> {
        todo!()
    }

    /// Chooses what to do about the cart.
    #[must_use]
    pub fn decide(&self, _inputs: &Inputs, _seed: u64) -> Decision {
        todo!()
    }

    /// The file's own version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Names of the shopper features that rules read.
    #[must_use]
    pub fn shopper_features(&self) -> &[String] {
        &[]
    }
}
