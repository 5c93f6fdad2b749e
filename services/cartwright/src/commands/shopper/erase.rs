//! `shopper erase`: removes a person, and says what was removed.

use proto::v1 as pb;
use proto::v1::shopper_service_client::ShopperServiceClient;
use serde_json::json;

use crate::commands::block_on;
use crate::failure::Failure;
use crate::{output, remote, wire};

/// Removes all that is known of a person, under all of their ids, for good
///
/// Their value, cart, consent, looks, actions on their way and codes go, and the keys that their rows
/// in the logs are sealed with are destroyed. There is no way back: export first what is to be kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright shopper export --shopper 42 > 42.jsonl      what would be lost
  cartwright shopper erase --shopper 42 --yes
  cartwright shopper erase --shopper 42 --yes --json")]
pub(super) struct Args {
    /// Any id of the person
    #[arg(long, value_name = "ID")]
    shopper: String,
    /// Do it: without this flag nothing happens
    #[arg(long)]
    yes: bool,
    /// The features role
    #[arg(long, value_name = "URL", default_value = remote::FEATURES)]
    to: String,
    #[command(flatten)]
    access: remote::Access,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    if !args.yes {
        let asked = format!(
            "shopper {:?} and every id linked to it would be erased for good",
            args.shopper
        );
        return Err(Failure::usage(asked)
            .hint("--yes does it; `cartwright shopper export` shows what would be lost")
            .into());
    }
    let answer = block_on(async {
        let mut client = ShopperServiceClient::new(remote::connect(&args.to, &args.access).await?);
        let request = pb::EraseShopperRequest {
            shopper_id: args.shopper.clone(),
        };
        let answer = client.erase_shopper(request).await;
        Ok(answer
            .map_err(|status| remote::refused("shopper erase", &status))?
            .into_inner())
    })?;
    let at = answer.erased_at.as_ref().map_or(0, |at| wire::millis(at).0);
    let erased = answer.erased.unwrap_or_default();
    if args.json {
        return output::json(&json!({
            "shopper_id": args.shopper,
            "erased_at": output::rfc3339(at),
            "changed": answer.changed,
            "ids": erased.ids,
            "keys": erased.keys,
            "cart_lines": erased.cart_lines,
            "consents": erased.consents,
            "recent_events": erased.recent_events,
            "recovery_bytes": erased.recovery_bytes,
        }));
    }
    if !answer.changed {
        output::note("note: the person was erased before, and nothing is known since");
    }
    let mut table = output::table(["shopper", &args.shopper]);
    table.add_row(["erased", &output::time(at)]);
    let rows = [
        ("ids", erased.ids),
        ("keys destroyed", erased.keys),
        ("cart lines", erased.cart_lines),
        ("records of consent", erased.consents),
        ("recent events", erased.recent_events),
        ("bytes kept for recovery", erased.recovery_bytes),
    ];
    for (name, count) in rows {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        table.add_row([name, &output::thousands(count)]);
    }
    output::result(table);
    Ok(())
}
