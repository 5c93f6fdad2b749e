//! Eligibility rules: what they can say, and what they cannot do.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap like tests do")]

use std::collections::BTreeMap;

use policy::{Inputs, Line, Policy};

/// A policy whose one arm has the rule.
fn parse(rule: &str) -> Result<Policy, String> {
    let file = format!(
        "version = \"t\"\n[[arm]]\nname = \"r\"\naction = \"reminder\"\nrecovery = 0.5\nwhen = {}\n",
        serde_json::to_string(rule).unwrap()
    );
    Policy::parse(&file).map_err(|problems| {
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].line, problems[0].column), (6, 8));
        assert_eq!(problems[0].key, "arm[0].when");
        problems[0].message.clone()
    })
}

fn inputs() -> Inputs {
    let line = |item_id: &str, quantity, price_minor, category: &str, brand: &str| Line {
        item_id: item_id.to_owned(),
        quantity,
        price_minor,
        category: category.to_owned(),
        brand: brand.to_owned(),
        ..Line::default()
    };
    Inputs {
        lines: vec![
            line("a", 2, 1500, "clothing.shoes", "Pasito"),
            line("b", 1, 4000, "kitchen.coffee", ""),
            line("c", 0, 0, "clothing.shoes", "Alba"),
        ],
        currency: "EUR".to_owned(),
        risk: 0.75,
        consented_channels: vec!["email".to_owned()],
        shopper: BTreeMap::from([
            ("purchases_30d".to_owned(), 2.0),
            ("views_24h".to_owned(), 9.0),
        ]),
        attributes: BTreeMap::from([("campaign".to_owned(), "spring".to_owned())]),
        ..Inputs::default()
    }
}

/// Whether the arm with this rule is eligible, or why not.
fn eligible(rule: &str) -> Result<(), String> {
    let decision = parse(rule).unwrap().decide(&inputs(), 0);
    decision.considered[1].eligible.clone()
}

fn refusal(rule: &str) -> String {
    parse(rule)
        .err()
        .unwrap_or_else(|| format!("ACCEPTED {rule}"))
}

#[test]
fn reads_the_cart_the_shopper_the_context_and_the_risk() {
    for rule in [
        "cart.value_minor == 7000 && cart.units == 4 && cart.currency == \"EUR\"",
        "\"kitchen.coffee\" in cart.categories && size(cart.categories) == 2",
        "cart.brands == [\"Pasito\", \"Alba\"]",
        "cart.lines.exists(l, l.price_minor >= 4000 && l.quantity == 1)",
        "cart.lines.filter(l, l.category.startsWith(\"clothing\")).size() == 2",
        "cart[\"value_minor\"] > 10",
        "shopper.purchases_30d >= 2 && shopper[\"views_24h\"] > 8.5",
        "has(shopper.views_24h) && !has(shopper.unknown_to_this_shopper)",
        "\"views_24h\" in shopper",
        "context.channel == \"email\" && context.attributes.campaign == \"spring\"",
        "has(context.attributes.campaign) && context.attributes[\"campaign\"].contains(\"ring\")",
        "risk > 0.7 && risk <= 0.75",
        "[1, 2, 3].all(n, n < cart.units)",
        "cart.units > 2 ? true : false",
    ] {
        assert_eq!(eligible(rule), Ok(()), "{rule}");
    }
}

#[test]
fn a_rule_that_does_not_hold_is_the_reason() {
    assert_eq!(
        eligible("cart.value_minor >= 10000"),
        Err("its rule does not hold: cart.value_minor >= 10000".to_owned())
    );
}

#[test]
fn a_rule_that_fails_makes_its_arm_ineligible_and_says_why() {
    for (rule, why) in [
        ("shopper.spent_30d > 5.0", "No such key: spent_30d"),
        ("1 / (cart.units - 4) > 0", "Division by zero"),
        ("cart.lines[7].quantity > 1", "Index out of bounds"),
        ("int(context.attributes.campaign) > 1", "campaign"),
        ("9223372036854775807 + cart.units > 0", "Overflow"),
    ] {
        let reason = eligible(rule).unwrap_err();
        assert!(
            reason.starts_with("its rule cannot be evaluated ("),
            "{reason}"
        );
        println!("{reason}");
        assert!(reason.ends_with(rule));
        assert!(reason.contains(why) || rule.contains(why), "{reason}");
    }
}

#[test]
fn refuses_what_does_not_exist_and_says_what_was_meant() {
    for (rule, said) in [
        (
            "cart.value_minr > 3",
            "unknown field of `cart` `value_minr`, did you mean `value_minor`?",
        ),
        (
            "crat.units > 3",
            "unknown variable `crat`, did you mean `cart`?",
        ),
        (
            "cart.lines.exists(l, l.price > 3)",
            "unknown field of a line `price`",
        ),
        (
            "cart.lines.exists(l, l[\"pric\"] > 3)",
            "unknown field of a line `pric`",
        ),
        ("context.chanel == \"email\"", "did you mean `channel`?"),
        (
            "sise(cart.lines) > 3",
            "unknown function `sise`, did you mean `size`?",
        ),
        (
            "cart.currency.matches(\"E.*\")",
            "unknown function `matches`",
        ),
        ("optional.of(1).hasValue()", "unknown"),
        ("arm.name == \"x\"", "unknown variable `arm`"),
        ("Cart{units: 3}.units > 2", "makes a message"),
    ] {
        let message = refusal(rule);
        assert!(message.contains(said), "{rule}: {message}");
    }
}

