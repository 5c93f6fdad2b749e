//! Connections to the servers under test.

use std::time::Duration;

use anyhow::Context as _;
use tonic::transport::{Channel, Endpoint};

/// A server by the part it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Features,
    Candidates,
    Recovery,
}

impl Role {
    pub(crate) fn named(name: &str) -> Option<Self> {
        let roles = [Self::Features, Self::Candidates, Self::Recovery];
        roles.into_iter().find(|role| role.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Candidates => "candidates",
            Self::Recovery => "recovery",
        }
    }
}

/// Several connections to one server, used in turn.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    first: Channel,
    others: Vec<Channel>,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Pool {
    /// Opens all connections now, so that no measured request pays for one.
    pub(crate) async fn connect(role: Role, url: &str, connections: usize) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(url.to_owned())?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true);
        let why = || format!("connect to {} at {url}", role.name());
        let first = endpoint.connect().await.with_context(why)?;
        let mut others = Vec::with_capacity(connections.saturating_sub(1));
        for _ in 1..connections {
            others.push(endpoint.connect().await.with_context(why)?);
        }
        Ok(Self { first, others })
    }

    /// The connection of request number `request`.
    pub(crate) fn pick(&self, request: u64) -> Channel {
        let turn = usize::try_from(request).unwrap_or(0) % (self.others.len() + 1);
        let other = turn.checked_sub(1).and_then(|at| self.others.get(at));
        other.unwrap_or(&self.first).clone()
    }
}

/// The servers of a run; a scenario names those it needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets {
    pub(crate) features: Option<Pool>,
    pub(crate) candidates: Option<Pool>,
    pub(crate) recovery: Option<Pool>,
}

impl Targets {
    fn pool(&self, role: Role) -> Option<&Pool> {
        match role {
            Role::Features => self.features.as_ref(),
            Role::Candidates => self.candidates.as_ref(),
            Role::Recovery => self.recovery.as_ref(),
        }
    }

    /// The pool of a role that the command line was checked for.
    pub(crate) fn need(&self, role: Role) -> anyhow::Result<Pool> {
        let pool = self.pool(role).cloned();
        pool.with_context(|| format!("no {} server is given", role.name()))
    }
}

/// Reads the address of a server.
pub(crate) fn parse_url(text: &str) -> Result<String, String> {
    let needed = || format!("url is {text:?}, http://HOST:PORT is needed");
    let host = text.strip_prefix("http://").ok_or_else(needed)?;
    let host = host.strip_suffix('/').unwrap_or(host);
    let port = host.rsplit_once(':').and_then(|(name, port)| {
        let port: u16 = port.parse().ok()?;
        (!name.is_empty() && port > 0).then_some(port)
    });
    port.map(|_| format!("http://{host}")).ok_or_else(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_a_scheme_a_host_and_a_port() {
        assert_eq!(
            parse_url("http://127.0.0.1:7101/").unwrap(),
            "http://127.0.0.1:7101"
        );
        assert!(parse_url("http://[::1]:7101").is_ok());
        for text in [
            "",
            "127.0.0.1:7101",
            "http://localhost",
            "https://a:1",
            "http://:1",
            "http://a:0",
        ] {
            assert!(
                parse_url(text).unwrap_err().contains("http://HOST:PORT"),
                "{text}"
            );
        }
    }
}
