//! Requests from the wire: every field is checked, and a refusal names all that are at fault.

use std::collections::{BTreeMap, HashMap};

use kit::{Problem, Violations, timestamp};
use proto::v1 as pb;

use crate::request::{CartLine, Context, Mode, Occasion, RankRequest, Request};

// Limits of the contract, as stated in `recovery.proto` and `features.proto`.
const TEXT_BYTES: usize = 128;
const CATEGORY_BYTES: usize = 256;
const CART_LINES: usize = 200;
const QUANTITY: u32 = 10_000;
const PRICE_MINOR: i64 = 1_000_000_000_000;
const ATTRIBUTES: usize = 32;
const ATTRIBUTE_BYTES: usize = 256;
const RANKED_ITEMS: usize = 1_000;
const CHANNELS: [&str; 4] = ["email", "sms", "push", "onsite"];

pub(crate) fn decide_request(message: pb::DecideRequest) -> Result<Request, Problem> {
    let mut found = Violations::new();
    let mode = mode(message.mode, &mut found);
    found.check_id("shopper_id", &message.shopper_id);
    check_request_id(&message.request_id, mode, &mut found);
    check_bytes(&message.generation, TEXT_BYTES, "generation", &mut found);
    let request = Request {
        cart: cart(message.cart, &mut found),
        context: context(message.context.unwrap_or_default(), &mut found),
        now_ms: now(message.now.as_ref(), &mut found),
        request_id: message.request_id,
        shopper_id: message.shopper_id,
        generation: message.generation,
        mode,
        occasion: Occasion::Asked,
    };
    refuse_or(request, found)
}

/// The shopper and the id of the decision.
pub(crate) fn get_decision_request(
    message: pb::GetDecisionRequest,
) -> Result<(String, String), Problem> {
    let mut found = Violations::new();
    found.check_id("shopper_id", &message.shopper_id);
    found.check_id("decision_id", &message.decision_id);
    refuse_or((message.shopper_id, message.decision_id), found)
}

pub(crate) fn rank_request(message: pb::RankRequest) -> Result<RankRequest, Problem> {
    let mut found = Violations::new();
    match (message.shopper_id.is_empty(), message.cart.is_empty()) {
        (true, true) => found.add("shopper_id", "is empty: give either the shopper or a cart"),
        (false, false) => found.add("shopper_id", "is given with a cart: give one of them"),
        (false, true) => found.check_id("shopper_id", &message.shopper_id),
        (true, false) => {}
    }
    found.check_count("item_ids", message.item_ids.len(), RANKED_ITEMS);
    for (at, item_id) in message.item_ids.iter().take(RANKED_ITEMS).enumerate() {
        found.check_id(&format!("item_ids[{at}]"), item_id);
    }
    check_bytes(&message.generation, TEXT_BYTES, "generation", &mut found);
    let request = RankRequest {
        cart: cart(message.cart, &mut found),
        now_ms: now(message.now.as_ref(), &mut found),
        shopper_id: message.shopper_id,
        item_ids: message.item_ids,
        generation: message.generation,
    };
    refuse_or(request, found)
}

fn refuse_or<T>(request: T, found: Violations) -> Result<T, Problem> {
    if found.is_empty() {
        Ok(request)
    } else {
        Err(Problem::Invalid(found.into_vec()))
    }
}

fn mode(number: i32, found: &mut Violations) -> Mode {
    match pb::decide_request::Mode::try_from(number) {
        Ok(pb::decide_request::Mode::Preview) => Mode::Preview,
        Ok(pb::decide_request::Mode::Commit) => Mode::Commit,
        Err(_) => {
            found.add(
                "mode",
                format!("is {number}, 0 (PREVIEW) or 1 (COMMIT) is allowed"),
            );
            Mode::Preview
        }
    }
}

fn check_request_id(request_id: &str, mode: Mode, found: &mut Violations) {
    match mode {
        Mode::Commit => found.check_id("request_id", request_id),
        Mode::Preview => check_bytes(request_id, TEXT_BYTES, "request_id", found),
    }
}

fn check_bytes(text: &str, limit: usize, field: &str, found: &mut Violations) {
    let length = text.len();
    found.check(length <= limit, field, || {
        format!("has {length} bytes, at most {limit} are allowed")
    });
}

