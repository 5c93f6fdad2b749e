//! The mistakes of a policy file, each with its place.

use crate::Problem;

/// The mistakes found so far.
pub(super) struct Problems<'s> {
    source: &'s str,
    found: Vec<(usize, Problem)>,
    /// Lines that are not TOML. What else is found there follows from that.
    broken: Vec<usize>,
}

impl<'s> Problems<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self {
            source,
            found: Vec::new(),
            broken: Vec::new(),
        }
    }

    pub(super) fn syntax(&mut self, at: usize, message: &str) {
        let problem = self.problem(
            at,
            "file".to_owned(),
            format!("is not valid TOML: {message}"),
        );
        // The first error of a line is the cause, the others follow from it.
        if !self.broken.contains(&problem.line) {
            self.broken.push(problem.line);
            self.found.push((at, problem));
        }
    }

    pub(super) fn add(&mut self, at: usize, key: String, message: String) {
        let problem = self.problem(at, key, message);
        if !self.broken.contains(&problem.line) {
            self.found.push((at, problem));
        }
    }

    /// A key that is missing may stand on a line that could not be read.
    pub(super) fn add_missing(&mut self, at: usize, key: String, message: String) {
        if self.broken.is_empty() {
            self.add(at, key, message);
        }
    }

    fn problem(&self, at: usize, key: String, message: String) -> Problem {
        let before = self.source.get(..at).unwrap_or(self.source);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Problem {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            key,
            message,
        }
    }

    pub(super) fn finish(mut self) -> Result<(), Vec<Problem>> {
        self.found.sort_by_key(|(at, _)| *at);
        if self.found.is_empty() {
            return Ok(());
        }
        Err(self.found.into_iter().map(|(_, problem)| problem).collect())
    }
}
