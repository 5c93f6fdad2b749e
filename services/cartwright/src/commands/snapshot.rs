//! `snapshot build|verify|show`: the folders that models are shipped in.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use snapshot::Snapshot;

use super::train;
use crate::failure::OrFail as _;
use crate::leaderboard;
use crate::output;

/// Builds, checks and shows model snapshots
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright snapshot show model
  cartwright snapshot verify model")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Builds a snapshot from event files; the same as `cartwright train`
    #[command(after_help = "Example:
  cartwright snapshot build --events events.jsonl.zst --out model")]
    Build(train::Args),
    /// Checks every file of a snapshot against its checksum
    ///
    /// Exit code 1 when a file is missing, short or changed.
    #[command(after_help = "Example:
  cartwright snapshot verify model")]
    Verify(Folder),
    /// Shows what a snapshot holds
    #[command(after_help = "Example:
  cartwright snapshot show model --json")]
    Show(Folder),
}

#[derive(Debug, clap::Args)]
struct Folder {
    /// The snapshot's folder
    dir: PathBuf,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Build(args) => train::run(args),
        Command::Verify(folder) => verify(folder),
        Command::Show(folder) => show(folder),
    }
}

fn open(folder: &Folder) -> anyhow::Result<Snapshot> {
    Snapshot::open(&folder.dir)
        .or_hint("`cartwright train --events FILE --out DIR` makes a snapshot")
}

fn verify(folder: &Folder) -> anyhow::Result<()> {
    let snapshot = open(folder)?;
    let report = snapshot
        .verify()
        .or_hint("build it again, or copy it again")?;
    if folder.json {
        return output::json(
            &json!({ "id": snapshot.id(), "files": report.files, "bytes": report.bytes }),
        );
    }
    output::result(format!(
        "{}: {} and {} bytes as the manifest says",
        snapshot.id(),
        output::counted(report.files, "file"),
        report.bytes
    ));
    Ok(())
}

fn show(folder: &Folder) -> anyhow::Result<()> {
    let snapshot = open(folder)?;
    let manifest = snapshot.manifest();
    if folder.json {
        return output::json(&json!({ "id": snapshot.id(), "manifest": manifest }));
    }
    output::result(about(&snapshot));
    leaderboard::print_quality(manifest);
    if let Some(board) = &manifest.leaderboard {
        leaderboard::print(board);
    }
    let mut table = output::table(["file", "bytes", "sha256"]);
    for (name, file) in &manifest.files {
        let short = file.sha256.get(..12).unwrap_or(&file.sha256);
        table.add_row([name.clone(), file.size.to_string(), short.to_owned()]);
    }
    output::result(table);
    for note in &manifest.notes {
        output::note(format!("note: {note}"));
    }
    Ok(())
}

fn about(snapshot: &Snapshot) -> comfy_table::Table {
    let manifest = snapshot.manifest();
    let mut table = output::table(["snapshot", snapshot.id()]);
    let data = &manifest.data;
    let rows = [
        ("created", output::time(manifest.created_at_ms)),
        (
            "events",
            output::thousands(usize::try_from(data.events).unwrap_or(usize::MAX)),
        ),
        ("from", output::time(data.from_ms)),
        ("to", output::time(data.to_ms)),
        ("seed", manifest.seed.to_string()),
        (
            "format",
            format!("{} (readers from {})", manifest.format, manifest.min_reader),
        ),
        ("processor", manifest.cpu_level.clone()),
        ("memory", format!("{} bytes", manifest.resident_bytes)),
        ("features", manifest.schema_fingerprint.clone()),
    ];
    for (name, value) in rows {
        table.add_row([name, &value]);
    }
    for space in &manifest.spaces {
        let text = format!(
            "{} items in {} dimensions, {}, index {}",
            space.items,
            space.dimension,
            space.metric,
            space.index.as_deref().unwrap_or("none, scanned")
        );
        table.add_row([format!("space {}", space.name), text]);
    }
    table
}