fn now(at: Option<&prost_types::Timestamp>, found: &mut Violations) -> Option<i64> {
    let decoded = timestamp::decode(at?);
    decoded.map_err(|why| found.add("now", why)).ok()
}

fn cart(lines: Vec<pb::CartLine>, found: &mut Violations) -> Vec<CartLine> {
    let count = lines.len();
    if count > CART_LINES {
        found.add(
            "cart",
            format!("has {count} lines, at most {CART_LINES} are allowed"),
        );
        return Vec::new();
    }
    for (at, line) in lines.iter().enumerate() {
        check_line(line, at, found);
    }
    lines.into_iter().map(super::cart_line).collect()
}

fn check_line(line: &pb::CartLine, at: usize, found: &mut Violations) {
    let field = |name: &str| format!("cart[{at}].{name}");
    found.check_id(&field("item_id"), &line.item_id);
    let quantity = line.quantity;
    found.check(quantity <= QUANTITY, &field("quantity"), || {
        format!("is {quantity}, at most {QUANTITY} is allowed")
    });
    let price = line.price_minor;
    found.check(
        (0..=PRICE_MINOR).contains(&price),
        &field("price_minor"),
        || format!("is {price}, 0 to {PRICE_MINOR} is allowed"),
    );
    check_currency(line, &field("currency"), found);
    check_bytes(&line.category, CATEGORY_BYTES, &field("category"), found);
    check_bytes(&line.brand, TEXT_BYTES, &field("brand"), found);
    if let Some(Err(why)) = line.added_at.as_ref().map(timestamp::decode) {
        found.add(field("added_at"), why);
    }
}

fn check_currency(line: &pb::CartLine, field: &str, found: &mut Violations) {
    let code = &line.currency;
    if code.is_empty() {
        found.check(line.price_minor == 0, field, || {
            "is empty, a price needs an ISO 4217 code".to_owned()
        });
    } else {
        let holds = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        found.check(holds, field, || {
            format!("is {code:?}, three upper-case letters are allowed")
        });
    }
}

fn context(context: pb::Context, found: &mut Violations) -> Context {
    let channel = context.channel;
    found.check(
        channel.is_empty() || CHANNELS.contains(&channel.as_str()),
        "context.channel",
        || format!("is {channel:?}, one of {} is allowed", CHANNELS.join(", ")),
    );
    Context {
        attributes: attributes(context.attributes, found),
        channel,
    }
}

