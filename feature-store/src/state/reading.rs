//! Reading: a view is the tail replayed over a copy of the base.

use crate::event::EventKind;
use crate::state::Shopper;
use crate::state::base::Base;
use crate::state::profile::ConsentRecord;
use crate::state::tail::{Tail, TailEvent};
use crate::state::tiles::{count_exactly, in_window};
use crate::state::union;
use crate::time::Millis;
use crate::view::{Cart, Portrait, Profile, ShopperView, Window, WindowCounts};

impl Shopper {
    /// What can be read at `now`. Events of the tail after `now` do not count. A `now` before the
    /// tail begins sees the base as it is, since the base keeps no single events.
    #[must_use]
    pub fn view(&self, now: Millis) -> ShopperView {
        self.clone().into_view(now)
    }

    /// The same without a copy, for a state that is not needed any more.
    #[must_use]
    pub fn into_view(self, now: Millis) -> ShopperView {
        if self.has_other_ids() {
            return union(&self, now);
        }
        let consents = in_force(self.consents, &self.profile);
        let read = Read::new(self.base, &self.tail, now);
        let cart = read.base.cart.view();
        read.view(cart, (self.profile, consents), now)
    }
}

/// All ids of a person, read as one.
fn union(shopper: &Shopper, now: Millis) -> ShopperView {
    let states: Vec<&Shopper> = shopper.states().collect();
    let reads: Vec<Read> = states
        .iter()
        .map(|state| Read::new(state.base.clone(), &state.tail, now))
        .collect();
    let carts: Vec<_> = reads.iter().map(|read| read.base.cart.clone()).collect();
    let histories: Vec<_> = reads.iter().map(|read| read.base.history.clone()).collect();
    let mut all = Read {
        base: Base {
            history: union::history(&histories),
            ..Base::default()
        },
        counts: WindowCounts::default(),
        spent_minor: 0,
    };
    for read in &reads {
        all.base.interests.add_all(&read.base.interests);
        all.counts.add_all(&read.counts);
        all.spent_minor = all.spent_minor.saturating_add(read.spent_minor);
    }
    let said = (union::settings(&states), union::consents(&states));
    all.view(union::cart(&carts), said, now)
}

/// One id's events up to a moment.
struct Read {
    /// With the tail folded in, tiles aside.
    base: Base,
    counts: WindowCounts,
    /// In the last 30 days.
    spent_minor: i64,
}

impl Read {
    fn new(mut base: Base, tail: &Tail, now: Millis) -> Self {
        let events = tail.events();
        let seen = events
            .get(..events.partition_point(|event| event.at <= now))
            .unwrap_or(&[]);
        let mut counts = WindowCounts::default();
        base.tiles.count_into(now, &mut counts);
        for event in seen {
            base.fold_but_tiles(event);
            count_exactly(event, now, &mut counts);
        }
        let purchases = seen
            .iter()
            .filter(|event| event.kind == EventKind::Purchase);
        let spent_minor = purchases
            .filter(|event| in_window(event.at, Window::Days30, now))
            .map(TailEvent::value_minor)
            .fold(
                base.tiles.spent_minor(Window::Days30, now),
                i64::saturating_add,
            );
        Self {
            base,
            counts,
            spent_minor,
        }
    }

    fn view(
        self,
        cart: Cart,
        (profile, consents): (Profile, Vec<ConsentRecord>),
        now: Millis,
    ) -> ShopperView {
        let portrait = self.portrait(now);
        let history = self.base.history;
        ShopperView {
            now,
            cart,
            recent: history.recent_view(),
            consents,
            profile,
            portrait,
            first_seen_at: history.first_seen_at,
            last_active_at: history.last_active_at,
            counts: self.counts,
            last_times: history.last_times,
            intervals: history.intervals,
            session: history.session,
            messages: history.messages.into_iter().rev().collect(),
            carted_units: history.carted_units,
            bought_units: history.bought_units,
            device_count: u32::try_from(history.devices.len()).unwrap_or(u32::MAX),
        }
    }

    fn portrait(&self, now: Millis) -> Portrait {
        let (interests, history) = (&self.base.interests, &self.base.history);
        let (categories, category_roots) = interests.category_shares(now);
        Portrait {
            categories,
            category_roots,
            brands: interests.brand_shares(now),
            price_bands: interests.band_shares(now),
            mean_purchase_minor: history.mean_purchase_minor(),
            spent_30d_minor: self.spent_minor,
            purchase_tendency: history.purchase_tendency(),
            interests_at: interests.newest_at,
        }
    }
}

/// A record without a jurisdiction stands under the profile's.
pub(super) fn in_force(mut consents: Vec<ConsentRecord>, profile: &Profile) -> Vec<ConsentRecord> {
    for consent in consents
        .iter_mut()
        .filter(|consent| consent.jurisdiction.is_empty())
    {
        consent.jurisdiction.clone_from(&profile.jurisdiction);
    }
    consents
}
