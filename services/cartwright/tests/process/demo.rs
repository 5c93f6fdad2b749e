//! The demo's figures, on each store and with each way to run.

use std::collections::HashSet;

use serde_json::Value;

use super::support::{Redis, data, succeed, text};

/// Runs `demo --once` and gives its stdout and its JSON.
fn demo(args: &[&str]) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.json");
    let mut all = vec!["demo", "--once", "--json", text(&file)];
    all.extend(args);
    let said = succeed(&all);
    let json = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    (said, json)
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no count"))
}

fn hangs_together(json: &Value) {
    let events = &json["events"];
    let sum: u64 = ["accepted", "duplicate", "rejected"]
        .iter()
        .map(|k| number(&events[k]))
        .sum();
    assert_eq!(number(&events["pushed"]), sum, "{events}");
    let decisions = json["decisions"].as_array().unwrap();
    assert!(!decisions.is_empty());
    let known = [
        "nothing",
        "reminder",
        "percent_coupon",
        "fixed_coupon",
        "free_shipping",
    ];
    for decision in decisions {
        let action = decision["action"].as_str().unwrap();
        assert!(
            known.contains(&action) || action == "limited_time_offer",
            "{decision}"
        );
        let risk = decision["risk"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&risk), "{decision}");
        assert!(
            !decision["reasons"].as_array().unwrap().is_empty(),
            "{decision}"
        );
        assert_eq!(
            decision["degraded"].as_array().unwrap().len(),
            0,
            "{decision}"
        );
        assert_eq!(decision["generation"], decisions[0]["generation"]);
    }
    let latency = &json["latency_ms"]["decide"];
    assert!(latency["p50"].as_f64().unwrap() <= latency["p99"].as_f64().unwrap());
}

/// What must not depend on where the roles run and which store they use.
fn without_latency(mut json: Value) -> Value {
    json["latency_ms"] = Value::Null;
    json
}

#[test]
fn the_generated_shop_gets_decisions() {
    let (said, json) = demo(&[]);
    hangs_together(&json);
    assert!(said.contains("decisions"), "{said}");
}

#[test]
fn real_carts_get_the_same_decisions_on_every_store_and_in_three_processes() {
    let Some(events) = data("rees46-oct2019-head/events.csv.zst") else {
        return;
    };
    let file = ["--events", text(&events), "--format", "rees46"];
    let (_, here) = demo(&file);
    hangs_together(&here);
    let expected = serde_json::json!(
        { "pushed": 17_434, "accepted": 17_429, "duplicate": 5, "rejected": 0 }
    );
    assert_eq!(here["events"], expected);
    let carts = &here["carts"];
    let total: u64 = ["open", "purchased", "abandoned"]
        .iter()
        .map(|k| number(&carts[k]))
        .sum();
    assert_eq!(total, 111, "{carts}");
    assert_eq!(number(&carts["purchased"]), 55, "{carts}");
    shows_items_that_exist_and_are_not_in_the_cart(&here, &events);

    let here = without_latency(here);
    let redis = Redis::start();
    let on_redis = [&file[..], &["--redis", &redis.url]].concat();
    assert_eq!(without_latency(demo(&on_redis).1), here, "Redis");
    assert_eq!(
        without_latency(demo(&on_redis).1),
        here,
        "the same Redis again"
    );
    let apart = [&on_redis[..], &["--processes", "3"]].concat();
    assert_eq!(without_latency(demo(&apart).1), here, "three processes");
}

fn shows_items_that_exist_and_are_not_in_the_cart(json: &Value, events: &std::path::Path) {
    let log = trainer::readers::scan(events, trainer::readers::Format::Rees46, &mut |_, _| {});
    let log = log.unwrap().events;
    let items: HashSet<&str> = log.iter().map(|event| event.item_id.as_str()).collect();
    let mut shown = 0;
    for decision in json["decisions"].as_array().unwrap() {
        let shopper = decision["shopper_id"].as_str().unwrap();
        let carted = log.iter().filter(|event| {
            event.shopper_id == shopper && event.kind == feature_store::EventKind::AddToCart
        });
        let bought: HashSet<&str> = log
            .iter()
            .filter(|event| {
                event.shopper_id == shopper && event.kind == feature_store::EventKind::Purchase
            })
            .map(|event| event.item_id.as_str())
            .collect();
        let cart: HashSet<&str> = carted
            .map(|event| event.item_id.as_str())
            .filter(|item| !bought.contains(item))
            .collect();
        for item in decision["items"].as_array().unwrap() {
            let item = item.as_str().unwrap();
            assert!(items.contains(item), "{item} does not exist");
            assert!(!cart.contains(item), "{item} is in the cart of {shopper}");
            shown += 1;
        }
    }
    assert!(shown > 0, "nothing was shown to anyone");
}
