//! `decide`: asks a running server what it would do about a cart.

use jiff::Timestamp;
use proto::v1 as pb;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use serde_json::json;

use crate::failure::Failure;
use crate::{output, remote, wire};

use feature_store::Millis;

/// Asks a running server what to do about a shopper's cart, and why
///
/// Without --commit this is a preview: nothing is written, nothing is sent to the shopper.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright decide --shopper 42 --why
  cartwright decide --shopper 42 --cart 1005115,1004856 --json
  cartwright decide --shopper 42 --commit --request-id order-mail-0042")]
pub(crate) struct Args {
    /// Shopper to decide for
    #[arg(long, value_name = "ID")]
    shopper: String,
    /// The recovery role
    #[arg(long, value_name = "URL", default_value = remote::RECOVERY)]
    to: String,
    #[command(flatten)]
    access: remote::Access,
    /// Items of the cart, instead of the stored cart
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    cart: Vec<String>,
    /// Say more: every reason, the runner-up and what would flip the choice, time per stage
    #[arg(long)]
    why: bool,
    /// Write the decision to the decision log; the same request id gives the same decision for ever
    #[arg(long, requires = "request_id")]
    commit: bool,
    /// Name of the request
    #[arg(long, value_name = "ID", default_value = "")]
    request_id: String,
    /// The time to decide at, instead of the server's clock
    #[arg(long, value_name = "RFC3339")]
    now: Option<Timestamp>,
    /// Channel the shopper would be reached on: email, sms, push or onsite
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// Print the decision as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let decision = super::block_on(ask(args))?;
    if args.json {
        return output::json(&as_json(&decision));
    }
    print(&decision, args.why);
    Ok(())
}

async fn ask(args: &Args) -> anyhow::Result<pb::Decision> {
    if args.shopper.is_empty() {
        return Err(Failure::usage("--shopper is empty")
            .hint("name a shopper")
            .into());
    }
    let mut client = RecoveryServiceClient::new(remote::connect(&args.to, &args.access).await?);
    let decision = client.decide(request(args)).await;
    Ok(decision
        .map_err(|status| remote::refused("decide", &status))?
        .into_inner())
}

fn request(args: &Args) -> pb::DecideRequest {
    let mode = if args.commit {
        pb::decide_request::Mode::Commit
    } else {
        pb::decide_request::Mode::Preview
    };
    pb::DecideRequest {
        request_id: args.request_id.clone(),
        shopper_id: args.shopper.clone(),
        cart: args.cart.iter().map(|id| wire::bare_line(id)).collect(),
        context: args.channel.clone().map(|channel| pb::Context {
            channel,
            ..pb::Context::default()
        }),
        now: args
            .now
            .map(|at| wire::timestamp(Millis(at.as_millisecond()))),
        generation: String::new(),
        mode: i32::from(mode),
    }
}

fn print(decision: &pb::Decision, why: bool) {
    let mut table = output::table(["shopper", &decision.shopper_id]);
    for (name, value) in rows(decision, why) {
        table.add_row([name, &value]);
    }
    if why {
        for (name, value) in details(decision) {
            table.add_row([name, &value]);
        }
    }
    output::result(table);
    for degraded in &decision.degraded {
        output::note(format!("note: answered from a fallback: {degraded}"));
    }
}

fn rows(decision: &pb::Decision, why: bool) -> Vec<(&'static str, String)> {
    let reasons = if why { decision.reasons.len() } else { 1 };
    let reasons: Vec<&str> = decision
        .reasons
        .iter()
        .take(reasons)
        .map(String::as_str)
        .collect();
    vec![
        (
            "cart",
            output::money(decision.cart_value_minor, &decision.currency),
        ),
        (
            "risk",
            format!("{:.0} % that it is left for good", decision.risk * 100.0),
        ),
        ("action", action(decision)),
        ("show", names(&decision.items)),
        (
            "worth",
            output::money(decision.expected_value_minor, &decision.currency),
        ),
        ("why", reasons.join("\n")),
    ]
}

