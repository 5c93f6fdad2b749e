//! Talking to running servers.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::failure::Failure;

/// Where `serve all` and the single roles listen when nobody says otherwise.
pub(crate) const FEATURES: &str = "http://127.0.0.1:7101";
pub(crate) const RECOVERY: &str = "http://127.0.0.1:7103";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A channel to a server that is there now.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Channel> {
    endpoint(url)?.connect().await.map_err(|error| {
        Failure::new(format!("cannot reach {url}: {}", deepest(&error)))
            .hint("is the server running? `cartwright serve all --snapshot DIR` starts one, `cartwright doctor` looks for it")
            .into()
    })
}

/// A channel that connects when it is used, and again after the server was away.
pub(crate) fn connect_lazily(url: &str) -> anyhow::Result<Channel> {
    Ok(endpoint(url)?.connect_lazy())
}

fn endpoint(url: &str) -> anyhow::Result<Endpoint> {
    let url = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    let endpoint = Endpoint::from_shared(url.clone()).map_err(|_| {
        Failure::usage(format!("{url:?} is not an address"))
            .hint("addresses look like http://127.0.0.1:7101")
    })?;
    Ok(endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true))
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
        Code::DeadlineExceeded => Some("the server is too slow or overloaded; try again"),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss
        | Code::Unauthenticated => None,
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
