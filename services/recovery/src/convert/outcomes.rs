//! The wire form of what became of decisions.

use kit::{Clock, Problem, Violations, timestamp};
use pb::outcome_result::Status;
use proto::v1 as pb;

use crate::outcome::{Kind, Report};
use crate::outcomes::Taken;

// Limits of the contract, as stated in `outcomes.proto`.
const REPORTS: usize = 1_000;
const ID_BYTES: usize = 128;
const MOST_MINOR: i64 = 1_000_000_000_000;
const CHANNELS: [&str; 4] = ["email", "sms", "push", "onsite"];
const PURPOSES: [&str; 3] = ["marketing", "profiling", "transactional"];
/// How far ahead of ours the clock of whoever reports may be.
const AHEAD_MS: i64 = 5 * 60_000;

/// Each report by itself: one that is not good is answered with what is wrong first.
pub(crate) fn reports(
    message: pb::ReportOutcomesRequest,
    clock: &Clock,
) -> Result<Vec<Result<Report, Taken>>, Problem> {
    let mut found = Violations::new();
    found.check_count("reports", message.reports.len(), REPORTS);
    if !found.is_empty() {
        return Err(Problem::Invalid(found.into_vec()));
    }
    let read = |report| report_of(report, clock);
    Ok(message.reports.into_iter().map(read).collect())
}

pub(crate) fn outcome_results(taken: Vec<Taken>) -> pb::ReportOutcomesResponse {
    let result = |taken: Taken| {
        let (status, field, reason) = match taken {
            Taken::Accepted => (Status::Accepted, String::new(), String::new()),
            Taken::Duplicate => (Status::Duplicate, String::new(), String::new()),
            Taken::Rejected(field, reason) => (Status::Rejected, field, reason),
        };
        pb::OutcomeResult {
            status: status.into(),
            reason,
            field,
        }
    };
    pb::ReportOutcomesResponse {
        results: taken.into_iter().map(result).collect(),
    }
}

fn report_of(message: pb::OutcomeReport, clock: &Clock) -> Result<Report, Taken> {
    let mut found = Violations::new();
    found.check_id("shopper_id", &message.shopper_id);
    let kind = kind(message.kind, &mut found);
    // Money is given back for orders that no decision had to do with, too.
    if kind != Some(Kind::Refund) || !message.decision_id.is_empty() {
        found.check_id("decision_id", &message.decision_id);
    }
    check_length("report_id", &message.report_id, &mut found);
    let at = message.occurred_at.as_ref();
    let occurred_at_ms = timestamp::given_or_now(&mut found, "occurred_at", at, clock);
    let now_ms = clock.now_ms();
    let is_past = occurred_at_ms <= now_ms.saturating_add(AHEAD_MS);
    found.check(is_past, "occurred_at", || {
        let ahead_s = occurred_at_ms.saturating_sub(now_ms) / 1_000;
        format!("is {ahead_s} s ahead of the clock, at most 300 s are allowed")
    });
    if let Some(kind) = kind {
        check_order(kind, &message, &mut found);
        check_consent(kind, &message, &mut found);
    }
    let (Some(kind), true) = (kind, found.is_empty()) else {
        let (field, why) = found.into_vec().into_iter().next().unwrap_or_default();
        return Err(Taken::Rejected(field, why));
    };
    Ok(Report {
        kind,
        occurred_at_ms,
        purpose: match (kind.withdraws(), message.purpose.as_str()) {
            (true, "") => "marketing".to_owned(),
            (_, _) => message.purpose,
        },
        report_id: message.report_id,
        shopper_id: message.shopper_id,
        decision_id: message.decision_id,
        order_id: message.order_id,
        value_minor: message.value_minor,
        discount_minor: message.discount_minor,
        currency: message.currency,
        channel: message.channel,
    })
}

fn kind(number: i32, found: &mut Violations) -> Option<Kind> {
    let kind = u32::try_from(number).ok().and_then(Kind::from_code);
    if kind.is_none() {
        let known = Kind::ALL.map(Kind::as_str).join(", ");
        found.add("kind", format!("is {number}, one of {known} is needed"));
    }
    kind
}

/// An order has an id and a value; nothing else has either.
fn check_order(kind: Kind, message: &pb::OutcomeReport, found: &mut Violations) {
    let (name, value) = (kind.as_str(), message.value_minor);
    let discount = message.discount_minor;
    if kind.is_of_order() {
        found.check_id("order_id", &message.order_id);
        found.check((1..=MOST_MINOR).contains(&value), "value_minor", || {
            format!("is {value}, 1 to {MOST_MINOR} is allowed with {name}")
        });
        let currency = &message.currency;
        let is_one = currency.len() == 3 && currency.bytes().all(|one| one.is_ascii_uppercase());
        found.check(is_one, "currency", || {
            format!("is {currency:?}, three upper-case letters are needed with {name}")
        });
    } else {
        for (field, given) in [
            ("order_id", &message.order_id),
            ("currency", &message.currency),
        ] {
            only_with_orders(field, given, given.is_empty(), name, found);
        }
        only_with_orders("value_minor", &value, value == 0, name, found);
    }
    let most = if kind == Kind::Recovered {
        MOST_MINOR
    } else {
        0
    };
    found.check((0..=most).contains(&discount), "discount_minor", || {
        format!("is {discount}, 0 to {most} is allowed with {name}")
    });
    if kind == Kind::Refund {
        // Several may come of one order, and none may be lost or count twice.
        found.check_id("report_id", &message.report_id);
    }
}

fn only_with_orders(
    field: &str,
    given: &dyn std::fmt::Debug,
    is_absent: bool,
    kind: &str,
    found: &mut Violations,
) {
    found.check(is_absent, field, || {
        format!("is {given:?} and kind is {kind}: only RECOVERED and REFUND have one")
    });
}

fn check_consent(kind: Kind, message: &pb::OutcomeReport, found: &mut Violations) {
    let fields = [
        ("purpose", &message.purpose, &PURPOSES[..]),
        ("channel", &message.channel, &CHANNELS[..]),
    ];
    for (field, given, allowed) in fields {
        let is_known = allowed.contains(&given.as_str());
        let name = kind.as_str();
        if kind.withdraws() {
            found.check(given.is_empty() || is_known, field, || {
                format!("is {given:?}, one of {} is allowed", allowed.join(", "))
            });
        } else {
            found.check(given.is_empty(), field, || {
                format!("is {given:?} and kind is {name}: only COMPLAINT and UNSUBSCRIBE have one")
            });
        }
    }
}

fn check_length(field: &str, text: &str, found: &mut Violations) {
    found.check(text.len() <= ID_BYTES, field, || {
        format!("has {} bytes, at most {ID_BYTES} are allowed", text.len())
    });
}
