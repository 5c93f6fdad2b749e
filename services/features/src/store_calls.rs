//! Tells the metrics how calls to the store go.

use std::time::Duration;

use feature_store::store::{Call, Error, Observer};
use kit::metrics::StoreMetrics;

/// Counts the calls of this role.
#[derive(Debug)]
pub(crate) struct StoreCalls(pub(crate) StoreMetrics);

impl Observer for StoreCalls {
    fn called(&self, call: Call, took: Duration, error: Option<&Error>) {
        self.0.called(call.as_str(), took, error.map(Error::kind));
    }

    fn conflicted(&self, commits: usize) {
        self.0.conflicted(commits);
    }
}

#[cfg(test)]
mod tests {
    use kit::metrics::{Registry, text};

    use super::*;

    #[test]
    fn every_kind_of_call_and_error_is_shown() {
        let mut registry = Registry::new("toy");
        let calls = StoreCalls(StoreMetrics::register(&mut registry));
        let corrupt = Error::Corrupt {
            key: String::new(),
            detail: String::new(),
        };
        for call in Call::ALL {
            calls.called(call, Duration::ZERO, Some(&corrupt));
        }
        calls.conflicted(3);
        let text = text::encode(&[&registry]);
        let counted = |part: &str, end: &str| {
            let lines = text.lines();
            lines
                .filter(|line| line.starts_with(part) && line.ends_with(end))
                .count()
        };
        let all = Call::ALL.len();
        assert_eq!(
            counted("cartwright_toy_store_call_duration_seconds_count", "} 1"),
            all
        );
        assert_eq!(counted("cartwright_toy_store_errors_total", "} 1"), all);
        assert_eq!(counted("cartwright_toy_store_conflicts_total", " 3"), 1);
    }
}
