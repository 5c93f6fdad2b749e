//! The check when an action is handed out: may it go now, later, or never.
//!
//! A decision is made early and sent late. In between the shopper may have ordered, said no, or
//! got another message; the shop may have sold the last piece. [`Limits::check`] is asked under the
//! person's lock at every hand-out and every redelivery, with the facts of that moment. It is a
//! pure function: the same facts give the same verdict.
//!
//! | module | holds |
//! |---|---|
//! | [`consent`] | who agreed to what: purpose × channel × jurisdiction |
//! | [`quiet`] | quiet hours on the shopper's clock |
//! | [`caps`] | messages per person in sliding windows, across channels and aliases |

pub mod caps;
pub mod consent;
pub mod quiet;

use std::collections::BTreeMap;

use crate::ledger::Standing;
use caps::{Cap, Sends};
use consent::{Consents, Denied, Wanted};
use quiet::{Clocks, QuietHours};

/// What the shop allows, whoever the shopper is.
#[derive(Clone, Debug)]
pub struct Limits {
    pub clocks: Clocks,
    /// Per channel; a channel that is not named has none.
    pub quiet: BTreeMap<String, QuietHours>,
    pub caps: Vec<Cap>,
}

/// The action that waits to go out.
#[derive(Clone, Debug, PartialEq)]
pub struct Handout {
    /// Names the message for ever: person, cart version, step.
    pub idempotency_key: String,
    pub channel: String,
    pub purpose: String,
    pub jurisdiction: String,
    pub cart_version: u64,
    /// After this moment the offer no longer stands.
    pub expires_at_ms: i64,
    /// What the message shows.
    pub lines: Vec<Promised>,
    /// What the offer takes off the margin, in minor units.
    pub discount_minor: i64,
    /// The most it may cost the budget; 0 needs no reservation.
    pub max_cost_minor: i64,
}

/// A line as the message shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promised {
    pub item_id: String,
    /// Price of one unit; 0 shows none.
    pub price_minor: i64,
}

/// What is known now. Everything about the person covers all of their aliases.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub now_ms: i64,
    /// An order was accepted after the decision, by the order of commits and not of clocks.
    pub ordered: bool,
    /// The action was handed out before, and is handed out again under the same key because nobody
    /// acknowledged it: neither its own message nor its own money stand against it.
    pub again: bool,
    /// The shopper said no, or closed the offer.
    pub dismissed: bool,
    /// The person is left alone, be it by one alias only.
    pub in_holdout: bool,
    pub cart_version: u64,
    /// The consents of each alias.
    pub consents: &'a [Consents],
    /// Name in the time zone database; `None` when not known.
    pub zone: Option<&'a str>,
    pub sends: &'a Sends,
    /// What the catalogue says of the promised items; one that is missing is not for sale.
    pub items: &'a BTreeMap<String, ItemNow>,
    /// Margin of the cart at today's prices and costs.
    pub margin_minor: i64,
    /// Where the decision stands with the budget.
    pub budget: Option<Standing>,
}

/// An item of the catalogue today.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ItemNow {
    pub sellable: bool,
    /// Price of one unit; 0 when unknown.
    pub price_minor: i64,
}

/// What becomes of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Send,
    /// Decide about the cart again at that moment: the first at which no quiet hour and, as far as
    /// is known now, no cap stands against it.
    Later {
        at_ms: i64,
        why: Reason,
    },
    /// This action never goes out. [`Reason::is_worth_deciding_again`] says whether another may.
    Never {
        why: Reason,
    },
}

/// Why an action does not go out now. Prints as a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("the shopper has ordered meanwhile")]
    Ordered,
    #[error("the shopper said no")]
    Dismissed,
    #[error("the shopper is in the holdout")]
    Holdout,
    #[error("{0}")]
    Consent(Denied),
    #[error("the cart is at version {now}, the decision was about version {decided}")]
    CartChanged { decided: u64, now: u64 },
    #[error("the offer no longer stands")]
    Expired,
    #[error("{item_id} is not for sale")]
    NotForSale { item_id: String },
    #[error("{item_id} now costs {now_minor}, the message says {promised_minor}")]
    PriceRose {
        item_id: String,
        promised_minor: i64,
        now_minor: i64,
    },
    #[error("the offer takes {discount_minor} off a margin of {margin_minor}")]
    Margin {
        discount_minor: i64,
        margin_minor: i64,
    },
    #[error("the budget does not hold the {max_cost_minor} that it may cost")]
    Budget { max_cost_minor: i64 },
    #[error("quiet hours")]
    QuietHours,
    #[error("the shopper has enough messages for now")]
    Capped,
    #[error("no hour of the day is free of quiet hours in all zones that the shopper may be in")]
    NoHour,
    #[error("the caps allow no message at all")]
    NoMessages,
    #[error("the message went out already")]
    Sent,
}

impl Reason {
    /// Whether another action about the same cart may be right: what stood against this one were
    /// its terms, and not the shopper's will or an order.
    #[must_use]
    pub fn is_worth_deciding_again(&self) -> bool {
        match self {
            Reason::Ordered
            | Reason::Dismissed
            | Reason::Holdout
            | Reason::Consent(_)
            | Reason::NoHour
            | Reason::NoMessages
            | Reason::Sent => false,
            Reason::CartChanged { .. }
            | Reason::Expired
            | Reason::NotForSale { .. }
            | Reason::PriceRose { .. }
            | Reason::Margin { .. }
            | Reason::Budget { .. }
            | Reason::QuietHours
            | Reason::Capped => true,
        }
    }
}

