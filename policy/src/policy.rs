//! The policy as callers see it.

use std::collections::BTreeMap;

use crate::account::BudgetPlan;
use crate::campaign::{self, Campaign, LineOffer};
use crate::cart::CartMoney;
use crate::guard::Limits;
use crate::holdout::Holdout;
use crate::rules::Rules;
use crate::sequence::{Kind, Plan};
use crate::settings::Settings;
use crate::{Action, Decision, Inputs, Line, Problem, decide, file};

/// A policy file, checked and compiled.
#[derive(Debug)]
pub struct Policy {
    text: String,
    id: [u8; 32],
    settings: Settings,
    rules: Rules,
}

/// One arm of a policy, for listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmSummary {
    pub name: String,
    pub action: Action,
}

impl Policy {
    /// The policy file that is shipped. It explains every key.
    pub const DEFAULT: &str = include_str!("../default-policy.toml");

    /// Reads a policy file.
    ///
    /// # Errors
    /// Every mistake in the file, in its order, each with line, column, key, value and what is
    /// allowed.
    pub fn parse(toml: &str) -> Result<Policy, Vec<Problem>> {
        let (settings, rules) = file::read(toml)?;
        Ok(Policy {
            text: toml.to_owned(),
            id: Self::id_of(toml),
            settings,
            rules,
        })
    }

    /// The file as it was read.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Names the file by what is in it: BLAKE3 of the text. Two policies of one id decide the same.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        self.id
    }

    /// The id of a policy's text.
    #[must_use]
    pub fn id_of(toml: &str) -> [u8; 32] {
        *blake3::hash(toml.as_bytes()).as_bytes()
    }

    /// Chooses what to do about the cart. A pure function that cannot fail: inputs that make no
    /// sense, such as a risk that is not a number, make doing nothing the best.
    ///
    /// The choice is the best eligible arm, or, with the probability that the file's `exploration`
    /// says, another one that is drawn from the seed.
    #[must_use]
    pub fn decide(&self, inputs: &Inputs, seed: u64) -> Decision {
        decide::decide(&self.settings, &self.rules, inputs, seed)
    }

    /// What each line of the cart gets from the campaigns that run at [`Inputs::now_ms`], in the
    /// order of the lines. `free_minor` is what is free of each campaign's budget, by its id; a
    /// campaign that is not named has nothing to give. The order of the campaigns does not matter.
    #[must_use]
    pub fn campaign_offers(
        &self,
        campaigns: &[Campaign],
        inputs: &Inputs,
        free_minor: &BTreeMap<String, i64>,
    ) -> Vec<LineOffer> {
        let cart = CartMoney::assess(&inputs.lines, self.settings.unknown_cost);
        campaign::offers(campaigns, inputs, &cart, free_minor)
    }

    /// The file's own version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.settings.version
    }

    /// Names of the shopper features that rules read, sorted. [`Inputs::shopper`] needs no others.
    #[must_use]
    pub fn shopper_features(&self) -> &[String] {
        self.rules.shopper_features()
    }

    /// The arms in the order in which ties are broken.
    #[must_use]
    pub fn arms(&self) -> Vec<ArmSummary> {
        let summary = |arm: &crate::settings::Arm| ArmSummary {
            name: arm.name.clone(),
            action: arm.action,
        };
        self.settings.arms.iter().map(summary).collect()
    }

    /// Who is left alone; `None` when nobody is.
    #[must_use]
    pub fn holdout(&self) -> Option<&Holdout> {
        self.settings.holdout.as_ref()
    }

    /// The share of people who are left alone, 0 to 1.
    #[must_use]
    pub fn holdout_share(&self) -> f64 {
        self.holdout().map_or(0.0, Holdout::share)
    }

    /// Quiet hours and caps, as they hold when an action is handed out.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// When the steps of a kind are due; `None` for one that is not pursued.
    #[must_use]
    pub fn plan(&self, kind: Kind) -> Option<&Plan> {
        self.settings.plans.get(&kind)
    }

    /// What may be spent; `None` when money is not limited.
    #[must_use]
    pub fn budget(&self) -> Option<&BudgetPlan> {
        self.settings.budget.as_ref()
    }

    /// The channel of a message that nobody named one for.
    #[must_use]
    pub fn default_channel(&self) -> &str {
        &self.settings.default_channel
    }

    /// What one message on that channel costs, in minor units.
    #[must_use]
    pub fn contact_cost_minor(&self, channel: &str) -> i64 {
        let costs = &self.settings.contact_cost_minor;
        costs.get(channel).copied().unwrap_or(0)
    }

    /// Messages that a shopper may get in seven days.
    #[must_use]
    pub fn max_messages_7d(&self) -> u32 {
        self.settings.max_messages_7d
    }

    /// Margin of a cart, in minor units; below zero when it sells at a loss.
    #[must_use]
    pub fn margin_minor(&self, lines: &[Line]) -> i64 {
        CartMoney::assess(lines, self.settings.unknown_cost).margin
    }

    /// How many items the policy shows with an action.
    #[must_use]
    pub fn items_shown(&self) -> usize {
        self.settings.items_shown
    }
}
