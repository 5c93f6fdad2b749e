//! Lines for people: the fields as usual, then what was left out and the trace.

use std::fmt;

use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};

use super::limit;
use crate::trace;

/// Digits of a trace id that people see: enough to find it.
const SHOWN: usize = 16;

/// Adds the trace to the fields of a line.
#[derive(Debug, Default)]
pub(super) struct WithTrace(DefaultFields);

impl<'writer> FormatFields<'writer> for WithTrace {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        self.0.format_fields(writer.by_ref(), fields)?;
        let left_out = limit::left_out();
        if left_out > 0 {
            write!(writer, " suppressed={left_out}")?;
        }
        if let Some(id) = trace::current_id() {
            write!(writer, " trace={}", id.get(..SHOWN).unwrap_or(&id))?;
        }
        Ok(())
    }
}
