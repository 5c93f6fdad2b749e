//! Logs: for people by default, JSON lines for machines. Written to stderr; stdout is for answers.
//!
//! A line written while a request is worked on carries its trace id: `trace_id` in JSON, the end of
//! the line for people. A level says who is to act: `error` an operator, now; `warn` someone, some
//! time; `info` nobody, it is a step in the role's life; `debug` is for whoever works on the code.

mod json;
mod limit;
mod lines;

use std::io::IsTerminal as _;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

pub(crate) use limit::Limit;

use crate::config::Report;
use crate::trace::spans::Stages;

/// How to log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `pretty` or `json`.
    pub format: Format,
    /// A level, or directives such as `info,features=debug`.
    pub filter: String,
    /// Lines that one place in the code may write each second; what it leaves out, its next line
    /// counts. Lines for developers are not limited. 0 = no limit.
    pub lines_per_second: u32,
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
            lines_per_second: 10,
        }
    }
}

impl Settings {
    /// Checks what the types cannot, with keys relative to the section.
    pub fn check(&self, report: &mut Report) {
        if EnvFilter::try_new(&self.filter).is_err() {
            let allowed = "a level, or directives such as info,features=debug";
            report.add("filter", &self.filter, allowed);
        }
    }
}

/// What an operator acts on; the embedded store's own progress reports are not.
const DEFAULT_FILTER: &str = "info,fjall=warn,lsm_tree=warn";

/// Starts logging, and the timing of what requests do. Only the first call in a
/// process has an effect, so tests and roles that share a process may each call it. A filter that
/// does not parse reads as the default.
pub fn init(settings: &Settings) {
    let filter =
        EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let limit = Limit::new(settings.lines_per_second);
    let outcome = match settings.format {
        Format::Pretty => {
            let lines = lines
                .with_target(false)
                .fmt_fields(lines::WithTrace::default());
            Stages::over(lines.finish(), limit).try_init()
        }
        Format::Json => {
            let lines = lines.event_format(json::Lines);
            Stages::over(lines.finish(), limit).try_init()
        }
    };
    if outcome.is_err() {
        tracing::debug!("logging was started before");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;

    use super::*;
    use crate::trace;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Written {
        fn lines(&self) -> Vec<String> {
            let bytes = self.0.lock().unwrap();
            let text = std::str::from_utf8(&bytes).unwrap();
            text.lines().map(str::to_owned).collect()
        }
    }

    #[test]
    fn a_json_line_of_a_request_names_its_trace_and_any_other_does_not() {
        let written = Written::default();
        let to = written.clone();
        let lines = tracing_subscriber::fmt()
            .event_format(json::Lines)
            .with_writer(move || to.clone());
        let lines = Stages::over(lines.finish(), Limit::new(0));
        let id = with_default(lines, || {
            tracing::info!("outside");
            trace::in_a_request(|| tracing::warn!(answer = 42, "a \"quoted\" word"))
        });
        let lines = written.lines();
        let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let (outside, inside) = (read(&lines[0]), read(&lines[1]));
        assert!(outside.get("trace_id").is_none());
        assert_eq!(inside["trace_id"], id);
        assert_eq!(inside["level"], "WARN");
        assert_eq!(inside["message"], "a \"quoted\" word");
        assert_eq!(inside["answer"], 42);
    }

    #[test]
    fn a_flood_is_cut_and_a_line_for_people_ends_with_its_trace() {
        let written = Written::default();
        let to = written.clone();
        let lines = tracing_subscriber::fmt()
            .fmt_fields(lines::WithTrace::default())
            .with_ansi(false)
            .with_writer(move || to.clone());
        let lines = Stages::over(lines.finish(), Limit::new(2));
        let id = with_default(lines, || {
            trace::in_a_request(|| (0..5).for_each(|_| tracing::warn!("again")))
        });
        let lines = written.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        let end = format!("again trace={}", &id[..16]);
        assert!(lines[0].ends_with(&end), "{lines:?}");
    }

    #[test]
    fn starting_twice_is_harmless() {
        init(&Settings::default());
        let json = Settings {
            format: Format::Json,
            filter: "][".to_owned(),
            ..Settings::default()
        };
        init(&json);
    }
}
