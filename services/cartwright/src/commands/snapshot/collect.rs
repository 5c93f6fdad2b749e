//! `gc`: what nobody needs any more.

use serde_json::json;
use snapshot::{Collected, Keep};

use super::place::{Place, failed, short};
use crate::commands::block_on;
use crate::output;

/// Removes snapshots that nobody needs any more, and what interrupted work left
///
/// The live generation and the one before are always kept, and whatever anybody publishes or
/// activates meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright snapshot gc --registry /srv/models --dry-run
  cartwright snapshot gc --registry /srv/models --activated 3 --recent 10 --grace 72h")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    /// Generations that were live last to keep, at least 2
    #[arg(long, value_name = "N", default_value_t = 5)]
    activated: usize,
    /// Snapshots published last to keep, live or not
    #[arg(long, value_name = "N", default_value_t = 5)]
    recent: usize,
    /// Leave alone whatever is younger
    #[arg(long, value_name = "SPAN", default_value = "24h")]
    grace: kit::config::Period,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let registry = args.place.open()?;
    let keep = Keep {
        activated: args.activated,
        recent: args.recent,
        grace: args.grace.0,
        dry_run: args.dry_run,
    };
    let collected = block_on(async {
        let collected = registry.gc(&keep).await;
        collected.map_err(|error| failed(error, &registry))
    })?;
    if args.json {
        return output::json(&json!({
            "dry_run": args.dry_run,
            "snapshots": collected.snapshots,
            "files": collected.blobs,
            "bytes": collected.blob_bytes,
            "half_uploads": collected.half_uploads,
            "intents": collected.intents,
            "kept": collected.kept,
        }));
    }
    print(args, &collected);
    Ok(())
}

fn print(args: &Args, collected: &Collected) {
    let mut table = output::table(["snapshot", "what becomes of it"]);
    for id in &collected.snapshots {
        table.add_row([short(id), if args.dry_run { "would go" } else { "removed" }]);
    }
    for (id, why) in &collected.kept {
        table.add_row([short(id), &format!("kept: {why}")]);
    }
    output::result(table);
    output::result(format!(
        "{}{} of {} bytes that no snapshot names, {}, {}",
        if args.dry_run {
            "would remove "
        } else {
            "removed "
        },
        output::counted(collected.blobs, "file"),
        collected.blob_bytes,
        output::counted(collected.half_uploads, "half upload"),
        output::counted(collected.intents, "trace") + " of interrupted work",
    ));
}
