//! Some of the shoppers, led through their time.

use std::sync::Arc;
use std::time::Duration;

use feature_store::{Event, Millis};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use kit::{CancellationToken, Clock};
use proto::v1 as pb;
use simulator::{Act, What, World};
use tokio::sync::mpsc;

use super::Arrival;
use super::crowd::{Biography, Crowd, Due, Turn};
use super::teller::Teller;
use crate::wire;

/// Shoppers whose turn is told at once, and calls on their way at a time.
const AT_ONCE: usize = 256;
const CALLS: usize = 8;
/// Older than that beside a newer event, an event that comes again is no duplicate but too late.
const LATENESS_MS: i64 = Millis::DAY;
/// The longest wait for the next turn: a message may come before it.
const LONGEST_WAIT: Duration = Duration::from_millis(20);

/// One lane.
#[derive(Debug)]
pub(crate) struct Lane {
    crowd: Crowd,
    teller: Teller,
    clock: Clock,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
}

/// Where what is sent to shoppers arrives, by lane.
#[derive(Debug)]
pub(crate) struct Senders(Vec<mpsc::UnboundedSender<Arrival>>);

impl Senders {
    /// Brings it to the lane of its shopper.
    pub(crate) fn deliver(&self, arrival: Arrival) {
        let number = Crowd::number(&arrival.shopper_id).unwrap_or(0);
        let lane = number.checked_rem(self.0.len());
        if let Some(lane) = lane.and_then(|lane| self.0.get(lane)) {
            // A lane that is over does not act on it any more.
            drop(lane.send(arrival));
        }
    }
}

impl Lane {
    /// So many lanes, which share the shoppers of the world.
    pub(crate) fn all(
        count: usize,
        world: &Arc<World>,
        teller: &Teller,
        clock: &Clock,
    ) -> (Vec<Self>, Senders) {
        let new = |first| Self::new(world, (first, count), teller.clone(), clock.clone());
        let (lanes, senders) = (0..count).map(new).unzip();
        (lanes, Senders(senders))
    }

    /// Leads every `of`-th shopper, from `first` on.
    fn new(
        world: &Arc<World>,
        (first, of): (usize, usize),
        teller: Teller,
        clock: Clock,
    ) -> (Self, mpsc::UnboundedSender<Arrival>) {
        let numbers = (first..world.options().shoppers).step_by(of.max(1));
        let (sender, arrivals) = mpsc::unbounded_channel();
        let lane = Self {
            crowd: Crowd::new(world.clone(), numbers),
            teller,
            clock,
            arrivals,
        };
        (lane, sender)
    }

    /// Leads them until `until_ms`, or until told to stop; answers everybody's story so far.
    pub(crate) async fn run(
        mut self,
        until_ms: i64,
        stop: CancellationToken,
    ) -> anyhow::Result<Vec<Biography>> {
        while !stop.is_cancelled() {
            let now_ms = self.clock.now_ms();
            while let Ok(arrival) = self.arrivals.try_recv() {
                self.crowd.receive(&arrival, now_ms);
            }
            let due = self.crowd.take(now_ms.min(until_ms), AT_ONCE);
            if due.is_empty() {
                tokio::time::sleep(LONGEST_WAIT / 4).await;
                if now_ms >= until_ms {
                    // Messages still arrive; nobody acts on them any more.
                    tokio::time::sleep(LONGEST_WAIT).await;
                }
                continue;
            }
            self.tell(due).await?;
        }
        Ok(self.crowd.biographies())
    }

