//! What can be read of a shopper at a moment.

use std::time::Duration;

use crate::Text;
use crate::event::EventKind;
use crate::state::ConsentRecord;
use crate::time::Millis;

/// The spans that events are counted over; each ends at the view's `now`.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Window {
    Minutes5,
    Hour1,
    Hours24,
    Days7,
    Days30,
}

impl Window {
    pub const ALL: [Self; 5] = [
        Self::Minutes5,
        Self::Hour1,
        Self::Hours24,
        Self::Days7,
        Self::Days30,
    ];

    #[must_use]
    pub const fn width(self) -> Duration {
        match self {
            Self::Minutes5 => Duration::from_secs(5 * 60),
            Self::Hour1 => Duration::from_secs(60 * 60),
            Self::Hours24 => Duration::from_secs(24 * 60 * 60),
            Self::Days7 => Duration::from_secs(7 * 24 * 60 * 60),
            Self::Days30 => Duration::from_secs(30 * 24 * 60 * 60),
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Minutes5 => 0,
            Self::Hour1 => 1,
            Self::Hours24 => 2,
            Self::Days7 => 3,
            Self::Days30 => 4,
        }
    }
}

/// Events per kind and window.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WindowCounts([[u32; Window::ALL.len()]; EventKind::ALL.len()]);

impl WindowCounts {
    #[must_use]
    pub fn get(&self, kind: EventKind, window: Window) -> u32 {
        self.0
            .get(kind.index())
            .and_then(|row| row.get(window.index()))
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn add(&mut self, kind: EventKind, window: Window, count: u32) {
        let row = self.0.get_mut(kind.index());
        if let Some(cell) = row.and_then(|row| row.get_mut(window.index())) {
            *cell = cell.saturating_add(count);
        }
    }

    /// Counts what another one has counted.
    pub(crate) fn add_all(&mut self, other: &Self) {
        for kind in EventKind::ALL {
            for window in Window::ALL {
                self.add(kind, window, other.get(kind, window));
            }
        }
    }
}

/// When each kind of event was last seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LastTimes([Option<Millis>; EventKind::ALL.len()]);

impl LastTimes {
    #[must_use]
    pub fn get(&self, kind: EventKind) -> Option<Millis> {
        self.0.get(kind.index()).copied().flatten()
    }

    pub(crate) fn set(&mut self, kind: EventKind, at: Millis) {
        if let Some(cell) = self.0.get_mut(kind.index()) {
            *cell = Some(at);
        }
    }

    pub(crate) fn latest(&self, other: &Self) -> Self {
        let mut latest = self.clone();
        for (mine, theirs) in latest.0.iter_mut().zip(other.0) {
            *mine = (*mine).max(theirs);
        }
        latest
    }
}

/// What is in a shopper's cart.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cart {
    /// In the order of their first add.
    pub lines: Vec<CartLine>,
    /// Number of events that ever changed the cart.
    pub version: u64,
    pub updated_at: Option<Millis>,
}

impl Cart {
    /// Sum over the lines with a known price, in minor units.
    #[must_use]
    pub fn value_minor(&self) -> i64 {
        self.lines
            .iter()
            .map(CartLine::value_minor)
            .fold(0, i64::saturating_add)
    }

    /// Currency of the first priced line; empty when no line has a price.
    #[must_use]
    pub fn currency(&self) -> &str {
        let priced = self.lines.iter().find(|line| line.price_minor > 0);
        priced.map_or("", |line| &line.currency)
    }

    #[must_use]
    pub fn units(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.quantity)).sum()
    }
}

/// One item in a cart.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CartLine {
    pub item_id: Text,
    pub quantity: u32,
    /// Latest known price of one unit in minor units; 0 = unknown.
    pub price_minor: i64,
    pub currency: Text,
    /// When the item entered the cart first.
    pub added_at: Millis,
    pub category: Text,
    pub brand: Text,
}

impl CartLine {
    #[must_use]
    pub fn value_minor(&self) -> i64 {
        self.price_minor.saturating_mul(i64::from(self.quantity))
    }
}

/// One interaction with an item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recent {
    pub item_id: Text,
    pub kind: EventKind,
    pub occurred_at: Millis,
}

/// A message event of the recent past.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct MessageRecord {
    pub kind: EventKind,
    pub at: Millis,
}

/// Settings of a shopper; empty = not set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    /// IANA name.
    pub time_zone: String,
    /// Sorted, each once.
    pub channels: Vec<String>,
    /// ISO 3166 country, optionally with a subdivision.
    pub jurisdiction: String,
}

