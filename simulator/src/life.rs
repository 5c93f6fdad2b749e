//! What one shopper does after leaving a cart, under the messages they got: the potential outcomes.
//!
//! Every chance has a stream of its own, drawn from the shopper and the place of the message, so
//! two lives of one shopper differ by what the messages did and by nothing else, and nothing before
//! a message depends on it. A life without messages is what would have been: the difference is the
//! true effect, to the cent.

use feature_store::{Event, EventKind};

use crate::random::Random;
use crate::world::{Line, Person, Visit, World};
use crate::{Arm, Response};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// Who comes back by themselves does so between these, most of them early.
const EARLIEST: i64 = 20 * MINUTE;
const LATEST: i64 = 48 * HOUR;
/// Who is won back comes within this of the message.
const WON_WITHIN: i64 = 6 * HOUR;

/// A message that reached a shopper.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub arm: Arm,
    pub at_ms: i64,
    /// What the offer takes off the cart; 0 without one.
    pub discount_minor: i64,
    /// Until when it does.
    pub ends_at_ms: i64,
}

/// Something a shopper does.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    pub at_ms: i64,
    pub what: What,
}

/// What it is. Messages are named by their place among those received.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Something in the shop; the lines of one order follow each other.
    Event(Box<Event>),
    Opens(usize),
    Clicks(usize),
    Unsubscribes(usize),
    Complains(usize),
    Dismisses(usize),
    /// Withdraws consent by themselves.
    Revokes,
    /// Sends the whole order back.
    Refunds,
}

/// The order of the cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub order_id: String,
    pub at_ms: i64,
    pub value_minor: i64,
    pub margin_minor: i64,
    /// What the best offer that held took off.
    pub discount_minor: i64,
    /// When it is sent back, if it is.
    pub refunded_at_ms: Option<i64>,
}

/// What a life brought the shop after the cart was left.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Money {
    pub margin_minor: i64,
    pub discount_minor: i64,
    pub refunded_margin_minor: i64,
}

impl Money {
    #[must_use]
    pub fn net_minor(&self) -> i64 {
        self.margin_minor - self.discount_minor - self.refunded_margin_minor
    }
}

/// All that a shopper does after leaving the cart.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    /// By time.
    pub acts: Vec<Act>,
    pub order: Option<Order>,
}

impl Life {
    /// Everything that it will have brought.
    #[must_use]
    pub fn money(&self) -> Money {
        self.money_until(i64::MAX)
    }

    /// What it has brought by then.
    #[must_use]
    pub fn money_until(&self, at_ms: i64) -> Money {
        let order = self.order.as_ref();
        order.map_or_else(Money::default, |order| order.money_until(at_ms))
    }
}

impl Order {
    /// What it has brought by then. A refund takes back the margin, less what the discount had taken
    /// of it already.
    #[must_use]
    pub fn money_until(&self, at_ms: i64) -> Money {
        if self.at_ms > at_ms {
            return Money::default();
        }
        let is_back = self.refunded_at_ms.is_some_and(|back| back <= at_ms);
        let kept = self.margin_minor - self.discount_minor;
        Money {
            margin_minor: self.margin_minor,
            discount_minor: self.discount_minor,
            refunded_margin_minor: if is_back { kept } else { 0 },
        }
    }
}

/// Streams of chances of one shopper; those of messages follow.
const NATURE: u64 = 10;
const REFUND: u64 = 11;
const SECOND_THOUGHTS: u64 = 12;
const MESSAGES: u64 = 100;

impl World {
    /// What the shopper does under these messages, which are in the order of their time.
    #[must_use]
    pub fn life(&self, number: usize, messages: &[Message]) -> Life {
        let (person, visit) = (self.person(number), self.visit(number));
        self.life_of(number, &person, &visit, messages)
    }

