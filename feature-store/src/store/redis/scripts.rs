//! Running the server-side scripts.

use redis::{Cmd, Pipeline, Value};

use super::connection::{Connection, Patience};
use crate::store::Error;

/// The scripts of this store.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) commit: Script,
    pub(super) shift: Script,
    pub(super) deliver: Script,
}

/// A script; Redis knows it by its hash.
#[derive(Debug)]
pub(super) struct Script {
    code: &'static str,
    hash: String,
}

impl Script {
    fn new(code: &'static str) -> Self {
        let hash = redis::Script::new(code).get_hash().to_owned();
        Self { code, hash }
    }
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            commit: Script::new(include_str!("commit.lua")),
            shift: Script::new(include_str!("shift.lua")),
            deliver: Script::new(include_str!("deliver.lua")),
        }
    }
}

/// One call of a script.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) keys: Vec<String>,
    pub(super) args: Vec<Vec<u8>>,
}

impl Call {
    pub(super) fn arg(&mut self, arg: impl AsRef<[u8]>) {
        self.args.push(arg.as_ref().to_vec());
    }

    fn command(&self, script: &Script) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&script.hash).arg(self.keys.len());
        command.arg(&self.keys).arg(&self.args);
        command
    }
}

/// Runs a script for each call, in one round trip. Redis forgets scripts when it restarts: those
/// calls that found none are made again after loading it.
pub(super) async fn run(
    connection: &Connection,
    script: &Script,
    calls: &[Call],
) -> Result<Vec<Value>, Error> {
    let mut answers = send(connection, script, calls.iter(), false).await?;
    let unknown: Vec<_> = answers
        .iter()
        .enumerate()
        .filter_map(|(position, answer)| is_unknown_script(answer).then_some(position))
        .collect();
    if !unknown.is_empty() {
        let again = unknown.iter().filter_map(|position| calls.get(*position));
        let mut again = send(connection, script, again, true).await?.into_iter();
        for position in unknown {
            if let (Some(answer), Some(new)) = (answers.get_mut(position), again.next()) {
                *answer = new;
            }
        }
    }
    answers
        .into_iter()
        .map(|answer| connection.success(answer))
        .collect()
}

async fn send(
    connection: &Connection,
    script: &Script,
    calls: impl Iterator<Item = &Call>,
    load: bool,
) -> Result<Vec<Value>, Error> {
    let mut pipeline = Pipeline::new();
    if load {
        pipeline.cmd("SCRIPT").arg("LOAD").arg(script.code);
    }
    for call in calls {
        pipeline.add_command(call.command(script));
    }
    let mut answers = connection.send(&pipeline, Patience::Write).await?;
    if load {
        answers.remove(0);
    }
    Ok(answers)
}

fn is_unknown_script(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.code() == "NOSCRIPT")
}
