//! The section of a shopper's value that carts are won back by.

use feature_store::Millis;
use prost::Message;
use proto::v1 as pb;

use super::time;

/// The newest layout that is read here.
const VERSION: u32 = 1;

#[derive(Clone, PartialEq, Message)]
struct Section {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(message, optional, tag = "2")]
    sequence: Option<Sequence>,
    #[prost(message, repeated, tag = "3")]
    messages: Vec<Counted>,
    #[prost(message, repeated, tag = "4")]
    actions: Vec<Open>,
    #[prost(string, repeated, tag = "5")]
    other_ids: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Sequence {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(uint64, tag = "2")]
    cart_version: u64,
    #[prost(int64, tag = "3")]
    active_ms: i64,
    #[prost(uint32, tag = "4")]
    first: u32,
    #[prost(uint32, tag = "5")]
    step: u32,
    #[prost(uint32, tag = "6")]
    attempt: u32,
    #[prost(uint32, tag = "7")]
    taken_attempt: u32,
    #[prost(int64, optional, tag = "8")]
    not_before_ms: Option<i64>,
    #[prost(uint32, tag = "9")]
    ended: u32,
}

/// A message that counts against the caps.
#[derive(Clone, PartialEq, Message)]
struct Counted {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    channel: String,
    #[prost(int64, optional, tag = "3")]
    sent_at_ms: Option<i64>,
    #[prost(int64, optional, tag = "4")]
    reserved_until_ms: Option<i64>,
}

/// An action on its way.
#[derive(Clone, PartialEq, Message)]
struct Open {
    #[prost(string, tag = "1")]
    decision_id: String,
    #[prost(uint64, tag = "2")]
    cart_version: u64,
    #[prost(uint32, tag = "3")]
    step: u32,
    #[prost(uint32, tag = "4")]
    attempt: u32,
    #[prost(string, tag = "5")]
    channel: String,
    #[prost(uint64, tag = "6")]
    bought_units: u64,
    #[prost(int64, tag = "7")]
    decided_at_ms: i64,
    #[prost(string, tag = "8")]
    period: String,
    #[prost(int64, tag = "9")]
    max_cost_minor: i64,
    #[prost(int64, optional, tag = "10")]
    handed_out_at_ms: Option<i64>,
}

impl Section {
    /// `None` for one that this version cannot read.
    fn read(section: &[u8]) -> Option<Self> {
        let read = <Self as Message>::decode(section).ok()?;
        (1..=VERSION).contains(&read.version).then_some(read)
    }
}

/// The newest moment that a section tells of, one to come included; `None` for one that this version
/// cannot read.
pub(crate) fn newest(section: &[u8]) -> Option<Millis> {
    let read = Section::read(section)?;
    let sequence = read.sequence.iter();
    let sequence = sequence.flat_map(|one| [Some(one.active_ms), one.not_before_ms]);
    let messages = read.messages.iter();
    let messages = messages.flat_map(|one| [one.sent_at_ms, one.reserved_until_ms]);
    let actions = read.actions.iter();
    let actions = actions.flat_map(|one| [Some(one.decided_at_ms), one.handed_out_at_ms]);
    let all = sequence.chain(messages).chain(actions).flatten();
    Some(all.max().map_or(Millis::MIN, Millis))
}

/// What is kept of one id. One that cannot be read is left out, and logged.
pub(super) fn told(id: &str, section: &[u8]) -> Option<pb::ExportedRecovery> {
    let Some(read) = Section::read(section) else {
        let bytes = section.len();
        tracing::error!(
            bytes,
            "left a recovery section out of an export: it cannot be read"
        );
        return None;
    };
    Some(pb::ExportedRecovery {
        shopper_id: id.to_owned(),
        sequence: read.sequence.as_ref().map(sequence),
        messages: read.messages.into_iter().map(message).collect(),
        actions: read.actions.into_iter().map(action).collect(),
        other_ids: read.other_ids,
    })
}

fn at(millis: i64) -> prost_types::Timestamp {
    time::encode(Millis(millis))
}

fn sequence(read: &Sequence) -> pb::ExportedSequence {
    let kind = match read.kind {
        0 => "cart",
        1 => "checkout",
        2 => "browse",
        3 => "lapsed",
        _ => "unknown",
    };
    let ended_by = match read.ended {
        0 => "",
        1 => "purchased",
        2 => "dismissed",
        3 => "emptied",
        _ => "unknown",
    };
    pb::ExportedSequence {
        kind: kind.to_owned(),
        cart_version: read.cart_version,
        last_active_at: Some(at(read.active_ms)),
        first_step: read.first,
        next_step: read.step,
        attempt: read.attempt,
        taken_attempt: read.taken_attempt,
        not_before: read.not_before_ms.map(at),
        ended_by: ended_by.to_owned(),
    }
}

