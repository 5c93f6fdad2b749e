//! What comes back: outcomes that were reported, and coupons that were redeemed.

use kit::metrics::{Counter, Declared, Family, Group, Label, Registry};

use crate::actions::Redeemed;
use crate::outcome::Kind;
use crate::outcomes::Taken;

static REPORTS: Declared<Counter> = Declared::counter(
    "outcome_reports",
    "Reports of outcomes, by what became of them: accepted; duplicate, taken in before; rejected, as they stand.",
)
.labels(&[Label::closed(
    "taken",
    &["accepted", "duplicate", "rejected"],
)]);
static OUTCOMES: Declared<Counter> =
    Declared::counter("outcomes", "Outcomes that were accepted, by kind.")
        .labels(&[Label::closed("kind", kit::names!(Kind))]);
static REDEMPTIONS: Declared<Counter> = Declared::counter(
    "coupon_redemptions",
    "Coupon codes that were to be redeemed, by what became of them: redeemed; again, for the order that has it; taken by another order; expired; invalid, made by nobody here; other_person, made for somebody else.",
)
.labels(&[Label::closed("outcome", &REDEEMED)]);

const REDEEMED: [&str; 6] = [
    "redeemed",
    "again",
    "taken",
    "expired",
    "invalid",
    "other_person",
];

pub(super) static GROUP: Group = Group {
    title: "What comes back",
    about: "",
    metrics: &[
        &REPORTS.declaration,
        &OUTCOMES.declaration,
        &REDEMPTIONS.declaration,
    ],
};

/// Counts what comes back. Cloning shares the counts.
#[derive(Clone, Debug)]
pub(crate) struct BackMetrics {
    reports: Family<Counter>,
    outcomes: Family<Counter>,
    redemptions: Family<Counter>,
}

impl BackMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            reports: registry.family(&REPORTS),
            outcomes: registry.family(&OUTCOMES),
            redemptions: registry.family(&REDEMPTIONS),
        }
    }

    /// One report; `kind` where it could be read.
    pub(crate) fn reported(&self, kind: Option<Kind>, taken: &Taken) {
        let name = match taken {
            Taken::Accepted => "accepted",
            Taken::Duplicate => "duplicate",
            Taken::Rejected(..) => "rejected",
        };
        self.reports.with([name]).inc();
        if let (Taken::Accepted, Some(kind)) = (taken, kind) {
            self.outcomes.with([kind.as_str()]).inc();
        }
    }

    pub(crate) fn redeemed(&self, redeemed: &Redeemed) {
        let outcome = match redeemed {
            Redeemed::Yes { again: false, .. } => "redeemed",
            Redeemed::Yes { again: true, .. } => "again",
            Redeemed::Taken => "taken",
            Redeemed::Expired => "expired",
            Redeemed::Invalid => "invalid",
            Redeemed::OtherPerson => "other_person",
        };
        self.redemptions.with([outcome]).inc();
    }
}
