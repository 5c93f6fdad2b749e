//! `policy check`: whether a policy file can be used.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use policy::Policy;

use crate::failure::{Failure, OrFail as _};
use crate::output;

/// Checks policy files: actions, rules, costs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright policy check --default > policy.toml      start from the shipped policy
  cartwright policy check policy.toml")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks a policy file and names every mistake by line and column
    ///
    /// Exit code 64 when there is one. With --default it prints the policy that is used where no
    /// other is given.
    #[command(after_help = "Example:
  cartwright policy check policy.toml")]
    Check {
        /// The policy, in TOML
        #[arg(required_unless_present = "default")]
        file: Option<PathBuf>,
        /// Print the shipped policy
        #[arg(long, conflicts_with = "file")]
        default: bool,
    },
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let Command::Check { file, .. } = &args.command;
    match file {
        None => output::result(Policy::DEFAULT.trim_end()),
        Some(file) => {
            let text = read(file)?;
            let policy = parse(file, &text)?;
            output::result(format!(
                "{}: ok, policy {}",
                file.display(),
                policy.version()
            ));
        }
    }
    Ok(())
}

/// The text of a policy file that was checked, for training; the shipped one without a file.
pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<String> {
    let Some(file) = file else {
        return Ok(Policy::DEFAULT.to_owned());
    };
    let text = read(file)?;
    parse(file, &text)?;
    Ok(text)
}

/// The policy of a file, or the shipped one.
pub(crate) fn open(file: Option<&Path>) -> anyhow::Result<Policy> {
    match file {
        Some(file) => parse(file, &read(file)?),
        None => parse(Path::new("the shipped policy"), Policy::DEFAULT),
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file)
        .with_context(|| format!("read {}", file.display()))
        .or_usage("`cartwright policy check --default` prints a policy to start from")
}

fn parse(file: &Path, text: &str) -> anyhow::Result<Policy> {
    Policy::parse(text).map_err(|problems| {
        for problem in &problems {
            output::note(format!(
                "{}:{}:{}: {}: {}",
                file.display(),
                problem.line,
                problem.column,
                problem.key,
                problem.message
            ));
        }
        let count = output::counted(problems.len(), "problem");
        Failure::usage(format!("{} has {count}", file.display()))
            .hint("each line above says where and what is allowed")
            .into()
    })
}
