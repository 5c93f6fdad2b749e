//! The budget of one campaign over one period: what is spent, what is promised, what is free.
//!
//! A decision *reserves* the most that it may cost; when its action is handed out the reservation
//! is *committed* at what it costs; when it is not, it is *released*, or *expires* by itself:
//!
//! > spent + promised ≤ budget, at every moment, in whole minor units
//!
//! Every call names its decision and may come again, late or out of order: the second time it
//! changes nothing and gives the same answer. A commit that comes after the expiry is refused, so
//! the money that the expiry freed cannot be spent twice; whoever is refused must not send.
//!
//! The ledger is a value without a clock. It lies under one key of the store as [`Ledger::encode`]
//! writes it and is replaced by compare-and-set, so whoever loses a race reads and applies again.
//! Settled decisions are remembered so that repeats are recognised, until [`Ledger::forget`] drops
//! those decided before a moment; from then on whatever was decided before it is refused as too
//! late, known or not. That moment lies before everything that may still be sent.

mod encoding;

use std::collections::BTreeMap;

pub use encoding::LedgerDecodeError;

/// One campaign's budget in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    campaign: String,
    period: String,
    budget_minor: i64,
    /// Sum over committed decisions, forgotten ones included.
    spent_minor: i64,
    /// Sum over open reservations.
    promised_minor: i64,
    /// Decisions made before this moment are refused.
    forgotten_before_ms: i64,
    entries: BTreeMap<String, Entry>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Entry {
    decided_at_ms: i64,
    standing: Standing,
}

/// Where a decision stands with the budget.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Promised until it expires.
    Reserved {
        max_cost_minor: i64,
        expires_at_ms: i64,
    },
    /// Spent. Final.
    Committed { actual_minor: i64 },
    /// Given back, by its owner or because it expired. Final.
    Released,
}

/// What a decision asks for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    pub decision_id: &'a str,
    pub max_cost_minor: i64,
    pub decided_at_ms: i64,
    /// From this moment on the reservation no longer holds.
    pub expires_at_ms: i64,
}

/// Why the ledger refuses. Nothing has changed then, except that what expired is released.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{name} is {amount_minor}, it has to be 0 or more")]
    Negative {
        name: &'static str,
        amount_minor: i64,
    },
    #[error("the budget has {free_minor} left, {wanted_minor} are wanted")]
    Exhausted { free_minor: i64, wanted_minor: i64 },
    #[error("the decision is not known")]
    Unknown,
    #[error("the decision was reserved with {known_minor}, not {given_minor}")]
    OtherClaim { known_minor: i64, given_minor: i64 },
    #[error("the cost of {actual_minor} is above the reserved {max_cost_minor}")]
    AboveReserved {
        actual_minor: i64,
        max_cost_minor: i64,
    },
    #[error("the decision was committed with {committed_minor}, which is final")]
    Committed { committed_minor: i64 },
    #[error("the reservation was released or has expired")]
    Released,
    #[error("decisions before {forgotten_before_ms} are forgotten")]
    TooLate { forgotten_before_ms: i64 },
}

impl Ledger {
    /// A ledger with nothing spent. A budget below zero counts as none.
    #[must_use]
    pub fn new(campaign: &str, period: &str, budget_minor: i64) -> Self {
        Self {
            campaign: campaign.to_owned(),
            period: period.to_owned(),
            budget_minor: budget_minor.max(0),
            spent_minor: 0,
            promised_minor: 0,
            forgotten_before_ms: i64::MIN,
            entries: BTreeMap::new(),
        }
    }

    #[must_use]
    pub fn campaign(&self) -> &str {
        &self.campaign
    }

    #[must_use]
    pub fn period(&self) -> &str {
        &self.period
    }

    #[must_use]
    pub fn budget_minor(&self) -> i64 {
        self.budget_minor
    }

    #[must_use]
    pub fn spent_minor(&self) -> i64 {
        self.spent_minor
    }

    #[must_use]
    pub fn promised_minor(&self) -> i64 {
        self.promised_minor
    }

    /// What can still be reserved; never below zero.
    #[must_use]
    pub fn free_minor(&self) -> i64 {
        self.budget_minor - self.spent_minor - self.promised_minor
    }

    /// Where a decision stands; `None` when it never reserved or is forgotten. A reservation that
    /// has expired stands as released, whether or not it was swept.
    #[must_use]
    pub fn standing(&self, decision_id: &str, now_ms: i64) -> Option<Standing> {
        let standing = self.entries.get(decision_id)?.standing;
        Some(match standing {
            Standing::Reserved { expires_at_ms, .. } if expires_at_ms <= now_ms => {
                Standing::Released
            }
            Standing::Reserved { .. } | Standing::Committed { .. } | Standing::Released => standing,
        })
    }

    /// Promises the most that a decision may cost.
    ///
    /// # Errors
    /// [`Refused::Exhausted`]; a claim that differs from the one made before under the same id; a
    /// decision that is settled or forgotten.
    pub fn reserve(&mut self, claim: Claim<'_>, now_ms: i64) -> Result<(), Refused> {
        let wanted_minor = claim.max_cost_minor;
        not_negative("max_cost_minor", wanted_minor)?;
        if let Some(entry) = self.current(claim.decision_id, now_ms) {
            return repeated(entry.standing, wanted_minor);
        }
        if claim.decided_at_ms < self.forgotten_before_ms {
            return Err(Refused::TooLate {
                forgotten_before_ms: self.forgotten_before_ms,
            });
        }
        let free_minor = self.free_minor();
        if claim.expires_at_ms <= now_ms {
            return Err(Refused::Released);
        }
        if wanted_minor > free_minor {
            return Err(Refused::Exhausted {
                free_minor,
                wanted_minor,
            });
        }
        self.promised_minor += wanted_minor;
        let standing = Standing::Reserved {
            max_cost_minor: wanted_minor,
            expires_at_ms: claim.expires_at_ms,
        };
        let entry = Entry {
            decided_at_ms: claim.decided_at_ms,
            standing,
        };
        self.entries.insert(claim.decision_id.to_owned(), entry);
        Ok(())
    }

