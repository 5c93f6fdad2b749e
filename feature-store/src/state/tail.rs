//! The tail: the events of a shopper's last 24 hours, in their one order.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::Text;
use crate::event::{Event, EventKind};
use crate::time::Millis;

/// How far behind the shopper's newest event another one may still arrive.
pub(crate) const LATENESS_MS: i64 = Millis::DAY;
/// No person makes more events in a day.
pub(crate) const MAX_TAIL: usize = 2_048;

/// What an event says of its item. Many events of a shopper share one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Fact {
    pub(crate) item: Text,
    pub(crate) category: Text,
    pub(crate) brand: Text,
    pub(crate) currency: Text,
    pub(crate) price_minor: i64,
}

impl Fact {
    fn new(event: &Event) -> Self {
        Self {
            item: event.item_id.as_str().into(),
            category: event.category.as_str().into(),
            brand: event.brand.as_str().into(),
            currency: event.currency.as_str().into(),
            price_minor: event.price_minor,
        }
    }

    pub(crate) fn texts(&self) -> [&Text; 4] {
        [&self.item, &self.category, &self.brand, &self.currency]
    }
}

/// An accepted event, reduced to what state is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TailEvent {
    pub(crate) at: Millis,
    pub(crate) kind: EventKind,
    /// Hash of the event id: it settles ties and finds duplicates.
    pub(crate) id: u64,
    pub(crate) quantity: u32,
    /// Hash of the device id; 0 without one.
    pub(crate) device: u64,
    pub(crate) fact: Arc<Fact>,
}

impl TailEvent {
    pub(crate) fn new(event: &Event) -> Self {
        Self {
            at: event.occurred_at,
            kind: event.kind,
            id: xxh3_64(event.event_id.as_bytes()),
            quantity: event.units(),
            device: device_hash(&event.device_id),
            fact: Arc::new(Fact::new(event)),
        }
    }

    pub(crate) fn order(&self) -> (Millis, EventKind, u64) {
        (self.at, self.kind, self.id)
    }

    /// Value of the event in minor units; 0 when the price is unknown.
    pub(crate) fn value_minor(&self) -> i64 {
        self.fact
            .price_minor
            .saturating_mul(i64::from(self.quantity))
    }
}

fn device_hash(device_id: &str) -> u64 {
    if device_id.is_empty() {
        0
    } else {
        xxh3_64(device_id.as_bytes()).max(1)
    }
}

/// Events sorted by [`TailEvent::order`], none of them twice.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tail {
    events: Vec<TailEvent>,
}

impl Tail {
    /// `None` unless the events are sorted and each is there once.
    pub(crate) fn from_sorted(events: Vec<TailEvent>) -> Option<Self> {
        let sorted = events.is_sorted_by(|a, b| a.order() < b.order());
        sorted.then_some(Self { events })
    }

    pub(crate) fn events(&self) -> &[TailEvent] {
        &self.events
    }

    pub(crate) fn newest(&self) -> Option<Millis> {
        self.events.last().map(|event| event.at)
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.events.iter().any(|event| event.id == id)
    }

    /// Number of events before `horizon`.
    pub(crate) fn count_before(&self, horizon: Millis) -> usize {
        self.events.partition_point(|event| event.at < horizon)
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn insert(&mut self, event: TailEvent) {
        let place = self
            .events
            .partition_point(|known| known.order() < event.order());
        self.events.insert(place, event);
    }

    /// Takes out the `count` oldest events.
    pub(crate) fn take_oldest(&mut self, count: usize) -> impl Iterator<Item = TailEvent> + '_ {
        self.events.drain(..count.min(self.events.len()))
    }
}

/// The time before which events no longer count as in time, given the newest one.
pub(crate) fn horizon(newest: Millis) -> Millis {
    Millis(newest.0.saturating_sub(LATENESS_MS))
}
