//! The shoppers of one lane: whose turn it is, and what they do then.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use policy::holdout::Holdout;
use simulator::{Act, Arm, Life, Message, Order, Person, Visit, What, World};

use super::Arrival;

/// Shoppers by number, each with what is still to come.
#[derive(Debug)]
pub(crate) struct Crowd {
    world: Arc<World>,
    members: HashMap<usize, Member>,
    /// When whose next turn is.
    queue: BTreeSet<(i64, usize)>,
}

/// What is to be told of somebody now.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) number: usize,
    pub(crate) turn: Turn,
}

#[derive(Debug)]
pub(crate) enum Turn {
    /// They come for the first time, fill a cart and leave.
    Enters(Box<(Person, Visit)>),
    /// Things of one sort that follow each other.
    Acts(Vec<Act>),
}

/// A message that a shopper got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) message: Message,
    pub(crate) decision_id: String,
    pub(crate) cart_version: u64,
}

/// A shopper who has entered.
#[derive(Debug)]
struct Member {
    person: Person,
    visit: Visit,
    got: Vec<Got>,
    keys: HashSet<String>,
    life: Life,
    done: usize,
    told: Told,
}

/// What is known of a shopper by acknowledgements, and at what time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The last event of the first visit.
    pub(crate) entered_at_ms: Option<i64>,
    pub(crate) ordered_at_ms: Option<i64>,
    /// Consent to what is sent is withdrawn: by themselves, by a complaint, an unsubscription.
    pub(crate) silent_at_ms: Option<i64>,
    /// "No thanks" about the cart of that version.
    pub(crate) dismissed: Option<(i64, u64)>,
    /// Nothing more is owed about the cart.
    pub(crate) is_over: bool,
}

/// All about a shopper who entered, at the end.
#[derive(Clone, Debug)]
pub(crate) struct Biography {
    pub(crate) person: Person,
    pub(crate) told: Told,
    /// When their messages reached them.
    pub(crate) messages: Vec<i64>,
    pub(crate) order: Option<Order>,
    /// The order they would have made if they had been left alone.
    pub(crate) order_alone: Option<Order>,
}

impl Crowd {
    pub(crate) fn new(world: Arc<World>, numbers: impl Iterator<Item = usize>) -> Self {
        let starts = |number: usize| {
            let events = world.visit(number).events;
            // Whoever ordered before the start comes with their first event after it.
            let start_ms = world.options().start_ms;
            let first = events.iter().find(|event| event.occurred_at.0 >= start_ms);
            (first.map_or(start_ms, |event| event.occurred_at.0), number)
        };
        let queue = numbers.map(starts).collect();
        Self {
            world,
            members: HashMap::new(),
            queue,
        }
    }

    /// The number in a shopper's id.
    pub(crate) fn number(shopper_id: &str) -> Option<usize> {
        let number = shopper_id.rsplit('-').next()?;
        number.parse::<usize>().ok()?.checked_sub(1)
    }

    /// Takes those out whose turn it is, at most so many; [`Crowd::done`] puts them back.
    pub(crate) fn take(&mut self, now_ms: i64, most: usize) -> Vec<Due> {
        let mut due = Vec::new();
        while due.len() < most {
            let Some(&(at_ms, number)) = self.queue.first().filter(|first| first.0 <= now_ms)
            else {
                break;
            };
            self.queue.remove(&(at_ms, number));
            let turn = match self.members.get(&number) {
                Some(member) => Turn::Acts(member.next(now_ms)),
                None => {
                    let (person, visit) = (self.world.person(number), self.world.visit(number));
                    // All of the visit is told at once, when it is over.
                    if visit.left_at_ms > now_ms {
                        self.queue.insert((visit.left_at_ms, number));
                        continue;
                    }
                    Turn::Enters(Box::new((person, visit)))
                }
            };
            due.push(Due { number, turn });
        }
        due
    }

