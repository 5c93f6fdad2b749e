//! How a command fails: what went wrong, what to do next, and the exit code.

use std::fmt;
use std::process::ExitCode;

use crate::output;

/// Bad usage or configuration (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

/// An error with a hint what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    usage: bool,
}

impl Failure {
    /// Something went wrong: exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            usage: false,
        }
    }

    /// The user asked for something that cannot be: exit code 64.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            usage: true,
            ..Self::new(message)
        }
    }

    /// Exit code 1, with the words of an error and its causes.
    pub(crate) fn because(error: impl Into<anyhow::Error>) -> Self {
        Self::new(chain(&error.into()))
    }

    /// Exit code 64, with the words of an error and its causes.
    pub(crate) fn usage_because(error: impl Into<anyhow::Error>) -> Self {
        Self::usage(chain(&error.into()))
    }

    /// Says what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Adds a hint, or the usage exit code, to an error of another crate.
pub(crate) trait OrFail<T> {
    /// Fails with exit code 1 and a hint what to do next.
    fn or_hint(self, hint: impl Into<String>) -> anyhow::Result<T>;

    /// Fails with exit code 64: the mistake is in what was asked for.
    fn or_usage(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for Result<T, E> {
    fn or_hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|e| Failure::because(e).hint(hint).into())
    }

    fn or_usage(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|e| Failure::usage_because(e).hint(hint).into())
    }
}

/// Prints the error on stderr and gives the exit code that belongs to it.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    output::note(format!("error: {}", chain(error)));
    let failure = error.downcast_ref::<Failure>();
    if let Some(hint) = failure.and_then(|f| f.hint.as_deref()) {
        output::note(format!("hint: {hint}"));
    }
    match failure {
        Some(failure) if failure.usage => ExitCode::from(USAGE),
        Some(_) | None => ExitCode::FAILURE,
    }
}

/// Prints what clap has to say: help on stdout with exit code 0, mistakes on stderr with 64.
pub(crate) fn report_usage(error: &clap::Error) -> ExitCode {
    let printed = error.print().is_ok();
    if error.use_stderr() {
        return ExitCode::from(USAGE);
    }
    if printed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The error and its causes on one line. A cause that its parent already quotes is not repeated.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn names_every_cause_once() {
        let inner: Result<(), _> = Err(Failure::new("no such file"));
        let error = inner
            .context("read a.csv: no such file")
            .context("train")
            .unwrap_err();
        assert_eq!(chain(&error), "train: read a.csv: no such file");
    }

    #[test]
    fn finds_the_hint_below_added_context() {
        let error = Err::<(), _>(Failure::usage("bad port").hint("give one below 65536"))
            .context("serve")
            .unwrap_err();
        let failure = error.downcast_ref::<Failure>().unwrap();
        assert!(failure.usage);
        assert_eq!(failure.hint.as_deref(), Some("give one below 65536"));
    }
}
