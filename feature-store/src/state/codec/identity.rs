//! What links the ids of a person.

use crate::state::identity::{Expected, Links, Moved, Part};
use crate::state::{DecodeError, Shopper, wire};
use crate::time::Millis;

pub(super) fn encode(links: &Links, wire: &mut wire::Shopper) {
    wire.moved = links.moved.as_ref().map(|moved| wire::Moved {
        to: moved.to.clone(),
        link_id: moved.link_id.clone(),
        pending: moved.pending,
    });
    let part = |part: &Part| wire::Part {
        id: part.id.clone(),
        link_id: part.link_id.clone(),
        linked_at: part.linked_at.0,
        closed_at: part.closed_at.map(|at| at.0),
        state: part.state.encode(),
    };
    wire.parts = links.parts.iter().map(part).collect();
    let expected = |expected: &Expected| wire::Expected {
        id: expected.id.clone(),
        link_id: expected.link_id.clone(),
        at: expected.at.0,
    };
    wire.expected = links.expected.iter().map(expected).collect();
    wire.not_before = links.not_before.map(|at| at.0);
}

/// Takes the links out of the wire's form.
pub(super) fn decode(wire: &mut wire::Shopper) -> Result<Links, DecodeError> {
    let part = |part: wire::Part| {
        let state = Shopper::decode(&part.state)?;
        if !state.links.parts.is_empty() || state.links.moved.is_some() {
            return Err(DecodeError::Corrupt("a linked id has links of its own"));
        }
        Ok(Part {
            id: part.id,
            link_id: part.link_id,
            linked_at: Millis(part.linked_at),
            closed_at: part.closed_at.map(Millis),
            state,
        })
    };
    let parts = std::mem::take(&mut wire.parts).into_iter().map(part);
    let parts = parts.collect::<Result<Vec<_>, DecodeError>>()?;
    if !parts.is_sorted_by(|a, b| a.key() < b.key()) {
        return Err(DecodeError::Corrupt("linked ids are not sorted"));
    }
    let expected = |expected: wire::Expected| Expected {
        id: expected.id,
        link_id: expected.link_id,
        at: Millis(expected.at),
    };
    Ok(Links {
        moved: wire.moved.take().map(|moved| Moved {
            to: moved.to,
            link_id: moved.link_id,
            pending: moved.pending,
        }),
        parts,
        expected: std::mem::take(&mut wire.expected)
            .into_iter()
            .map(expected)
            .collect(),
        not_before: wire.not_before.map(Millis),
    })
}
