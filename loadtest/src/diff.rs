//! Two reports side by side: what got worse beyond the noise.
//!
//! A report holds slices of its measured time. How they scatter says how well a figure is known, so
//! a change counts only when the 95 % interval of the ratio of means (Welch) lies beyond 1 and the
//! ratio beyond the threshold. Runs on different days differ by more than their slices show: repeat
//! the run, or use `--compare`.

mod figures;
mod table;

use anyhow::ensure;
use serde::Serialize;

use crate::cli::DiffArgs;
use crate::report::{self, Entry};
use crate::say::result;

/// What became of one figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Word {
    Worse,
    Better,
    Same,
    /// Not enough was measured to say.
    Unknown,
}

/// One figure before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Change {
    pub(crate) scenario: String,
    pub(crate) metric: String,
    pub(crate) before: f64,
    pub(crate) after: f64,
    /// After / before, with its interval where slices tell one.
    pub(crate) ratio: Option<f64>,
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
    pub(crate) verdict: Word,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct Diff {
    /// Why a comparison would mislead.
    pub(crate) warnings: Vec<String>,
    /// Scenarios that cannot be judged; each counts as a regression.
    pub(crate) broken: Vec<String>,
    pub(crate) changes: Vec<Change>,
}

/// Prints the differences; true when nothing got worse.
pub(crate) fn run(args: &DiffArgs) -> anyhow::Result<bool> {
    let (before, after) = (
        report::read_json(&args.before)?,
        report::read_json(&args.after)?,
    );
    let diff = Diff::of(&before, &after, args.threshold);
    ensure!(
        !diff.changes.is_empty() || !diff.broken.is_empty(),
        "the reports have no scenario in common"
    );
    if args.json {
        result(serde_json::to_string_pretty(&diff)?);
    } else {
        result(table::render(&diff));
    }
    Ok(diff.passes())
}

impl Diff {
    pub(crate) fn of(before: &[Entry], after: &[Entry], threshold: f64) -> Self {
        let mut diff = Self {
            warnings: Vec::new(),
            broken: Vec::new(),
            changes: Vec::new(),
        };
        for old in before {
            let name = &old.scenario;
            match after.iter().find(|new| new.scenario == *name) {
                None => diff
                    .warnings
                    .push(format!("{name} is only in the first report")),
                Some(new) => diff.add(old, new, threshold),
            }
        }
        diff
    }

    fn add(&mut self, old: &Entry, new: &Entry, threshold: f64) {
        let name = &old.scenario;
        if !new.valid {
            let why = new.invalid_because.as_deref().unwrap_or_default();
            self.broken
                .push(format!("{name} was not valid after: {why}"));
            return;
        }
        if !old.valid {
            self.warnings
                .push(format!("{name} was not valid before: not compared"));
            return;
        }
        if old.run.machine != new.run.machine {
            self.warnings
                .push(format!("{name} was run on two different machines"));
        }
        if (old.rate.wanted - new.rate.wanted).abs() > 0.01 * old.rate.wanted
            && old.find_max.is_none()
        {
            let (a, b) = (old.rate.wanted, new.rate.wanted);
            let text =
                format!("{name} was run at {a:.0}/s and at {b:.0}/s: latencies differ by that");
            self.warnings.push(text);
        }
        self.changes.extend(figures::of(old, new, threshold));
    }

    pub(crate) fn passes(&self) -> bool {
        let worse = |change: &Change| change.verdict == Word::Worse;
        self.broken.is_empty() && !self.changes.iter().any(worse)
    }
}
