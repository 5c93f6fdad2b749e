//! A simulated shop with the policy and without servers: what people get and do, in one process.

use feature_store::EventKind;
use policy::guard::caps::Sends;
use policy::holdout::Holdout;
use policy::sequence::pace::Pace;
use policy::sequence::{Kind, Sequence};
use policy::{Inputs, Line, Policy};
use simulator::{Arm, Life, Message, Person, Visit, What, World};

use super::truth::net_minor;
use crate::commands::report::accounts::Accounts;

/// Nothing has been learned yet: every other cart is taken to be left.
const RISK: f64 = 0.5;
const CART_VERSION: u64 = 1;

/// A shop and who is left alone in it.
#[derive(Debug)]
pub(crate) struct Shop<'a> {
    pub(crate) world: World,
    pub(crate) policy: &'a Policy,
    pub(crate) holdout: Holdout,
    pub(crate) seed: u64,
}

/// A shopper's messages, and what came of them.
#[derive(Debug)]
pub(crate) struct Lived {
    pub(crate) person: Person,
    pub(crate) visit: Visit,
    pub(crate) held_out: bool,
    /// When something was decided, and what was sent then.
    pub(crate) decided: Vec<i64>,
    pub(crate) messages: Vec<Message>,
    pub(crate) life: Life,
}

impl Shop<'_> {
    /// Leads one shopper through the steps of the policy.
    pub(crate) fn lead(&self, number: usize) -> Lived {
        let (person, visit) = (self.world.person(number), self.world.visit(number));
        let held_out = self.holdout.holds(&person.shopper.shopper_id);
        let life = self.world.life_of(number, &person, &visit, &[]);
        let mut lived = Lived {
            person,
            visit,
            held_out,
            decided: Vec::new(),
            messages: Vec::new(),
            life,
        };
        let Some(plan) = self.policy.plan(Kind::Cart) else {
            return lived;
        };
        let mut sequence = Sequence::begin(Kind::Cart, CART_VERSION, lived.visit.left_at_ms);
        let mut sends = Sends::default();
        while let Some(due) = sequence.due(plan, Pace::default()) {
            let key = due.key.message(&lived.person.shopper.shopper_id);
            let channel = self.policy.default_channel();
            let zone = Some(lived.person.time_zone).filter(|zone| !zone.is_empty());
            let limits = self.policy.limits();
            let free = limits.next_moment((channel, &key), zone, &sends, due.at_ms);
            let at_ms = free.unwrap_or(due.at_ms);
            if lived.is_over(at_ms) || !sequence.take(due.key, plan, Pace::default(), at_ms) {
                break;
            }
            lived.decided.push(at_ms);
            if let Some(message) = self.decide(&lived, (number, due.key.step), at_ms) {
                sends.record(&key, channel, at_ms);
                lived.messages.push(message);
                let Lived {
                    person,
                    visit,
                    messages,
                    ..
                } = &lived;
                lived.life = self.world.life_of(number, person, visit, messages);
            }
        }
        lived
    }

    fn decide(&self, lived: &Lived, (number, step): (usize, u32), at_ms: i64) -> Option<Message> {
        let items = self.world.items();
        let line = |line: &simulator::Line| {
            let item = items.get(line.item)?;
            Some(Line {
                item_id: item.item_id.clone(),
                quantity: line.quantity,
                price_minor: item.price_minor,
                cost_minor: item.cost_minor,
                ..Line::default()
            })
        };
        let text = |channel: &&str| (*channel).to_owned();
        let inputs = Inputs {
            lines: lived.visit.lines.iter().filter_map(line).collect(),
            currency: "EUR".to_owned(),
            risk: RISK,
            channels: lived.person.channels.iter().map(text).collect(),
            consented_channels: lived.person.consented.iter().map(text).collect(),
            messages_7d: u32::try_from(lived.messages.len()).unwrap_or(u32::MAX),
            now_ms: at_ms,
            held_out: lived.held_out,
            ..Inputs::default()
        };
        let drawn = u64::try_from(number).unwrap_or(u64::MAX).wrapping_mul(16) + u64::from(step);
        let decision = self.policy.decide(&inputs, self.seed ^ drawn);
        let arm = Arm::from_name(decision.action.as_str())?;
        let offer = decision.offer.as_ref();
        let valid =
            offer.map(|offer| i64::try_from(offer.valid_for.as_millis()).unwrap_or(i64::MAX));
        Some(Message {
            arm,
            at_ms,
            discount_minor: offer.map_or(0, |offer| offer.discount_minor),
            ends_at_ms: valid.map_or(i64::MAX, |valid| at_ms.saturating_add(valid)),
        })
    }
}

