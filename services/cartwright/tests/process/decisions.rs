//! Ten thousand decisions of the real pipeline, made again by another process from their log alone.

use std::collections::BTreeMap;

use prost::Message as _;
use proto::v1 as pb;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use proto::v1::shopper_service_client::ShopperServiceClient;
use recovery::record::Record;

use super::support::{Server, run, snapshot, succeed, text};

const DECISIONS: usize = 10_000;
const BATCH: usize = 250;
/// So many that few of them come up against the cap.
const SHOPPERS: usize = 2_499;

const POLICY: &str = r#"
version = "replayed"
[exploration]
epsilon = 0.3
max_regret_minor = 100000
[holdout]
share = 0.1
salt = "replayed"
[budget]
amount_minor = 100000000
period = "month"
[[arm]]
name = "reminder"
action = "reminder"
recovery = 0.03
[[arm]]
name = "ten"
action = "percent_coupon"
percent_off = 0.10
max_discount_minor = 2000
valid_for = "48h"
recovery = 0.09
when = 'cart.value_minor >= 5000 && !("outlet" in cart.categories)'
[[arm]]
name = "five euros"
action = "fixed_coupon"
amount_minor = 500
valid_for = "48h"
recovery = 0.08
channels = ["email", "push"]
[[arm]]
name = "shipping"
action = "free_shipping"
shipping_cost_minor = 490
valid_for = "48h"
recovery = 0.07
when = 'risk >= 0.2 && cart.lines.all(l, l.quantity < 5)'
[[arm]]
name = "today"
action = "limited_time_offer"
percent_off = 0.15
max_discount_minor = 1500
valid_for = "6h"
recovery = 0.1
when = 'context.attributes.vip == "yes"'
"#;

/// A cart like no other: one to eight lines, known prices and unknown ones, cheap and dear.
fn cart(number: usize) -> Vec<pb::CartLine> {
    let line = |at: usize| {
        let mixed = number * 31 + at * 17;
        let price_minor = match mixed % 9 {
            0 => 0,
            rest => i64::try_from(rest * mixed % 30_000 + 100).unwrap(),
        };
        pb::CartLine {
            item_id: format!("{}", mixed % 12 + 1),
            quantity: u32::try_from(mixed % 6 + 1).unwrap(),
            price_minor,
            currency: if price_minor > 0 { "EUR" } else { "" }.to_owned(),
            category: ["shoes.running", "outlet", "", "books"][mixed % 4].to_owned(),
            brand: ["north", "Alba", ""][mixed % 3].to_owned(),
            ..pb::CartLine::default()
        }
    };
    (0..number % 8 + 1).map(line).collect()
}

fn request(number: usize) -> pb::DecideRequest {
    let vip = [("vip".to_owned(), "yes".to_owned())];
    pb::DecideRequest {
        request_id: format!("request-{number}"),
        shopper_id: format!("shopper-{}", number % SHOPPERS),
        cart: cart(number),
        context: Some(pb::Context {
            channel: ["", "email", "push", "sms"][number % 4].to_owned(),
            attributes: vip
                .into_iter()
                .filter(|_| number.is_multiple_of(3))
                .collect(),
        }),
        mode: pb::decide_request::Mode::Commit.into(),
        ..pb::DecideRequest::default()
    }
}

async fn agree(url: String) {
    let mut shoppers = ShopperServiceClient::connect(url).await.unwrap();
    // One in five never agreed to anything.
    for number in (0..SHOPPERS).filter(|number| number % 5 != 0) {
        let consents = ["email", "push", "sms"].map(|channel| pb::Consent {
            purpose: "marketing".to_owned(),
            channel: channel.to_owned(),
            granted: true,
            wording: "v1".to_owned(),
            ..pb::Consent::default()
        });
        let request = pb::SetConsentRequest {
            shopper_id: format!("shopper-{number}"),
            consents: consents[..number % 3 + 1].to_vec(),
        };
        shoppers.set_consent(request).await.unwrap();
    }
}

async fn decide_all(url: String) {
    let mut recovery = RecoveryServiceClient::connect(url).await.unwrap();
    for first in (0..DECISIONS).step_by(BATCH) {
        let requests = (first..first + BATCH).map(request).collect();
        let batch = pb::DecideBatchRequest { requests };
        let answer = recovery.decide_batch(batch).await.unwrap().into_inner();
        for result in answer.results {
            let outcome = result.outcome.unwrap();
            let is_decided = matches!(outcome, pb::decide_result::Outcome::Decision(_));
            assert!(is_decided, "{outcome:?}");
        }
    }
}

fn bytes(record: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&record[at..at + 2], 16).unwrap();
    (0..record.len()).step_by(2).map(digit).collect()
}

/// The line of a decision with one byte of its logged inputs changed, its checksum left alone.
fn with_another_input(line: &str) -> String {
    let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
    let record = line["decision"]["record"].as_str().unwrap().to_owned();
    let mut record = Record::decode(bytes(&record).as_slice()).unwrap();
    let middle = record.inputs.len() / 2;
    record.inputs[middle] ^= 0x01;
    line["decision"]["record"] = recovery::record::hex(&record.encode_to_vec()).into();
    line.to_string()
}

#[tokio::test]
async fn ten_thousand_logged_decisions_are_made_again_bit_for_bit_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("policy.toml"), POLICY).unwrap();
    let addr = "addr = \"127.0.0.1:0\"";
    let settings = format!(
        "[features]\n{addr}\n[candidates]\n{addr}\n[recovery]\n{addr}\npolicy = {:?}\ndefault_deadline_ms = 60000\n[recovery.recover]\non = false\n",
        text(&at("policy.toml"))
    );
    std::fs::write(at("all.toml"), settings).unwrap();
    let (config, data, out) = (at("all.toml"), at("data"), at("decisions.jsonl"));
    let args = ["all", "--config", text(&config), "--admin", "none"];
    let rest = ["--snapshot", text(snapshot()), "--data", text(&data)];
    let server = Server::start(&[&args[..], &rest[..]].concat(), 3);
    agree(server.url("features")).await;
    decide_all(server.url("recovery")).await;
    server.terminate();
    assert!(server.wait().success());
    succeed(&[
        "decision",
        "export",
        "--store",
        text(&data),
        "--out",
        text(&out),
    ]);
    let told = succeed(&["decision", "replay", text(&out), "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let counts = ["decisions", "identical", "failed", "policies"].map(|name| told[name].as_u64());
    assert_eq!(counts, [Some(10_000), Some(10_000), Some(0), Some(1)]);
    let actions: BTreeMap<String, u64> = serde_json::from_value(told["actions"].clone()).unwrap();
    assert_eq!(actions.len(), 6, "every action is among them: {actions:?}");
    assert!(actions.values().all(|count| *count >= 25), "{actions:?}");

    let file = std::fs::read_to_string(&out).unwrap();
    let (policy, decision) = (
        file.lines().next().unwrap(),
        file.lines().nth(5_000).unwrap(),
    );
    let changed = at("changed.jsonl");
    let write = |lines: [&str; 2]| std::fs::write(&changed, lines.join("\n")).unwrap();
    write([policy, &with_another_input(decision)]);
    let refused = run(&["decision", "replay", text(&changed)]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("line 2: ") && said.contains("checksum"),
        "{said}"
    );
    write(["", decision]);
    let refused = run(&["decision", "replay", text(&changed)]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("is not in the file"), "{said}");
}
