//! `shopper`: what is known of one, shown, carried away or erased.

mod erase;
mod export;

use clap::Subcommand;
use jiff::Timestamp;
use proto::v1 as pb;
use proto::v1::feature_service_client::FeatureServiceClient;
use proto::v1::shopper_service_client::ShopperServiceClient;

use feature_store::{EntityKind, Millis, Registry};

use crate::remote::Channel;
use crate::{output, remote, wire};

/// Shows, exports and erases what is known of a shopper
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright shopper show 42
  cartwright shopper export --shopper 42 > 42.jsonl
  cartwright shopper erase --shopper 42 --yes
  CARTWRIGHT_TOKEN=… cartwright shopper export --shopper 42      where servers want a token")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Asks a running server for a shopper's portrait, cart and features
    #[command(after_help = "Example:
  cartwright shopper show 42 --now 2019-10-01T03:00:00Z")]
    Show(Show),
    Export(export::Args),
    Erase(erase::Args),
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The shopper
    id: String,
    /// The features role
    #[arg(long, value_name = "URL", default_value = remote::FEATURES)]
    to: String,
    #[command(flatten)]
    access: remote::Access,
    /// The time to look from, instead of the server's clock
    #[arg(long, value_name = "RFC3339")]
    now: Option<Timestamp>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Show(args) => show(args),
        Command::Export(args) => export::run(args),
        Command::Erase(args) => erase::run(args),
    }
}

fn show(show: &Show) -> anyhow::Result<()> {
    super::block_on(async {
        let channel = remote::connect(&show.to, &show.access).await?;
        let now = show
            .now
            .map(|at| wire::timestamp(Millis(at.as_millisecond())));
        let profile = profile(channel.clone(), &show.id, now).await?;
        print_profile(&profile);
        let features = features(channel, &show.id, now).await?;
        print_features(&features);
        Ok(())
    })
}

async fn profile(
    channel: Channel,
    shopper_id: &str,
    now: Option<prost_types::Timestamp>,
) -> anyhow::Result<pb::GetProfileResponse> {
    let shopper_id = shopper_id.to_owned();
    let answer = ShopperServiceClient::new(channel)
        .get_profile(pb::GetProfileRequest { shopper_id, now })
        .await;
    Ok(answer
        .map_err(|status| remote::refused("get the profile", &status))?
        .into_inner())
}

async fn features(
    channel: Channel,
    shopper_id: &str,
    now: Option<prost_types::Timestamp>,
) -> anyhow::Result<pb::FeatureRow> {
    let id = pb::entity::Id::ShopperId(shopper_id.to_owned());
    let request = pb::GetFeaturesRequest {
        entities: vec![pb::Entity { id: Some(id) }],
        features: shopper_features(),
        now,
        include: vec![i32::from(pb::Include::Cart)],
    };
    let answer = FeatureServiceClient::new(channel)
        .get_features(request)
        .await;
    let rows = answer.map_err(|status| remote::refused("get the features", &status))?;
    Ok(rows
        .into_inner()
        .rows
        .into_iter()
        .next()
        .unwrap_or_default())
}

/// As many as one request may ask for.
fn shopper_features() -> Vec<String> {
    let of_shoppers = |def: &&feature_store::FeatureDef| def.entity == EntityKind::Shopper;
    Registry::standard()
        .features()
        .iter()
        .filter(of_shoppers)
        .map(|def| def.name.to_string())
        .take(256)
        .collect()
}

fn print_profile(profile: &pb::GetProfileResponse) {
    let mut table = output::table(["shopper", &profile.shopper_id]);
    let portrait = profile.portrait.clone().unwrap_or_default();
    let mean = portrait.mean_purchase_minor.map_or_else(
        || "nothing bought yet".to_owned(),
        |mean| output::money(mean, ""),
    );
    let rows = [
        ("first seen", seen(portrait.first_seen_at.as_ref())),
        ("last active", seen(portrait.last_active_at.as_ref())),
        ("time zone", profile.time_zone.clone()),
        ("channels", profile.channels.join(", ")),
        ("jurisdiction", profile.jurisdiction.clone()),
        ("consent", consents(&profile.consents)),
        ("interests", shares(&portrait.categories)),
        ("brands", shares(&portrait.brands)),
        ("price bands", shares(&portrait.price_bands)),
        ("mean purchase", mean),
        (
            "spent in 30 days",
            output::money(portrait.spent_30d_minor, ""),
        ),
        (
            "purchase tendency",
            format!("{:.2}", portrait.purchase_tendency),
        ),
    ];
    for (name, value) in rows {
        table.add_row([name, &value]);
    }
    output::result(table);
}

fn seen(at: Option<&prost_types::Timestamp>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| output::time(wire::millis(at).0))
}

fn shares(affinities: &[pb::Affinity]) -> String {
    let parts: Vec<String> = affinities
        .iter()
        .map(|affinity| format!("{} {:.0} %", affinity.name, affinity.share * 100.0))
        .collect();
    parts.join(", ")
}

fn consents(consents: &[pb::Consent]) -> String {
    if consents.is_empty() {
        return "none: nothing may be sent".to_owned();
    }
    let parts: Vec<String> = consents
        .iter()
        .map(|consent| {
            let verb = if consent.granted {
                "granted"
            } else {
                "revoked"
            };
            format!("{} by {}: {verb}", consent.purpose, consent.channel)
        })
        .collect();
    parts.join(", ")
}

fn print_features(row: &pb::FeatureRow) {
    let cart = row.cart.clone().unwrap_or_default();
    let mut table = output::table(["cart", "quantity", "price", "added"]);
    for line in &cart.lines {
        table.add_row([
            line.item_id.clone(),
            line.quantity.to_string(),
            output::money(line.price_minor, &line.currency),
            seen(line.added_at.as_ref()),
        ]);
    }
    output::result(table);
    let mut table = output::table(["feature", "value", "newest event"]);
    for (name, value) in shopper_features().into_iter().zip(&row.values) {
        let at = value.event_time.as_ref();
        let at = at.map_or_else(String::new, |at| output::time(wire::millis(at).0));
        table.add_row([name, feature(value), at]);
    }
    output::result(table);
}

fn feature(value: &pb::FeatureValue) -> String {
    use pb::feature_value::{Status, Value};
    let text = match &value.value {
        None => String::new(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::Int64Value(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => format!("{value:.4}"),
        Some(Value::StringValue(value)) => value.clone(),
        Some(Value::StringList(list)) => list.values.join(", "),
        Some(Value::DoubleList(list)) => list
            .values
            .iter()
            .map(|v| format!("{v:.3}"))
            .collect::<Vec<_>>()
            .join(", "),
    };
    match value.status() {
        Status::Present => text,
        Status::Null => "no value".to_owned(),
        Status::NotFound | Status::Unspecified => "not found".to_owned(),
        Status::OutsideMaxAge => format!("{text} (too old)"),
    }
}
