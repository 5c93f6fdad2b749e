//! `doctor`: whether this machine, the store and the servers are fit.

mod machine;
mod model;
mod servers;
mod store;

use std::path::PathBuf;

use comfy_table::{Cell, Color};
use serde::Serialize;

use crate::failure::Failure;
use crate::{output, remote};

/// Checks this machine, the store, a snapshot and running servers
///
/// Every check is ok, a warning or a failure, and says what to do. Exit code 1 when one fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright doctor
  cartwright doctor --redis redis://127.0.0.1:6379 --snapshot model --json")]
pub(crate) struct Args {
    /// Check this Redis: persistence and eviction policy
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Check this snapshot: checksums, missing margins
    #[arg(long, value_name = "DIR")]
    snapshot: Option<PathBuf>,
    /// Check these running servers
    #[arg(long, value_name = "URL,…", value_delimiter = ',')]
    to: Vec<String>,
    #[command(flatten)]
    access: remote::Access,
    /// Where the embedded store would be
    #[arg(long, value_name = "DIR", default_value = "./data")]
    data: PathBuf,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    fn cell(self) -> Cell {
        match self {
            Self::Ok => Cell::new("ok").fg(Color::Green),
            Self::Warn => Cell::new("warn").fg(Color::Yellow),
            Self::Fail => Cell::new("fail").fg(Color::Red),
        }
    }
}

/// What one check found.
#[derive(Debug, Serialize)]
struct Finding {
    check: String,
    verdict: Verdict,
    detail: String,
}

impl Finding {
    fn new(check: impl Into<String>, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            verdict,
            detail: detail.into(),
        }
    }

    fn ok(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, detail)
    }

    fn warn(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warn, detail)
    }

    fn fail(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fail, detail)
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let findings = super::block_on(async { Ok(examine(args).await) })?;
    if args.json {
        output::json(&findings)?;
    } else {
        print(&findings);
    }
    let failed = findings
        .iter()
        .filter(|f| f.verdict == Verdict::Fail)
        .count();
    if failed == 0 {
        return Ok(());
    }
    Err(
        Failure::new(format!("{} failed", output::counted(failed, "check")))
            .hint("each failed check says what is needed")
            .into(),
    )
}

async fn examine(args: &Args) -> Vec<Finding> {
    let mut findings = machine::examine(&args.data);
    if let Some(url) = &args.redis {
        findings.extend(store::examine(url).await);
    }
    if let Some(dir) = &args.snapshot {
        findings.extend(model::examine(dir));
    }
    for url in &args.to {
        findings.push(servers::examine(url, &args.access).await);
    }
    findings
}

fn print(findings: &[Finding]) {
    let mut table = output::table(["check", "", "detail"]);
    for finding in findings {
        table.add_row([
            Cell::new(&finding.check),
            finding.verdict.cell(),
            Cell::new(&finding.detail),
        ]);
    }
    output::result(table);
}
