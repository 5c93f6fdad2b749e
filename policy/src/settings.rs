//! A policy file after checking: what `decide` runs on.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Action;
use crate::account::BudgetPlan;
use crate::guard::Limits;
use crate::holdout::Holdout;
use crate::money::Share;
use crate::propensity::Exploration;
use crate::sequence::{Kind, Plan};

/// The channels a message can go out on.
pub(crate) const CHANNELS: [&str; 4] = ["email", "sms", "push", "onsite"];

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) version: String,
    pub(crate) items_shown: usize,
    pub(crate) default_channel: String,
    pub(crate) fatigue_minor_per_message: i64,
    pub(crate) unknown_cost: UnknownCost,
    pub(crate) contact_cost_minor: BTreeMap<String, i64>,
    pub(crate) max_messages_7d: u32,
    pub(crate) exploration: Exploration,
    /// `None`: nobody is held out.
    pub(crate) holdout: Option<Holdout>,
    /// Quiet hours and caps.
    pub(crate) limits: Limits,
    /// What is pursued, and when.
    pub(crate) plans: BTreeMap<Kind, Plan>,
    /// `None`: money is not limited.
    pub(crate) budget: Option<BudgetPlan>,
    /// `nothing` is always among them.
    pub(crate) arms: Vec<Arm>,
}

/// How lines are treated whose cost is not known.
#[derive(Copy, Clone, Debug)]
pub(crate) struct UnknownCost {
    pub(crate) margin_rate: Share,
    pub(crate) max_discount_rate: Share,
}

#[derive(Clone, Debug)]
pub(crate) struct Arm {
    pub(crate) name: String,
    pub(crate) action: Action,
    pub(crate) terms: Terms,
    pub(crate) valid_for: Duration,
    /// Channels the arm may go out on; any when empty.
    pub(crate) channels: Vec<String>,
    /// What was left that the arm is for.
    pub(crate) left: Vec<Kind>,
    /// Share of carts that would be left for good which the arm wins back.
    pub(crate) recovery: f64,
    /// Position of the arm's rule among the policy's rules.
    pub(crate) rule: Option<usize>,
}

impl Arm {
    pub(crate) fn nothing(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            action: Action::Nothing,
            terms: Terms::None,
            valid_for: Duration::ZERO,
            channels: Vec::new(),
            left: Kind::ALL.to_vec(),
            recovery: 0.0,
            rule: None,
        }
    }

    /// The arm in a sentence, with its name where the action alone does not say which.
    pub(crate) fn phrase(&self) -> String {
        match self.name == self.action.as_str() {
            true => self.action.phrase().to_owned(),
            false => format!("{} ({})", self.action.phrase(), self.name),
        }
    }
}

/// What an arm gives.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum Terms {
    None,
    Percent { off: Share, max_minor: i64 },
    Fixed { amount_minor: i64 },
    Shipping { cost_minor: i64 },
}
