//! `cartwright`: every role and every operator command in one binary.

mod children;
mod cli;
mod commands;
mod failure;
mod leaderboard;
mod living;
mod memory;
mod output;
mod ports;
mod privacy;
mod push;
mod reading;
mod remote;
mod roles;
mod stores;
mod training;
mod wire;
mod writing;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // A facility of tests: see `snapshot::crash`.
    if let Some(step) = std::env::var_os("CARTWRIGHT_CRASH_AT").and_then(|s| s.into_string().ok()) {
        snapshot::crash::arm(&step);
    }
    kit::metrics::process::built_from(env!("CARTWRIGHT_COMMIT"), memory::NAME);
    memory::keep_freed();
    match cli::Cli::try_parse() {
        Ok(cli) => match cli.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure::report(&error),
        },
        Err(error) => failure::report_usage(&error),
    }
}