fn details(decision: &pb::Decision) -> Vec<(&'static str, String)> {
    let mut rows: Vec<(&'static str, String)> = Vec::new();
    if let Some(other) = &decision.runner_up {
        let worth = output::money(other.expected_value_minor, &decision.currency);
        let name = wire::action(other.action()).replace('_', " ");
        rows.push((
            "runner-up",
            format!("{name}, worth {worth}; {}", other.flips_when),
        ));
    }
    let promised = [
        ("code", &decision.coupon_code),
        ("link", &decision.restore_token),
    ];
    let promised = promised.into_iter().filter(|(_, text)| !text.is_empty());
    rows.extend(promised.map(|(name, text)| (name, text.clone())));
    rows.push(("propensity", format!("{:.3}", decision.propensity)));
    rows.push(("generation", decision.generation.clone()));
    rows.push(("time", stages(decision)));
    rows.push(("trace", decision.trace_id.clone()));
    rows
}

/// The action, with what it promises.
pub(crate) fn action(decision: &pb::Decision) -> String {
    let name = wire::action(decision.action()).replace('_', " ");
    match &decision.offer {
        None => name,
        Some(offer) => {
            let money = output::money(offer.discount_minor, &offer.currency);
            if offer.percent_off > 0.0 {
                format!("{name} {:.0} % (-{money})", offer.percent_off * 100.0)
            } else {
                format!("{name} (-{money})")
            }
        }
    }
}

fn names(items: &[pb::ShownItem]) -> String {
    let names: Vec<&str> = items
        .iter()
        .map(|item| {
            if item.name.is_empty() {
                item.item_id.as_str()
            } else {
                item.name.as_str()
            }
        })
        .collect();
    names.join(", ")
}

fn stages(decision: &pb::Decision) -> String {
    let stages: Vec<String> = decision
        .stage_latencies
        .iter()
        .map(|stage| {
            let ms = stage.latency.as_ref().map_or(0.0, wire::duration_ms);
            format!("{} {ms:.2} ms", stage.stage)
        })
        .collect();
    stages.join(", ")
}

/// The decision with the contract's field names.
pub(crate) fn as_json(decision: &pb::Decision) -> serde_json::Value {
    json!({
        "decision_id": decision.decision_id,
        "shopper_id": decision.shopper_id,
        "action": wire::action(decision.action()),
        "offer": decision.offer.as_ref().map(|offer| json!({
            "percent_off": offer.percent_off,
            "discount_minor": offer.discount_minor,
            "max_discount_minor": offer.max_discount_minor,
            "currency": offer.currency,
            "valid_for_s": offer.valid_for.as_ref().map(|d| d.seconds),
        })),
        "items": decision.items.iter().map(|item| json!({
            "item_id": item.item_id,
            "name": item.name,
            "score": item.score,
            "sources": item.sources.iter().map(|s| &s.source).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "expected_value_minor": decision.expected_value_minor,
        "propensity": decision.propensity,
        "risk": decision.risk,
        "reasons": decision.reasons,
        "runner_up": decision.runner_up.as_ref().map(|other| json!({
            "action": wire::action(other.action()),
            "expected_value_minor": other.expected_value_minor,
            "flips_when": other.flips_when,
        })),
        "degraded": decision.degraded,
        "generation": decision.generation,
        "stage_latencies_ms": decision.stage_latencies.iter().map(|stage| {
            (stage.stage.clone(), stage.latency.as_ref().map_or(0.0, wire::duration_ms).into())
        }).collect::<serde_json::Map<_, _>>(),
        "cart_value_minor": decision.cart_value_minor,
        "currency": decision.currency,
        "decided_at": decision.decided_at.as_ref().map(|at| output::rfc3339(wire::millis(at).0)),
        "cart_version": decision.cart_version,
        "trace_id": decision.trace_id,
        "coupon_code": decision.coupon_code,
        "restore_token": decision.restore_token,
        "offer_ends_at": decision.offer_ends_at.as_ref().map(|at| output::rfc3339(wire::millis(at).0)),
    })
}
