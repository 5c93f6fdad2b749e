//! The wire form of handing out: who asks for actions, which were acknowledged, and one action.

use std::time::Duration;

use feature_store::store::{Log, Partition};
use kit::{Problem, Violations, timestamp};
use proto::v1 as pb;

use crate::actions::{DeadLetter, Dismissal, GROUP, HandedOut, Subscription};

// Limits of the contract, as stated in `recovery.proto`.
const NAME_BYTES: usize = 64;
const ACKS: usize = 1_000;
const LETTERS: usize = 1_000;
const LEASE: Duration = Duration::from_secs(60);
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
const LONGEST_LEASE: Duration = Duration::from_secs(3_600);
const CHANNELS: [&str; 4] = ["email", "sms", "push", "onsite"];

pub(crate) fn subscription(message: pb::StreamActionsRequest) -> Result<Subscription, Problem> {
    let mut found = Violations::new();
    name("group", &message.group, &mut found);
    name("consumer", &message.consumer, &mut found);
    for (at, channel) in message.channels.iter().enumerate() {
        found.check(
            CHANNELS.contains(&channel.as_str()),
            &format!("channels[{at}]"),
            || format!("is {channel:?}, one of {} is allowed", CHANNELS.join(", ")),
        );
    }
    found.check(message.group != GROUP, "group", || {
        format!("is {GROUP:?}, which is the group of the webhook; another name is needed")
    });
    let subscription = Subscription {
        log: Log::Outbox,
        lease: lease(message.lease.as_ref(), &mut found),
        group: message.group,
        consumer: message.consumer,
        channels: message.channels,
    };
    refuse_or(subscription, found)
}

/// The group, and the places of the rows.
pub(crate) fn acks(
    message: pb::AckActionsRequest,
) -> Result<(String, Vec<(Partition, u64)>), Problem> {
    let mut found = Violations::new();
    name("group", &message.group, &mut found);
    found.check_count("ack_ids", message.ack_ids.len(), ACKS);
    let mut places = Vec::new();
    for (at, id) in message.ack_ids.iter().take(ACKS).enumerate() {
        match place(id) {
            Some(place) => places.push(place),
            None => found.add(
                format!("ack_ids[{at}]"),
                format!("is {id:?}, an ack_id of a handed out action is needed"),
            ),
        }
    }
    refuse_or((message.group, places), found)
}

pub(crate) fn dead_letters(letters: Vec<DeadLetter>) -> pb::ListDeadLettersResponse {
    let letter = |letter: DeadLetter| pb::DeadLetter {
        decision_id: letter.decision_id,
        shopper_id: letter.shopper_id,
        channel: letter.channel,
        idempotency_key: letter.idempotency_key,
        attempts: letter.attempts,
        why: letter.why,
        died_at: Some(timestamp::encode(letter.died_at_ms)),
    };
    pb::ListDeadLettersResponse {
        letters: letters.into_iter().map(letter).collect(),
    }
}

/// The most letters to list.
pub(crate) fn letters_wanted(message: &pb::ListDeadLettersRequest) -> Result<usize, Problem> {
    let mut found = Violations::new();
    let limit = usize::try_from(message.limit).unwrap_or(usize::MAX);
    found.check(limit <= LETTERS, "limit", || {
        format!("is {}, 0 to {LETTERS} is allowed", message.limit)
    });
    refuse_or(if limit == 0 { LETTERS } else { limit }, found)
}

/// The decisions to redrive; none for all.
pub(crate) fn redriven(message: pb::RedriveDeadLettersRequest) -> Result<Vec<String>, Problem> {
    let mut found = Violations::new();
    match (message.all, message.decision_ids.is_empty()) {
        (true, true) => {}
        (true, false) => found.add("decision_ids", "is given with all: give one of them"),
        (false, _) => {
            found.check_count("decision_ids", message.decision_ids.len(), LETTERS);
        }
    }
    for (at, id) in message.decision_ids.iter().take(LETTERS).enumerate() {
        found.check_id(&format!("decision_ids[{at}]"), id);
    }
    refuse_or(message.decision_ids, found)
}

