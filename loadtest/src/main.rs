//! `cartwright-loadtest`: open-loop load on Cartwright's servers, verdicts and reports.
//!
//! It talks protobuf only and knows nothing of the servers' inside. The map, in the order a run
//! goes through it:
//!
//! - `cli`, `plan`, `period`, `slo`, `say`: what was asked for, and how it is answered
//! - `setup`, `population`, `prepare`, `targets`: a shop made from a seed, pushed through the API
//! - `schedule`, `replay`, `pacer`, `engine`, `session`, `command`: when each request leaves, and the loop
//!   that lets it leave
//! - `scenario`, `check`, `status`, `trace`, `server_timing`: what is sent, and whether the answer
//!   is right
//! - `fault`, `find_max`, `compare`, `ceiling`: what a run can do besides
//! - `swap`: a load under which snapshots are swapped
//! - `timings`, `slowest`, `measured`, `cpu`, `stats`, `live`: what was measured
//! - `report`, `machine`, `diff`: table, JSON and page, and two reports side by side
//! - `shop_file`: the made-up shop as a file to train from
//!
//! No request ever waits for another's answer, and no latency counts from the actual send.

mod ceiling;
mod check;
mod cli;
mod command;
mod compare;
mod cpu;
mod diff;
mod engine;
mod fault;
mod find_max;
mod live;
mod machine;
mod measured;
mod pacer;
mod period;
mod plan;
mod population;
mod prepare;
mod random;
mod replay;
mod report;
mod say;
mod scenario;
mod schedule;
mod server_timing;
mod session;
mod setup;
mod shop_file;
mod slo;
mod slowest;
mod stats;
mod status;
mod swap;
mod targets;
mod timings;
mod trace;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

/// Bad usage (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that went away (`| head`) is not an error.
            drop(error.print());
            return if error.use_stderr() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    if let Some(contradiction) = cli.run.contradiction() {
        say::note(format_args!("error: {contradiction}"));
        return ExitCode::from(USAGE);
    }
    match run(&cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say::note(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// True when what was asked for holds.
fn run(cli: &Cli) -> anyhow::Result<bool> {
    match &cli.command {
        None => command::run(&cli.run),
        Some(Command::Diff(diff)) => diff::run(diff),
        Some(Command::Swap(args)) => swap::run(args),
        Some(Command::Shop(shop)) => shop_file::run(shop).map(|()| true),
    }
}
