//! What a role records its requests with.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{HeaderMap, Request};
use tonic::Code;

use super::context::{self, Context, SpanId, TraceId};
use super::current;
use super::export::Exporter;
use super::keep::{Allowance, Counts, Lost, Share, Why, is_failure};
use super::recording::Recording;
use super::ring::{self, Ring};
use super::settings::Settings;
use super::shopper::ShopperKey;
use super::timing::Asked;
use crate::deadline;
use crate::metrics::Registry;

/// Is told of each stage that ended.
pub trait ObserveStage: Send + Sync + 'static {
    /// `stage` of `role` took this long. Called on the thread of the request.
    fn observe(&self, role: &'static str, stage: &'static str, took: Duration);
}

/// Records the requests of a role, and sends those that are kept.
pub struct Tracer {
    pub(super) role: &'static str,
    settings: Settings,
    share: Share,
    slow: Duration,
    pub(super) shopper_key: ShopperKey,
    /// Host and port of the server.
    pub(super) server: (String, u16),
    observer: OnceLock<Arc<dyn ObserveStage>>,
    allowance: Allowance,
    ring: Ring,
    pub(super) counts: Arc<Counts>,
    exporter: Option<Exporter>,
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracer")
            .field("role", &self.role)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Tracer {
    /// A tracer of `role`, whose server listens at `server`. With a receiver in the settings it
    /// starts a thread that sends.
    #[must_use]
    pub fn start(
        role: &'static str,
        settings: &Settings,
        server: std::net::SocketAddr,
    ) -> Arc<Self> {
        let counts = Arc::new(Counts::default());
        let exporter = settings
            .otlp
            .as_deref()
            .filter(|_| settings.trace)
            .and_then(|url| Exporter::start(role, url, settings, counts.clone()));
        Arc::new(Self {
            role,
            share: Share::new(settings.sample),
            slow: settings.slow.0,
            shopper_key: ShopperKey::new(settings.shopper_key.as_ref()),
            server: (server.ip().to_string(), server.port()),
            observer: OnceLock::new(),
            allowance: Allowance::new(),
            ring: Ring::default(),
            counts,
            exporter,
            settings: settings.clone(),
        })
    }

    /// Tells `observer` of every stage from now on. There is one; a second call changes nothing.
    pub fn observe_stages(&self, observer: Arc<dyn ObserveStage>) {
        let _ = self.observer.set(observer);
    }

    /// Declares what became of requests and spans.
    pub(crate) fn register(&self, registry: &mut Registry) {
        super::metrics::register(registry, &self.counts);
    }

    pub(super) fn observe(&self, stage: &'static str, took: Duration) {
        if let Some(observer) = self.observer.get() {
            observer.observe(self.role, stage, took);
        }
    }

    /// Begins to record a request; `None` for those that no trace tells of.
    pub(super) fn begin<B>(self: &Arc<Self>, request: &Request<B>) -> Option<Box<Recording>> {
        let method = request.uri().path().trim_start_matches('/');
        if method.starts_with("grpc.") {
            return None;
        }
        let headers = request.headers();
        let is_traced = self.settings.trace;
        let caller = if is_traced {
            self.keep_asked(headers);
            Context::from_headers(headers)
        } else {
            None
        };
        let context = match caller {
            Some(caller) => caller.at(SpanId::random()),
            None => {
                let trace_id = TraceId::random();
                let sampled = self.exporter.is_some() && self.share.holds(trace_id);
                Context::new(trace_id, SpanId::random(), sampled)
            }
        };
        let mut recording = match current::spare() {
            Some(mut spare) => {
                spare.reset(self.clone(), context);
                spare
            }
            None => Box::new(Recording::new(self.clone(), context)),
        };
        recording.is_traced = is_traced;
        recording.parent = caller.map(|caller| caller.span_id);
        recording.state = caller.and_then(|_| context::state(headers));
        recording.timing = Asked::of(headers);
        let now = Instant::now();
        recording.deadline = deadline::given(headers).and_then(|left| now.checked_add(left));
        recording.begin(method, now);
        Some(recording)
    }

    /// Ends a request: keeps it, remembers it for a moment, or forgets it.
    pub(super) fn end(&self, mut recording: Box<Recording>) {
        let now = Instant::now();
        let code = recording.answered(Code::Cancelled);
        let Some(exporter) = &self.exporter else {
            return current::recycle(recording);
        };
        match self.why(&recording, code) {
            Some(Why::Sampled) => exporter.send(recording, Why::Sampled),
            Some(why) if self.allowance.take(now) => {
                for asks in &recording.asks {
                    asks.add(recording.context.trace_id);
                }
                exporter.send(recording, why);
            }
            Some(_) => {
                self.counts.lose(Lost::Limit, recording.spans.len());
                current::recycle(recording);
            }
            None if recording.parent.is_some() => {
                self.ring.push(&mut recording);
                current::recycle(recording);
            }
            None => current::recycle(recording),
        }
    }

    fn why(&self, recording: &Recording, code: Code) -> Option<Why> {
        let is_stream = || {
            let method = recording.text_of(&recording.method);
            method.contains("/Stream")
        };
        if recording.context.sampled() {
            Some(Why::Sampled)
        } else if is_failure(code) && !(code == Code::Cancelled && is_stream()) {
            Some(Why::Failed)
        } else if recording.is_degraded {
            Some(Why::Degraded)
        } else if recording.took() > self.slow && !is_stream() {
            Some(Why::Slow)
        } else {
            None
        }
    }

    /// Sends what a caller wants to have been kept.
    fn keep_asked(self: &Arc<Self>, headers: &HeaderMap) {
        let Some(exporter) = &self.exporter else {
            return;
        };
        if !headers.contains_key(ring::KEEP) {
            return;
        }
        for recording in self.ring.take(&ring::named(headers), self) {
            exporter.send(Box::new(recording), Why::Asked);
        }
    }

    /// Sends what is kept, and ends; what the receiver does not take in time is lost.
    pub async fn stop(&self) {
        self.ring.clear();
        if let Some(exporter) = &self.exporter {
            exporter.stop().await;
        }
    }
}