    /// Spends what a decision costs; what it reserved beyond that is free again.
    ///
    /// # Errors
    /// A cost above what is reserved, another cost than the one committed before, a reservation
    /// that was released or has expired, and a decision that never reserved.
    pub fn commit(
        &mut self,
        decision_id: &str,
        actual_minor: i64,
        now_ms: i64,
    ) -> Result<(), Refused> {
        not_negative("actual_minor", actual_minor)?;
        let Some(entry) = self.current(decision_id, now_ms) else {
            return Err(Refused::Unknown);
        };
        match entry.standing {
            Standing::Released => Err(Refused::Released),
            Standing::Committed {
                actual_minor: committed_minor,
            } if committed_minor == actual_minor => Ok(()),
            Standing::Committed {
                actual_minor: committed_minor,
            } => Err(Refused::Committed { committed_minor }),
            Standing::Reserved { max_cost_minor, .. } if actual_minor > max_cost_minor => {
                Err(Refused::AboveReserved {
                    actual_minor,
                    max_cost_minor,
                })
            }
            Standing::Reserved { max_cost_minor, .. } => {
                self.promised_minor -= max_cost_minor;
                self.spent_minor += actual_minor;
                self.settle(decision_id, Standing::Committed { actual_minor });
                Ok(())
            }
        }
    }

    /// Gives a reservation back. One that was given back already stays so, and a decision that
    /// never reserved has nothing to give.
    ///
    /// # Errors
    /// A decision that is committed: what is spent is spent.
    pub fn release(&mut self, decision_id: &str, now_ms: i64) -> Result<(), Refused> {
        match self
            .current(decision_id, now_ms)
            .map(|entry| entry.standing)
        {
            None | Some(Standing::Released) => Ok(()),
            Some(Standing::Committed { actual_minor }) => Err(Refused::Committed {
                committed_minor: actual_minor,
            }),
            Some(Standing::Reserved { max_cost_minor, .. }) => {
                self.promised_minor -= max_cost_minor;
                self.settle(decision_id, Standing::Released);
                Ok(())
            }
        }
    }

    /// Releases every reservation that has expired. Gives back what became free.
    pub fn expire(&mut self, now_ms: i64) -> i64 {
        let mut freed = 0;
        for entry in self.entries.values_mut() {
            if let Standing::Reserved {
                max_cost_minor,
                expires_at_ms,
            } = entry.standing
                && expires_at_ms <= now_ms
            {
                freed += max_cost_minor;
                entry.standing = Standing::Released;
            }
        }
        self.promised_minor -= freed;
        freed
    }

    /// Drops settled decisions that were made before a moment, so that the value stays small. Open
    /// reservations stay. The moment never moves back.
    pub fn forget(&mut self, decided_before_ms: i64) {
        self.forgotten_before_ms = self.forgotten_before_ms.max(decided_before_ms);
        let before = self.forgotten_before_ms;
        self.entries.retain(|_, entry| {
            entry.decided_at_ms >= before || matches!(entry.standing, Standing::Reserved { .. })
        });
    }

    /// Changes the budget. What is spent or promised stays so: a lower budget than that is raised
    /// to it, and then nothing is free. Gives back the budget that holds now.
    pub fn set_budget(&mut self, wanted_minor: i64) -> i64 {
        self.budget_minor = wanted_minor.max(self.spent_minor + self.promised_minor);
        self.budget_minor
    }

    /// The entry, released first when its time is over.
    fn current(&mut self, decision_id: &str, now_ms: i64) -> Option<Entry> {
        let entry = self.entries.get_mut(decision_id)?;
        if let Standing::Reserved {
            max_cost_minor,
            expires_at_ms,
        } = entry.standing
            && expires_at_ms <= now_ms
        {
            self.promised_minor -= max_cost_minor;
            entry.standing = Standing::Released;
        }
        Some(*entry)
    }

    fn settle(&mut self, decision_id: &str, standing: Standing) {
        if let Some(entry) = self.entries.get_mut(decision_id) {
            entry.standing = standing;
        }
    }
}

/// A reserve that comes again.
fn repeated(standing: Standing, wanted_minor: i64) -> Result<(), Refused> {
    match standing {
        Standing::Released => Err(Refused::Released),
        Standing::Committed { actual_minor } => Err(Refused::Committed {
            committed_minor: actual_minor,
        }),
        Standing::Reserved { max_cost_minor, .. } if max_cost_minor == wanted_minor => Ok(()),
        Standing::Reserved { max_cost_minor, .. } => Err(Refused::OtherClaim {
            known_minor: max_cost_minor,
            given_minor: wanted_minor,
        }),
    }
}

fn not_negative(name: &'static str, amount_minor: i64) -> Result<(), Refused> {
    if amount_minor < 0 {
        return Err(Refused::Negative { name, amount_minor });
    }
    Ok(())
}
