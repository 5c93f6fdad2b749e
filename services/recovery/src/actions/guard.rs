//! The facts that an action is checked against: the person's value, the item table, the clock.

use std::collections::BTreeMap;

use feature_store::Standing;
use policy::guard::consent::{ConsentRecord, Consents};
use policy::guard::{Facts, Handout, ItemNow, Promised, Verdict};
use policy::ledger;
use policy::person::OpenAction;
use policy::sequence::Ended;
use policy::{Inputs, Line};
use proto::v1 as pb;

use crate::cart;
use crate::generation::Generation;
use crate::items::Items;
use crate::person::{Stand, is_held_out};
use crate::request::CartLine;

/// What messages about a cart need consent for.
const PURPOSE: &str = "marketing";
/// Messages over these end with an unsubscription, which does not say over which it came.
pub(crate) const SENT_OVER: [&str; 3] = ["email", "push", "sms"];
/// How long an action may wait before the decision is too old to act on.
const LIFE_MS: i64 = 24 * 3_600_000;

/// An action that waits, with what it was decided on.
#[derive(Copy, Clone, Debug)]
pub(super) struct Waiting<'a> {
    pub(super) shopper_id: &'a str,
    pub(super) action: &'a OpenAction,
    pub(super) inputs: &'a Inputs,
    pub(super) decision: &'a pb::Decision,
}

/// The policy's verdict on handing it out now. That the budget holds the money is taken for
/// granted here: spending it is what tells.
pub(super) fn verdict(
    waiting: Waiting<'_>,
    stand: &Stand,
    generation: &Generation,
    items: &Items,
    now_ms: i64,
) -> Verdict {
    let Waiting { action, inputs, .. } = waiting;
    let policy = &generation.policy;
    let standing = &stand.standing;
    let held = ledger::Standing::Reserved {
        max_cost_minor: i64::MAX,
        expires_at_ms: i64::MAX,
    };
    let sequence = stand.person.sequence.as_ref();
    let zone = Some(standing.profile.time_zone.as_str()).filter(|zone| !zone.is_empty());
    let facts = Facts {
        now_ms,
        ordered: standing.bought_units > action.bought_units,
        again: action.handed_out_at_ms.is_some(),
        dismissed: sequence.is_some_and(|one| one.ended() == Some(Ended::Dismissed)),
        in_holdout: is_held_out(policy, waiting.shopper_id, stand),
        cart_version: standing.cart.version,
        consents: &[consents(standing)],
        zone,
        sends: &stand.person.sends,
        items: &items_now(inputs, items),
        margin_minor: margin(waiting, standing, generation, items),
        budget: Some(held),
    };
    policy.limits().check(&handout(waiting, standing), &facts)
}

fn handout(waiting: Waiting<'_>, standing: &Standing) -> Handout {
    let Waiting {
        action,
        inputs,
        decision,
        shopper_id,
    } = waiting;
    let promised = |line: &Line| Promised {
        item_id: line.item_id.to_string(),
        price_minor: line.price_minor,
    };
    Handout {
        idempotency_key: action.key.message(shopper_id),
        channel: action.channel.clone(),
        purpose: PURPOSE.to_owned(),
        jurisdiction: standing.profile.jurisdiction.clone(),
        cart_version: action.key.cart_version,
        // Somebody who asks again for what they may have got gets it until it is forgotten.
        expires_at_ms: match action.handed_out_at_ms {
            Some(_) => i64::MAX,
            None => action.decided_at_ms.saturating_add(LIFE_MS),
        },
        lines: inputs.lines.iter().map(promised).collect(),
        discount_minor: decision
            .offer
            .as_ref()
            .map_or(0, |offer| offer.discount_minor),
        max_cost_minor: action.max_cost_minor,
    }
}

/// What the shopper agreed to and withdrew; an unsubscription withdraws what was sent over.
fn consents(standing: &Standing) -> Consents {
    let record = |record: &feature_store::ConsentRecord| ConsentRecord {
        purpose: record.purpose.clone(),
        channel: record.channel.clone(),
        jurisdiction: record.jurisdiction.clone(),
        granted: record.granted,
        wording: record.wording.clone(),
        at_ms: record.at.0,
    };
    let mut records: Consents = standing.consents.iter().map(record).collect();
    if let Some(at) = standing.unsubscribed_at {
        records.extend(SENT_OVER.map(|channel| ConsentRecord {
            purpose: PURPOSE.to_owned(),
            channel: channel.to_owned(),
            at_ms: at.0,
            ..ConsentRecord::default()
        }));
    }
    records
}

/// The promised items today. One that the item table does not know is taken as it was decided on: a
/// shop that keeps no catalogue here sells from another.
fn items_now(inputs: &Inputs, items: &Items) -> BTreeMap<String, ItemNow> {
    let now = |line: &Line| {
        let price = items.price_now(&line.item_id);
        let same = price.filter(|(_, currency)| *currency == inputs.currency);
        let now = ItemNow {
            sellable: !items.is_blocked(&line.item_id),
            price_minor: same.map_or(0, |(price, _)| price),
        };
        (line.item_id.clone(), now)
    };
    inputs.lines.iter().map(now).collect()
}

/// Margin of the cart at today's prices and costs.
fn margin(
    waiting: Waiting<'_>,
    standing: &Standing,
    generation: &Generation,
    items: &Items,
) -> i64 {
    if !waiting.inputs.left.is_of_cart() {
        return generation.policy.margin_minor(&waiting.inputs.lines);
    }
    let line = |line: &feature_store::CartLine| CartLine {
        item_id: line.item_id.to_string(),
        quantity: line.quantity,
        price_minor: line.price_minor,
        currency: line.currency.to_string(),
        added_at_ms: Some(line.added_at.0),
        category: line.category.to_string(),
        brand: line.brand.to_string(),
    };
    let lines: Vec<CartLine> = standing.cart.lines.iter().map(line).collect();
    let priced = cart::price(&lines, generation, items);
    generation.policy.margin_minor(&priced.lines)
}
