//! `Rank`: in which order to show items that the caller chose.

use std::collections::BTreeSet;
use std::sync::Arc;

use kit::{Deadline, Problem};
use retrieval::{Filter, Query};

use super::Decider;
use super::candidates::{self, Candidate};
use super::notes::{Notes, Stage};
use super::rank::{self, Moment, Ranked};
use crate::cart;
use crate::generation::Generation;
use crate::request::{CartLine, RankRequest};
use crate::shopper::Shopper;

/// Items in their order.
#[derive(Clone, Debug)]
pub(crate) struct Ordered {
    pub(crate) items: Vec<Ranked>,
    pub(crate) generation: String,
    pub(crate) degraded: Vec<String>,
}

impl Decider {
    /// Orders the items given, with what the sources say of them for this shopper or cart; with
    /// another generation from the start when the candidates role does not hold the first.
    pub(crate) async fn rank(
        &self,
        request: RankRequest,
        deadline: Deadline,
    ) -> Result<Ordered, Problem> {
        let generation = self.generations.get(&request.generation)?;
        let may_repin = request.generation.is_empty();
        match self
            .rank_with(&request, &generation, deadline, may_repin)
            .await
        {
            Ok(ordered) => Ok(ordered),
            Err(other) => {
                self.stages.metrics.repinned();
                let again = self.rank_with(&request, &other, deadline, false).await;
                again.map_err(|_| Problem::Internal("a second other generation".to_owned()))
            }
        }
    }

    async fn rank_with(
        &self,
        request: &RankRequest,
        generation: &Generation,
        deadline: Deadline,
        may_repin: bool,
    ) -> Result<Ordered, Arc<Generation>> {
        let now_ms = request.now_ms.unwrap_or_else(|| self.clock.now_ms());
        let mut notes = Notes::default();
        let shopper = self
            .ranked_for(request, generation, now_ms, deadline, &mut notes)
            .await;
        let lines = lines(request, &shopper);
        let cart = cart::price(lines, generation, &self.stages.items);
        let query = query(request, lines, &shopper, now_ms);
        let found = self
            .stages
            .find(&query, generation, now_ms, deadline, &mut notes)
            .await;
        let found = match found {
            Ok((found, _)) => found,
            Err(miss) => match self.other(&miss, may_repin) {
                Some(other) => return Err(other),
                None => self.stages.fall_back(&miss, &query, generation, &mut notes),
            },
        };
        let mut found = found.candidates;
        found.extend(not_among(&found, query.filter.allow));
        let moment = Moment {
            cart: &cart.lines,
            recent: &query.recent,
            values: &shopper.values,
            now_ms,
        };
        let mut items = self
            .stages
            .rank(generation, moment, found, deadline, &mut notes);
        rank::unknown_last(generation, &mut items);
        Ok(Ordered {
            items,
            generation: generation.id().to_owned(),
            degraded: notes.degraded,
        })
    }

    async fn ranked_for(
        &self,
        request: &RankRequest,
        generation: &Generation,
        now_ms: i64,
        deadline: Deadline,
        notes: &mut Notes,
    ) -> Shopper {
        if request.shopper_id.is_empty() {
            return Shopper::default();
        }
        let wanted = [(request.shopper_id.as_str(), now_ms)];
        let mut rows = self.stages.read(&wanted, generation, deadline).await;
        match rows.pop() {
            Some(Ok(shopper)) => shopper,
            Some(Err(miss)) => {
                let why = format!("{miss}; ranked without the shopper");
                notes.degrade(Stage::Features, miss.reason(), &why, &self.stages.metrics);
                Shopper::default()
            }
            None => Shopper::default(),
        }
    }
}

fn lines<'a>(request: &'a RankRequest, shopper: &'a Shopper) -> &'a [CartLine] {
    if request.cart.is_empty() {
        &shopper.cart.lines
    } else {
        &request.cart
    }
}

/// Asks the sources about these items only.
fn query(request: &RankRequest, lines: &[CartLine], shopper: &Shopper, now_ms: i64) -> Query {
    let items: BTreeSet<String> = request.item_ids.iter().cloned().collect();
    Query {
        recent: candidates::interactions(lines, &shopper.recent, now_ms),
        // The caller chose the items: what was bought before is ordered like the rest.
        rebuy: true,
        k: items.len(),
        filter: Filter {
            allow: items.into_iter().collect(),
            ..Filter::default()
        },
        ..Query::default()
    }
}

/// The items that no source named, as candidates without scores.
fn not_among(found: &[Candidate], items: Vec<String>) -> Vec<Candidate> {
    let named: BTreeSet<&str> = found.iter().map(|one| one.item_id.as_str()).collect();
    items
        .into_iter()
        .filter(|item_id| !named.contains(item_id.as_str()))
        .map(|item_id| Candidate {
            item_id,
            ..Candidate::default()
        })
        .collect()
}
