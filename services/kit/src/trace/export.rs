//! Sends kept requests to an OTLP receiver, on a thread of its own with a queue in front: a receiver
//! that is slow or gone costs spans, which are counted, and never a request's time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{
    Protocol as Wire, SpanExporter as Otlp, WithExportConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Endpoint;

use super::context::TraceId;
use super::keep::{Counts, Lost, Why};
use super::recording::Recording;
use super::settings::{Protocol, Settings};
use super::spandata::{self, Now};
use crate::clock;

/// Requests that wait to be sent.
const QUEUE: usize = 2_048;
/// Spans sent at once, and how long the first of them waits for others.
const BATCH: usize = 512;
const EVERY: Duration = Duration::from_millis(500);
/// How long the receiver may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the end of a role waits for what is still to be sent.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often a receiver that takes nothing is complained about.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug)]
enum Message {
    Request(Box<Recording>, Why),
    Stop(oneshot::Sender<()>),
}

/// The near end of the queue.
#[derive(Debug)]
pub(super) struct Exporter {
    queue: mpsc::Sender<Message>,
    counts: Arc<Counts>,
}

impl Exporter {
    /// Starts the thread. `None`, with a line in the log, when the system gives none.
    pub(super) fn start(
        role: &'static str,
        url: &str,
        settings: &Settings,
        counts: Arc<Counts>,
    ) -> Option<Self> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let sender = Sender {
            role,
            url: url.to_owned(),
            protocol: settings.protocol,
            resource: resource(role, settings),
            counts: counts.clone(),
            complained: None,
        };
        let spawned = std::thread::Builder::new()
            .name(format!("traces-{role}"))
            .spawn(move || sender.run(waiting));
        match spawned {
            Ok(_) => Some(Self { queue, counts }),
            Err(error) => {
                tracing::error!(%error, "no thread to send traces; none are sent");
                None
            }
        }
    }

    /// Hands a request over; when the queue is full it is dropped and counted.
    pub(super) fn send(&self, recording: Box<Recording>, why: Why) {
        let spans = recording.spans.len();
        match usize::try_from(recording.lost) {
            Ok(0) | Err(_) => {}
            Ok(lost) => self.counts.lose(Lost::Length, lost),
        }
        match self.queue.try_send(Message::Request(recording, why)) {
            Ok(()) => self.counts.keep(why),
            Err(_) => self.counts.lose(Lost::Queue, spans),
        }
    }

    /// Waits until everything handed over was sent, no longer than [`LAST_WORDS`].
    pub(super) async fn stop(&self) {
        let (done, sent) = oneshot::channel();
        let stopping = async {
            if self.queue.send(Message::Stop(done)).await.is_ok() {
                let _ = sent.await;
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, stopping).await;
    }
}

/// Who sent it: role, version, and which of the processes of that role.
fn resource(role: &str, settings: &Settings) -> Resource {
    let random = || TraceId::random().to_string();
    let instance = settings.instance.clone().unwrap_or_else(random);
    Resource::builder_empty()
        .with_service_name(format!("cartwright-{role}"))
        .with_attribute(KeyValue::new("service.version", crate::VERSION))
        .with_attribute(KeyValue::new("service.instance.id", instance))
        .build()
}

/// The far end of the queue.
struct Sender {
    role: &'static str,
    url: String,
    protocol: Protocol,
    resource: Resource,
    counts: Arc<Counts>,
    complained: Option<Instant>,
}

impl Sender {
    /// Runs until it is told to stop, or the queue's other end is gone.
    fn run(mut self, waiting: mpsc::Receiver<Message>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        match runtime {
            Ok(runtime) => runtime.block_on(self.work(waiting)),
            Err(error) => self.complain(&error.to_string(), 0),
        }
    }

    async fn work(&mut self, mut waiting: mpsc::Receiver<Message>) {
        let mut otlp = match self.connect() {
            Ok(otlp) => otlp,
            Err(why) => {
                tracing::error!(
                    url = self.url,
                    why,
                    "cannot send traces there; none are sent"
                );
                return;
            }
        };
        otlp.set_resource(&self.resource);
        let scope = InstrumentationScope::builder("cartwright")
            .with_version(crate::VERSION)
            .build();
        while let Some(first) = waiting.recv().await {
            let (batch, stopped) = gather(first, &mut waiting, &scope).await;
            self.send(&otlp, batch).await;
            if let Some(stopped) = stopped {
                let _ = stopped.send(());
                return;
            }
        }
    }

    fn connect(&self) -> Result<Otlp, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        match self.protocol {
            Protocol::Grpc => {
                let endpoint = Endpoint::from_shared(self.url.clone()).map_err(|e| said(&e))?;
                let channel = endpoint.connect_timeout(PATIENCE).connect_lazy();
                let builder = Otlp::builder().with_tonic().with_channel(channel);
                builder.with_timeout(PATIENCE).build()
            }
            Protocol::Http => {
                let builder = Otlp::builder()
                    .with_http()
                    .with_endpoint(http_url(&self.url));
                let builder = builder.with_protocol(Wire::HttpBinary);
                builder.with_timeout(PATIENCE).build()
            }
        }
        .map_err(|error| said(&error))
    }

    async fn send(&mut self, otlp: &Otlp, batch: Vec<SpanData>) {
        if batch.is_empty() {
            return;
        }
        let spans = batch.len();
        let sent = tokio::time::timeout(PATIENCE, otlp.export(batch)).await;
        let why = match sent {
            Ok(Ok(())) => {
                let count = u64::try_from(spans).unwrap_or(u64::MAX);
                self.counts.exported.fetch_add(count, Ordering::Relaxed);
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        self.counts.lose(Lost::Receiver, spans);
        self.complain(&why, spans);
    }

    fn complain(&mut self, why: &str, spans: usize) {
        let lately = |at: Instant| at.elapsed() < COMPLAIN_EVERY;
        if self.complained.is_some_and(lately) {
            return;
        }
        self.complained = Some(Instant::now());
        let (role, url) = (self.role, &self.url);
        tracing::warn!(
            role,
            url,
            why,
            spans,
            "the receiver of traces takes none; they are dropped"
        );
    }
}

/// Where the receiver takes traces, unless the URL says so itself.
fn http_url(url: &str) -> String {
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    if path.is_empty() {
        format!("{}/v1/traces", url.trim_end_matches('/'))
    } else {
        url.to_owned()
    }
}

/// Spans of this request and of those that come soon after.
async fn gather(
    first: Message,
    waiting: &mut mpsc::Receiver<Message>,
    scope: &InstrumentationScope,
) -> (Vec<SpanData>, Option<oneshot::Sender<()>>) {
    let mut batch = Vec::new();
    let until = tokio::time::Instant::now() + EVERY;
    let mut next = Some(first);
    loop {
        match next {
            Some(Message::Request(recording, why)) => {
                let now = Now {
                    wall: clock::wall(),
                    running: Instant::now(),
                };
                batch.extend(spandata::spans(&recording, why, now, scope));
            }
            Some(Message::Stop(done)) => return (batch, Some(done)),
            None => return (batch, None),
        }
        if batch.len() >= BATCH {
            return (batch, None);
        }
        next = match tokio::time::timeout_at(until, waiting.recv()).await {
            Ok(message) => message,
            Err(_) => return (batch, None),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_receivers_take_traces_under_their_own_path() {
        let at = |url| http_url(url);
        assert_eq!(at("http://h:4318"), "http://h:4318/v1/traces");
        assert_eq!(at("http://h:4318/"), "http://h:4318/v1/traces");
        assert_eq!(at("http://h:4318/mine"), "http://h:4318/mine");
    }
}
