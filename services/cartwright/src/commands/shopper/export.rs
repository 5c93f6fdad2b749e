//! `shopper export`: everything that is kept about a person, as lines that a person and a machine can
//! read.

mod kept;

use proto::v1 as pb;
use proto::v1::exported_record::Record;
use proto::v1::shopper_service_client::ShopperServiceClient;
use serde_json::{Value, json};

use crate::commands::{block_on, decide};
use crate::{output, remote, wire};

/// Prints everything that is kept about a person, under all of their ids
///
/// JSON lines, each with its kind: person, profile, cart, features and how they are being won back, as
/// they stand, then every event, decision, action and outcome of the logs, then dead letters, coupons
/// and stored carts. Times are RFC 3339, amounts are minor units.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright shopper export --shopper 42 > 42.jsonl
  cartwright shopper export --shopper 42 | jq 'select(.kind == \"event\")'
  cartwright shopper export --shopper 42 --table         how much there is of each kind")]
pub(super) struct Args {
    /// Any id of the person
    #[arg(long, value_name = "ID")]
    shopper: String,
    /// The features role
    #[arg(long, value_name = "URL", default_value = remote::FEATURES)]
    to: String,
    #[command(flatten)]
    access: remote::Access,
    /// Print a table of counts instead
    #[arg(long)]
    table: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let counts = block_on(async {
        let mut client = ShopperServiceClient::new(remote::connect(&args.to, &args.access).await?);
        let request = pb::ExportShopperRequest {
            shopper_id: args.shopper.clone(),
        };
        let failed = |status: tonic::Status| remote::refused("shopper export", &status);
        let stream = client.export_shopper(request).await.map_err(failed)?;
        let mut stream = stream.into_inner();
        let mut counts: Vec<(&str, usize)> = Vec::new();
        while let Some(record) = stream.message().await.map_err(failed)? {
            let Some((kind, line)) = line(&record) else {
                continue;
            };
            match counts.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => counts.push((kind, 1)),
            }
            if !args.table {
                output::result(line);
            }
        }
        Ok(counts)
    })?;
    if args.table {
        let mut table = output::table(["kind", "records"]);
        for (kind, count) in counts {
            table.add_row([kind, &output::thousands(count)]);
        }
        output::result(table);
    }
    Ok(())
}

/// A record's kind, and its line. `None` for a kind that this version does not know.
fn line(record: &pb::ExportedRecord) -> Option<(&'static str, Value)> {
    let (kind, mut line) = match record.record.as_ref()? {
        Record::Person(person) => (
            "person",
            json!({
                "person_id": person.person_id,
                "other_ids": person.other_ids,
                "looked_at_next": time(person.looked_at_next.as_ref()),
            }),
        ),
        Record::Profile(profile) => ("profile", of_profile(profile)),
        Record::Cart(cart) => ("cart", of_cart(cart)),
        Record::Feature(feature) => (
            "feature",
            json!({
                "name": feature.name,
                "value": super::feature(&feature.value.clone().unwrap_or_default()),
            }),
        ),
        Record::Event(event) => ("event", wire::event_json(event)),
        Record::Decision(decision) => ("decision", decide::as_json(decision)),
        Record::Action(action) => (
            "action",
            json!({
                "shopper_id": action.shopper_id,
                "decision_id": action.decision_id,
                "channel": action.channel,
            }),
        ),
        Record::Outcome(outcome) => ("outcome", of_outcome(outcome)),
        Record::Recovery(recovery) => ("recovery", kept::of_recovery(recovery)),
        Record::DeadLetter(letter) => ("dead_letter", kept::of_letter(letter)),
        Record::Coupon(coupon) => ("coupon", kept::of_coupon(coupon)),
        Record::StoredCart(cart) => ("stored_cart", kept::of_stored_cart(cart)),
    };
    line["kind"] = json!(kind);
    if let Some(at) = time(record.at.as_ref()) {
        line["at"] = json!(at);
    }
    Some((kind, line))
}

fn time(at: Option<&prost_types::Timestamp>) -> Option<String> {
    at.map(|at| output::rfc3339(wire::millis(at).0))
}

fn of_profile(profile: &pb::GetProfileResponse) -> Value {
    let portrait = profile.portrait.clone().unwrap_or_default();
    let shares = |affinities: &[pb::Affinity]| -> Value {
        let share = |one: &pb::Affinity| (one.name.clone(), json!(one.share));
        Value::Object(affinities.iter().map(share).collect())
    };
    let consent = |consent: &pb::Consent| {
        json!({
            "purpose": consent.purpose,
            "channel": consent.channel,
            "granted": consent.granted,
            "wording": consent.wording,
            "said_at": time(consent.at.as_ref()),
            "jurisdiction": consent.jurisdiction,
        })
    };
    json!({
        "time_zone": profile.time_zone,
        "channels": profile.channels,
        "jurisdiction": profile.jurisdiction,
        "consents": profile.consents.iter().map(consent).collect::<Vec<_>>(),
        "interests": shares(&portrait.categories),
        "brands": shares(&portrait.brands),
        "price_bands": shares(&portrait.price_bands),
        "mean_purchase_minor": portrait.mean_purchase_minor,
        "spent_30d_minor": portrait.spent_30d_minor,
        "purchase_tendency": portrait.purchase_tendency,
        "first_seen_at": time(portrait.first_seen_at.as_ref()),
        "last_active_at": time(portrait.last_active_at.as_ref()),
    })
}

fn of_cart(cart: &pb::Cart) -> Value {
    json!({
        "version": cart.version,
        "lines": cart.lines.iter().map(of_line).collect::<Vec<_>>(),
    })
}

fn of_line(line: &pb::CartLine) -> Value {
    json!({
        "item_id": line.item_id,
        "quantity": line.quantity,
        "price_minor": line.price_minor,
        "currency": line.currency,
        "added_at": time(line.added_at.as_ref()),
    })
}

fn of_outcome(outcome: &pb::OutcomeReport) -> Value {
    json!({
        "report_id": outcome.report_id,
        "shopper_id": outcome.shopper_id,
        "decision_id": outcome.decision_id,
        "type": outcome.kind().as_str_name().to_ascii_lowercase(),
        "occurred_at": time(outcome.occurred_at.as_ref()),
        "order_id": outcome.order_id,
        "value_minor": outcome.value_minor,
        "discount_minor": outcome.discount_minor,
        "currency": outcome.currency,
        "purpose": outcome.purpose,
        "channel": outcome.channel,
    })
}
