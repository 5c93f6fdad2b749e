//! `publish`, `list`, `history`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use snapshot::{Activation, Listed, Manifest, Snapshot};

use super::place::{Place, failed, short, told};
use crate::commands::block_on;
use crate::failure::OrFail as _;
use crate::output;

/// Uploads a snapshot into a registry
///
/// Files are named by their content: what the registry has already is not sent again, so publishing
/// again goes on where it stopped. The manifest is written last; until then nobody sees any of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright snapshot publish model --registry /srv/models
  AWS_REGION=eu-central-1 cartwright snapshot publish model --registry s3://models/shop --json")]
pub(crate) struct Publish {
    /// The snapshot's folder
    dir: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Shows what a registry holds, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cartwright snapshot list --registry /srv/models")]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Shows what was live when, who made it so, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright snapshot history --registry /srv/models
  cartwright snapshot history --registry /srv/models --sequence 42     # with the verdicts of its gates")]
pub(crate) struct History {
    #[command(flatten)]
    place: Place,
    /// One record, with the verdicts of its gates
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn publish(args: &Publish) -> anyhow::Result<()> {
    let registry = args.place.open()?;
    let snapshot = Snapshot::open(&args.dir)
        .or_hint("`cartwright train --events FILE --out DIR` makes a snapshot")?;
    let bar = output::bytes_bar(Some(0), "publishing");
    let published = block_on(async {
        let published = registry.publish(&snapshot, &told(&bar)).await;
        published.map_err(|error| failed(error, &registry))
    });
    bar.finish_and_clear();
    let published = published?;
    if args.json {
        return output::json(&json!({
            "id": published.id,
            "already": published.already,
            "uploaded": published.uploaded,
            "uploaded_bytes": published.uploaded_bytes,
            "reused": published.reused,
            "reused_bytes": published.reused_bytes,
        }));
    }
    output::result(format!(
        "{}: {} of {} bytes sent, {} of {} bytes were there{}",
        published.id,
        output::counted(published.uploaded, "file"),
        published.uploaded_bytes,
        output::counted(published.reused, "file"),
        published.reused_bytes,
        if published.already {
            ", and so was the manifest"
        } else {
            ""
        },
    ));
    output::note(format!(
        "next: cartwright snapshot activate {} --registry {} --why TEXT",
        short(&published.id),
        registry.url()
    ));
    Ok(())
}

pub(crate) fn list(args: &List) -> anyhow::Result<()> {
    let registry = args.place.open()?;
    let (listed, history) = block_on(async {
        let listed = registry
            .list()
            .await
            .map_err(|error| failed(error, &registry))?;
        let history = registry.history().await;
        Ok((listed, history.map_err(|error| failed(error, &registry))?))
    })?;
    if args.json {
        let rows: Vec<Value> = listed.iter().map(|one| as_json(one, &history)).collect();
        return output::json(&rows);
    }
    let mut table = output::table([
        "snapshot",
        "published",
        "MiB",
        "events to",
        "items",
        "state",
    ]);
    for one in &listed {
        let manifest = one.manifest.as_deref();
        table.add_row([
            short(&one.id).to_owned(),
            output::time(one.published_at_ms),
            manifest.map_or_else(|_| String::new(), |m| (bytes(m) >> 20).to_string()),
            manifest.map_or_else(|_| String::new(), |m| output::time(m.data.to_ms)),
            manifest.map_or_else(|_| String::new(), |m| items(m).to_string()),
            manifest.map_or_else(Clone::clone, |_| state(&one.id, &history).to_owned()),
        ]);
    }
    output::result(table);
    Ok(())
}

fn as_json(one: &Listed, history: &[Activation]) -> Value {
    let mut row = json!({
        "id": one.id,
        "published_at_ms": one.published_at_ms,
        "state": state(&one.id, history),
        "blocked": Activation::blocking(history, &one.id).is_some(),
    });
    match &one.manifest {
        Ok(manifest) => {
            row["bytes"] = json!(bytes(manifest));
            row["items"] = json!(items(manifest));
            row["data"] = json!(manifest.data);
            row["created_at_ms"] = json!(manifest.created_at_ms);
            row["parent"] = json!(manifest.parent);
        }
        Err(problem) => row["problem"] = json!(problem),
    }
    row
}

/// Of its distinct files.
fn bytes(manifest: &Manifest) -> u64 {
    let mut seen = BTreeSet::new();
    let distinct = manifest
        .files
        .values()
        .filter(|file| seen.insert(&file.sha256));
    distinct.map(|file| file.size).sum()
}

fn items(manifest: &Manifest) -> u64 {
    manifest
        .spaces
        .iter()
        .map(|space| space.items)
        .max()
        .unwrap_or(0)
}

fn state(id: &str, history: &[Activation]) -> &'static str {
    let head = history.last();
    if head.is_some_and(|head| head.snapshot == id) {
        "live"
    } else if Activation::blocking(history, id).is_some() {
        "blocked"
    } else if head.is_some_and(|head| head.previous.as_deref() == Some(id)) {
        "live before"
    } else {
        ""
    }
}

pub(crate) fn history(args: &History) -> anyhow::Result<()> {
    let registry = args.place.open()?;
    let mut history = block_on(async {
        let history = registry.history().await;
        history.map_err(|error| failed(error, &registry))
    })?;
    if let Some(sequence) = args.sequence {
        history.retain(|record| record.sequence == sequence);
    }
    if args.json {
        return output::json(&history);
    }
    let mut table = output::table([
        "#", "when", "action", "snapshot", "by", "why", "forced", "blocks",
    ]);
    for record in &history {
        table.add_row([
            record.sequence.to_string(),
            output::time(record.at_ms),
            record.action.as_str().to_owned(),
            short(&record.snapshot).to_owned(),
            record.by.clone(),
            record.why.clone(),
            record.forced.join(", "),
            record
                .blocks
                .iter()
                .map(|id| short(id))
                .collect::<Vec<_>>()
                .join(", "),
        ]);
    }
    output::result(table);
    if args.sequence.is_some() {
        for record in &history {
            super::gates::print(&record.verdicts);
        }
    }
    Ok(())
}