fn attributes(given: HashMap<String, String>, found: &mut Violations) -> BTreeMap<String, String> {
    let count = given.len();
    if count > ATTRIBUTES {
        let allowed = format!("has {count} entries, at most {ATTRIBUTES} are allowed");
        found.add("context.attributes", allowed);
        return BTreeMap::new();
    }
    let given: BTreeMap<String, String> = given.into_iter().collect();
    for (key, value) in &given {
        let holds = (1..=ATTRIBUTE_BYTES).contains(&key.len()) && value.len() <= ATTRIBUTE_BYTES;
        let shown: String = key.chars().take(32).collect();
        found.check(holds, &format!("context.attributes[{shown}]"), || {
            let (key, value) = (key.len(), value.len());
            format!(
                "has a key of {key} and a value of {value} bytes, \
                 1 to {ATTRIBUTE_BYTES} and up to {ATTRIBUTE_BYTES} are allowed"
            )
        });
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(problem: Problem) -> Vec<String> {
        let Problem::Invalid(found) = problem else {
            panic!("not a refusal of fields: {problem:?}");
        };
        found.into_iter().map(|(field, _)| field).collect()
    }

    fn good() -> pb::DecideRequest {
        let line = pb::CartLine {
            item_id: "1".to_owned(),
            ..Default::default()
        };
        pb::DecideRequest {
            shopper_id: "s".to_owned(),
            cart: vec![line.clone(), line.clone(), line],
            ..Default::default()
        }
    }

    fn refused(change: impl FnOnce(&mut pb::DecideRequest)) -> Vec<String> {
        let mut message = good();
        change(&mut message);
        fields(decide_request(message).unwrap_err())
    }

    #[test]
    fn reads_a_quantity_of_zero_as_one() {
        let request = decide_request(good()).unwrap();
        assert_eq!(request.cart[0].quantity, 1);
        assert_eq!(request.mode, Mode::Preview);
    }

    #[test]
    fn names_the_field_at_fault() {
        assert_eq!(refused(|m| m.shopper_id.clear()), ["shopper_id"]);
        assert_eq!(refused(|m| m.mode = 1), ["request_id"]);
        assert_eq!(refused(|m| m.mode = 9), ["mode"]);
        assert_eq!(refused(|m| m.generation = "x".repeat(129)), ["generation"]);
        assert_eq!(
            refused(|m| m.cart[2].quantity = 10_001),
            ["cart[2].quantity"]
        );
        assert_eq!(refused(|m| m.cart[1].item_id.clear()), ["cart[1].item_id"]);
        assert_eq!(refused(|m| m.cart[0].price_minor = 5), ["cart[0].currency"]);
        assert_eq!(
            refused(|m| m.cart[0].currency = "eur".to_owned()),
            ["cart[0].currency"]
        );
        assert_eq!(
            refused(|m| m.cart[0].brand = "x".repeat(129)),
            ["cart[0].brand"]
        );
        assert_eq!(
            refused(|m| m.cart = vec![pb::CartLine::default(); 201]),
            ["cart"]
        );
    }

    #[test]
    fn names_every_field_at_fault_at_once() {
        let found = refused(|m| {
            m.shopper_id.clear();
            m.cart[1].price_minor = -1;
            m.cart[2].item_id.clear();
        });
        assert_eq!(found[..1], ["shopper_id"]);
        assert!(found.contains(&"cart[1].price_minor".to_owned()));
        assert!(found.contains(&"cart[2].item_id".to_owned()));
    }

    #[test]
    fn refuses_a_context_out_of_bounds() {
        let context = |channel: &str, count: usize, value: &str| pb::Context {
            channel: channel.to_owned(),
            attributes: (0..count)
                .map(|at| (format!("k{at}"), value.to_owned()))
                .collect(),
        };
        assert_eq!(
            refused(|m| m.context = Some(context("pigeon", 0, ""))),
            ["context.channel"]
        );
        assert_eq!(
            refused(|m| m.context = Some(context("", 33, ""))),
            ["context.attributes"]
        );
        let long = "x".repeat(257);
        assert_eq!(
            refused(|m| m.context = Some(context("", 1, &long))),
            ["context.attributes[k0]"]
        );
    }

    #[test]
    fn refuses_a_time_outside_the_calendar() {
        let time = |seconds, nanos| Some(prost_types::Timestamp { seconds, nanos });
        assert_eq!(refused(|m| m.now = time(1 << 60, 0)), ["now"]);
        assert_eq!(refused(|m| m.now = time(1, -1)), ["now"]);
        assert_eq!(
            refused(|m| m.cart[0].added_at = time(1, 1_000_000_000)),
            ["cart[0].added_at"]
        );
    }

    #[test]
    fn ranking_takes_a_shopper_or_a_cart_and_items() {
        let rank = |shopper: &str, lines: usize, items: &[&str]| {
            rank_request(pb::RankRequest {
                shopper_id: shopper.to_owned(),
                cart: good().cart.into_iter().take(lines).collect(),
                item_ids: items.iter().map(|id| (*id).to_owned()).collect(),
                ..Default::default()
            })
        };
        assert!(rank("s", 0, &["1"]).is_ok());
        assert!(rank("", 1, &["1"]).is_ok());
        assert_eq!(fields(rank("", 0, &["1"]).unwrap_err()), ["shopper_id"]);
        assert_eq!(fields(rank("s", 1, &["1"]).unwrap_err()), ["shopper_id"]);
        assert_eq!(fields(rank("s", 0, &[]).unwrap_err()), ["item_ids"]);
        assert_eq!(
            fields(rank("s", 0, &["1", ""]).unwrap_err()),
            ["item_ids[1]"]
        );
        assert_eq!(
            fields(rank("s", 0, &["1"; 1_001]).unwrap_err()),
            ["item_ids"]
        );
    }
}
