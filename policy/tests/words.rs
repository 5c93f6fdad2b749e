//! What a shop owner reads.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

use policy::{Decision, Inputs, Line, Policy};

/// The example of docs/policy.md.
fn example() -> Inputs {
    Inputs {
        lines: vec![Line {
            item_id: "a".to_owned(),
            quantity: 1,
            price_minor: 9_000,
            cost_minor: Some(4_000),
            ..Line::default()
        }],
        currency: "EUR".to_owned(),
        risk: 0.64,
        consented_channels: vec!["email".to_owned()],
        ..Inputs::default()
    }
}

fn shipped(inputs: &Inputs) -> Decision {
    Policy::parse(Policy::DEFAULT).unwrap().decide(inputs, 0)
}

#[test]
fn the_example_of_the_documentation_is_what_happens() {
    let decision = shipped(&example());
    let value = |arm: &str| {
        decision
            .considered
            .iter()
            .find(|other| other.arm == arm)
            .map(|other| other.value_minor)
    };
    assert_eq!(decision.arm, "reminder");
    assert_eq!(value("reminder"), Some(95));
    assert_eq!(value("free_shipping"), Some(-62));
    assert_eq!(value("ten_percent"), Some(-207));
    assert_eq!(
        decision.reasons,
        [
            "a reminder is worth 0.95 EUR more than doing nothing: 64 % risk of being left, 50.00 EUR margin at stake",
            "the policy expects it to win back 3 % of carts that would be left for good",
            "doing nothing comes next, 0.95 EUR behind",
        ]
    );
    assert_eq!(
        decision.runner_up.unwrap().flips_when,
        "wins if risk were below 0.006 (now 64 %)"
    );
}

#[test]
fn an_offer_says_what_it_takes_off_and_where_the_margin_is_a_guess() {
    let mut inputs = example();
    inputs.risk = 0.99;
    inputs.messages_7d = 2;
    inputs.lines.push(Line {
        quantity: 1,
        price_minor: 60_000,
        ..Line::default()
    });
    let decision = shipped(&inputs);
    assert_eq!(decision.arm, "ten_percent");
    assert_eq!(
        decision.reasons[1..],
        [
            "it takes 15.00 EUR off this cart: 10 %, at most 15.00 EUR, and never more than a line's margin",
            "the policy expects it to win back 4.5 % of carts that would be left for good",
            "2 messages in the last 7 days make one more cost 0.06 EUR of goodwill",
            "the cost of 1 of 2 lines is not known: their margin is taken as 25 %",
            "a limited-time offer (today_only) comes next, 0.29 EUR behind",
        ]
    );
}

#[test]
fn what_is_not_eligible_never_wins_and_says_why() {
    let mut inputs = example();
    inputs.consented_channels.clear();
    let decision = shipped(&inputs);
    assert_eq!(
        decision.reasons,
        ["nothing can be done: the shopper has not agreed to messages by email"]
    );
    assert_eq!(
        decision.runner_up.unwrap().flips_when,
        "never, it is not eligible: the shopper has not agreed to messages by email"
    );
}

const TWO: &str = "version = \"t\"\n[[arm]]\nname = \"reminder\"\naction = \"reminder\"\nrecovery = 0.1\n[[arm]]\nname = \"off\"\naction = \"fixed_coupon\"\nvalid_for = \"1d\"\n";

fn runner_up(arms: &str, inputs: &Inputs) -> String {
    let decision = Policy::parse(&format!("{TWO}{arms}"))
        .unwrap()
        .decide(inputs, 0);
    let next = decision.runner_up.unwrap();
    format!("{} against {} {}", next.arm, decision.arm, next.flips_when)
}

#[test]
fn where_no_risk_flips_the_choice_the_margin_or_the_discount_does() {
    // a·0.1·50.00 = 5.00 against a·0.3·M − (0.3)·10.00 at a = 1: even at M = 15.00.
    let mut inputs = example();
    inputs.risk = 1.0;
    inputs.lines[0].cost_minor = Some(7_800);
    assert_eq!(
        runner_up("amount_minor = 1000\nrecovery = 0.3\n", &inputs),
        "off against reminder wins if the cart's margin were above 15.00 EUR (now 12.00 EUR)"
    );
    // At equal recovery nothing speaks for a coupon.
    assert_eq!(
        runner_up("amount_minor = 100\nrecovery = 0.1\n", &inputs),
        "off against reminder never, whatever the risk, the margin or the discount"
    );
}

#[test]
fn a_cart_without_prices_says_that_nothing_can_be_gained() {
    let mut inputs = example();
    inputs.lines[0].price_minor = 0;
    assert_eq!(
        shipped(&inputs).reasons,
        ["doing nothing is best: no line has a price, so nothing can be gained"]
    );
}
