//! What happened last: interactions, messages, visits, devices, and the pace of adds.

use crate::Text;
use crate::event::EventKind;
use crate::state::tail::TailEvent;
use crate::time::Millis;
use crate::view::{AddIntervals, LastTimes, MessageRecord, OrderGaps, Recent, Session};

pub(crate) const MAX_RECENT: usize = 50;
pub(crate) const MAX_MESSAGES: usize = 32;
pub(crate) const MAX_DEVICES: usize = 8;
/// A pause longer than this ends a visit.
const SESSION_GAP_MS: i64 = 30 * Millis::MINUTE;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Interaction {
    pub(crate) item: Text,
    pub(crate) kind: EventKind,
    pub(crate) at: Millis,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct History {
    pub(crate) first_seen_at: Option<Millis>,
    pub(crate) last_active_at: Option<Millis>,
    pub(crate) last_times: LastTimes,
    /// Oldest first, like the events they come from.
    pub(crate) recent: Vec<Interaction>,
    pub(crate) messages: Vec<MessageRecord>,
    pub(crate) intervals: AddIntervals,
    pub(crate) session: Session,
    /// Hashes of the first devices seen, sorted.
    pub(crate) devices: Vec<u64>,
    pub(crate) carted_units: u64,
    pub(crate) bought_units: u64,
    pub(crate) bought_minor: i64,
    pub(crate) order_gaps: OrderGaps,
}

impl History {
    pub(crate) fn fold(&mut self, event: &TailEvent) {
        self.first_seen_at = self.first_seen_at.or(Some(event.at));
        if event.kind == EventKind::Purchase {
            self.order(event.at);
        }
        self.last_times.set(event.kind, event.at);
        self.see_device(event.device);
        if event.kind.is_message() {
            let record = MessageRecord {
                kind: event.kind,
                at: event.at,
            };
            push_bounded(&mut self.messages, record, MAX_MESSAGES);
            return;
        }
        self.visit(event);
        if event.kind.needs_item() {
            let item = event.fact.item.clone();
            let interaction = Interaction {
                item,
                kind: event.kind,
                at: event.at,
            };
            push_bounded(&mut self.recent, interaction, MAX_RECENT);
        }
        if event.kind == EventKind::AddToCart {
            add_to_pace(&mut self.intervals, event.at);
            self.carted_units = self.carted_units.saturating_add(u64::from(event.quantity));
        }
        if event.kind == EventKind::Purchase {
            self.bought_units = self.bought_units.saturating_add(u64::from(event.quantity));
            self.bought_minor = self.bought_minor.saturating_add(event.value_minor());
        }
    }

    fn visit(&mut self, event: &TailEvent) {
        let paused = self
            .last_active_at
            .is_none_or(|last| event.at.since(last) > SESSION_GAP_MS);
        self.last_active_at = Some(event.at);
        let session = &mut self.session;
        if paused {
            let visits = session.visits.saturating_add(1);
            *session = Session {
                started_at: Some(event.at),
                visits,
                ..Session::default()
            };
        }
        session.events = session.events.saturating_add(1);
        session.views = session
            .views
            .saturating_add(u32::from(event.kind == EventKind::View));
    }

    /// The items of one order come as purchases of their own, close together.
    fn order(&mut self, at: Millis) {
        let last = self.last_times.get(EventKind::Purchase);
        if let Some(last) = last.filter(|_| is_another_order(last, at)) {
            self.order_gaps.count = self.order_gaps.count.saturating_add(1);
            self.order_gaps.sum_ms = self.order_gaps.sum_ms.saturating_add(at.since(last));
        }
    }

    fn see_device(&mut self, device: u64) {
        if device == 0 || self.devices.len() >= MAX_DEVICES {
            return;
        }
        if let Err(place) = self.devices.binary_search(&device) {
            self.devices.insert(place, device);
        }
    }

    /// Mean price of one bought unit.
    pub(crate) fn mean_purchase_minor(&self) -> Option<i64> {
        let units = i64::try_from(self.bought_units)
            .ok()
            .filter(|units| *units > 0)?;
        Some(self.bought_minor / units)
    }

    /// Laplace's rule of succession over carted units. More can be bought than was ever carted
    /// here; the share then stays below 1.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share needs no more than 53 bits"
    )]
    pub(crate) fn purchase_tendency(&self) -> f64 {
        let bought = self.bought_units.min(self.carted_units) as f64;
        (bought + 1.0) / (self.carted_units as f64 + 2.0)
    }

    /// Newest first.
    pub(crate) fn recent_view(&self) -> Vec<Recent> {
        let newest_first = self.recent.iter().rev();
        let view = |known: &Interaction| Recent {
            item_id: known.item.clone(),
            kind: known.kind,
            occurred_at: known.at,
        };
        newest_first.map(view).collect()
    }
}

/// Whether a purchase belongs to another order than the one before.
pub(crate) fn is_another_order(last: Option<Millis>, at: Millis) -> bool {
    last.is_some_and(|last| at.since(last) > SESSION_GAP_MS)
}

fn push_bounded<T>(list: &mut Vec<T>, entry: T, max: usize) {
    if list.len() >= max {
        list.remove(0);
    }
    list.push(entry);
}

fn add_to_pace(pace: &mut AddIntervals, at: Millis) {
    if let Some(last) = pace.last_at {
        let gap = at.since(last);
        pace.min_ms = if pace.count == 0 {
            gap
        } else {
            pace.min_ms.min(gap)
        };
        pace.max_ms = pace.max_ms.max(gap);
        pace.sum_ms = pace.sum_ms.saturating_add(gap);
        pace.last_ms = gap;
        pace.count = pace.count.saturating_add(1);
    }
    pace.last_at = Some(at);
}
