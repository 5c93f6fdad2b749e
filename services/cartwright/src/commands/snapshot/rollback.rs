//! `rollback`: what was live before is live again.

use snapshot::{Action, Activation, NewActivation};

use super::activate::append;
use super::peers;
use super::place::{Place, failed, me, resolve, short};
use crate::commands::block_on;
use crate::failure::Failure;
use crate::output;

/// Makes the generation that was live before the live one again
///
/// No gate is asked: it was live. Servers still hold it, so it is in effect at once on those of --peers,
/// and on others as soon as they see the record. With --block the generation that is left may not go live again, unless forced.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright snapshot rollback --registry /srv/models --why 'clicks fell by a third' --block
  cartwright snapshot rollback --registry /srv/models --to 3f9a12c0 --why 'the last good one'")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    peers: peers::Args,
    /// Another snapshot than the one before
    #[arg(long, value_name = "ID")]
    to: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Who, for the history; user and machine when absent
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// The generation that is left stays away until it is forced
    #[arg(long)]
    block: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let registry = args.place.open()?;
    let record = block_on(async {
        let head = registry
            .head()
            .await
            .map_err(|error| failed(error, &registry))?;
        let head = head.ok_or_else(|| {
            Failure::new(format!(
                "nothing is live in the registry {}",
                registry.url()
            ))
            .hint("`cartwright snapshot activate ID --why TEXT` makes something live")
        })?;
        let to = match &args.to {
            Some(to) => resolve(&registry, to).await?,
            None => before(&head)?,
        };
        // Who cannot be reached does not keep the others from going back.
        let peers = args.peers.connect_those_there().await?;
        let record = append(&registry, head.sequence, record(args, &head, to)).await?;
        peers.activate(&record.snapshot, record.sequence).await;
        Ok(record)
    })?;
    if args.json {
        return output::json(&record);
    }
    output::result(format!(
        "{} is live again since record {}{}",
        short(&record.snapshot),
        record.sequence,
        match record.blocks.first() {
            Some(blocked) => format!(", and {} is blocked", short(blocked)),
            None => String::new(),
        }
    ));
    Ok(())
}

fn before(head: &Activation) -> anyhow::Result<String> {
    let other = head
        .previous
        .clone()
        .filter(|before| *before != head.snapshot);
    other.ok_or_else(|| {
        Failure::new("nothing else was live before")
            .hint("--to ID names a published snapshot to go to")
            .into()
    })
}

fn record(args: &Args, head: &Activation, to: String) -> NewActivation {
    let left = (args.block && head.snapshot != to).then(|| head.snapshot.clone());
    NewActivation {
        action: Action::Rollback,
        snapshot: to,
        at_ms: kit::Clock::real().now_ms(),
        by: args.by.clone().unwrap_or_else(me),
        why: args.why.clone(),
        blocks: left.into_iter().collect(),
        ..NewActivation::default()
    }
}
