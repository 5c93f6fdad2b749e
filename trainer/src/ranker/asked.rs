//! Moments of the past as serving would have met them: the shopper's whole state, the candidates,
//! and the numbers that a ranker sees of them.

use std::collections::BTreeMap;
use std::time::Duration;

use feature_store::{Event, EventKind, ShopperView, Tally};
use ranking::{Columns, Matrix};
use rayon::prelude::*;
use retrieval::{Answer, Gate, Model, Query};

use super::scene::{Reader, Shelf, question, rows};
use crate::Error;
use crate::moments::Moment;

/// Rows that serving ranks.
pub(crate) const CANDIDATES: usize = 100;
/// Item statistics stand still between closed minutes.
const MINUTE: Duration = Duration::from_secs(60);

/// A moment with its candidates.
struct Asked<'a, 'v> {
    at: usize,
    moment: Moment<'a>,
    view: &'v ShopperView,
    query: Query,
    answer: Answer,
}

/// Candidates with their numbers.
pub(crate) struct Shown<'a> {
    /// The moment's place in the list that was asked about.
    pub(crate) at: usize,
    pub(crate) moment: Moment<'a>,
    /// In the order of retrieval.
    pub(crate) ordinals: Vec<u32>,
    pub(crate) rows: Matrix,
    /// Of each candidate: how much it is worth to show it first.
    pub(crate) worth: Vec<f64>,
    /// The place of the item that came next, if it is among them.
    pub(crate) next: Option<usize>,
    pub(crate) is_next_in_cart: bool,
    /// The item that came next, and all of the rest of the visit; one that the models do not know
    /// has the number of no item.
    pub(crate) target: u32,
    pub(crate) wanted: Vec<u32>,
    columns: Columns,
}

#[cfg(test)]
impl<'a> Shown<'a> {
    /// A moment that never was: candidates with the numbers 0 and up, of which one comes next.
    pub(crate) fn invented(
        at: usize,
        event: &'a Event,
        rows: Matrix,
        columns: &Columns,
        worth: Vec<f64>,
        next: usize,
    ) -> Self {
        let target = u32::try_from(next).unwrap();
        Self {
            at,
            moment: Moment {
                before: vec![event],
                next: event,
                after: vec![event],
                rest: vec![&event.item_id],
            },
            ordinals: (0..).take(worth.len()).collect(),
            rows,
            worth,
            next: Some(next),
            is_next_in_cart: false,
            target,
            wanted: vec![target],
            columns: columns.clone(),
        }
    }
}

impl Shown<'_> {
    /// The rows with other columns, of those that were computed.
    pub(crate) fn rows_of(&self, columns: &Columns) -> Result<Matrix, Error> {
        let own = self.columns.names();
        if columns.names() == own {
            return Ok(self.rows.clone());
        }
        let place = |name: &String| own.iter().position(|known| known == name);
        let places: Vec<Option<usize>> = columns.names().iter().map(place).collect();
        let value = |row: &[f32], place: &Option<usize>| {
            let value = place.and_then(|place| row.get(place).copied());
            value.unwrap_or(f32::NAN)
        };
        let rows = self.rows.rows();
        let values = rows.flat_map(|row| places.iter().map(move |place| value(row, place)));
        Ok(Matrix::from_values(columns.len(), values.collect())?)
    }
}

/// Asks about each moment, in the order of time, with its view: the state that all events before
/// it leave. `parts` are all events in the order of time, those of the moments among them. At most
/// `k` candidates are shown, [`CANDIDATES`] in serving.
pub(crate) fn ask<'a>(
    model: &Model,
    parts: &[&'a [Event]],
    moments: Vec<Moment<'a>>,
    views: &[ShopperView],
    reader: &Reader,
    k: usize,
) -> Result<Vec<Shown<'a>>, Error> {
    let gate = Gate::open(model.catalogue().len());
    let mut asked: Vec<Asked<'a, '_>> = moments
        .into_par_iter()
        .zip(views)
        .enumerate()
        .map(|(at, (moment, view))| {
            let query = question(view, Vec::new(), k);
            let answer = model.retrieve(&query, &gate)?;
            Ok(Asked {
                at,
                moment,
                view,
                query,
                answer,
            })
        })
        .collect::<Result<_, Error>>()?;
    asked.sort_by_key(|one| one.view.now);
    Ok(shown(model, parts, asked, reader))
}

/// Goes through time once, so that each moment sees the statistics of its last closed minute.
fn shown<'a>(
    model: &Model,
    parts: &[&[Event]],
    asked: Vec<Asked<'a, '_>>,
    reader: &Reader,
) -> Vec<Shown<'a>> {
    let shelf = Shelf::new(model.catalogue());
    let mut events = parts.iter().copied().flatten().peekable();
    let mut tally = Tally::new();
    let ordinal = |item: &str| model.catalogue().ordinal(item).unwrap_or(u32::MAX);
    let mut shown = Vec::with_capacity(asked.len());
    for one in asked {
        let as_of = one.view.now.floor(MINUTE);
        tally.advance(as_of);
        while let Some(event) = events.next_if(|event| event.occurred_at < as_of) {
            tally.count(&event.item_id, event.kind, event.occurred_at);
        }
        let stats = |item_id: &str| tally.stats(item_id);
        let candidates = &one.answer.candidates;
        let rows = rows(
            reader,
            &shelf,
            one.view,
            &one.query.recent,
            candidates,
            &stats,
        );
        let worth = worth(&one.moment);
        let of = |item_id: &str| worth.get(item_id).copied().unwrap_or(0.0);
        let mut named = candidates.iter();
        shown.push(Shown {
            next: named.position(|candidate| candidate.item_id == one.moment.next.item_id),
            ordinals: candidates.iter().map(|one| one.ordinal).collect(),
            worth: candidates.iter().map(|one| of(&one.item_id)).collect(),
            is_next_in_cart: in_cart(one.view, &one.moment.next.item_id),
            target: ordinal(&one.moment.next.item_id),
            wanted: one.moment.rest.iter().map(|item| ordinal(item)).collect(),
            columns: reader.columns().clone(),
            at: one.at,
            rows,
            moment: one.moment,
        });
    }
    shown
}

fn in_cart(view: &ShopperView, item_id: &str) -> bool {
    view.cart.lines.iter().any(|line| line.item_id == item_id)
}

/// What showing an item is worth: by what becomes of it in the rest of the visit, and more when it
/// is what comes next.
fn worth<'a>(moment: &Moment<'a>) -> BTreeMap<&'a str, f64> {
    let mut worth: BTreeMap<&str, f64> = BTreeMap::new();
    for event in &moment.after {
        let of_kind = match event.kind {
            EventKind::Purchase => 3.0,
            EventKind::AddToCart => 2.0,
            EventKind::View => 1.0,
            EventKind::RemoveFromCart
            | EventKind::CheckoutStart
            | EventKind::MessageSent
            | EventKind::MessageDelivered
            | EventKind::MessageOpened
            | EventKind::MessageClicked
            | EventKind::MessageUnsubscribed => 0.0,
        };
        let best = worth.entry(&event.item_id).or_default();
        *best = best.max(of_kind);
    }
    *worth.entry(&moment.next.item_id).or_default() += 1.0;
    worth
}
