//! Channels to other roles.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use crate::config::Secret;
use crate::trace::client::TracedChannel;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A traced channel that sends the peer's bearer token along, when there is one.
pub type PeerChannel = InterceptedService<TracedChannel<Channel>, Bearer>;

/// `[peer]` of a role's config: how it shows itself to the roles that it calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeerSettings {
    /// PEM file of the authority behind `https` peers; needed for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Bearer token to send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// Why no channel can be made.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// Not a URL of a gRPC server.
    #[error(
        "peer url {url:?} is not usable: {reason}; allowed: http://host:port or https://host:port"
    )]
    Url {
        /// The URL given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The authority's certificate cannot be read.
    #[error("cannot read peer.ca = {path:?}: {source}")]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The token cannot be sent as a header.
    #[error("peer.token has characters that a header cannot carry")]
    Token,
}

/// A channel to `url` that connects with its first call, reconnects by itself with a bounded
/// backoff, and notices a dead connection by HTTP/2 pings.
///
/// # Errors
/// When the settings cannot be used; a peer that is down is not an error here.
pub fn channel(url: &str, settings: &PeerSettings) -> Result<PeerChannel, PeerError> {
    let refuse = |reason: String| PeerError::Url {
        url: url.to_owned(),
        reason,
    };
    let mut endpoint = Endpoint::from_shared(url.to_owned()).map_err(|e| refuse(e.to_string()))?;
    match endpoint.uri().scheme_str() {
        Some("http") => {}
        Some("https") => {
            endpoint = endpoint
                .tls_config(tls(settings)?)
                .map_err(|error| refuse(error.to_string()))?;
        }
        Some(_) | None => return Err(refuse("no http or https scheme".to_owned())),
    }
    let uri = endpoint.uri().clone();
    let channel = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_EVERY)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
        .connect_lazy();
    Ok(InterceptedService::new(
        TracedChannel::new(channel, &uri),
        Bearer::new(settings.token.as_ref())?,
    ))
}

fn tls(settings: &PeerSettings) -> Result<ClientTlsConfig, PeerError> {
    let Some(path) = &settings.ca else {
        return Ok(ClientTlsConfig::new());
    };
    let pem = std::fs::read(path).map_err(|source| PeerError::Ca {
        path: path.clone(),
        source,
    })?;
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
}

/// Adds `authorization: Bearer …` to each call.
#[derive(Clone, Debug)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    fn new(token: Option<&Secret>) -> Result<Self, PeerError> {
        token
            .map(|token| {
                let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.expose())
                    .parse()
                    .map_err(|_| PeerError::Token)?;
                value.set_sensitive(true);
                Ok(value)
            })
            .transpose()
            .map(Self)
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", value.clone());
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_cannot_work_says_what_is_allowed() {
        for url in ["127.0.0.1:7101", "redis://127.0.0.1", "", "http://"] {
            let refusal = channel(url, &PeerSettings::default())
                .unwrap_err()
                .to_string();
            assert!(
                refusal.contains("allowed: http://host:port"),
                "{url}: {refusal}"
            );
        }
        assert!(channel("http://127.0.0.1:1", &PeerSettings::default()).is_ok());
    }

    #[test]
    fn a_token_is_sent_and_never_printed() {
        let mut bearer = Bearer::new(Some(&Secret::new("s3cret"))).unwrap();
        let request = bearer.call(Request::new(())).unwrap();
        assert_eq!(
            request.metadata().get("authorization").unwrap(),
            "Bearer s3cret"
        );
        assert!(!format!("{bearer:?}").contains("s3cret"));
    }
}
