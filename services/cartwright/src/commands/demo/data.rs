//! The log that the demo runs on: a file's, or a generated shop's.

use feature_store::Millis;

use super::Args;
use crate::failure::Failure;
use crate::output;
use crate::reading::Log;

pub(super) fn describe(args: &Args) -> String {
    match &args.events {
        Some(file) => format!("reading {}", file.display()),
        None => format!(
            "generating a small shop (seed {}); --events FILE takes yours",
            args.seed
        ),
    }
}

pub(super) fn load(args: &Args) -> anyhow::Result<Log> {
    let log = match &args.events {
        Some(file) => Log::read(std::slice::from_ref(file), args.format, None)?,
        None => generated(args.seed),
    };
    if log.bad_lines > 0 {
        output::note(format!("  {} bad lines were left out", log.bad_lines));
    }
    if log.events.is_empty() {
        return Err(Failure::new("the log has no events")
            .hint("`cartwright events import --events FILE` shows how a file reads")
            .into());
    }
    Ok(log)
}

fn generated(seed: u64) -> Log {
    let shop = simulator::demo(seed);
    Log {
        events: shop.events,
        items: shop.items,
        bad_lines: 0,
        unreadable: 0,
    }
}

/// When the log ends.
pub(in crate::commands) fn end(log: &Log) -> Millis {
    log.events
        .iter()
        .map(|event| event.occurred_at)
        .max()
        .unwrap_or_default()
}