    /// The same for whoever has person and visit at hand.
    #[must_use]
    pub fn life_of(
        &self,
        number: usize,
        person: &Person,
        visit: &Visit,
        messages: &[Message],
    ) -> Life {
        let reactions: Vec<Reaction> = messages
            .iter()
            .enumerate()
            .map(|(place, message)| self.react(number, person, visit, (place, message)))
            .collect();
        let order_at = self.orders_at(number, person, visit, &reactions);
        let is_before = |at_ms: i64| order_at.is_none_or(|order| at_ms < order);
        let mut acts: Vec<Act> = Vec::new();
        for reaction in &reactions {
            acts.extend(
                reaction
                    .acts
                    .iter()
                    .filter(|act| is_before(act.at_ms))
                    .cloned(),
            );
        }
        let mut lines = visit.lines.clone();
        for act in self.second_thoughts(number, person, visit, &mut lines, order_at) {
            acts.push(act);
        }
        let order = order_at.map(|at| self.order(number, person, &lines, (at, messages)));
        if let Some(order) = &order {
            acts.extend(self.buying(person, &lines, order));
            acts.extend(order.refunded_at_ms.map(|at_ms| Act {
                at_ms,
                what: What::Refunds,
            }));
        }
        acts.sort_by_key(|act| act.at_ms);
        Life { acts, order }
    }

    /// The true probability that the cart is bought under these messages.
    ///
    /// Whoever would come back by themselves does so at a time `left + 20 min + u² · 48 h`; each
    /// message before it repels with its probability, and each may win back whoever does not come.
    #[must_use]
    pub fn chance_of_order(&self, number: usize, messages: &[Message]) -> f64 {
        let (person, visit) = (self.person(number), self.visit(number));
        let response = |place: usize, message: &Message| response(&person, &visit, place, message);
        let mut not_won = 1.0;
        let mut stays = 1.0;
        // Share of those who come by themselves, by the messages that came before that.
        let mut alone = 0.0;
        let mut before = 0.0;
        for (place, message) in messages.iter().enumerate() {
            let response = response(place, message);
            let come = share_back_by(message.at_ms - visit.left_at_ms);
            alone += stays * (come - before);
            before = come;
            stays *= 1.0 - response.repels;
            not_won *= 1.0 - response.orders;
        }
        alone += stays * (1.0 - before);
        let by_nature = person.shopper.kind.returns() * alone;
        1.0 - (1.0 - by_nature) * not_won
    }

    /// What this arm changes in that probability, sent so long after the cart was left as the first
    /// message.
    #[must_use]
    pub fn uplift(&self, number: usize, arm: Arm, delay_ms: i64) -> f64 {
        let left_at_ms = self.visit(number).left_at_ms;
        let message = Message {
            arm,
            at_ms: left_at_ms + delay_ms,
            discount_minor: 0,
            ends_at_ms: i64::MAX,
        };
        self.chance_of_order(number, &[message]) - self.chance_of_order(number, &[])
    }

    fn react(
        &self,
        number: usize,
        person: &Person,
        visit: &Visit,
        (place, message): (usize, &Message),
    ) -> Reaction {
        let stream = MESSAGES + u64::try_from(place).unwrap_or(u64::MAX - MESSAGES);
        let mut random = self.random(number, stream);
        let response = response(person, visit, place, message);
        let wins = random.chance(response.orders);
        let repels = random.chance(response.repels);
        let won_after = after(&mut random, 5 * MINUTE, WON_WITHIN);
        let read_after = random.between(MINUTE, 4 * HOUR);
        // Not every opening is seen, and some are seen that were none.
        let opens = random.chance(if wins { 0.7 } else { response.opens });
        let clicks = random.chance(response.clicks) && opens;
        let told = [
            (opens, What::Opens(place)),
            (clicks, What::Clicks(place)),
            (random.chance(response.dismisses), What::Dismisses(place)),
            (
                random.chance(response.unsubscribes),
                What::Unsubscribes(place),
            ),
            (random.chance(response.complains), What::Complains(place)),
        ];
        let read_after = if wins {
            read_after.min(won_after / 2)
        } else {
            read_after
        };
        let acts =
            (0..)
                .zip(told)
                .filter(|(_, (happens, _))| *happens)
                .map(|(later, (_, what))| Act {
                    at_ms: message.at_ms + read_after + later * 20_000,
                    what,
                });
        Reaction {
            at_ms: message.at_ms,
            acts: acts.collect(),
            won_at_ms: wins.then(|| message.at_ms + won_after),
            repels,
        }
    }

