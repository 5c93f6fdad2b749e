//! The tail as columns: about 14 bytes an event, and its facts once.

use std::sync::Arc;

use super::{decode_kind, same_length, unless_default};
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
    let column = |text: fn(&Fact) -> &Arc<str>| -> Vec<u32> {
        facts
            .iter()
            .map(|fact| symbols.number(text(fact)))
            .collect()
    };
    unless_default(wire::Tail {
        times: differences(events),
        kinds: events.iter().map(|event| event.kind.code()).collect(),
        ids: events.iter().map(|event| event.id).collect(),
        facts: events.iter().map(|event| position(place(event))).collect(),
        quantities: quantities(events),
        device_of: device_column(events, &devices),
        devices,
        items: column(|fact| &fact.item),
        categories: column(|fact| &fact.category),
        brands: column(|fact| &fact.brand),
        currencies: column(|fact| &fact.currency),
        prices: facts.iter().map(|fact| fact.price_minor).collect(),
    })
}

fn position(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Times never fall, since events are sorted, and the first one is after 1970.
fn differences(events: &[TailEvent]) -> Vec<u64> {
    let mut before = Millis(0);
    let step = |event: &TailEvent| {
        let step = event.at.since(before);
        before = event.at;
        step.unsigned_abs()
    };
    events.iter().map(step).collect()
}

fn quantities(events: &[TailEvent]) -> Vec<u32> {
    if events.iter().all(|event| event.quantity == 1) {
        return Vec::new();
    }
    events.iter().map(|event| event.quantity).collect()
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

fn device_column(events: &[TailEvent], devices: &[u64]) -> Vec<u32> {
    if devices.is_empty() {
        return Vec::new();
    }
    let place = |device| devices.binary_search(&device).map_or(0, |place| place + 1);
    events
        .iter()
        .map(|event| position(place(event.device)))
        .collect()
}

pub(super) fn decode(wire: wire::Tail, texts: &Texts) -> Result<Tail, DecodeError> {
    let facts = decode_facts(&wire, texts)?;
    let length = same_length(&[
        wire.times.len(),
        wire.kinds.len(),
        wire.ids.len(),
        wire.facts.len(),
    ])?;
    let quantities = column_or(wire.quantities, length, 1)?;
    let device_of = column_or(wire.device_of, length, 0)?;
    let columns = wire
        .times
        .into_iter()
        .zip(wire.kinds)
        .zip(wire.ids)
        .zip(wire.facts);
    let mut at = Millis(0);
    let mut events = Vec::with_capacity(length);
    for ((((step, kind), id), fact), (quantity, device)) in
        columns.zip(quantities.into_iter().zip(device_of))
    {
        at = later(at, step)?;
        events.push(TailEvent {
            at,
            kind: decode_kind(kind)?,
            id,
            quantity,
            device: device_at(&wire.devices, device)?,
            fact: pick(&facts, fact)?,
        });
    }
    Tail::from_sorted(events).ok_or(DecodeError::Corrupt("the tail is not sorted"))
}

/// Item, category, brand, currency, price.
type FactRow<'a> = ((((&'a u32, &'a u32), &'a u32), &'a u32), &'a i64);

fn decode_facts(wire: &wire::Tail, texts: &Texts) -> Result<Vec<Arc<Fact>>, DecodeError> {
    same_length(&[
        wire.items.len(),
        wire.categories.len(),
        wire.brands.len(),
        wire.currencies.len(),
        wire.prices.len(),
    ])?;
    let texts_of = wire
        .items
        .iter()
        .zip(&wire.categories)
        .zip(&wire.brands)
        .zip(&wire.currencies);
    let fact = |((((item, category), brand), currency), price): FactRow<'_>| {
        Ok(Arc::new(Fact {
            item: texts.get(*item)?,
            category: texts.get(*category)?,
            brand: texts.get(*brand)?,
            currency: texts.get(*currency)?,
            price_minor: *price,
        }))
    };
    texts_of.zip(&wire.prices).map(fact).collect()
}

fn later(at: Millis, step: u64) -> Result<Millis, DecodeError> {
    let sum = i64::try_from(step)
        .ok()
        .and_then(|step| at.0.checked_add(step));
    sum.map(Millis)
        .ok_or(DecodeError::Corrupt("a time is too late"))
}

/// A column that is left out when it holds nothing but `usual`.
fn column_or(column: Vec<u32>, length: usize, usual: u32) -> Result<Vec<u32>, DecodeError> {
    if column.is_empty() {
        return Ok(vec![usual; length]);
    }
    same_length(&[column.len(), length])?;
    Ok(column)
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
