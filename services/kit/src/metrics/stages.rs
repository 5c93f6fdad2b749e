//! How long the stages of a request take.

use std::time::Duration;

use super::declaration::Declared;
use super::family::Family;
use super::instrument::Histogram;
use super::registry::Registry;
use crate::trace::ObserveStage;

/// Times of a role's stages. Cloning shares the counts.
#[derive(Clone, Debug)]
pub struct StageTimes(Family<Histogram>);

impl StageTimes {
    /// Registers `declared`, whose one label is the stage.
    pub fn register(registry: &mut Registry, declared: &'static Declared<Histogram>) -> Self {
        Self(registry.family(declared))
    }

    /// A stage took this long; one that the role did not declare is not counted.
    pub fn took(&self, stage: &str, time: Duration) {
        self.0.with([stage]).observe(time);
    }
}

impl ObserveStage for StageTimes {
    fn observe(&self, _role: &'static str, stage: &'static str, took: Duration) {
        self.took(stage, took);
    }
}
