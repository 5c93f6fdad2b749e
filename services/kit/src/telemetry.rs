//! Logs: for people by default, JSON lines for machines. Written to stderr; stdout is for answers.

use std::io::IsTerminal as _;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How to log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `pretty` or `json`.
    pub format: Format,
    /// A level, or directives such as `info,features=debug`.
    pub filter: String,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One line for people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            format: Format::Pretty,
            filter: DEFAULT_FILTER.to_owned(),
        }
    }
}

/// What an operator acts on; the embedded store's own progress reports are not.
const DEFAULT_FILTER: &str = "info,fjall=warn,lsm_tree=warn";

/// Starts logging. Only the first call in a process has an effect, so tests and roles that share a
/// process may each call it. A filter that does not parse reads as the default.
pub fn init(settings: &Settings) {
    let filter =
        EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let outcome = match settings.format {
        Format::Pretty => lines.with_target(false).finish().try_init(),
        Format::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    if outcome.is_err() {
        tracing::debug!("logging was started before");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starting_twice_is_harmless() {
        init(&Settings::default());
        init(&Settings {
            format: Format::Json,
            filter: "][".to_owned(),
        });
    }
}
