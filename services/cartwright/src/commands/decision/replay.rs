//! `decision replay`: makes the decisions of a file again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use anyhow::Context as _;
use policy::Policy;
use recovery::record::{self, Line, Record};
use serde::Serialize;

use crate::failure::{Failure, OrFail as _};
use crate::output;

/// How many of those that failed are shown.
const SHOWN: usize = 10;

/// Makes every decision of a file again, and compares it bit for bit
///
/// The file is all that is used: a decision is a function of its logged inputs, its seed and the
/// policy that its record names. Those of shoppers who were erased are counted. Exit code 1 when one does not come out the same, is damaged, or
/// cannot be made again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright decision replay decisions.jsonl
  cartwright decision replay decisions.jsonl --policy policy.toml     where the log names none")]
pub(super) struct Args {
    /// Written by `cartwright decision export`
    file: PathBuf,
    /// One more policy: for decisions that an older version logged, which name only its version
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Counts {
    decisions: usize,
    identical: usize,
    failed: usize,
    /// Of shoppers who were erased: nobody can read them.
    erased: u64,
    policies: usize,
    /// Decisions by action, of those that are identical.
    actions: BTreeMap<String, usize>,
}

/// The policies by id; one that was named on the command line by version as well.
#[derive(Debug, Default)]
struct Policies {
    by_id: BTreeMap<Vec<u8>, Policy>,
    older: Option<Policy>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let mut policies = Policies {
        older: args
            .policy
            .as_deref()
            .map(|file| crate::commands::policy::open(Some(file)))
            .transpose()?,
        ..Policies::default()
    };
    let open = || format!("open {}", args.file.display());
    let file = File::open(&args.file).with_context(open);
    let file = file.or_usage("`cartwright decision export` writes such a file")?;
    let (mut counts, mut failures) = (Counts::default(), Vec::new());
    let bar = output::count_bar(None, "replaying");
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| format!("read {}", args.file.display()))?;
        if let Err(error) = replay(&line, &mut policies, &mut counts) {
            counts.failed += 1;
            failures.push(format!("line {}: {error:#}", number + 1));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    tell(args, &counts, &failures)
}

fn replay(line: &str, policies: &mut Policies, counts: &mut Counts) -> anyhow::Result<()> {
    match Line::read(line)? {
        Line::Policy { toml, .. } => {
            let policy = parse(&toml)?;
            policies.by_id.insert(policy.id().to_vec(), policy);
            counts.policies += 1;
        }
        Line::Decision {
            decision_id,
            record,
        } => {
            counts.decisions += 1;
            let again = again(&record, policies).with_context(|| decision_id)?;
            counts.identical += 1;
            let action = again.action.as_str().to_owned();
            *counts.actions.entry(action).or_default() += 1;
        }
        Line::Erased { decisions } => counts.erased += decisions,
    }
    Ok(())
}

fn again(record: &str, policies: &Policies) -> anyhow::Result<policy::Decision> {
    let record = Line::record(record)?;
    let named = policies.by_id.get(&record.policy_id);
    let policy = named.or(policies.older.as_ref());
    let policy = policy.with_context(|| unknown(&record))?;
    Ok(record::replay(&record, policy)?)
}

fn unknown(record: &Record) -> String {
    match record.policy_id.as_slice() {
        [] => format!(
            "an older version logged it: --policy has to name policy {:?}",
            record.policy_version
        ),
        id => format!(
            "policy {:?} ({}) is not in the file",
            record.policy_version,
            record::hex(id)
        ),
    }
}

fn tell(args: &Args, counts: &Counts, failures: &[String]) -> anyhow::Result<()> {
    for failure in failures.iter().take(SHOWN) {
        output::note(failure);
    }
    if args.json {
        output::json(counts)?;
    } else {
        let mut table = output::table(["decisions", &output::thousands(counts.decisions)]);
        table.add_row([
            "the same, bit for bit",
            &output::thousands(counts.identical),
        ]);
        for (action, count) in &counts.actions {
            let name = format!("  {}", action.replace('_', " "));
            table.add_row([name, output::thousands(*count)]);
        }
        table.add_row(["not", &output::thousands(counts.failed)]);
        if counts.erased > 0 {
            let erased = usize::try_from(counts.erased).unwrap_or(usize::MAX);
            table.add_row(["erased with their shoppers", &output::thousands(erased)]);
        }
        output::result(table);
    }
    if counts.failed > 0 {
        let failed = output::counted(counts.failed, "line");
        return Err(Failure::new(format!("{failed} did not come out the same"))
            .hint("the lines above say why")
            .into());
    }
    Ok(())
}

fn parse(toml: &str) -> anyhow::Result<Policy> {
    Policy::parse(toml).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the policy has mistakes: {}", problems.join("; "))
    })
}