    /// What was due is acknowledged.
    pub(crate) fn done(&mut self, due: Due, acknowledged_at_ms: i64) {
        let number = due.number;
        match due.turn {
            Turn::Enters(entry) => {
                let (person, visit) = *entry;
                let life = self.world.life_of(number, &person, &visit, &[]);
                let told = Told {
                    entered_at_ms: Some(visit.left_at_ms),
                    ..Told::default()
                };
                let member = Member {
                    person,
                    visit,
                    got: Vec::new(),
                    keys: HashSet::new(),
                    life,
                    done: 0,
                    told,
                };
                self.members.insert(number, member);
            }
            Turn::Acts(acts) => {
                if let Some(member) = self.members.get_mut(&number) {
                    member.done += acts.len();
                    let Member { told, got, .. } = member;
                    told.hear(&acts, got, acknowledged_at_ms);
                }
            }
        }
        let next = self.members.get(&number).and_then(Member::next_at_ms);
        self.queue.extend(next.map(|at_ms| (at_ms, number)));
    }

    /// A message reaches its shopper, who may act otherwise from now on. One that they know does
    /// nothing.
    pub(crate) fn receive(&mut self, arrival: &Arrival, now_ms: i64) {
        let Some(number) = Self::number(&arrival.shopper_id) else {
            return;
        };
        let Some(member) = self.members.get_mut(&number) else {
            return;
        };
        let Some(arm) = Arm::from_name(&arrival.action) else {
            return;
        };
        if !member.keys.insert(arrival.key.clone()) {
            return;
        }
        member.got.push(Got {
            message: Message {
                arm,
                at_ms: now_ms,
                discount_minor: arrival.discount_minor,
                ends_at_ms: arrival.offer_ends_at_ms.unwrap_or(i64::MAX),
            },
            decision_id: arrival.decision_id.clone(),
            cart_version: arrival.cart_version,
        });
        let before = member.next_at_ms();
        let messages: Vec<Message> = member.got.iter().map(|got| got.message).collect();
        member.life = self
            .world
            .life_of(number, &member.person, &member.visit, &messages);
        // Whoever is being told of just now comes back into the queue by that.
        let waited = before.is_none_or(|at_ms| self.queue.remove(&(at_ms, number)));
        if waited {
            let next = member.next_at_ms();
            self.queue.extend(next.map(|at_ms| (at_ms, number)));
        }
    }

    pub(crate) fn got(&self, number: usize, place: usize) -> Option<&Got> {
        self.members.get(&number)?.got.get(place)
    }

    /// The message that an order is said to come of: the last one before it.
    pub(crate) fn last_before(&self, number: usize, at_ms: i64) -> Option<&Got> {
        let got = &self.members.get(&number)?.got;
        got.iter().rev().find(|got| got.message.at_ms <= at_ms)
    }

    pub(crate) fn person(&self, number: usize) -> Option<&Person> {
        self.members.get(&number).map(|member| &member.person)
    }

    /// The order that a shopper makes, as things stand.
    pub(crate) fn order(&self, number: usize) -> Option<&Order> {
        self.members.get(&number)?.life.order.as_ref()
    }

    /// Everybody who entered.
    pub(crate) fn biographies(&self) -> Vec<Biography> {
        let mut numbers: Vec<usize> = self.members.keys().copied().collect();
        numbers.sort_unstable();
        let biography = |number: usize| {
            let member = self.members.get(&number)?;
            let alone = self
                .world
                .life_of(number, &member.person, &member.visit, &[]);
            Some(Biography {
                person: member.person.clone(),
                told: member.told.clone(),
                messages: member.got.iter().map(|got| got.message.at_ms).collect(),
                order: member.life.order.clone(),
                order_alone: alone.order,
            })
        };
        numbers.into_iter().filter_map(biography).collect()
    }
}

impl Member {
    fn next_at_ms(&self) -> Option<i64> {
        self.life.acts.get(self.done).map(|act| act.at_ms)
    }

    /// The acts that are due and of one sort.
    fn next(&self, now_ms: i64) -> Vec<Act> {
        let acts = self.life.acts.get(self.done..).unwrap_or_default();
        let mut due = acts.iter().take_while(|act| act.at_ms <= now_ms).peekable();
        let sort = due.peek().map(|act| is_event(&act.what));
        let same = |act: &&Act| sort == Some(true) && is_event(&act.what);
        let mut next: Vec<Act> = Vec::new();
        for act in due {
            if next.is_empty() || same(&act) {
                next.push(act.clone());
            } else {
                break;
            }
        }
        next
    }
}

