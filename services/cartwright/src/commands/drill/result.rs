//! What a drill came to, as a file, for a person, and as an exit code.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use super::check::Counts;
use crate::failure::Failure;
use crate::living::truth::Lift;
use crate::output;

/// `recovery.json`.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) shoppers: usize,
    /// Shoppers who left a cart.
    pub(super) carts: usize,
    pub(super) decisions: usize,
    #[serde(flatten)]
    pub(super) counts: Counts,
    /// Steps that were not decided and messages that did not arrive.
    pub(super) lost: usize,
    /// (person, cart version, step, attempt) that were decided twice.
    pub(super) decided_twice: usize,
    pub(super) orders: usize,
    pub(super) budget_minor: i64,
    pub(super) spent_minor: i64,
    pub(super) lift: Lift,
    pub(super) kills: BTreeMap<&'static str, usize>,
    pub(super) speed: f64,
    pub(super) seconds: f64,
    pub(super) seed: u64,
}

impl Outcome {
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("create {}", folder.display()))?;
        }
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return output::json(self);
        }
        let kills: Vec<String> = self
            .kills
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        output::result(format!(
            "{} shoppers, {} decisions, {} hand-outs of {} messages, {} orders in {:.0} s",
            output::thousands(self.shoppers),
            output::thousands(self.decisions),
            output::thousands(self.counts.handed_out),
            output::thousands(self.counts.sent),
            output::thousands(self.orders),
            self.seconds,
        ));
        output::result(format!("killed: {}", kills.join(", ")));
        output::result(format!(
            "budget: {} of {} spent; lift {:.1} cents a person ({:.1} to {:.1}), truth {:.1}",
            output::money(self.spent_minor, ""),
            output::money(self.budget_minor, ""),
            self.lift.estimate,
            self.lift.low,
            self.lift.high,
            self.lift.truth,
        ));
        let mut table = output::table(["promise", "broken"]);
        for (promise, broken) in self.promises() {
            table.add_row([comfy_table::Cell::new(promise), output::number(broken)]);
        }
        output::result(table);
        Ok(())
    }

    fn promises(&self) -> [(&'static str, i64); 10] {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let counts = &self.counts;
        [
            ("after an acknowledged order", count(counts.after_purchase)),
            ("after a \"no thanks\"", count(counts.after_no_thanks)),
            ("without consent", count(counts.without_consent)),
            ("in quiet hours", count(counts.in_quiet_hours)),
            ("over the cap", count(counts.over_cap)),
            ("to the holdout", count(counts.to_holdout)),
            ("over the budget, minor units", counts.overspend_minor),
            ("lost", count(self.lost)),
            ("double messages", count(counts.double)),
            ("double decisions", count(self.decided_twice)),
        ]
    }

    /// Fails when any promise was broken, or when nothing happened that could have broken one.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        let broken: Vec<String> = self
            .promises()
            .iter()
            .filter(|(_, broken)| *broken != 0)
            .map(|(promise, broken)| format!("{promise}: {broken}"))
            .collect();
        if !broken.is_empty() {
            return Err(
                Failure::new(format!("promises were broken: {}", broken.join(", "))).into(),
            );
        }
        if self.counts.sent == 0 || self.orders == 0 {
            return Err(
                Failure::new("nothing was sent or nobody ordered: nothing is proven").into(),
            );
        }
        Ok(())
    }
}
