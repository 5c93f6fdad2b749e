//! Reading: a view is the tail replayed over a copy of the base.

use crate::event::EventKind;
use crate::state::Shopper;
use crate::state::base::Base;
use crate::state::profile::ConsentRecord;
use crate::state::tail::{Tail, TailEvent};
use crate::state::tiles::{count_exactly, in_window};
use crate::time::Millis;
use crate::view::{Portrait, Profile, ShopperView, Window, WindowCounts};

impl Shopper {
    /// What can be read at `now`. Events of the tail after `now` do not count. A `now` before the
    /// tail begins sees the base as it is, since the base keeps no single events.
    #[must_use]
    pub fn view(&self, now: Millis) -> ShopperView {
        let (profile, consents) = (self.profile.clone(), self.consents.clone());
        read(self.base.clone(), &self.tail, (profile, consents), now)
    }

    /// The same without a copy, for a state that is not needed any more.
    #[must_use]
    pub fn into_view(self, now: Millis) -> ShopperView {
        read(self.base, &self.tail, (self.profile, self.consents), now)
    }
}

fn read(
    mut base: Base,
    tail: &Tail,
    (profile, consents): (Profile, Vec<ConsentRecord>),
    now: Millis,
) -> ShopperView {
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
    ShopperView {
        now,
        cart: base.cart.view(),
        recent: base.history.recent_view(),
        consents: in_force(consents, &profile),
        profile,
        portrait: portrait(&base, seen, now),
        first_seen_at: base.history.first_seen_at,
        last_active_at: base.history.last_active_at,
        counts,
        last_times: base.history.last_times,
        intervals: base.history.intervals,
        session: base.history.session,
        messages: base.history.messages.iter().rev().copied().collect(),
        carted_units: base.history.carted_units,
        bought_units: base.history.bought_units,
        device_count: u32::try_from(base.history.devices.len()).unwrap_or(u32::MAX),
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

fn portrait(base: &Base, seen: &[TailEvent], now: Millis) -> Portrait {
    let purchases = seen
        .iter()
        .filter(|event| event.kind == EventKind::Purchase);
    let spent = purchases
        .filter(|event| in_window(event.at, Window::Days30, now))
        .map(TailEvent::value_minor)
        .fold(
            base.tiles.spent_minor(Window::Days30, now),
            i64::saturating_add,
        );
    Portrait {
        categories: base.interests.category_shares(now),
        category_roots: base.interests.root_shares(now),
        brands: base.interests.brand_shares(now),
        price_bands: base.interests.band_shares(now),
        mean_purchase_minor: base.history.mean_purchase_minor(),
        spent_30d_minor: spent,
        purchase_tendency: base.history.purchase_tendency(),
        interests_at: base.interests.newest_at,
    }
}