fn is_event(what: &What) -> bool {
    matches!(what, What::Event(_))
}

impl Told {
    fn hear(&mut self, acts: &[Act], got: &[Got], at_ms: i64) {
        for act in acts {
            match &act.what {
                What::Event(event) if event.kind == feature_store::EventKind::Purchase => {
                    self.ordered_at_ms.get_or_insert(at_ms);
                    self.is_over = true;
                }
                What::Unsubscribes(_) | What::Complains(_) => {
                    self.silent_at_ms.get_or_insert(at_ms);
                    self.is_over = true;
                }
                What::Revokes => {
                    self.silent_at_ms.get_or_insert(at_ms);
                }
                What::Dismisses(place) => {
                    let version = got.get(*place).map_or(0, |got| got.cart_version);
                    self.dismissed.get_or_insert((at_ms, version));
                    self.is_over = true;
                }
                What::Event(_) | What::Opens(_) | What::Clicks(_) | What::Refunds => {}
            }
        }
    }
}

/// Whether somebody is left alone.
pub(crate) fn is_held_out(holdout: Option<&Holdout>, person: &Person) -> bool {
    holdout.is_some_and(|holdout| holdout.holds(&person.shopper.shopper_id))
}

#[cfg(test)]
mod tests {
    use simulator::Options;

    use super::*;

    const HOUR: i64 = 3_600_000;
    const SHOPPERS: usize = 200;

    fn arrival(number: usize, step: u32, at_ms: i64) -> Arrival {
        let shopper_id = format!("shopper-{:06}", number + 1);
        Arrival {
            key: format!("{shopper_id}/1/{step}"),
            decision_id: format!("{number}-{step}"),
            shopper_id,
            channel: "email".to_owned(),
            cart_version: 1,
            step,
            action: "fixed_coupon".to_owned(),
            handed_out_at_ms: at_ms,
            again: false,
            discount_minor: 500,
            max_cost_minor: 500,
            offer_ends_at_ms: Some(at_ms + 48 * HOUR),
        }
    }

    /// Hour by hour; everybody gets a message after 2, 14 and 26 hours, and each of them twice.
    #[test]
    fn everybody_does_what_their_life_says_once_in_order_and_never_early() {
        let options = Options {
            shoppers: SHOPPERS,
            days: 1,
            ..Options::default()
        };
        let world = Arc::new(World::new(3, options));
        let mut crowd = Crowd::new(world.clone(), 0..SHOPPERS);
        let mut did: HashMap<usize, Vec<Act>> = HashMap::new();
        for hour in 0..140 {
            let now_ms = options.start_ms + hour * HOUR;
            if let Some(step) = [2, 14, 26].iter().position(|at| *at == hour % 48) {
                let step = u32::try_from(step).unwrap();
                for number in 0..SHOPPERS {
                    crowd.receive(&arrival(number, step, now_ms), now_ms);
                    crowd.receive(&arrival(number, step, now_ms), now_ms);
                }
            }
            loop {
                let due = crowd.take(now_ms, 16);
                if due.is_empty() {
                    break;
                }
                for one in due {
                    if let Turn::Acts(acts) = &one.turn {
                        assert!(acts.iter().all(|act| act.at_ms <= now_ms));
                        did.entry(one.number)
                            .or_default()
                            .extend(acts.iter().cloned());
                    }
                    crowd.done(one, now_ms);
                }
            }
        }
        let people = crowd.biographies();
        assert_eq!(people.len(), SHOPPERS);
        let mut orders = 0;
        for (number, one) in people.iter().enumerate() {
            let member = &crowd.members[&number];
            let did = did.remove(&number).unwrap_or_default();
            assert_eq!(did, member.life.acts[..did.len()], "{number}");
            assert_eq!(did.len(), member.life.acts.len(), "{number}");
            assert!(one.messages.len() <= 3, "each message counts once");
            assert_eq!(one.told.ordered_at_ms.is_some(), one.order.is_some());
            orders += usize::from(one.order.is_some());
        }
        assert!(orders > 60, "{orders}");
        assert_eq!(Crowd::number("shopper-000042"), Some(41));
    }
}
