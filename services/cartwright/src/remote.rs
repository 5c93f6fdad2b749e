//! Talking to running servers.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use kit::config::Secret;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{self, Certificate, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use crate::failure::Failure;

/// Where `serve all` and the single roles listen when nobody says otherwise.
pub(crate) const FEATURES: &str = "http://127.0.0.1:7101";
pub(crate) const RECOVERY: &str = "http://127.0.0.1:7103";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A channel that sends the bearer token along, when there is one.
pub(crate) type Channel = InterceptedService<transport::Channel, Bearer>;

/// How a command shows itself to servers that run with TLS and tokens.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Access {
    /// Bearer token to send, where servers want one
    #[arg(long, value_name = "TOKEN", env = "CARTWRIGHT_TOKEN", hide_env_values = true, value_parser = secret)]
    token: Option<Secret>,
    /// PEM file of the authority behind https servers
    #[arg(long, value_name = "FILE", env = "CARTWRIGHT_CA")]
    ca: Option<PathBuf>,
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

impl Access {
    fn with(&self, channel: transport::Channel) -> anyhow::Result<Channel> {
        let value = |token: &Secret| {
            let value = format!("Bearer {}", token.expose()).parse();
            let mut value: MetadataValue<Ascii> = value.map_err(|_| {
                Failure::usage("--token has characters that a header cannot carry")
                    .hint("a token is printable ASCII")
            })?;
            value.set_sensitive(true);
            anyhow::Ok(value)
        };
        let bearer = Bearer(self.token.as_ref().map(value).transpose()?);
        Ok(InterceptedService::new(channel, bearer))
    }
}

/// Adds `authorization: Bearer …` to each call.
#[derive(Clone, Debug)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let headers = request.metadata_mut();
        if let Some(value) = &self.0 {
            headers.insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A channel to a server that is there now.
pub(crate) async fn connect(url: &str, access: &Access) -> anyhow::Result<Channel> {
    let channel = endpoint(url, access)?.connect().await.map_err(|error| {
        Failure::new(format!("cannot reach {url}: {}", deepest(&error)))
            .hint("is the server running? `cartwright serve all --snapshot DIR` starts one, `cartwright doctor` looks for it")
    })?;
    access.with(channel)
}

/// A channel that connects when it is used, and again after the server was away.
pub(crate) fn connect_lazily(url: &str, access: &Access) -> anyhow::Result<Channel> {
    access.with(endpoint(url, access)?.connect_lazy())
}

fn endpoint(url: &str, access: &Access) -> anyhow::Result<Endpoint> {
    let url = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    let endpoint = Endpoint::from_shared(url.clone()).map_err(|_| {
        Failure::usage(format!("{url:?} is not an address"))
            .hint("addresses look like http://127.0.0.1:7101")
    })?;
    let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true);
    match (url.starts_with("https://"), &access.ca) {
        (true, Some(ca)) => Ok(endpoint.tls_config(tls(ca)?)?),
        (true, None) => Err(Failure::usage(format!("{url} needs --ca"))
            .hint("--ca, or CARTWRIGHT_CA, names the PEM file of the authority behind it")
            .into()),
        (false, _) => Ok(endpoint),
    }
}

fn tls(ca: &Path) -> anyhow::Result<ClientTlsConfig> {
    let pem = std::fs::read(ca).with_context(|| format!("cannot read --ca {}", ca.display()))?;
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
}

/// What a server refused, in words.
pub(crate) fn refused(what: &str, status: &Status) -> anyhow::Error {
    let failure = Failure::new(format!("{what}: {}: {}", status.code(), status.message()));
    match hint(status.code()) {
        Some(hint) => failure.hint(hint).into(),
        None => failure.into(),
    }
}

fn hint(code: Code) -> Option<&'static str> {
    match code {
        Code::Unavailable => {
            Some("the server or its store is away; `cartwright doctor` says which")
        }
        Code::NotFound => Some("push events of this shopper first: `cartwright events push`"),
        Code::FailedPrecondition => Some("the message lists what the server has"),
        Code::Unauthenticated | Code::PermissionDenied => Some(
            "--token, or CARTWRIGHT_TOKEN in the environment, names a token with the scope that this needs",
        ),
        Code::DeadlineExceeded => Some("the server is too slow or overloaded; try again"),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => None,
    }
}

/// The innermost cause: transport errors say little on the outside.
pub(crate) fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
