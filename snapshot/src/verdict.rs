use serde::{Deserialize, Serialize};

/// What one gate measured of a generation before it may go live, and what it said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Verdict {
    /// Name of the gate, by which it is forced.
    pub gate: String,
    /// Who measured: a role, or `files` for what needs no server.
    pub role: String,
    /// For people, with its unit.
    pub measured: String,
    /// What was allowed.
    pub bar: String,
    pub passed: bool,
    /// It did not pass, and whoever activates said to go past exactly this gate.
    pub forced: bool,
}

impl Verdict {
    #[must_use]
    pub fn new(
        gate: &str,
        role: &str,
        measured: impl Into<String>,
        bar: impl Into<String>,
        passed: bool,
    ) -> Self {
        Self {
            gate: gate.to_owned(),
            role: role.to_owned(),
            measured: measured.into(),
            bar: bar.into(),
            passed,
            forced: false,
        }
    }

    /// Whether this verdict keeps a generation from going live.
    #[must_use]
    pub fn refuses(&self) -> bool {
        !self.passed && !self.forced
    }

    /// Whether none of the verdicts keeps a generation from going live.
    #[must_use]
    pub fn ready(verdicts: &[Self]) -> bool {
        !verdicts.iter().any(Self::refuses)
    }

    /// Marks what did not pass and may be gone past: of the named gates, those that can be forced.
    pub fn force(verdicts: &mut [Self], gates: &[String]) {
        for verdict in verdicts {
            let named = gates.contains(&verdict.gate);
            verdict.forced = !verdict.passed && named && crate::gates::can_be_forced(&verdict.gate);
        }
    }
}
