//! Refusing a request by its fields: INVALID_ARGUMENT with `google.rpc.BadRequest`.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// At most this many fields are named in one refusal: details travel in HTTP/2 headers, and
/// clients cap those at 8 KiB.
const NAMED_AT_MOST: usize = 16;
/// Longest description of one field, in bytes.
const DESCRIBED_AT_MOST: usize = 160;

/// Longest id of a shopper, item, event or request.
const ID_BYTES: usize = 128;

/// Refuses a request, naming each field at fault and what is allowed there.
#[must_use]
pub fn bad_request<F: Into<String>, D: Into<String>>(
    violations: impl IntoIterator<Item = (F, D)>,
) -> Status {
    let mut violations = violations
        .into_iter()
        .map(|(field, description)| (field.into(), shortened(description.into())));
    let mut details = ErrorDetails::new();
    let mut said = Vec::new();
    for (field, description) in violations.by_ref().take(NAMED_AT_MOST) {
        said.push(format!("{field}: {description}"));
        details.add_bad_request_violation(field, description);
    }
    let more = violations.count();
    let mut message = said.into_iter().take(4).collect::<Vec<_>>().join("; ");
    if more > 0 {
        message.push_str(&format!("; and {more} more"));
    }
    Status::with_error_details(Code::InvalidArgument, message, details)
}

fn shortened(mut text: String) -> String {
    if text.len() > DESCRIBED_AT_MOST {
        let end = (0..=DESCRIBED_AT_MOST)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Collects what is wrong with a request, so that one answer names every field.
#[derive(Debug, Default)]
pub struct Violations(Vec<(String, String)>);

impl Violations {
    /// Nothing wrong so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that `field` (a path such as `events[3].price_minor`) breaks a rule.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push((field.into(), description.into()));
    }

    /// Records the violation unless `holds`.
    pub fn check(&mut self, holds: bool, field: &str, description: impl FnOnce() -> String) {
        if !holds {
            self.add(field, description());
        }
    }

    /// An id has 1 to 128 bytes.
    pub fn check_id(&mut self, field: &str, id: &str) {
        self.check(!id.is_empty() && id.len() <= ID_BYTES, field, || {
            format!("has {} bytes, 1 to {ID_BYTES} are allowed", id.len())
        });
    }

    /// A list has 1 to `most` entries.
    pub fn check_count(&mut self, field: &str, count: usize, most: usize) {
        self.check((1..=most).contains(&count), field, || {
            format!("has {count} entries, 1 to {most} are allowed")
        });
    }

    /// A list that may be empty has at most `most` entries.
    pub fn check_at_most(&mut self, field: &str, count: usize, most: usize) {
        self.check(count <= most, field, || {
            format!("has {count} entries, at most {most} are allowed")
        });
    }

    /// True while nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many violations were recorded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The violations as (field, description).
    #[must_use]
    pub fn into_vec(self) -> Vec<(String, String)> {
        self.0
    }

    /// # Errors
    /// The refusal, when anything was recorded.
    pub fn into_result(self) -> Result<(), Status> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(bad_request(self.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_field_in_the_details() {
        let mut violations = Violations::new();
        violations.check(true, "fine", || unreachable!());
        violations.check(false, "k", || "is 5000, at most 1000".to_owned());
        violations.add("events[3].price_minor", "is -1, at least 0");
        let status = violations.into_result().unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let fields: Vec<_> = status
            .get_details_bad_request()
            .unwrap()
            .field_violations
            .into_iter()
            .map(|violation| violation.field)
            .collect();
        assert_eq!(fields, ["k", "events[3].price_minor"]);
    }

    #[test]
    fn a_refusal_of_a_thousand_fields_stays_small_enough_for_headers() {
        let status = bad_request((0..1_000).map(|i| (format!("items[{i}]"), "é".repeat(1_000))));
        assert!(status.details().len() < 6_000);
        assert!(status.message().ends_with("; and 984 more"));
    }
}
