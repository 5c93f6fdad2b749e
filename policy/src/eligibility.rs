//! Which arms may be chosen, and in plain words why not.

use crate::cart::CartMoney;
use crate::money::format;
use crate::sequence::Kind;
use crate::settings::{Settings, Terms};
use crate::weigh::Weighed;
use crate::{Action, Inputs};

/// What eligibility is checked against.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) inputs: &'a Inputs,
    /// The request's channel, or the policy's default.
    pub(crate) channel: &'a str,
    pub(crate) cart: &'a CartMoney,
    /// What each rule of the policy says about this cart.
    pub(crate) rules: &'a [Result<(), String>],
}

impl Gate<'_> {
    /// The first reason against the arm. Consent comes before anything that could be paid for.
    pub(crate) fn check(&self, weighed: &Weighed<'_>) -> Result<(), String> {
        if weighed.arm.action == Action::Nothing {
            return Ok(());
        }
        if self.inputs.lines.is_empty() {
            return Err("the cart is empty".to_owned());
        }
        if self.inputs.held_out {
            return Err("the shopper is in the holdout, left alone to measure against".to_owned());
        }
        self.left(&weighed.arm.left)?;
        self.consent()?;
        self.reach(&weighed.arm.channels)?;
        self.caps()?;
        self.margin(weighed)?;
        self.budget(weighed.max_cost_minor)?;
        match weighed.arm.rule.and_then(|rule| self.rules.get(rule)) {
            Some(verdict) => verdict.clone(),
            None => Ok(()),
        }
    }

    fn consent(&self) -> Result<(), String> {
        match contains(&self.inputs.consented_channels, self.channel) {
            true => Ok(()),
            false => Err(format!(
                "the shopper has not agreed to messages by {}",
                self.channel
            )),
        }
    }

    fn reach(&self, arm_channels: &[String]) -> Result<(), String> {
        if !self.inputs.channels.is_empty() && !contains(&self.inputs.channels, self.channel) {
            return Err(format!("the shopper cannot be reached by {}", self.channel));
        }
        if !arm_channels.is_empty() && !contains(arm_channels, self.channel) {
            let list = arm_channels.join(" or ");
            return Err(format!(
                "it goes out by {list} only, and this message goes by {}",
                self.channel
            ));
        }
        Ok(())
    }

    fn left(&self, arm_left: &[Kind]) -> Result<(), String> {
        if arm_left.contains(&self.inputs.left) {
            return Ok(());
        }
        let list: Vec<&str> = arm_left.iter().map(|kind| kind.as_str()).collect();
        Err(format!(
            "it is for {} only, and this is {}",
            list.join(" or "),
            self.inputs.left.as_str()
        ))
    }

    fn budget(&self, max_cost_minor: i64) -> Result<(), String> {
        let currency = &self.inputs.currency;
        match self.inputs.budget_free_minor {
            Some(free) if max_cost_minor > free.max(0) => Err(format!(
                "it may cost {}, the budget has {} left",
                format(max_cost_minor, currency),
                format(free.max(0), currency),
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn caps(&self) -> Result<(), String> {
        if self.inputs.capped {
            return Err("the shopper has enough messages for now".to_owned());
        }
        let (sent, most) = (self.inputs.messages_7d, self.settings.max_messages_7d);
        if sent < most {
            return Ok(());
        }
        Err(format!(
            "the shopper got {sent} messages in the last 7 days, the cap is {most}"
        ))
    }

    /// An offer must leave the shop something: what it gives comes out of the margin.
    fn margin(&self, weighed: &Weighed<'_>) -> Result<(), String> {
        let currency = &self.inputs.currency;
        match weighed.arm.terms {
            Terms::None => Ok(()),
            Terms::Shipping { cost_minor } if cost_minor > self.cart.margin => Err(format!(
                "shipping costs {}, more than the cart's margin of {}",
                format(cost_minor, currency),
                format(self.cart.margin, currency),
            )),
            Terms::Shipping { .. } => Ok(()),
            Terms::Percent { .. } | Terms::Fixed { .. } if weighed.discount.total == 0 => {
                Err("the cart has no margin that a discount could come from".to_owned())
            }
            Terms::Percent { .. } | Terms::Fixed { .. } => Ok(()),
        }
    }
}

fn contains(list: &[String], name: &str) -> bool {
    list.iter().any(|entry| entry == name)
}