impl Limits {
    /// The verdict on an action. The shopper's will comes first, then whether the action is still
    /// right, then the hour.
    #[must_use]
    pub fn check(&self, handout: &Handout, facts: &Facts<'_>) -> Verdict {
        let checked = will(handout, facts)
            .and_then(|()| terms(handout, facts))
            .and_then(|()| money(handout, facts));
        match checked {
            Err(why) => Verdict::Never { why },
            Ok(()) => {
                let message = (handout.channel.as_str(), handout.idempotency_key.as_str());
                self.hour(message, facts.zone, facts.sends, facts.now_ms)
            }
        }
    }

    /// The first moment from `at_ms` on at which neither quiet hours nor caps stand against a
    /// message, named by channel and key, to somebody in that zone; `None` when there is none.
    #[must_use]
    pub fn next_moment(
        &self,
        message: (&str, &str),
        zone: Option<&str>,
        sends: &Sends,
        at_ms: i64,
    ) -> Option<i64> {
        match self.hour(message, zone, sends, at_ms) {
            Verdict::Send => Some(at_ms),
            Verdict::Later { at_ms, .. } => Some(at_ms),
            Verdict::Never { .. } => None,
        }
    }

    /// The first moment from now on that neither quiet hours nor caps forbid. Both only move the
    /// moment on, so taking turns ends at the first that suits both.
    fn hour(
        &self,
        (channel, key): (&str, &str),
        zone: Option<&str>,
        sends: &Sends,
        now_ms: i64,
    ) -> Verdict {
        /// More turns than there are messages that could leave a window one by one.
        const TURNS: usize = 1_000;
        let zones = self.clocks.zones(zone);
        let quiet = self.quiet.get(channel);
        let (mut at_ms, mut first) = (now_ms, None);
        for _ in 0..TURNS {
            let open_ms = match quiet {
                Some(quiet) => quiet.next_open(&zones, at_ms),
                None => Some(at_ms),
            };
            let Some(open_ms) = open_ms else {
                return never(Reason::NoHour);
            };
            let Some(free_ms) = sends.next_free(&self.caps, channel, key, open_ms) else {
                return never(Reason::NoMessages);
            };
            if open_ms > at_ms {
                first.get_or_insert(Reason::QuietHours);
            }
            if free_ms > open_ms {
                first.get_or_insert(Reason::Capped);
            }
            if free_ms == at_ms {
                return match first {
                    Some(why) => Verdict::Later { at_ms, why },
                    None => Verdict::Send,
                };
            }
            at_ms = free_ms;
        }
        never(Reason::NoHour)
    }
}

fn never(why: Reason) -> Verdict {
    Verdict::Never { why }
}

fn refuse_if(refused: bool, why: Reason) -> Result<(), Reason> {
    if refused { Err(why) } else { Ok(()) }
}

fn will(handout: &Handout, facts: &Facts<'_>) -> Result<(), Reason> {
    refuse_if(facts.ordered, Reason::Ordered)?;
    refuse_if(facts.dismissed, Reason::Dismissed)?;
    refuse_if(facts.in_holdout, Reason::Holdout)?;
    let sent = !facts.again && facts.sends.has_sent(&handout.idempotency_key);
    refuse_if(sent, Reason::Sent)?;
    let wanted = Wanted {
        purpose: &handout.purpose,
        channel: &handout.channel,
        jurisdiction: &handout.jurisdiction,
    };
    consent::allowed(facts.consents, wanted, facts.now_ms).map_err(Reason::Consent)
}

fn terms(handout: &Handout, facts: &Facts<'_>) -> Result<(), Reason> {
    let (decided, now) = (handout.cart_version, facts.cart_version);
    refuse_if(decided != now, Reason::CartChanged { decided, now })?;
    refuse_if(handout.expires_at_ms <= facts.now_ms, Reason::Expired)?;
    for line in &handout.lines {
        let item_id = line.item_id.clone();
        let Some(item) = facts.items.get(&item_id).filter(|item| item.sellable) else {
            return Err(Reason::NotForSale { item_id });
        };
        let rose = line.price_minor > 0 && item.price_minor > line.price_minor;
        let why = Reason::PriceRose {
            item_id,
            promised_minor: line.price_minor,
            now_minor: item.price_minor,
        };
        refuse_if(rose, why)?;
    }
    Ok(())
}

fn money(handout: &Handout, facts: &Facts<'_>) -> Result<(), Reason> {
    let (discount_minor, margin_minor) = (handout.discount_minor, facts.margin_minor);
    let why = Reason::Margin {
        discount_minor,
        margin_minor,
    };
    refuse_if(discount_minor > margin_minor.max(0), why)?;
    let max_cost_minor = handout.max_cost_minor;
    let held = facts.again
        || max_cost_minor <= 0
        || match facts.budget {
            Some(Standing::Reserved {
                max_cost_minor: held,
                expires_at_ms,
            }) => held >= max_cost_minor && expires_at_ms > facts.now_ms,
            // Committed before a crash and not sent yet: the money is spent on this very message.
            Some(Standing::Committed { .. }) => true,
            Some(Standing::Released) | None => false,
        };
    refuse_if(!held, Reason::Budget { max_cost_minor })
}
