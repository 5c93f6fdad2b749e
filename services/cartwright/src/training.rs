//! Training for the commands that need a snapshot: cleaning, the trainer, and how far it is.

use std::path::Path;
use std::time::Duration;

use kit::Clock;
use trainer::{GivenVectors, People, TrainReport};

use crate::commands::train::Options;
use crate::failure::OrFail as _;
use crate::output;
use crate::reading::Log;

/// After this long without a sign of life a cart counts as left.
pub(crate) const IDLE: Duration = Duration::from_secs(30 * 60);

/// How to train.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) options: Options,
    pub(crate) policy: String,
    pub(crate) idle: Duration,
    pub(crate) vectors: Vec<GivenVectors>,
    pub(crate) people: People,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            options: Options::default(),
            policy: policy::Policy::DEFAULT.to_owned(),
            idle: IDLE,
            vectors: Vec::new(),
            people: People::default(),
        }
    }
}

/// Trains on a log and writes the snapshot.
pub(crate) fn train(log: &Log, settings: &Settings, out: &Path) -> anyhow::Result<TrainReport> {
    let options = options(settings);
    let bar = output::count_bar(None, "training");
    let report = trainer::train(&log.events, &log.items, &options, out, &mut |step| {
        bar.set_message(step.to_string());
        bar.tick();
    });
    bar.finish_and_clear();
    report.or_hint("`cartwright events import` shows how a file reads")
}

/// The trainer's options, with its defaults for what was not given.
pub(crate) fn options(settings: &Settings) -> trainer::Options {
    let defaults = trainer::Options::default();
    let given = &settings.options;
    trainer::Options {
        seed: given.seed.unwrap_or(defaults.seed),
        dimension: given.dimension.unwrap_or(defaults.dimension),
        iterations: given.iterations.unwrap_or(defaults.iterations),
        regularisation: given.regularisation.unwrap_or(defaults.regularisation),
        alpha: given.alpha.unwrap_or(defaults.alpha),
        min_people: given.min_people.unwrap_or(defaults.min_people),
        idle: settings.idle,
        policy: settings.policy.clone(),
        vectors: settings.vectors.clone(),
        people: settings.people.clone(),
        created_at_ms: Clock::real().now_ms(),
        ..defaults
    }
}
