//! `webhook`: what the webhook's receiver did not take.

use clap::Subcommand;
use proto::v1 as pb;
use proto::v1::recovery_service_client::RecoveryServiceClient;
use serde_json::json;

use crate::remote::{Access, Channel};
use crate::{output, remote, wire};

/// Lists and redrives the actions that the webhook's receiver did not take
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright webhook list
  cartwright webhook redrive --all")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the dead letters, the longest dead first
    #[command(after_help = "Examples:
  cartwright webhook list
  cartwright webhook list --limit 20 --json")]
    List {
        /// The recovery role
        #[arg(long, value_name = "URL", default_value = remote::RECOVERY)]
        to: String,
        #[command(flatten)]
        access: remote::Access,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Puts dead letters back on their way
    ///
    /// Each is checked as at every hand-out: what was ordered or withdrawn meanwhile does not go.
    #[command(after_help = "Examples:
  cartwright webhook redrive --all
  cartwright webhook redrive --id 66a95bf2a761f22308066982d23de736")]
    Redrive {
        /// The recovery role
        #[arg(long, value_name = "URL", default_value = remote::RECOVERY)]
        to: String,
        #[command(flatten)]
        access: remote::Access,
        /// Those of these decisions
        #[arg(
            long,
            value_name = "ID,…",
            value_delimiter = ',',
            required_unless_present = "all"
        )]
        id: Vec<String>,
        /// All of them
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::List {
            to,
            access,
            limit,
            json,
        } => list((to, access), *limit, *json),
        Command::Redrive {
            to,
            access,
            id,
            all,
        } => redrive((to, access), id, *all),
    }
}

fn list(to: (&str, &Access), limit: u32, as_json: bool) -> anyhow::Result<()> {
    let letters = super::block_on(async {
        let request = pb::ListDeadLettersRequest { limit };
        let listed = client(to).await?.list_dead_letters(request).await;
        let listed = listed.map_err(|status| remote::refused("webhook list", &status))?;
        Ok(listed.into_inner().letters)
    })?;
    let died = |letter: &pb::DeadLetter| {
        let at = letter.died_at.as_ref();
        at.map_or_else(String::new, |at| output::rfc3339(wire::millis(at).0))
    };
    if as_json {
        let letter = |letter: &pb::DeadLetter| {
            json!({
                "decision_id": letter.decision_id,
                "shopper_id": letter.shopper_id,
                "channel": letter.channel,
                "idempotency_key": letter.idempotency_key,
                "attempts": letter.attempts,
                "why": letter.why,
                "died_at": died(letter),
            })
        };
        return output::json(&letters.iter().map(letter).collect::<Vec<_>>());
    }
    if letters.is_empty() {
        output::result("no dead letters");
        return Ok(());
    }
    let mut table = output::table(["decision", "shopper", "died", "attempts", "why"]);
    for letter in &letters {
        table.add_row([
            letter.decision_id.clone(),
            letter.shopper_id.clone(),
            died(letter),
            letter.attempts.to_string(),
            letter.why.clone(),
        ]);
    }
    output::result(table);
    Ok(())
}

fn redrive(to: (&str, &Access), ids: &[String], all: bool) -> anyhow::Result<()> {
    let redriven = super::block_on(async {
        let request = pb::RedriveDeadLettersRequest {
            decision_ids: ids.to_vec(),
            all,
        };
        let answer = client(to).await?.redrive_dead_letters(request).await;
        let answer = answer.map_err(|status| remote::refused("webhook redrive", &status))?;
        Ok(answer.into_inner().redriven)
    })?;
    let redriven = usize::try_from(redriven).unwrap_or(usize::MAX);
    output::result(format!(
        "{} on the way again",
        output::counted(redriven, "action")
    ));
    Ok(())
}

async fn client((to, access): (&str, &Access)) -> anyhow::Result<RecoveryServiceClient<Channel>> {
    Ok(RecoveryServiceClient::new(
        remote::connect(to, access).await?,
    ))
}
