//! How the program speaks: results on stdout, all else on stderr.

use std::fmt::Display;
use std::io::Write as _;

/// Prints a result. A reader that went away (`| head`) is not an error.
pub(crate) fn result(text: impl Display) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Says something about the work.
pub(crate) fn note(text: impl Display) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
