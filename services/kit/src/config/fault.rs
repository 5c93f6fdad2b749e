//! What serde says is wrong, kept apart instead of printed into one string.

use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

/// What is allowed where a settings type has keys of its own.
pub(super) const A_TABLE: &str = "a table of settings";

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

    /// serde names types as Rust does, which means nothing to whoever writes a config.
    fn expected(expected: &dyn Expected) -> Self {
        Self::not_allowed(match expected.to_string().as_str() {
            words if words.starts_with("struct ") => A_TABLE,
            "u8" => "a whole number from 0 to 255",
            "u16" => "a whole number from 0 to 65535",
            "u32" | "u64" | "usize" => "a whole number, 0 or more",
            "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
            "f32" | "f64" => "a number",
            "a boolean" => "true or false",
            words => words,
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
        Self::expected(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
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