    /// Tells all of it: consent before what needs it, what was done in the shop, and what became of
    /// messages.
    async fn tell(&mut self, due: Vec<Due>) -> anyhow::Result<()> {
        let now_ms = self.clock.now_ms();
        let calls: Vec<_> = due.iter().map(|due| self.call(due, now_ms)).collect();
        let () = stream::iter(calls)
            .buffer_unordered(CALLS)
            .try_collect()
            .await?;
        let (mut history, mut events, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
        for one in &due {
            match &one.turn {
                Turn::Enters(entry) => {
                    let visit = &entry.1;
                    let old_ms = visit.left_at_ms - LATENESS_MS;
                    let is_old = |event: &&Event| event.occurred_at.0 < old_ms;
                    let (old, new): (Vec<_>, Vec<_>) = visit.events.iter().partition(is_old);
                    history.extend(old.into_iter().cloned());
                    events.extend(new.into_iter().cloned());
                }
                Turn::Acts(acts) => {
                    events.extend(acts.iter().filter_map(event_of));
                    let told = acts
                        .iter()
                        .filter_map(|act| self.outcome_of(one.number, act));
                    outcomes.extend(told);
                }
            }
        }
        // If the answer is lost, what is pushed again must not be older than newer events allow.
        self.teller.events(&history).await?;
        self.teller.events(&events).await?;
        self.teller.outcomes(outcomes).await?;
        let acknowledged_at_ms = self.clock.now_ms();
        for one in due {
            self.crowd.done(one, acknowledged_at_ms);
        }
        Ok(())
    }

    /// What is told by a call of its own.
    async fn call(&self, due: &Due, now_ms: i64) -> anyhow::Result<()> {
        match &due.turn {
            Turn::Enters(entry) => self.teller.introduce(&entry.0, entry.1.left_at_ms).await,
            Turn::Acts(acts) => {
                for act in acts {
                    self.call_act(due.number, act, now_ms).await?;
                }
                Ok(())
            }
        }
    }

    async fn call_act(&self, number: usize, act: &Act, now_ms: i64) -> anyhow::Result<()> {
        let Some(person) = self.crowd.person(number) else {
            return Ok(());
        };
        match &act.what {
            What::Revokes => self.teller.consent(person, false, now_ms).await,
            What::Dismisses(place) => {
                let got = self.crowd.got(number, *place);
                let version = got.map_or(0, |got| got.cart_version);
                self.teller
                    .dismiss(&person.shopper.shopper_id, version)
                    .await
            }
            What::Event(_)
            | What::Opens(_)
            | What::Clicks(_)
            | What::Unsubscribes(_)
            | What::Complains(_)
            | What::Refunds => Ok(()),
        }
    }

    /// What an act says about a decision. An order is told of once, with its first line.
    fn outcome_of(&self, number: usize, act: &Act) -> Option<pb::OutcomeReport> {
        use pb::outcome_report::Kind;
        let shopper_id = &self.crowd.person(number)?.shopper.shopper_id;
        let about = |kind: Kind, decision_id: &str| pb::OutcomeReport {
            shopper_id: shopper_id.clone(),
            decision_id: decision_id.to_owned(),
            kind: kind.into(),
            occurred_at: Some(wire::timestamp(Millis(act.at_ms))),
            ..pb::OutcomeReport::default()
        };
        let of = |kind, place: usize| {
            let got = self.crowd.got(number, place);
            got.map(|got| about(kind, &got.decision_id))
        };
        match &act.what {
            What::Opens(place) => of(Kind::Opened, *place),
            What::Clicks(place) => of(Kind::Clicked, *place),
            What::Unsubscribes(place) => of(Kind::Unsubscribe, *place),
            What::Complains(place) => of(Kind::Complaint, *place),
            What::Event(event) => {
                let order = self.crowd.order(number)?;
                let got = self.crowd.last_before(number, act.at_ms)?;
                let is_first =
                    event.order_id == order.order_id && event.event_id.ends_with("order-0");
                is_first.then(|| pb::OutcomeReport {
                    order_id: order.order_id.clone(),
                    value_minor: order.value_minor - order.discount_minor,
                    discount_minor: order.discount_minor,
                    currency: event.currency.clone(),
                    ..about(Kind::Recovered, &got.decision_id)
                })
            }
            What::Refunds => {
                let order = self.crowd.order(number)?;
                let got = self.crowd.last_before(number, order.at_ms);
                Some(pb::OutcomeReport {
                    report_id: format!("refund-{}", order.order_id),
                    order_id: order.order_id.clone(),
                    value_minor: order.value_minor - order.discount_minor,
                    currency: "EUR".to_owned(),
                    ..about(Kind::Refund, got.map_or("", |got| &got.decision_id))
                })
            }
            What::Dismisses(_) | What::Revokes => None,
        }
    }
}

fn event_of(act: &Act) -> Option<Event> {
    match &act.what {
        What::Event(event) => Some(event.as_ref().clone()),
        What::Opens(_)
        | What::Clicks(_)
        | What::Unsubscribes(_)
        | What::Complains(_)
        | What::Dismisses(_)
        | What::Revokes
        | What::Refunds => None,
    }
}
