//! The cart of the base.

use super::base::{steps, sums};
use super::{same_length, unless_default};
use crate::state::cart::{CartState, Line, Take, Units};
use crate::state::codec::symbols::{Symbols, Texts};
use crate::state::{DecodeError, wire};
use crate::time::Millis;

pub(super) fn encode(cart: &CartState, symbols: &Symbols<'_>) -> Option<wire::Cart> {
    let takes = &cart.takes;
    unless_default(wire::Cart {
        lines: cart
            .lines
            .iter()
            .map(|line| encode_line(line, symbols))
            .collect(),
        version: cart.version,
        updated_at: cart.updated_at.map(|at| at.0),
        take_items: takes
            .iter()
            .map(|take| symbols.number(&take.item))
            .collect(),
        take_times: steps(takes.iter().map(|take| take.at.0)),
        take_units: takes.iter().map(|take| bounded(take.units)).collect(),
        taken_until: cart.taken_until.map(|at| at.0),
    })
}

/// A purchase is 0, which takes a byte and not five.
fn bounded(units: u32) -> u32 {
    if units == u32::MAX { 0 } else { units }
}

fn encode_line(line: &Line, symbols: &Symbols<'_>) -> wire::Line {
    wire::Line {
        item: symbols.number(&line.item),
        quantity: line.quantity,
        price_minor: line.price_minor,
        currency: symbols.number(&line.currency),
        added_at: line.added_at.0,
        category: symbols.number(&line.category),
        brand: symbols.number(&line.brand),
        later_times: steps(line.later.iter().map(|add| add.at.0 - line.added_at.0)),
        later_units: line.later.iter().map(|add| add.units).collect(),
    }
}

pub(super) fn decode(wire: wire::Cart, texts: &Texts) -> Result<CartState, DecodeError> {
    let takes = decode_takes(&wire, texts)?;
    let lines = wire.lines.into_iter().map(|line| decode_line(line, texts));
    Ok(CartState {
        lines: lines.collect::<Result<_, DecodeError>>()?,
        version: wire.version,
        updated_at: wire.updated_at.map(Millis),
        takes,
        taken_until: wire.taken_until.map(Millis),
    })
}

fn decode_line(line: wire::Line, texts: &Texts) -> Result<Line, DecodeError> {
    same_length(&[line.later_times.len(), line.later_units.len()])?;
    let times = sums(&line.later_times)?.into_iter();
    let later = times.zip(line.later_units).map(|(after, units)| Units {
        at: Millis(line.added_at.saturating_add(after)),
        units,
    });
    Ok(Line {
        item: texts.get(line.item)?,
        quantity: line.quantity,
        price_minor: line.price_minor,
        currency: texts.get(line.currency)?,
        added_at: Millis(line.added_at),
        category: texts.get(line.category)?,
        brand: texts.get(line.brand)?,
        later: later.collect(),
    })
}

fn decode_takes(wire: &wire::Cart, texts: &Texts) -> Result<Vec<Take>, DecodeError> {
    let (items, units) = (&wire.take_items, &wire.take_units);
    same_length(&[wire.take_times.len(), items.len(), units.len()])?;
    let rows = sums(&wire.take_times)?.into_iter().zip(items).zip(units);
    let take = |((at, item), units): ((i64, &u32), &u32)| {
        Ok(Take {
            item: texts.get(*item)?,
            at: Millis(at),
            units: if *units == 0 { u32::MAX } else { *units },
        })
    };
    rows.map(take).collect()
}
