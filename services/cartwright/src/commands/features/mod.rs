//! `features list` and `features export`: what can be asked, and training rows for elsewhere.

mod export;
mod names;
mod summary;

use clap::Subcommand;
use feature_store::Registry;
use serde_json::json;

use crate::output;

/// Lists the features, and writes them as training rows
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright features list
  cartwright features export --labels labels.parquet --events events.jsonl.zst --out rows.parquet")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Export(Box<export::Args>),
}

/// Lists every feature with its type and what it is
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cartwright features list")]
struct List {
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::List(list) => list_all(list),
        Command::Export(args) => export::run(args),
    }
}

fn list_all(args: &List) -> anyhow::Result<()> {
    let features = Registry::standard().features().iter();
    if args.json {
        let features = features.map(|feature| {
            json!({
                "name": feature.name,
                "type": feature.value_type.as_str(),
                "entity": feature.entity.as_str(),
                "max_age_s": feature.max_age.map(|age| age.as_secs()),
                "doc": feature.doc,
            })
        });
        return output::json(&features.collect::<Vec<_>>());
    }
    let mut table = output::table(["feature", "type", "what it is"]);
    for feature in features {
        table.add_row([feature.name, feature.value_type.as_str(), feature.doc]);
    }
    output::result(table);
    Ok(())
}
