//! What serde says is wrong, kept apart instead of printed into one string.

use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

/// The first thing that reading a settings type stumbled over.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where, from the root.
    pub(super) path: Vec<String>,
    pub(super) kind: Kind,
    /// The value is a secret: it must not be shown.
    pub(super) secret: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// No such key; these exist.
    Unknown { known: Vec<String> },
    /// The value is not one of what is allowed.
    NotAllowed { allowed: String },
    /// The type refused the value in its own words.
    Refused { why: String },
    /// A key that must be there is not.
    Missing,
}

impl Fault {
    pub(super) fn not_allowed(allowed: impl Into<String>) -> Self {
        Self::new(Kind::NotAllowed {
            allowed: allowed.into(),
        })
    }

    fn new(kind: Kind) -> Self {
        Self {
            path: Vec::new(),
            kind,
            secret: false,
        }
    }

    /// The same fault, seen from the table or list that holds the value.
    pub(super) fn under(mut self, key: &str) -> Self {
        self.path.insert(0, key.to_owned());
        self
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: Display>(why: T) -> Self {
        Self::new(Kind::Refused {
            why: why.to_string(),
        })
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::not_allowed(expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::not_allowed(expected.to_string())
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::not_allowed(format!("one of {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let known = expected.iter().map(|&key| key.to_owned()).collect();
        Self::new(Kind::Unknown { known }).under(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::Missing).under(field)
    }
}
