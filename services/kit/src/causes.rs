//! An error and what caused it, in a line.

use std::error::Error;

/// The error and its causes, outermost first. A cause whose words the line has already is left out:
/// many errors repeat theirs.
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !line.contains(&words) {
            line = format!("{line}: {words}");
        }
        cause = inner.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Said {
        words: &'static str,
        source: Option<Box<Said>>,
    }

    #[test]
    fn every_cause_is_said_once() {
        let said = |words, source| Said { words, source };
        let inner = said("no such file", None);
        let middle = said("read a: no such file", Some(Box::new(inner)));
        let outer = said("the snapshot is not loaded", Some(Box::new(middle)));
        let line = "the snapshot is not loaded: read a: no such file";
        assert_eq!(causes(&outer), line);
    }
}
