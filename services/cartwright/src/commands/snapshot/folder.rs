//! `verify` and `show`: one snapshot, in a folder or of a registry.

use std::path::Path;

use serde_json::json;
use snapshot::{Snapshot, Verdict};

use super::gates;
use super::place::Source;
use crate::failure::OrFail as _;
use crate::leaderboard;
use crate::output;
use crate::privacy;

/// Checks every file of a snapshot against its checksum; with --gates all that is measured before
/// it may go live
///
/// Exit code 1 when a file is missing, short or changed, or a gate refuses.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright snapshot verify model
  cartwright snapshot verify model --gates --live model-of-yesterday
  cartwright snapshot verify 3f9a12c0 --registry /srv/models --gates --json")]
pub(crate) struct Verify {
    /// The snapshot's folder, or its id in the registry
    snapshot: String,
    #[command(flatten)]
    source: Source,
    /// Run every gate that needs no server
    #[arg(long)]
    gates: bool,
    /// With --gates: the folder or id to compare latency and quality with
    #[arg(long, value_name = "DIR|ID", requires = "gates")]
    live: Option<String>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Shows what a snapshot holds
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright snapshot show model --json
  cartwright snapshot show 3f9a12c0 --registry /srv/models")]
pub(crate) struct Show {
    /// The snapshot's folder, or its id in the registry
    snapshot: String,
    #[command(flatten)]
    source: Source,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

const HINT: &str = "`cartwright train --events FILE --out DIR` makes a snapshot";

fn open(dir: &Path) -> anyhow::Result<Snapshot> {
    Snapshot::open(dir).or_hint(HINT)
}

pub(crate) fn verify(args: &Verify) -> anyhow::Result<()> {
    let room = args.source.room()?;
    let dir = args.source.find(&args.snapshot, &room)?;
    if args.gates {
        let live = args.live.as_ref();
        let live = live.map(|live| args.source.find(live, &room)).transpose()?;
        return examine(args, &dir, live.as_deref());
    }
    let snapshot = open(&dir)?;
    let report = snapshot
        .verify()
        .or_hint("build it again, or copy it again")?;
    if args.json {
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

fn examine(args: &Verify, dir: &Path, live: Option<&Path>) -> anyhow::Result<()> {
    if let Some(live) = live {
        open(live)?;
    }
    let verdicts = gates::examine(dir, live, &[]);
    if args.json {
        output::json(&json!({ "ready": Verdict::ready(&verdicts), "verdicts": verdicts }))?;
    } else {
        gates::print(&verdicts);
    }
    gates::refused(&verdicts)
}

pub(crate) fn show(args: &Show) -> anyhow::Result<()> {
    let room = args.source.room()?;
    let snapshot = open(&args.source.find(&args.snapshot, &room)?)?;
    let manifest = snapshot.manifest();
    if args.json {
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
    for (name, value) in rows.into_iter().chain(privacy::in_words(manifest)) {
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
