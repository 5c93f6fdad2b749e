//! Binding a port, and saying who has it when it is taken.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

use tokio::net::TcpListener;

use crate::security::{Security, SecurityError};

/// Why a role does not listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process has the port.
    #[error("port {port} of {addr} is taken{}", owner_words(.owner.as_ref()))]
    Taken {
        /// The address asked for.
        addr: SocketAddr,
        /// Its port.
        port: u16,
        /// Who has it, where the system lets us see.
        owner: Option<Owner>,
    },
    /// The system refused for another reason.
    #[error("cannot listen on {addr}: {source}")]
    Refused {
        /// The address asked for.
        addr: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The security settings do not allow it.
    #[error(transparent)]
    Security(#[from] SecurityError),
}

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Process id.
    pub pid: u32,
    /// Its command's name.
    pub command: String,
}

fn owner_words(owner: Option<&Owner>) -> String {
    owner.map_or_else(
        || "; stop its owner or choose another port (0 picks a free one)".to_owned(),
        |owner| format!(" by process {} ({})", owner.pid, owner.command),
    )
}

/// Listens on `addr` (port 0 picks a free port), or says why not.
///
/// # Errors
/// When the port is taken, refused, or the network could reach it unprotected.
pub async fn bind(addr: SocketAddr, security: &Security) -> Result<TcpListener, BindError> {
    security.admit(addr)?;
    TcpListener::bind(addr).await.map_err(|source| {
        if source.kind() == ErrorKind::AddrInUse {
            let port = addr.port();
            BindError::Taken {
                addr,
                port,
                owner: port_owner(port),
            }
        } else {
            BindError::Refused { addr, source }
        }
    })
}

/// The process that listens on `port`, from `/proc`. `None` where the system does not show it
/// (another user's process, or no `/proc`).
#[must_use]
pub fn port_owner(port: u16) -> Option<Owner> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .collect();
    let wanted: Vec<String> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    std::fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| holds_one(*pid, &wanted))
        .map(|pid| Owner {
            pid,
            command: command_of(pid),
        })
}

/// Inodes of the sockets that listen (state 0A) on `port`, from the text of `/proc/net/tcp`.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            (local.ends_with(&suffix) && *state == "0A").then(|| (*inode).to_owned())
        })
        .collect()
}

fn holds_one(pid: u32, wanted: &[String]) -> bool {
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    files
        .flatten()
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .any(|target| wanted.iter().any(|inode| target == Path::new(inode)))
}

fn command_of(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm"))
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_names_the_port_and_its_owner() {
        let first = bind("127.0.0.1:0".parse().unwrap(), &Security::default())
            .await
            .unwrap();
        let addr = first.local_addr().unwrap();
        let refusal = bind(addr, &Security::default()).await.unwrap_err();
        let said = refusal.to_string();
        assert!(said.contains(&format!("port {}", addr.port())), "{said}");
        assert!(
            said.contains(&format!("by process {}", std::process::id())),
            "{said}"
        );
    }

    #[test]
    fn finds_the_listener_in_the_table_and_not_a_connection_to_it() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:1BBD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n   1: 0100007F:1BBD 0100007F:A000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0\n";
        assert_eq!(listening_inodes(table, 7101), ["4711"]);
        assert!(listening_inodes(table, 7102).is_empty());
    }
}
