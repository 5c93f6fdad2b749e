//! The tail as columns: about 14 bytes an event, and its facts once.

use std::sync::Arc;

use super::packed::{Varints, end_together, fixed, next_fixed, varints};
use super::{decode_kind, unless_default};
use crate::Text;
use crate::state::codec::symbols::{Symbols, Texts};
use crate::state::tail::{Fact, Tail, TailEvent};
use crate::state::{DecodeError, wire};
use crate::time::Millis;

/// Facts of the tail, sorted, each once.
pub(super) fn distinct_facts(tail: &Tail) -> Vec<&Fact> {
    let mut facts: Vec<&Arc<Fact>> = tail.events().iter().map(|event| &event.fact).collect();
    // Decoded events share their facts: most repeats go by address, before any text is compared.
    facts.sort_unstable_by_key(|fact| Arc::as_ptr(fact));
    facts.dedup_by_key(|fact| Arc::as_ptr(fact));
    let mut facts: Vec<&Fact> = facts.into_iter().map(AsRef::as_ref).collect();
    facts.sort_unstable();
    facts.dedup();
    facts
}

pub(super) fn encode(tail: &Tail, facts: &[&Fact], symbols: &Symbols<'_>) -> Option<wire::Tail> {
    let events = tail.events();
    let devices = distinct_devices(events);
    let place = |event: &TailEvent| facts.binary_search(&event.fact.as_ref()).unwrap_or(0);
    let column = |text: fn(&Fact) -> &Text| {
        let numbers = facts.iter().map(|fact| symbols.number(text(fact)));
        varints(numbers.map(u64::from))
    };
    unless_default(wire::Tail {
        times: varints(differences(events)),
        kinds: events.iter().map(|event| event.kind.code()).collect(),
        ids: fixed(events.iter().map(|event| event.id)),
        facts: varints(events.iter().map(|event| place(event) as u64)),
        quantities: quantities(events),
        device_of: device_column(events, &devices),
        devices,
        items: column(|fact| &fact.item),
        categories: column(|fact| &fact.category),
        brands: column(|fact| &fact.brand),
        currencies: column(|fact| &fact.currency),
        prices: varints(facts.iter().map(|fact| fact.price_minor.cast_unsigned())),
    })
}

/// Times never fall, since events are sorted, and the first one is after 1970.
fn differences(events: &[TailEvent]) -> impl Iterator<Item = u64> {
    let mut before = Millis(0);
    events.iter().map(move |event| {
        let step = event.at.since(before);
        before = event.at;
        step.unsigned_abs()
    })
}

fn quantities(events: &[TailEvent]) -> Vec<u8> {
    if events.iter().all(|event| event.quantity == 1) {
        return Vec::new();
    }
    varints(events.iter().map(|event| u64::from(event.quantity)))
}

fn distinct_devices(events: &[TailEvent]) -> Vec<u64> {
    let mut devices: Vec<u64> = events
        .iter()
        .map(|event| event.device)
        .filter(|device| *device != 0)
        .collect();
    devices.sort_unstable();
    devices.dedup();
    devices
}

fn device_column(events: &[TailEvent], devices: &[u64]) -> Vec<u8> {
    if devices.is_empty() {
        return Vec::new();
    }
    let place = |device| devices.binary_search(&device).map_or(0, |place| place + 1);
    varints(events.iter().map(|event| place(event.device) as u64))
}

pub(super) fn decode(wire: &wire::Tail, texts: &Texts) -> Result<Tail, DecodeError> {
    let facts = decode_facts(wire, texts)?;
    let mut times = Varints::new(&wire.times);
    let mut ids = wire.ids.as_slice();
    let mut fact_of = Varints::new(&wire.facts);
    let mut quantities = Varints::or(1, &wire.quantities);
    let mut device_of = Varints::or(0, &wire.device_of);
    let mut at = Millis(0);
    let mut events = Vec::with_capacity(wire.kinds.len());
    for kind in &wire.kinds {
        at = later(at, times.next_u64()?)?;
        events.push(TailEvent {
            at,
            kind: decode_kind(*kind)?,
            id: next_fixed(&mut ids)?,
            quantity: quantities.next_u32()?,
            device: device_at(&wire.devices, device_of.next_u32()?)?,
            fact: pick(&facts, fact_of.next_u32()?)?,
        });
    }
    end_together(&[
        times.is_at_end(),
        ids.is_empty(),
        fact_of.is_at_end(),
        quantities.is_at_end(),
        device_of.is_at_end(),
    ])?;
    Tail::from_sorted(events).ok_or(DecodeError::Corrupt("the tail is not sorted"))
}

fn decode_facts(wire: &wire::Tail, texts: &Texts) -> Result<Vec<Arc<Fact>>, DecodeError> {
    let mut items = Varints::new(&wire.items);
    let mut categories = Varints::new(&wire.categories);
    let mut brands = Varints::new(&wire.brands);
    let mut currencies = Varints::new(&wire.currencies);
    let mut prices = Varints::new(&wire.prices);
    // A number takes a byte at least.
    let mut facts = Vec::with_capacity(wire.items.len());
    while !items.is_at_end() {
        facts.push(Arc::new(Fact {
            item: texts.get(items.next_u32()?)?,
            category: texts.get(categories.next_u32()?)?,
            brand: texts.get(brands.next_u32()?)?,
            currency: texts.get(currencies.next_u32()?)?,
            price_minor: prices.next_u64()?.cast_signed(),
        }));
    }
    let columns = [categories, brands, currencies, prices];
    end_together(&columns.map(|column| column.is_at_end()))?;
    Ok(facts)
}

fn later(at: Millis, step: u64) -> Result<Millis, DecodeError> {
    let sum = i64::try_from(step)
        .ok()
        .and_then(|step| at.0.checked_add(step));
    sum.map(Millis)
        .ok_or(DecodeError::Corrupt("a time is too late"))
}

fn device_at(devices: &[u64], place: u32) -> Result<u64, DecodeError> {
    if place == 0 {
        return Ok(0);
    }
    let device = usize::try_from(place)
        .ok()
        .and_then(|place| devices.get(place - 1));
    device.copied().ok_or(DecodeError::Corrupt(
        "an event has a device that is not listed",
    ))
}

fn pick(facts: &[Arc<Fact>], place: u32) -> Result<Arc<Fact>, DecodeError> {
    let fact = usize::try_from(place)
        .ok()
        .and_then(|place| facts.get(place));
    fact.cloned().ok_or(DecodeError::Corrupt(
        "an event has facts that are not listed",
    ))
}
