//! Who listens on a port of this machine.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Whether nothing listens on this loopback port.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok()
}

/// The process that listens on the port, in words.
pub(crate) fn owner(port: u16) -> String {
    kit::listen::port_owner(port).map_or_else(
        || "another process".to_owned(),
        |owner| format!("{} (pid {})", owner.command, owner.pid),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_owner_of_a_taken_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(port));
        assert!(owner(port).contains(&format!("(pid {})", std::process::id())));
    }
}
