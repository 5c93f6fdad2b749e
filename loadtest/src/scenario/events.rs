//! `events`: batches of new events, in the proportions of a real shop.

use std::sync::Arc;

use jiff::Timestamp;
use proto::v1 as pb;
use proto::v1::event_service_client::EventServiceClient;

use super::{Shop, failed, plain};
use crate::check;
use crate::measured::Answer;
use crate::prepare;
use crate::random::Random;
use crate::server_timing::ServerTiming;
use crate::targets::{Pool, Role};

#[derive(Debug)]
pub(crate) struct Pushes {
    shop: Arc<Shop>,
    pool: Pool,
    batch: usize,
}

const OPERATION: &str = "PushEvents";
/// Of 17,434 events of a morning of the REES46 shop (October 2019): additions to the cart and
/// purchases; the others are views.
const ADDS: f64 = 165.0 / 17_434.0;
const PURCHASES: f64 = 214.0 / 17_434.0;
/// Visitors at a time. Each comes with this many events and makes room for another, since a
/// server takes no endless stream of events of one person.
const VISITORS: u64 = 1_000;
const EVENTS_A_VISIT: u64 = 50;

impl Pushes {
    pub(super) fn new(shop: &Arc<Shop>) -> anyhow::Result<Self> {
        Ok(Self {
            shop: Arc::clone(shop),
            pool: shop.targets.need(Role::Features)?,
            batch: shop.batch,
        })
    }

    pub(super) async fn call(&self, request: u64) -> Answer {
        let asked = self.ask(request, Timestamp::now());
        let sent = asked.events.len();
        let mut client = EventServiceClient::new(self.pool.pick(request));
        let message = self.shop.request(request, asked);
        match client.push_events(message).await {
            Ok(answer) => {
                let timing = ServerTiming::of(&answer);
                plain(OPERATION, check::events(sent, answer.get_ref())).timed(timing)
            }
            Err(status) => failed(OPERATION, &status),
        }
    }

    fn ask(&self, request: u64, now: Timestamp) -> pb::PushEventsRequest {
        let batch = self.batch as u64;
        let numbers = request * batch..(request + 1) * batch;
        let events = numbers
            .filter_map(|number| self.event(number, now))
            .collect();
        pb::PushEventsRequest { events }
    }

    fn event(&self, number: u64, now: Timestamp) -> Option<pb::Event> {
        let mut random = Random::of(self.shop.seed, number);
        let item = self.shop.population.item(&mut random)?;
        let id = format!("{}-{number}", self.shop.run);
        let visitor = visitor(&self.shop.run, number);
        Some(prepare::event(
            &visitor,
            &id,
            kind(random.unit()),
            item,
            now,
        ))
    }
}

/// Neighbouring events are of different visitors, so that they do not wait for one another.
pub(super) fn visitor(run: &str, number: u64) -> String {
    let visit = number / (VISITORS * EVENTS_A_VISIT);
    format!("visitor-{run}-{}-{visit}", number % VISITORS)
}

fn kind(at: f64) -> pb::event::Type {
    if at < ADDS {
        pb::event::Type::AddToCart
    } else if at < ADDS + PURCHASES {
        pb::event::Type::Purchase
    } else {
        pb::event::Type::View
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn kinds_come_in_the_proportions_of_the_real_shop() {
        let mut counts = BTreeMap::new();
        for number in 0..100_000 {
            let kind = kind(Random::of(1, number).unit());
            *counts.entry(kind.as_str_name()).or_insert(0_u32) += 1;
        }
        assert!(counts["VIEW"].abs_diff(97_826) < 300, "{counts:?}");
        assert!(counts["ADD_TO_CART"].abs_diff(946) < 150, "{counts:?}");
        assert!(counts["PURCHASE"].abs_diff(1_227) < 150, "{counts:?}");
    }

    #[test]
    fn no_visitor_has_more_events_than_a_visit() {
        let mut visits = BTreeMap::new();
        for number in 0..120_000 {
            *visits.entry(visitor("r", number)).or_insert(0_u64) += 1;
        }
        assert_eq!(visits.values().max(), Some(&EVENTS_A_VISIT));
        assert_eq!(visits.len(), 3_000);
    }
}
