//! Pushes a role's metrics to an OTLP receiver, again and again. A receiver that is slow or gone costs
//! a push, which is counted; requests never wait for one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use super::declaration::{Declared, Group, Label};
use super::family::Family;
use super::instrument::Counter;
use super::otlp::{self, Span};
use super::process;
use super::registry::Registry;
use crate::Clock;
use crate::trace::{Protocol, Settings};

/// How long the receiver may take, at most the interval.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the end of a role waits for its last push.
const LAST_WORDS: Duration = Duration::from_secs(1);

static PUSHES: Declared<Counter> = Declared::counter(
    "metric_pushes",
    "Pushes of all metrics to an OTLP receiver; none without `telemetry.otlp`.",
)
.labels(&[Label::closed("outcome", &["sent", "failed"])]);

/// What became of pushes.
pub static GROUP: Group = Group {
    title: "Push",
    about: "",
    metrics: &[&PUSHES.declaration],
};

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Where to push to, and how it went.
#[derive(Debug)]
pub(crate) struct Pusher {
    role: &'static str,
    to: Option<Receiver>,
    every: Duration,
    instance: Option<String>,
    pushes: Family<Counter>,
}

#[derive(Clone, Debug)]
enum Receiver {
    Grpc(Channel),
    Http(Uri),
}

impl Pusher {
    /// Registers what it counts. It pushes nowhere when no receiver is set, or none can be made of
    /// what is set, which the log then says.
    pub(crate) fn register(registry: &mut Registry, settings: &Settings) -> Self {
        let every = settings.metrics_every.0;
        let url = settings.otlp.as_deref().filter(|_| !every.is_zero());
        let made = url.map(|url| Receiver::new(url, settings.protocol));
        let to = made.and_then(|receiver| {
            receiver
                .inspect_err(|error| tracing::error!(%error, "no metrics are pushed"))
                .ok()
        });
        Self {
            role: registry.role(),
            to,
            every,
            instance: settings.instance.clone(),
            pushes: registry.family(&PUSHES),
        }
    }

    /// Pushes until `stop`, and then once more.
    pub(crate) async fn run(self, registry: Arc<Registry>, stop: CancellationToken) {
        let Some(to) = self.to.clone() else { return };
        let process = process::registry();
        let from = now_ns();
        let push = async || {
            let span = Span { from, to: now_ns() };
            let message = otlp::request(&self.resource(), &[&registry, &process], span);
            self.count(to.take(message, self.every.min(PATIENCE)).await);
        };
        while stop
            .run_until_cancelled(tokio::time::sleep(self.every))
            .await
            .is_some()
        {
            if stop.run_until_cancelled(push()).await.is_none() {
                break;
            }
        }
        drop(tokio::time::timeout(LAST_WORDS, push()).await);
    }

    fn count(&self, outcome: Result<(), Problem>) {
        match outcome {
            Ok(()) => self.pushes.with(["sent"]).inc(),
            Err(error) => {
                let failed = self.pushes.with(["failed"]);
                // The alert counts them; the log says why, once.
                if failed.get() == 0 {
                    tracing::warn!(%error, "the receiver of metrics did not take them");
                }
                failed.inc();
            }
        }
    }

    fn resource(&self) -> Vec<(&'static str, String)> {
        let mut resource = vec![
            ("service.name", format!("cartwright-{}", self.role)),
            ("service.version", crate::VERSION.to_owned()),
        ];
        let instance = self.instance.clone();
        resource.extend(instance.map(|instance| ("service.instance.id", instance)));
        resource
    }
}

impl Receiver {
    fn new(url: &str, protocol: Protocol) -> Result<Self, Problem> {
        Ok(match protocol {
            Protocol::Grpc => {
                let endpoint = Endpoint::from_shared(url.to_owned())?;
                Self::Grpc(endpoint.connect_timeout(PATIENCE).connect_lazy())
            }
            Protocol::Http => Self::Http(http_url(url).parse()?),
        })
    }

    async fn take(
        &self,
        message: ExportMetricsServiceRequest,
        patience: Duration,
    ) -> Result<(), Problem> {
        let taken = async {
            match self {
                Self::Grpc(channel) => {
                    let mut client = MetricsServiceClient::new(channel.clone());
                    client.export(message).await?;
                    Ok(())
                }
                Self::Http(url) => post(url, message.encode_to_vec()).await,
            }
        };
        tokio::time::timeout(patience, taken).await?
    }
}

/// One POST on a connection of its own: a push every few seconds keeps none open.
async fn post(url: &Uri, body: Vec<u8>) -> Result<(), Problem> {
    let host = url.host().ok_or("the receiver's URL names no host")?;
    let stream = TcpStream::connect((host, url.port_u16().unwrap_or(4318))).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::post(url.path())
        .header(header::HOST, url.authority().map_or(host, |at| at.as_str()))
        .header(header::CONTENT_TYPE, "application/x-protobuf")
        .body(Full::new(Bytes::from(body)))?;
    // The connection is driven here and ends with the answer's head: what follows is not read.
    tokio::select! {
        ended = connection => {
            ended?;
            Err("the receiver closed the connection before it answered".into())
        }
        answer = sender.send_request(request) => {
            let status = answer?.status();
            if status.is_success() {
                Ok(())
            } else {
                Err(format!("the receiver answered {status}").into())
            }
        }
    }
}

/// Receivers take metrics under `/v1/metrics`, beside the path for traces where one is named.
fn http_url(url: &str) -> String {
    let base = url.trim_end_matches('/');
    let base = base.strip_suffix("/v1/traces").unwrap_or(base);
    format!("{base}/v1/metrics")
}

fn now_ns() -> u64 {
    let ms = u64::try_from(Clock::real().now_ms()).unwrap_or_default();
    ms.saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_a_path_of_their_own() {
        for (url, wanted) in [
            ("http://h:4318", "http://h:4318/v1/metrics"),
            ("http://h:4318/", "http://h:4318/v1/metrics"),
            ("http://h:4318/v1/traces", "http://h:4318/v1/metrics"),
            ("http://h:4318/mine", "http://h:4318/mine/v1/metrics"),
        ] {
            assert_eq!(http_url(url), wanted);
        }
    }
}
