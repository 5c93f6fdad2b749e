//! The commands and what their `--help` says.

use clap::{Parser, Subcommand};

use crate::commands::{
    decide, decision, demo, doctor, drill, evaluate, events, features, model, policy, privacy,
    recover, report, serve, shopper, simulate, snapshot, train, webhook,
};

/// Decides in real time whether and how to win an abandoned cart back
///
/// Shop events go in; for each shopper who is about to leave a full cart a decision comes out: do
/// nothing, remind, offer a coupon or free shipping, or make a limited-time offer, with the items
/// to show.
///
/// Results go to stdout, everything said about them to stderr. Exit code 0 is success, 1 a failure,
/// 64 bad usage or a bad configuration.
#[derive(Debug, Parser)]
#[command(
    name = "cartwright",
    version,
    after_help = "Examples:
  cartwright demo                                      real decisions on a generated shop, in seconds
  cartwright train --events events.csv --out model     learn from an event file
  cartwright serve all --snapshot model                serve it: gRPC on 7101, 7102 and 7103
  cartwright events push --events events.csv           send events to it
  cartwright decide --shopper 42 --why                 ask it for a decision"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Serve(serve::Args),
    Events(events::Args),
    Train(train::Args),
    Features(features::Args),
    Model(model::Args),
    Snapshot(snapshot::Args),
    Recover(recover::Args),
    Decide(decide::Args),
    Decision(decision::Args),
    Shopper(shopper::Args),
    Policy(policy::Args),
    Privacy(privacy::Args),
    Simulate(simulate::Args),
    Report(report::Args),
    Webhook(webhook::Args),
    Evaluate(evaluate::Args),
    Doctor(doctor::Args),
    Drill(drill::Args),
}

impl Cli {
    /// Runs the command to its end.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Demo(args) => demo::run(&args),
            Command::Serve(args) => serve::run(&args),
            Command::Events(args) => events::run(&args),
            Command::Train(args) => train::run(&args),
            Command::Features(args) => features::run(&args),
            Command::Model(args) => model::run(&args),
            Command::Snapshot(args) => snapshot::run(&args),
            Command::Recover(args) => recover::run(&args),
            Command::Decide(args) => decide::run(&args),
            Command::Decision(args) => decision::run(&args),
            Command::Shopper(args) => shopper::run(&args),
            Command::Policy(args) => policy::run(&args),
            Command::Privacy(args) => privacy::run(&args),
            Command::Report(args) => report::run(&args),
            Command::Simulate(args) => simulate::run(&args),
            Command::Webhook(args) => webhook::run(&args),
            Command::Evaluate(args) => evaluate::run(&args),
            Command::Doctor(args) => doctor::run(&args),
            Command::Drill(args) => drill::run(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_command_explains_itself_with_an_example() {
        fn check(command: &mut clap::Command) {
            let help = command.render_long_help().to_string();
            assert!(
                help.contains("Example"),
                "{} has no example:\n{help}",
                command.get_name()
            );
            for sub in command.get_subcommands_mut() {
                if sub.get_name() != "help" {
                    check(sub);
                }
            }
        }
        check(&mut Cli::command());
    }

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
