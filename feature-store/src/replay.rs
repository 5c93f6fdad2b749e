//! Training equals serving: the event log, replayed in the order of its acceptance, gives what
//! serving saw.

use std::collections::BTreeMap;

use crate::event::Outcome;
use crate::log::LoggedEvent;
use crate::state::Shopper;
use crate::time::Millis;
use crate::view::ShopperView;

/// The state of every shopper after the entries applied so far.
///
/// To see what serving saw at `t`, apply the entries with `accepted_at` up to `t`, each partition
/// in the order of its sequence, and then ask for the view at `t`.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    shoppers: BTreeMap<String, Shopper>,
}

impl Replay {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies the next entry, against the clock of the moment when it was accepted.
    pub fn apply(&mut self, entry: &LoggedEvent) -> Outcome {
        let shopper = self
            .shoppers
            .entry(entry.event.shopper_id.clone())
            .or_default();
        shopper.apply(&entry.event, entry.accepted_at)
    }

    /// `None` for a shopper without an entry.
    #[must_use]
    pub fn view(&self, shopper: &str, now: Millis) -> Option<ShopperView> {
        self.shoppers.get(shopper).map(|state| state.view(now))
    }

    #[must_use]
    pub fn shopper(&self, shopper: &str) -> Option<&Shopper> {
        self.shoppers.get(shopper)
    }

    /// Ids of all shoppers seen, sorted.
    pub fn shoppers(&self) -> impl Iterator<Item = &str> {
        self.shoppers.keys().map(String::as_str)
    }
}
