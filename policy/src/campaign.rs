//! Campaigns: offers on chosen items for a while, laid over the policy without a new snapshot.
//!
//! A [`Draft`] is what a person sets up; [`Campaign::check`] finds every mistake in it. While
//! campaigns run, [`crate::Policy::campaign_offers`] says for each line of a cart what it gets,
//! what came next, and why that did not come first. Of several campaigns on one line
//!
//! 1. the higher priority goes first,
//! 2. then what gives the shopper more,
//! 3. then what ends sooner, then the lower id.
//!
//! The first is the line's best offer. If it is one that stacks, others that stack are added in
//! the same order. A line never gives more than its margin allows, a campaign never more than its
//! maximum, nor than what is free of its budget.

mod overlay;

use serde::{Deserialize, Serialize};

pub(crate) use overlay::offers;
pub use overlay::{Given, LineOffer, Passed};

use crate::money::Share;
use crate::settings::Terms;

/// No amount of a campaign is meant to be larger.
const MAX_MINOR: i64 = 1_000_000_000_000;
const MAX_ID: usize = 64;

/// A campaign as it is set up and stored. Fields that a later version adds have defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    pub id: String,
    #[serde(default)]
    pub name: String,
    /// From this moment on.
    pub starts_at_ms: i64,
    /// Up to, and not with, this moment.
    pub ends_at_ms: i64,
    #[serde(default)]
    pub selector: Selector,
    pub offer: CampaignOffer,
    /// The most it may cost in each period of its ledger.
    pub budget_minor: i64,
    #[serde(default)]
    pub stacking: Stacking,
    /// Higher goes first.
    #[serde(default)]
    pub priority: i32,
    /// The kill switch.
    #[serde(default)]
    pub stopped: bool,
}

/// Which items. An item is chosen when it is in any of the lists, or when all of them are empty,
/// and in none of the `except` lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selector {
    pub items: Vec<String>,
    /// With everything below: `clothing` is `clothing.shoes` too.
    pub categories: Vec<String>,
    pub brands: Vec<String>,
    pub except_items: Vec<String>,
    pub except_categories: Vec<String>,
    pub except_brands: Vec<String>,
}

/// What a campaign takes off the lines that it chooses.
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CampaignOffer {
    Percent {
        /// 0.10 for ten per cent.
        percent_off: f64,
        /// The most it takes off one cart. A percentage without it is not valid.
        max_discount_minor: Option<i64>,
    },
    /// An amount off the chosen lines together.
    Fixed { amount_minor: i64 },
}

/// Whether other campaigns may give something on the same line.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stacking {
    #[default]
    Alone,
    /// With others that stack.
    WithOthers,
}

/// One mistake in a draft.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct CampaignProblem {
    /// Path of the field at fault.
    pub field: &'static str,
    /// The value found and what is allowed.
    pub message: String,
}

/// A draft without mistakes.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    draft: Draft,
    terms: Terms,
}

impl Campaign {
    /// # Errors
    /// Every mistake of the draft.
    pub fn check(draft: Draft) -> Result<Self, Vec<CampaignProblem>> {
        let mut problems = Vec::new();
        let mut fault = |field, message| problems.push(CampaignProblem { field, message });
        let id = &draft.id;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if id.is_empty() || id.len() > MAX_ID || !id.chars().all(plain) {
            let allowed = "1 to 64 letters, digits, hyphens, underscores or dots";
            fault(
                "id",
                format!("{id:?} is not allowed; it has to be {allowed}"),
            );
        }
        if draft.ends_at_ms <= draft.starts_at_ms {
            let (start, end) = (draft.starts_at_ms, draft.ends_at_ms);
            fault(
                "ends_at_ms",
                format!("{end} is not after the start at {start}"),
            );
        }
        if !(0..=MAX_MINOR).contains(&draft.budget_minor) {
            fault("budget_minor", not_money(draft.budget_minor, 0));
        }
        let terms = terms(draft.offer, &mut fault);
        match problems.is_empty() {
            true => Ok(Self { draft, terms }),
            false => Err(problems),
        }
    }

    #[must_use]
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// Whether it runs at a moment.
    #[must_use]
    pub fn runs_at(&self, at_ms: i64) -> bool {
        let draft = &self.draft;
        !draft.stopped && (draft.starts_at_ms..draft.ends_at_ms).contains(&at_ms)
    }
}

impl Selector {
    #[must_use]
    pub fn chooses(&self, item_id: &str, category: &str, brand: &str) -> bool {
        let named = |items: &[String], categories: &[String], brands: &[String]| {
            items.iter().any(|item| item == item_id)
                || brands.iter().any(|other| other == brand)
                || categories.iter().any(|above| is_within(category, above))
        };
        let all = self.items.is_empty() && self.categories.is_empty() && self.brands.is_empty();
        (all || named(&self.items, &self.categories, &self.brands))
            && !named(
                &self.except_items,
                &self.except_categories,
                &self.except_brands,
            )
    }
}

fn is_within(category: &str, above: &str) -> bool {
    let below = category.strip_prefix(above);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn terms(offer: CampaignOffer, fault: &mut dyn FnMut(&'static str, String)) -> Terms {
    match offer {
        CampaignOffer::Percent {
            percent_off,
            max_discount_minor,
        } => {
            if !(0.001..=0.9).contains(&percent_off) {
                let allowed = "a share from 0.001 to 0.9, e.g. 0.10 for ten per cent";
                let message = format!("{percent_off} is not allowed; it has to be {allowed}");
                fault("offer.percent.percent_off", message);
            }
            let field = "offer.percent.max_discount_minor";
            let max_minor = max_discount_minor.unwrap_or(0);
            if max_discount_minor.is_none() {
                let what = "the most the offer may come to in money";
                let message = format!(
                    "is missing; it has to be {what}: a percentage without it has no limit"
                );
                fault(field, message);
            } else if !(1..=MAX_MINOR).contains(&max_minor) {
                fault(field, not_money(max_minor, 1));
            }
            Terms::Percent {
                off: Share::nearest(percent_off),
                max_minor,
            }
        }
        CampaignOffer::Fixed { amount_minor } => {
            if !(1..=MAX_MINOR).contains(&amount_minor) {
                fault("offer.fixed.amount_minor", not_money(amount_minor, 1));
            }
            Terms::Fixed { amount_minor }
        }
    }
}

fn not_money(amount: i64, least: i64) -> String {
    format!("{amount} is not allowed; it has to be a whole number from {least} to {MAX_MINOR}")
}
