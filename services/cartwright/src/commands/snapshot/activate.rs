//! `activate`: gates, then the record that makes a snapshot the live one.

use serde_json::json;
use snapshot::{Action, Activation, NewActivation, Registry, Verdict, gates as gate};

use super::gates;
use super::place::{Cache, Place, failed, fetch, me, resolve, short};
use crate::commands::block_on;
use crate::failure::Failure;
use crate::output;

/// Makes a published snapshot the live one, when all gates let it pass
///
/// Each gate measures a figure and holds it against a bar: checksums, features, memory, items and
/// dimensions, stored requests, recall, latency and quality against the live generation. They are
/// measured here, on this machine. A refusal names the gate; --force GATE goes past exactly that one,
/// and the history says so. Servers that follow the registry take the record up by themselves.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright snapshot activate 3f9a12c0 --registry /srv/models --why 'October log'
  cartwright snapshot activate 3f9a12c0 --registry /srv/models --force quality --why 'new shop, little data'")]
pub(crate) struct Args {
    /// The snapshot's id, or its beginning
    id: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    cache: Cache,
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
    let room = args.cache.room()?;
    let (id, history, new, live) = block_on(async {
        let id = resolve(&registry, &args.id).await?;
        let history = registry.history().await;
        let history = history.map_err(|error| failed(error, &registry))?;
        let new = fetch(&registry, &id, &room).await?;
        let live = match history.last().filter(|head| head.snapshot != id) {
            Some(head) => Some(fetch(&registry, &head.snapshot, &room).await?),
            None => None,
        };
        Ok((id, history, new, live))
    })?;
    let mut verdicts = vec![blocked(&id, &history)];
    let before = live.as_ref().map(snapshot::Snapshot::dir);
    verdicts.extend(gates::examine(new.dir(), before, &args.force));
    Verdict::force(&mut verdicts, &args.force);
    let refusal = gates::refused(&verdicts);
    if refusal.is_err() || args.dry_run {
        show(args, &verdicts, None)?;
        return refusal;
    }
    let head = history.last().map_or(0, |record| record.sequence);
    let record = block_on(append(&registry, head, activation(args, id, verdicts)))?;
    show(args, &record.verdicts.clone(), Some(&record))
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