    /// When the cart is bought: by themselves, unless repelled before, or because of a message.
    fn orders_at(
        &self,
        number: usize,
        person: &Person,
        visit: &Visit,
        reactions: &[Reaction],
    ) -> Option<i64> {
        let mut random = self.random(number, NATURE);
        let returns = random.chance(person.shopper.kind.returns());
        let at_ms = visit.left_at_ms + after(&mut random, EARLIEST, LATEST);
        let is_repelled = reactions
            .iter()
            .any(|reaction| reaction.repels && reaction.at_ms < at_ms);
        let alone = (returns && !is_repelled).then_some(at_ms);
        let won = reactions.iter().filter_map(|reaction| reaction.won_at_ms);
        alone.into_iter().chain(won).min()
    }

    fn order(
        &self,
        number: usize,
        person: &Person,
        lines: &[Line],
        (at_ms, messages): (i64, &[Message]),
    ) -> Order {
        let (value_minor, margin_minor) = self.money(lines);
        let holds = |message: &&Message| message.at_ms <= at_ms && at_ms <= message.ends_at_ms;
        let offers = messages.iter().filter(holds);
        let mut random = self.random(number, REFUND);
        let back_at_ms = at_ms + random.between(2 * HOUR, 20 * HOUR);
        let goes_back = random.chance(person.shopper.kind.refunds());
        Order {
            order_id: format!("order-{}-cart", person.shopper.shopper_id),
            at_ms,
            value_minor,
            margin_minor,
            discount_minor: offers.map(|offer| offer.discount_minor).max().unwrap_or(0),
            refunded_at_ms: goes_back.then_some(back_at_ms),
        }
    }

    fn buying(&self, person: &Person, lines: &[Line], order: &Order) -> Vec<Act> {
        let line = |(place, line): (usize, &Line)| {
            let name = format!("order-{place}");
            let kind = EventKind::Purchase;
            let mut event = self.line_event((person, &name), kind, *line, order.at_ms);
            event.order_id.clone_from(&order.order_id);
            Act {
                at_ms: order.at_ms,
                what: What::Event(Box::new(event)),
            }
        };
        lines.iter().enumerate().map(line).collect()
    }

    /// Some put something more into the cart later, and some withdraw their consent.
    fn second_thoughts(
        &self,
        number: usize,
        person: &Person,
        visit: &Visit,
        lines: &mut Vec<Line>,
        order_at: Option<i64>,
    ) -> Vec<Act> {
        let mut random = self.random(number, SECOND_THOUGHTS);
        let adds = random.chance(0.08);
        let at_ms = visit.left_at_ms + random.between(HOUR, 30 * HOUR);
        let line = self.another(&mut random);
        let revokes = random.chance(0.03);
        let revoked_at_ms = visit.left_at_ms + random.between(MINUTE, 60 * HOUR);
        let is_new = lines.iter().all(|other| other.item != line.item);
        let mut acts = Vec::new();
        if adds && is_new && order_at.is_none_or(|order| at_ms < order) {
            let event = self.line_event((person, "again"), EventKind::AddToCart, line, at_ms);
            acts.push(Act {
                at_ms,
                what: What::Event(Box::new(event)),
            });
            lines.push(line);
        }
        if revokes && !person.consented.is_empty() {
            acts.push(Act {
                at_ms: revoked_at_ms,
                what: What::Revokes,
            });
        }
        acts
    }
}

/// What one message does.
#[derive(Debug)]
struct Reaction {
    at_ms: i64,
    acts: Vec<Act>,
    won_at_ms: Option<i64>,
    repels: bool,
}

fn response(person: &Person, visit: &Visit, place: usize, message: &Message) -> Response {
    let delay_ms = message.at_ms - visit.left_at_ms;
    person.shopper.kind.response(message.arm, delay_ms, place)
}

/// A time whose square root is uniform: most of them early.
fn after(random: &mut Random, least: i64, span: i64) -> i64 {
    let unit = random.unit();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "a span of days in milliseconds is far below 2^53"
    )]
    let drawn = (unit * unit * span as f64) as i64;
    least + drawn
}

/// Of those who come back by themselves, the share that has done so by then.
fn share_back_by(since_left_ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a span of days in milliseconds")]
    let share = (since_left_ms - EARLIEST).max(0) as f64 / LATEST as f64;
    share.min(1.0).sqrt()
}
