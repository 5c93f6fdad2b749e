//! `cartwright`: every role and every operator command in one binary.

mod cli;
mod commands;
mod failure;
mod leaderboard;
mod output;
mod ports;
mod push;
mod reading;
mod remote;
mod roles;
mod training;
mod wire;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    kit::metrics::process::built_from(env!("CARTWRIGHT_COMMIT"));
    match cli::Cli::try_parse() {
        Ok(cli) => match cli.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure::report(&error),
        },
        Err(error) => failure::report_usage(&error),
    }
}
