//! Runs the gates on folders of this machine, and shows what they said.

use std::collections::BTreeSet;
use std::path::Path;

use comfy_table::Cell;
use feature_store::Registry;
use snapshot::{Snapshot, Verdict, gates};

use crate::failure::Failure;
use crate::output;

/// Every gate that needs no server, with those of `force` gone past where they can be. With a live
/// generation, against that.
pub(super) fn examine(dir: &Path, live: Option<&Path>, force: &[String]) -> Vec<Verdict> {
    let snapshot = match gates::open(dir) {
        Ok(snapshot) => snapshot,
        Err(verdict) => return vec![*verdict],
    };
    let integrity = gates::integrity(&snapshot);
    if !integrity.passed {
        // Whatever else is wrong with it would be wrong with something else.
        return vec![integrity];
    }
    let manifest = snapshot.manifest();
    let before = live.and_then(|live| Snapshot::open(live).ok());
    let mut verdicts = vec![
        integrity,
        gates::schema(manifest, Registry::standard().fingerprint()),
        gates::memory(manifest, gates::available_bytes()),
        gates::quality(manifest, before.as_ref().map(Snapshot::manifest)),
    ];
    Verdict::force(&mut verdicts, force);
    // What does not fit or does not load is not tried again: it would be named otherwise then.
    let goes_on = |verdicts: &[Verdict]| {
        let may = |one: &Verdict| {
            one.passed || one.forced || gates::can_be_forced(&one.gate) && one.gate != gates::MEMORY
        };
        verdicts.iter().all(may)
    };
    if goes_on(&verdicts) {
        verdicts.extend(candidates::examine_folder(dir, live));
    }
    if goes_on(&verdicts) {
        verdicts.extend(recovery::examine_folder(dir, live));
    }
    Verdict::force(&mut verdicts, force);
    verdicts
}

/// Names of gates to go past, checked.
pub(super) fn forced(names: &[String]) -> anyhow::Result<()> {
    for name in names {
        if gates::can_be_forced(name) {
            continue;
        }
        let hint = format!("gates that can be forced: {}", gates::FORCEABLE.join(", "));
        let said = if gates::ALL.contains(&name.as_str()) {
            format!("gate {name} cannot be forced: past it there is nothing that can be served")
        } else {
            format!("there is no gate {name:?}")
        };
        return Err(Failure::usage(said).hint(hint).into());
    }
    Ok(())
}

pub(super) fn print(verdicts: &[Verdict]) {
    let mut table = output::table(["gate", "role", "measured", "bar", "verdict"]);
    for verdict in verdicts {
        table.add_row([
            Cell::new(&verdict.gate),
            Cell::new(&verdict.role),
            Cell::new(&verdict.measured),
            Cell::new(&verdict.bar),
            Cell::new(word(verdict)),
        ]);
    }
    output::result(table);
}

fn word(verdict: &Verdict) -> &'static str {
    match (verdict.passed, verdict.forced) {
        (true, _) => "passed",
        (false, true) => "forced",
        (false, false) => "REFUSED",
    }
}

/// The error when gates refuse, which names them.
pub(super) fn refused(verdicts: &[Verdict]) -> anyhow::Result<()> {
    let refusing: Vec<String> = verdicts
        .iter()
        .filter(|verdict| verdict.refuses())
        .map(|verdict| {
            format!(
                "{} ({}, bar: {})",
                verdict.gate, verdict.measured, verdict.bar
            )
        })
        .collect();
    if refusing.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(format!("refused by {}", refusing.join("; and by ")));
    let can = verdicts.iter().filter(|one| one.refuses());
    let can = can.filter(|one| gates::can_be_forced(&one.gate));
    // Every role says it of its own.
    let gates: BTreeSet<&str> = can.map(|one| one.gate.as_str()).collect();
    let flags: Vec<String> = gates.iter().map(|gate| format!("--force {gate}")).collect();
    Err(if flags.is_empty() {
        failure.into()
    } else {
        let hint = format!("whoever knows better: {}", flags.join(" "));
        failure.hint(hint).into()
    })
}