fn message(read: Counted) -> pb::ExportedMessage {
    pb::ExportedMessage {
        idempotency_key: read.key,
        channel: read.channel,
        sent_at: read.sent_at_ms.map(at),
        reserved_until: read.reserved_until_ms.map(at),
    }
}

fn action(read: Open) -> pb::ExportedOpenAction {
    pb::ExportedOpenAction {
        decision_id: read.decision_id,
        cart_version: read.cart_version,
        step: read.step,
        attempt: read.attempt,
        channel: read.channel,
        bought_units: read.bought_units,
        decided_at: Some(at(read.decided_at_ms)),
        budget_period: read.period,
        max_cost_minor: read.max_cost_minor,
        handed_out_at: read.handed_out_at_ms.map(at),
    }
}

#[cfg(test)]
mod tests {
    use policy::person::{OpenAction, Person, Seen};
    use policy::sequence::{Kind, StepKey};

    use super::*;

    /// As the recovery role writes it.
    fn written() -> Person {
        let mut person = Person::default();
        person.observe(&Seen {
            cart_version: 3,
            kind: Some(Kind::Checkout),
            active_ms: 5,
            ..Seen::default()
        });
        person.sends.record("ann/2/0", "email", 7);
        let promised = ("ann/3/0", "email");
        person.sends.reserve(&[], promised, 7, 8).unwrap();
        person.actions.push(OpenAction {
            decision_id: "d1".to_owned(),
            key: StepKey {
                cart_version: 3,
                step: 1,
                attempt: 2,
            },
            channel: "sms".to_owned(),
            bought_units: 4,
            decided_at_ms: 6,
            period: "2026-01".to_owned(),
            max_cost_minor: 300,
            handed_out_at_ms: Some(9),
        });
        person.aliases = vec!["phone".to_owned()];
        person
    }

    #[test]
    fn all_that_the_recovery_role_keeps_of_a_person_is_told() {
        let told = told("ann", &written().encode()).unwrap();
        let message = |key: &str, sent_at, reserved_until| pb::ExportedMessage {
            idempotency_key: key.to_owned(),
            channel: "email".to_owned(),
            sent_at,
            reserved_until,
        };
        let expected = pb::ExportedRecovery {
            shopper_id: "ann".to_owned(),
            sequence: Some(pb::ExportedSequence {
                kind: Kind::Checkout.as_str().to_owned(),
                cart_version: 3,
                last_active_at: Some(at(5)),
                ..pb::ExportedSequence::default()
            }),
            messages: vec![
                message("ann/2/0", Some(at(7)), None),
                message("ann/3/0", None, Some(at(8))),
            ],
            actions: vec![pb::ExportedOpenAction {
                decision_id: "d1".to_owned(),
                cart_version: 3,
                step: 1,
                attempt: 2,
                channel: "sms".to_owned(),
                bought_units: 4,
                decided_at: Some(at(6)),
                budget_period: "2026-01".to_owned(),
                max_cost_minor: 300,
                handed_out_at: Some(at(9)),
            }],
            other_ids: vec!["phone".to_owned()],
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn the_newest_moment_is_that_of_a_step_a_message_or_an_action() {
        assert_eq!(newest(&written().encode()), Some(Millis(9)));
        let mut sent = written();
        sent.actions.clear();
        assert_eq!(newest(&sent.encode()), Some(Millis(8)));
        let linked = Person {
            aliases: vec!["phone".to_owned()],
            ..Person::default()
        };
        assert_eq!(newest(&linked.encode()), Some(Millis::MIN));
        let put_off = Section {
            version: 1,
            sequence: Some(Sequence {
                active_ms: 5,
                not_before_ms: Some(70),
                ..Sequence::default()
            }),
            ..Section::default()
        };
        assert_eq!(newest(&put_off.encode_to_vec()), Some(Millis(70)));
        assert_eq!(newest(b"\x08\x02"), None);
    }

    #[test]
    fn every_kind_and_every_end_has_its_name() {
        for kind in Kind::ALL {
            let mut person = Person::default();
            let begun = Seen {
                cart_version: 3,
                kind: Some(kind),
                ..Seen::default()
            };
            person.observe(&begun);
            let read = told("ann", &person.encode()).unwrap().sequence.unwrap();
            assert_eq!(
                (read.kind.as_str(), read.ended_by.as_str()),
                (kind.as_str(), "")
            );
        }
        let ends = ["", "purchased", "dismissed", "emptied", "unknown"];
        for (ended, name) in (0..).zip(ends) {
            let read = sequence(&Sequence {
                ended,
                ..Sequence::default()
            });
            assert_eq!(read.ended_by, name);
        }
    }

    #[test]
    fn a_section_of_a_later_version_is_left_out() {
        assert_eq!(told("ann", b"\x08\x02"), None);
        assert_eq!(told("ann", b"\xff"), None);
    }
}
