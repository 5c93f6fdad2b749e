//! The `tracing` subscriber of a role: spans of the target [`super::STAGE`] become part of the
//! request's recording, lines go to the log. Spans of other targets are off: what libraries say of
//! themselves is not part of a request's story, and costs more than it tells.

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;

use super::STAGE;
use super::attribute::Fields;
use super::current;
use super::recording::{Kind, SpanRef};
use crate::telemetry::Limit;

/// Bits of a span's id that are its position, plus one.
const POSITION_BITS: u32 = 16;
const POSITION: u64 = (1 << POSITION_BITS) - 1;

/// Stages in front of a subscriber of lines.
#[derive(Debug)]
pub struct Stages<S> {
    lines: S,
    limit: Limit,
}

impl<S> Stages<S> {
    /// Spans become part of the request; events go to `lines`, within the limit.
    pub(crate) fn over(lines: S, limit: Limit) -> Self {
        Self { lines, limit }
    }
}

/// The id of a span that is part of no request.
fn nowhere() -> Id {
    Id::from_u64(u64::MAX)
}

fn is_stage(metadata: &Metadata<'_>) -> bool {
    metadata.target() == STAGE
}

/// A span's id holds the low bits of its recording's number, and its position.
fn id_of(span: SpanRef) -> Id {
    let position = u64::try_from(span.span)
        .unwrap_or(POSITION)
        .min(POSITION - 2);
    Id::from_u64((span.recording << POSITION_BITS) | (position + 1))
}

/// Does `work` with the span, when it belongs to the request that runs here.
fn at<T>(id: &Id, work: impl FnOnce(&mut super::recording::Recording, SpanRef) -> T) -> Option<T> {
    let bits = id.into_u64();
    let position = usize::try_from((bits & POSITION).checked_sub(1)?).ok()?;
    current::with(|recording| {
        let span = recording.reference(position);
        (id_of(span).into_u64() == bits).then(|| work(recording, span))
    })
    .flatten()
}

impl<S: Subscriber> Subscriber for Stages<S> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_event() {
            self.lines.register_callsite(metadata)
        } else if is_stage(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.is_event() {
            self.lines.enabled(metadata)
        } else {
            is_stage(metadata)
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let lines = self.lines.max_level_hint()?;
        Some(lines.max(LevelFilter::INFO))
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let name = attributes.metadata().name();
        let opened = current::with(|recording| {
            let span = recording.open(name, Kind::Stage)?;
            attributes.record(&mut Fields {
                recording,
                span: span.span,
            });
            Some(span)
        });
        opened.flatten().map_or_else(nowhere, id_of)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        at(id, |recording, span| {
            values.record(&mut Fields {
                recording,
                span: span.span,
            });
        });
    }

    fn record_follows_from(&self, _id: &Id, _follows: &Id) {}

    fn event_enabled(&self, event: &Event<'_>) -> bool {
        self.lines.event_enabled(event)
    }

    fn event(&self, event: &Event<'_>) {
        self.limit
            .write(event.metadata(), || self.lines.event(event));
    }

    fn enter(&self, id: &Id) {
        at(id, super::recording::Recording::enter);
    }

    fn exit(&self, id: &Id) {
        at(id, super::recording::Recording::exit);
    }

    fn clone_span(&self, id: &Id) -> Id {
        at(id, super::recording::Recording::hold);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        at(&id, super::recording::Recording::release).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::trace::{self, ObserveStage};

    #[derive(Default)]
    struct Seen(AtomicUsize);

    impl ObserveStage for Seen {
        fn observe(&self, role: &'static str, stage: &'static str, _took: Duration) {
            assert_eq!((role, stage), ("toy", "part"));
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_request_of_a_thousand_stages_has_all_of_them_timed_and_the_first_ones_kept() {
        let stages = Stages::over(tracing_subscriber::registry(), Limit::new(0));
        let seen = Arc::new(Seen::default());
        tracing::subscriber::with_default(stages, || {
            trace::in_a_request(|| {
                current::with(|recording| recording.tracer.observe_stages(seen.clone()));
                for part in 0..1_000 {
                    let stage = tracing::info_span!(target: STAGE, "part", part, text = "text");
                    stage.in_scope(|| ());
                }
                let kept = current::with(|recording| (recording.spans.len(), recording.lost));
                assert_eq!(kept, Some((128, 873)));
            });
        });
        assert_eq!(seen.0.load(Ordering::Relaxed), 1_000);
    }

    #[test]
    fn spans_of_libraries_and_stages_outside_of_requests_cost_nothing_and_break_nothing() {
        let stages = Stages::over(tracing_subscriber::registry(), Limit::new(0));
        tracing::subscriber::with_default(stages, || {
            let foreign = tracing::info_span!("foreign");
            assert!(foreign.is_disabled());
            let stage = tracing::info_span!(target: STAGE, "alone", x = 1);
            stage.in_scope(|| stage.record("x", 2));
            trace::in_a_request(|| drop(stage.clone()));
        });
    }
}