pub(crate) fn dismissal(message: pb::DismissRequest) -> Result<Dismissal, Problem> {
    let mut found = Violations::new();
    found.check_id("shopper_id", &message.shopper_id);
    let version = message.cart_version;
    let dismissal = Dismissal {
        shopper_id: message.shopper_id,
        cart_version: (version > 0).then_some(version),
    };
    refuse_or(dismissal, found)
}

/// An action as it leaves.
pub(crate) fn handed_out(out: HandedOut) -> pb::Action {
    pb::Action {
        ack_id: format!("{}-{}", out.partition.number(), out.sequence),
        idempotency_key: out.message,
        decision_id: out.action.decision_id,
        shopper_id: out.shopper_id,
        channel: out.action.channel,
        cart_version: out.action.key.cart_version,
        step: out.action.key.step,
        left: out.inputs.left.as_str().to_owned(),
        lines: out
            .inputs
            .lines
            .iter()
            .map(|one| line(one, &out.inputs.currency))
            .collect(),
        decision: Some(out.decision),
        handed_out_at: Some(timestamp::encode(out.now_ms)),
        offer_ends_at: out.carried.ends_at_ms.map(timestamp::encode),
        again: out.action.handed_out_at_ms.is_some(),
        coupon_code: out.carried.coupon_code,
        restore_token: out.carried.restore_token,
    }
}

fn line(line: &policy::Line, currency: &str) -> pb::CartLine {
    pb::CartLine {
        item_id: line.item_id.clone(),
        quantity: line.quantity,
        price_minor: line.price_minor,
        currency: match line.price_minor {
            0 => String::new(),
            _ => currency.to_owned(),
        },
        added_at: None,
        category: line.category.clone(),
        brand: line.brand.clone(),
    }
}

/// Where the row of an ack_id lies.
fn place(id: &str) -> Option<(Partition, u64)> {
    let (partition, sequence) = id.split_once('-')?;
    let partition = Partition::new(partition.parse().ok()?)?;
    Some((partition, sequence.parse().ok()?))
}

fn name(field: &str, name: &str, found: &mut Violations) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let holds = (1..=NAME_BYTES).contains(&name.len()) && name.chars().all(plain);
    found.check(holds, field, || {
        let shown: String = name.chars().take(NAME_BYTES).collect();
        format!("is {shown:?}, 1 to {NAME_BYTES} letters, digits, `-`, `_` or `.` are allowed")
    });
}

fn lease(given: Option<&prost_types::Duration>, found: &mut Violations) -> Duration {
    let Some(given) = given else { return LEASE };
    match Duration::try_from(*given) {
        Ok(lease) if (SHORTEST_LEASE..=LONGEST_LEASE).contains(&lease) => lease,
        Ok(_) | Err(_) => {
            let (seconds, nanos) = (given.seconds, given.nanos);
            found.add(
                "lease",
                format!("is {seconds} s and {nanos} ns, 1 s to 1 h is allowed"),
            );
            LEASE
        }
    }
}

fn refuse_or<T>(request: T, found: Violations) -> Result<T, Problem> {
    if found.is_empty() {
        Ok(request)
    } else {
        Err(Problem::Invalid(found.into_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_id_names_its_place_and_nothing_else_is_one() {
        assert_eq!(place("17-42"), Some((Partition::new(17).unwrap(), 42)));
        for odd in ["", "17", "256-1", "x-1", "1-", "-1", "1-2-3"] {
            assert_eq!(place(odd), None, "{odd}");
        }
    }

    #[test]
    fn names_and_leases_are_checked() {
        let good = || pb::StreamActionsRequest {
            group: "mail".to_owned(),
            consumer: "one.1".to_owned(),
            ..pb::StreamActionsRequest::default()
        };
        assert_eq!(subscription(good()).unwrap().lease, LEASE);
        let refused = |message| match subscription(message) {
            Err(Problem::Invalid(found)) => found.into_iter().map(|(field, _)| field).collect(),
            other => panic!("{other:?}"),
        };
        let fields: Vec<String> = refused(pb::StreamActionsRequest {
            group: "a group".to_owned(),
            consumer: String::new(),
            lease: Some(prost_types::Duration::default()),
            channels: vec!["pigeon".to_owned()],
        });
        assert_eq!(fields, ["group", "consumer", "channels[0]", "lease"]);
    }
}
