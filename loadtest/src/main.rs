//! `cartwright-loadtest`: open-loop load on Cartwright's servers, verdicts and reports.
//!
//! It talks protobuf only and knows nothing of the servers' inside. The map, in the order a run
//! goes through it:
//!
//! - `cli`, `period`, `slo`: what was asked for
//! - `population`, `prepare`, `targets`: a shop made from a seed, pushed through the API
//! - `schedule`, `engine`, `session`: when each request leaves, and the loop that lets it leave
//! - `scenario`, `check`, `status`: what is sent, and whether the answer is right
//! - `timings`, `measured`, `find_max`, `live`: what was measured, and the highest rate that holds
//! - `report`, `machine`: table, JSON and page
//!
//! No request ever waits for another's answer, and no latency counts from the actual send.

mod check;
mod cli;
mod command;
mod engine;
mod find_max;
mod live;
mod machine;
mod measured;
mod period;
mod population;
mod prepare;
mod random;
mod report;
mod scenario;
mod schedule;
mod session;
mod slo;
mod status;
mod targets;
mod timings;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

/// Bad usage (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
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
    match command::run(&cli.run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