/// Interests, preferences and spending power.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Portrait {
    /// Share of the decayed interest of the last 30 days, strongest first, ties by name, at most
    /// 10; the shares of a list sum to at most 1.
    pub categories: Vec<(Text, f64)>,
    /// The same, by the first part of the category path.
    pub category_roots: Vec<(Text, f64)>,
    pub brands: Vec<(Text, f64)>,
    /// Bands of the price of one unit in whole currency units, e.g. `20-50`.
    pub price_bands: Vec<(Text, f64)>,
    /// Mean price of one bought unit.
    pub mean_purchase_minor: Option<i64>,
    pub spent_30d_minor: i64,
    /// (bought units + 1) / (carted units + 2): Laplace's rule of succession.
    pub purchase_tendency: f64,
    /// Newest event that the affinities rest on.
    pub interests_at: Option<Millis>,
}

/// Gaps between consecutive adds to the cart, over all of the shopper's adds.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct AddIntervals {
    /// Number of gaps: adds less one.
    pub count: u32,
    pub sum_ms: i64,
    pub min_ms: i64,
    pub max_ms: i64,
    pub last_ms: i64,
    /// The last add.
    pub last_at: Option<Millis>,
}

impl AddIntervals {
    /// Mean gap in seconds.
    #[must_use]
    pub fn mean_s(&self) -> Option<f64> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a sum of gaps below 2^53 ms is exact"
        )]
        let mean = self.sum_ms as f64 / f64::from(self.count.max(1)) / 1_000.0;
        (self.count > 0).then_some(mean)
    }
}

/// Gaps between consecutive orders; purchases within half an hour are one order.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct OrderGaps {
    /// Number of gaps: orders less one.
    pub count: u32,
    pub sum_ms: i64,
}

/// Visits: runs of activity with no pause of more than 30 minutes.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Session {
    /// Start of the latest visit.
    pub started_at: Option<Millis>,
    /// Events of the latest visit, messages aside.
    pub events: u32,
    /// Views of the latest visit.
    pub views: u32,
    /// Visits ever.
    pub visits: u32,
}

/// All that can be read of a shopper at `now`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ShopperView {
    pub now: Millis,
    pub cart: Cart,
    /// Newest first, at most 50.
    pub recent: Vec<Recent>,
    pub profile: Profile,
    /// The newest record of each purpose and channel, sorted by them.
    pub consents: Vec<ConsentRecord>,
    pub portrait: Portrait,
    pub first_seen_at: Option<Millis>,
    /// Last event of any kind but messages.
    pub last_active_at: Option<Millis>,
    pub counts: WindowCounts,
    pub last_times: LastTimes,
    pub intervals: AddIntervals,
    pub session: Session,
    /// Newest first, at most 32.
    pub messages: Vec<MessageRecord>,
    /// Units ever put into the cart, and ever bought.
    pub carted_units: u64,
    pub bought_units: u64,
    /// Devices seen, at most 8 are told apart.
    pub device_count: u32,
}

impl ShopperView {
    /// Channels with a granted, unrevoked consent to marketing, sorted. An unsubscription revokes
    /// what was granted up to then on every channel that messages are sent over, since the event
    /// does not say which one it came from.
    #[must_use]
    pub fn consented_channels(&self) -> Vec<&str> {
        let unsubscribed = self.last_time(EventKind::MessageUnsubscribed);
        let stands = |consent: &&ConsentRecord| {
            consent.channel == "onsite" || unsubscribed.is_none_or(|at| consent.at > at)
        };
        let granted = self
            .consents
            .iter()
            .filter(|c| c.granted && c.purpose == "marketing");
        granted
            .filter(stands)
            .map(|consent| consent.channel.as_str())
            .collect()
    }

    /// Messages sent in the last 7 days. Exact while the message history reaches back that far;
    /// beyond it the window count, which is never too low by more than the history's limit.
    #[must_use]
    pub fn messages_7d(&self) -> u32 {
        let since = self.now.saturating_sub(Window::Days7.width());
        let complete = self.messages.len() < crate::state::MAX_MESSAGES
            || self
                .messages
                .last()
                .is_some_and(|oldest| oldest.at <= since);
        if !complete {
            return self.counts.get(EventKind::MessageSent, Window::Days7);
        }
        let sent = self
            .messages
            .iter()
            .filter(|m| m.kind == EventKind::MessageSent);
        u32::try_from(sent.filter(|m| m.at > since).count()).unwrap_or(u32::MAX)
    }

    /// When an event of this kind was last seen.
    #[must_use]
    pub fn last_time(&self, kind: EventKind) -> Option<Millis> {
        self.last_times.get(kind)
    }
}
