//! Lines for machines: one flat JSON object each.

use std::fmt;

use serde::Serializer as _;
use serde::ser::SerializeMap;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::limit;
use crate::trace;

/// `timestamp`, `level`, the line's own fields with `message` first, `target`; `suppressed` and
/// `trace_id` where there are any.
#[derive(Debug)]
pub(super) struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Vec::with_capacity(256);
        object(event, &mut line).map_err(|_| fmt::Error)?;
        let line = String::from_utf8(line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

fn object(event: &Event<'_>, line: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Serializer::new(line);
    let mut map = json.serialize_map(None)?;
    let mut timestamp = String::new();
    if SystemTime
        .format_time(&mut Writer::new(&mut timestamp))
        .is_ok()
    {
        map.serialize_entry("timestamp", &timestamp)?;
    }
    map.serialize_entry("level", event.metadata().level().as_str())?;
    let mut fields = Fields {
        map: &mut map,
        outcome: Ok(()),
    };
    event.record(&mut fields);
    fields.outcome?;
    map.serialize_entry("target", event.metadata().target())?;
    let left_out = limit::left_out();
    if left_out > 0 {
        map.serialize_entry("suppressed", &left_out)?;
    }
    if let Some(id) = trace::current_id() {
        map.serialize_entry("trace_id", &id)?;
    }
    map.end()
}

struct Fields<'a, M: SerializeMap> {
    map: &'a mut M,
    outcome: Result<(), M::Error>,
}

impl<M: SerializeMap> Fields<'_, M> {
    fn add<T: serde::Serialize + ?Sized>(&mut self, field: &Field, value: &T) {
        if self.outcome.is_ok() {
            self.outcome = self.map.serialize_entry(field.name(), value);
        }
    }
}

impl<M: SerializeMap> Visit for Fields<'_, M> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}