impl Lived {
    /// Whether they have ordered by then, said no, or changed their cart: what this leads ends there.
    fn is_over(&self, at_ms: i64) -> bool {
        let ends = |what: &What| match what {
            What::Event(_)
            | What::Unsubscribes(_)
            | What::Complains(_)
            | What::Dismisses(_)
            | What::Revokes => true,
            What::Opens(_) | What::Clicks(_) | What::Refunds => false,
        };
        let acts = self.life.acts.iter();
        acts.take_while(|act| act.at_ms <= at_ms)
            .any(|act| ends(&act.what))
    }

    /// Writes down all that a shop's logs would hold of it.
    pub(crate) fn tell(&self, world: &World, policy: &Policy, accounts: &mut Accounts) {
        let who = &self.person.shopper.shopper_id;
        for event in self
            .visit
            .events
            .iter()
            .filter(|one| one.kind == EventKind::Purchase)
        {
            let item = world
                .items()
                .iter()
                .find(|item| item.item_id == event.item_id);
            let cost = item
                .and_then(|item| item.cost_minor)
                .unwrap_or(event.price_minor);
            let money = (event.price_minor, event.price_minor - cost);
            accounts.bought(who, (&event.order_id, event.occurred_at.0), money);
        }
        for at_ms in &self.decided {
            accounts.decided(who, *at_ms, self.held_out);
        }
        let cost = policy.contact_cost_minor(policy.default_channel());
        for message in &self.messages {
            accounts.sent(who, message.at_ms, cost);
        }
        for act in &self.life.acts {
            match &act.what {
                What::Unsubscribes(_) => accounts.unsubscribed(who, act.at_ms),
                What::Complains(_) => accounts.complained(who, act.at_ms),
                What::Event(_)
                | What::Opens(_)
                | What::Clicks(_)
                | What::Dismisses(_)
                | What::Revokes
                | What::Refunds => {}
            }
        }
        if let Some(order) = &self.life.order {
            let money = (order.value_minor, order.margin_minor);
            accounts.bought(who, (&order.order_id, order.at_ms), money);
            accounts.discounted(who, &order.order_id, order.discount_minor);
            if let Some(at_ms) = order.refunded_at_ms {
                let back = (at_ms, order.value_minor - order.discount_minor);
                accounts.refunded(who, &order.order_id, back);
            }
        }
    }

    /// Net margin within the time that counts, less what it would have been if they had been left
    /// alone; `None` for somebody about whom nothing was decided.
    pub(crate) fn added_minor(
        &self,
        world: &World,
        number: usize,
        contact_minor: i64,
        window_ms: i64,
    ) -> Option<i64> {
        let first_ms = *self.decided.first()?;
        let to_ms = first_ms.saturating_add(window_ms);
        let alone = world.life_of(number, &self.person, &self.visit, &[]);
        let net = |life: &Life| net_minor(life.order.as_ref(), first_ms, to_ms);
        let sent = self.messages.iter().filter(|message| message.at_ms < to_ms);
        let cost = i64::try_from(sent.count())
            .unwrap_or(i64::MAX)
            .saturating_mul(contact_minor);
        Some(net(&self.life) - net(&alone) - cost)
    }
}
