//! How to train.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::people::People;
use crate::vectors::GivenVectors;

/// Fewer people than this could be guessed from what they did.
pub const MIN_PEOPLE: u32 = 5;

/// Every choice of a training run; the same events and options give the same snapshot, whatever
/// `created_at_ms` and `parent` say.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Seed of everything random.
    pub seed: u64,
    /// Dimensions of the item vectors, 1 to 512; fewer are used when there are few shoppers or
    /// items. Twice as many cost four times the work in each query's least squares.
    pub dimension: usize,
    /// Iterations of the factorisation, 1 to 1,000.
    pub iterations: usize,
    /// λ of the factorisation, above 0.
    pub regularisation: f64,
    /// α of the factorisation: how much an interaction counts against none, above 0.
    pub alpha: f64,
    /// Different shoppers, 1 or more, below which nothing of what they did together is published: a
    /// pair of items in co-visitation, an item's vector. 1 publishes what a single person did.
    pub min_people: u32,
    /// The deployment's privacy key, and who was erased.
    pub people: People,
    /// After so long without a sign of life a cart counts as left.
    pub idle: Duration,
    /// Text of the policy file to ship.
    pub policy: String,
    /// Vectors of items made elsewhere, each a space of its own.
    pub vectors: Vec<GivenVectors>,
    pub created_at_ms: i64,
    /// Id of the snapshot that this one follows.
    pub parent: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            dimension: 32,
            iterations: 15,
            regularisation: 0.1,
            alpha: 10.0,
            min_people: MIN_PEOPLE,
            people: People::default(),
            idle: Duration::from_secs(30 * 60),
            policy: policy::Policy::DEFAULT.to_owned(),
            vectors: Vec::new(),
            created_at_ms: 0,
            parent: None,
        }
    }
}

impl Options {
    pub(crate) fn validate(&self) -> Result<(), crate::Error> {
        check(
            "dimension",
            (1..=512).contains(&self.dimension),
            &self.dimension,
            "1 to 512",
        )?;
        check(
            "iterations",
            (1..=1_000).contains(&self.iterations),
            &self.iterations,
            "1 to 1000",
        )?;
        let lambda = self.regularisation;
        check(
            "regularisation",
            lambda > 0.0 && lambda < 1e6,
            &lambda,
            "above 0, below 1e6",
        )?;
        check(
            "alpha",
            self.alpha > 0.0 && self.alpha < 1e6,
            &self.alpha,
            "above 0, below 1e6",
        )?;
        let people = self.min_people;
        check("min_people", people > 0, &people, "1 or more")?;
        let names: BTreeSet<&str> = self.vectors.iter().map(GivenVectors::name).collect();
        let distinct = names.len() == self.vectors.len();
        let given: Vec<&str> = self.vectors.iter().map(GivenVectors::name).collect();
        check("vectors", distinct, &given.join(", "), "each name once")
    }
}

fn check(
    field: &'static str,
    holds: bool,
    value: &impl ToString,
    allowed: &'static str,
) -> Result<(), crate::Error> {
    if holds {
        return Ok(());
    }
    Err(crate::Error::Option {
        field,
        value: value.to_string(),
        allowed,
    })
}
