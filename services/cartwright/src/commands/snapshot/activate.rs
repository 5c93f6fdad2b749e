//! `activate`: gates, then the record that makes a snapshot the live one.

use serde_json::json;
use snapshot::{Action, Activation, NewActivation, Registry, Verdict, gates as gate};

use super::gates;
use super::peers::{self, Peers};
use super::place::{Cache, Place, failed, fetch, me, resolve, short};
use crate::commands::block_on;
use crate::failure::Failure;
use crate::output;

/// Makes a published snapshot the live one, when all gates let it pass
///
/// Each gate measures a figure and holds it against a bar: checksums, features, memory, items and
/// dimensions, stored requests, recall, latency and quality against the live generation. They are
/// measured by every server of --peers, each for itself, while it goes on serving; without peers here,
/// on this machine. A refusal names the gate; --force GATE goes past exactly that one, and the history
/// says so.
///
/// With peers there are two phases: all of them load the snapshot and are ready, then the record is
/// written and all switch. One that cannot be reached fails it, unless it is left out with --exclude.
/// Whoever was missed follows the record.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright snapshot activate 3f9a12c0 --registry /srv/models --why 'October log'
  cartwright snapshot activate 3f9a12c0 --registry s3://models/shop --why 'October log' \\
      --peers 10.0.0.1:7101,10.0.0.2:7102,10.0.0.3:7103 --exclude 10.0.0.3:7103
  cartwright snapshot activate 3f9a12c0 --registry /srv/models --force quality --why 'new shop, little data'")]
pub(crate) struct Args {
    /// The snapshot's id, or its beginning
    id: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    cache: Cache,
    #[command(flatten)]
    peers: peers::Args,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Who, for the history; user and machine when absent
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Go past this gate although it refuses; may be given again
    #[arg(long, value_name = "GATE")]
    force: Vec<String>,
    /// Measure and say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    gates::forced(&args.force)?;
    if args.why.trim().is_empty() {
        return Err(Failure::usage("--why is empty: the history has to say why").into());
    }
    let registry = args.place.open()?;
    block_on(async {
        let id = resolve(&registry, &args.id).await?;
        let history = registry.history().await;
        let history = history.map_err(|error| failed(error, &registry))?;
        if args.peers.is_empty() {
            here(args, &registry, &id, &history).await
        } else {
            let peers = args.peers.connect().await?;
            on_peers(args, &registry, &peers, &id, &history).await
        }
    })
}

/// Measures on this machine, then writes the record.
async fn here(
    args: &Args,
    registry: &Registry,
    id: &str,
    history: &[Activation],
) -> anyhow::Result<()> {
    let room = args.cache.room()?;
    let new = fetch(registry, id, &room).await?;
    let live = match live(id, history) {
        Some(head) => Some(fetch(registry, &head.snapshot, &room).await?),
        None => None,
    };
    let before = live.as_ref().map(snapshot::Snapshot::dir);
    let mut verdicts = vec![blocked(id, history)];
    verdicts.extend(gates::examine(new.dir(), before, &args.force));
    record(args, registry, (id, history), verdicts, &[]).await?;
    Ok(())
}

/// Has every peer ready, writes the record, then has every peer switch.
async fn on_peers(
    args: &Args,
    registry: &Registry,
    peers: &Peers,
    id: &str,
    history: &[Activation],
) -> anyhow::Result<()> {
    let manifest = |id: String| async move {
        let manifest = registry.manifest(&id).await;
        manifest.map_err(|error| failed(error, registry))
    };
    let new = manifest(id.to_owned()).await?;
    let before = match live(id, history) {
        Some(head) => Some(manifest(head.snapshot.clone()).await?),
        None => None,
    };
    let (measured, refusals) = peers.prepare(id, &args.force).await?;
    let mut verdicts = vec![blocked(id, history), gate::quality(&new, before.as_ref())];
    verdicts.extend(measured);
    let written = record(args, registry, (id, history), verdicts, &refusals).await?;
    if let Some(record) = written {
        peers.activate(id, record.sequence).await;
    }
    Ok(())
}

fn live<'a>(id: &str, history: &'a [Activation]) -> Option<&'a Activation> {
    history.last().filter(|head| head.snapshot != id)
}

/// Writes the record when nothing refuses, and says what was measured; `None` when it was not to
/// change anything.
async fn record(
    args: &Args,
    registry: &Registry,
    (id, history): (&str, &[Activation]),
    mut verdicts: Vec<Verdict>,
    refusals: &[String],
) -> anyhow::Result<Option<Activation>> {
    Verdict::force(&mut verdicts, &args.force);
    let refusal = gates::refused(&verdicts).and_then(|()| match refusals.first() {
        Some(_) => Err(Failure::new(refusals.join("; ")).into()),
        None => Ok(()),
    });
    if refusal.is_err() || args.dry_run {
        show(args, &verdicts, None)?;
        return refusal.map(|()| None);
    }
    let head = history.last().map_or(0, |record| record.sequence);
    let new = activation(args, id.to_owned(), verdicts);
    let record = append(registry, head, new).await?;
    show(args, &record.verdicts, Some(&record))?;
    Ok(Some(record))
}

fn blocked(id: &str, history: &[Activation]) -> Verdict {
    let (measured, passed) = match Activation::blocking(history, id) {
        Some(record) => (
            format!("since activation {}: {}", record.sequence, record.why),
            false,
        ),
        None => ("no record blocks it".to_owned(), true),
    };
    Verdict::new(
        gate::BLOCKED,
        gate::FILES,
        measured,
        "not taken back before",
        passed,
    )
}

fn activation(args: &Args, snapshot: String, verdicts: Vec<Verdict>) -> NewActivation {
    let forced = verdicts.iter().filter(|verdict| verdict.forced);
    let mut forced: Vec<String> = forced.map(|verdict| verdict.gate.clone()).collect();
    forced.dedup();
    NewActivation {
        action: Action::Activate,
        snapshot,
        at_ms: kit::Clock::real().now_ms(),
        by: args.by.clone().unwrap_or_else(me),
        why: args.why.clone(),
        verdicts,
        forced,
        blocks: Vec::new(),
    }
}

pub(super) async fn append(
    registry: &Registry,
    after: u64,
    new: NewActivation,
) -> anyhow::Result<Activation> {
    let appended = registry.append(after, new).await;
    appended.map_err(|error| failed(error, registry))
}

fn show(args: &Args, verdicts: &[Verdict], record: Option<&Activation>) -> anyhow::Result<()> {
    if args.json {
        return output::json(&json!({
            "ready": Verdict::ready(verdicts),
            "verdicts": verdicts,
            "activation": record,
        }));
    }
    gates::print(verdicts);
    if let Some(record) = record {
        output::result(format!(
            "{} is live since record {}{}",
            short(&record.snapshot),
            record.sequence,
            record
                .previous
                .as_deref()
                .map_or_else(String::new, |before| format!(", after {}", short(before)))
        ));
    }
    Ok(())
}
