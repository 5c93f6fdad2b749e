//! What shoppers looked like at moments of the past: the state that serving would have kept.

use std::collections::{BTreeMap, BTreeSet};

use feature_store::{Event, Shopper, ShopperView};
use rayon::prelude::*;

use crate::moments::Moment;

/// What each moment's shopper looked like right after the last event before it.
pub(crate) fn views(parts: &[&[Event]], moments: &[Moment<'_>]) -> Vec<ShopperView> {
    let wanted: BTreeSet<&str> = moments.iter().map(shopper).collect();
    let mut events: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in parts.iter().copied().flatten() {
        if wanted.contains(event.shopper_id.as_str()) {
            events.entry(&event.shopper_id).or_default().push(event);
        }
    }
    // An event is known by where it lies: ids need not be unique between shoppers.
    let mut stops: BTreeMap<&str, BTreeMap<usize, usize>> = BTreeMap::new();
    let mut views = vec![ShopperView::default(); moments.len()];
    for (at, moment) in moments.iter().enumerate() {
        if let Some(last) = moment.before.last() {
            let stops = stops.entry(shopper(moment)).or_default();
            stops.insert(address(last), at);
        }
    }
    let none = BTreeMap::new();
    let found: Vec<(usize, ShopperView)> = events
        .par_iter()
        .flat_map_iter(|(shopper, events)| replay(events, stops.get(shopper).unwrap_or(&none)))
        .collect();
    for (at, view) in found {
        views[at] = view;
    }
    views
}

fn address(event: &Event) -> usize {
    std::ptr::from_ref(event).addr()
}

fn shopper<'a>(moment: &Moment<'a>) -> &'a str {
    &moment.next.shopper_id
}

fn replay(events: &[&Event], stops: &BTreeMap<usize, usize>) -> Vec<(usize, ShopperView)> {
    let mut state = Shopper::empty();
    let mut views = Vec::new();
    for event in events {
        // What serving refused is not among clean events, so that the outcome is known.
        let _ = state.apply(event, event.occurred_at);
        if let Some(at) = stops.get(&address(event)) {
            views.push((*at, state.view(event.occurred_at)));
        }
        if views.len() == stops.len() {
            break;
        }
    }
    views
}