#[test]
fn refuses_what_is_not_true_or_false() {
    for (rule, said) in [
        (
            "cart.value_minor",
            "gives a value of type int, only true or false are allowed",
        ),
        ("cart.lines.filter(l, true)", "type list"),
        ("\"yes\"", "type string"),
        ("cart.units > 0 ? risk : 1.0", "type float"),
        ("cart.units > 0 ? 3 : true", "type int"),
    ] {
        let message = refusal(rule);
        assert!(message.contains(said), "{rule}: {message}");
    }
}

#[test]
fn refuses_types_that_do_not_fit() {
    for rule in [
        "cart.currency > 3",
        "cart.units + \"a\" == \"b\"",
        "!cart.units",
        "cart.units && true",
    ] {
        let message = refusal(rule);
        assert!(message.contains("cannot be evaluated"), "{rule}: {message}");
    }
}

#[test]
fn refuses_one_comprehension_inside_another() {
    for rule in [
        "cart.lines.all(a, cart.lines.all(b, cart.lines.all(c, true)))",
        "cart.lines.exists(a, [1, 2].exists(b, b > a.quantity))",
        "[[1].map(x, x)].exists(y, true)",
        "cart.lines.map(a, cart.lines.map(b, 1)).size() > 3",
        "cart.lines.filter(a, true).map(a, a.quantity).exists(q, q > 1)",
    ] {
        let message = refusal(rule);
        let refused = message.contains("inside another") || message.contains("something other");
        assert!(refused, "{rule}: {message}");
    }
}

#[test]
fn refuses_to_walk_what_has_no_defined_order() {
    for rule in [
        "shopper.exists(name, name == \"a\")",
        "context.attributes.all(name, true)",
        "{\"a\": 1, \"b\": 2}.exists(name, true)",
        "size(shopper) > 3",
        "shopper == shopper",
        "context.attributes == {}",
        "shopper[cart.currency] > 1.0",
        "cart.currency in shopper",
        "context.attributes[cart.currency] == \"x\"",
    ] {
        assert!(!refusal(rule).starts_with("ACCEPTED"), "{}", refusal(rule));
    }
}

/// Each attack on a stack of its own that is smaller than that of any server thread.
#[test]
fn hostile_text_is_refused_without_a_stack_overflow() {
    let deep = |open: &str, middle: &str, close: &str, n: usize| {
        format!("{}{middle}{}", open.repeat(n), close.repeat(n))
    };
    let mut attacks = vec![
        format!("cart.units > {}", "1".repeat(10_000)),
        "a".repeat(10_000),
        deep("(", "true", ")", 5_000),
        deep("(", "true", ")", 400),
        deep("[", "1", "]", 400),
        deep("{1:", "1", "}", 200),
        deep("size(", "cart.lines", ")", 100),
        "(".repeat(900),
        "!".repeat(900) + "true",
        "-".repeat(900) + "1 > 0",
        "true ? ".repeat(120) + "true" + &" : true".repeat(120),
        "true ? true : ".repeat(70) + "true",
        "\"".repeat(901),
        "\\".repeat(900),
        format!("cart{}", ".a".repeat(490)),
        format!("cart.lines{}", "[0]".repeat(300)),
        "1 + ".repeat(240) + "1 > 0",
        "true && ".repeat(120) + "true",
        "cart.lines.all(a, ".repeat(50) + "true" + &")".repeat(50),
        "\u{0}\u{1}\u{feff}".repeat(100),
        "'''".repeat(300),
        "/*".repeat(400),
        "0x".repeat(400),
        "`a`.".repeat(200),
        String::new(),
        "   ".to_owned(),
    ];
    attacks.push("\u{1f600}".repeat(240));
    for attack in attacks {
        let shown: String = attack.chars().take(30).collect();
        let worker = std::thread::Builder::new().stack_size(512 * 1024);
        let thread = worker.spawn(move || parse(&attack).map(|policy| policy.decide(&inputs(), 0)));
        match thread.unwrap().join().unwrap() {
            Ok(decision) => println!("{shown}… accepted, chose {}", decision.arm),
            Err(message) => println!("{shown}… {message}"),
        }
    }
}

#[test]
fn refuses_the_overlong_and_the_deep_by_name() {
    assert!(refusal(&"1".repeat(10_000)).contains("10000 bytes long, at most 1000"));
    assert!(refusal(&format!("{}true{}", "(".repeat(60), ")".repeat(60))).contains("deeper than"));
    assert!(refusal("cart.units >").contains("is not valid CEL"));
    assert!(refusal(" ").contains("is empty"));
}

#[test]
fn brackets_inside_of_texts_do_not_count() {
    let rule = format!("context.attributes.campaign != '{}\\''", "(".repeat(40));
    assert_eq!(eligible(&rule), Ok(()));
}

#[test]
fn says_which_features_its_rules_read() {
    let policy = parse("has(shopper.b) && shopper.a > 1.0 && shopper[\"c\"] > 0.0").unwrap();
    assert_eq!(policy.shopper_features(), ["a", "b", "c"]);
}

#[test]
fn the_channel_that_rules_see_is_the_one_decided_on() {
    assert_eq!(
        eligible("context.channel == \"email\""),
        Ok(()),
        "the default of the policy"
    );
}
