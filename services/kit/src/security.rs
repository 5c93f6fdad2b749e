//! Who may reach a server: TLS, bearer tokens, and the refusal to listen to the network without them.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use crate::auth::Token;

/// `[security]` of a role's config.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Security {
    /// Listen beyond loopback without TLS and tokens. For closed networks only.
    pub insecure: bool,
    /// PEM file of the server's certificate chain. TLS is on when this and `tls_key` are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// PEM file of the authority that client certificates must come from. Optional.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_ca: Option<PathBuf>,
    /// Bearer tokens. When there are any, every call but health needs one.
    pub tokens: Vec<Token>,
}

/// Why the security settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecurityError {
    /// The network could reach the server, and nothing would protect it.
    #[error(
        "refused to listen on {addr}: beyond loopback a server needs TLS (security.tls_cert and \
         security.tls_key) and security.tokens, or security.insecure = true"
    )]
    Exposed {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// Half a TLS configuration.
    #[error("{missing} is missing: TLS needs both security.tls_cert and security.tls_key")]
    HalfTls {
        /// The key that is absent.
        missing: &'static str,
    },
    /// A PEM file that cannot be read.
    #[error("cannot read {key} = {path:?}: {source}")]
    Unreadable {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Security {
    /// # Errors
    /// When `addr` is reachable from the network and nothing protects it.
    pub(crate) fn admit(&self, addr: SocketAddr) -> Result<(), SecurityError> {
        let protected =
            self.tls_cert.is_some() && self.tls_key.is_some() && !self.tokens.is_empty();
        if addr.ip().is_loopback() || protected || self.insecure {
            Ok(())
        } else {
            Err(SecurityError::Exposed { addr })
        }
    }

    /// The TLS configuration, when TLS is on.
    ///
    /// # Errors
    /// When it is incomplete or a file cannot be read.
    pub(crate) fn tls(&self) -> Result<Option<ServerTlsConfig>, SecurityError> {
        let (cert, key) = match (&self.tls_cert, &self.tls_key) {
            (None, None) => return Ok(None),
            (Some(_), None) => {
                return Err(SecurityError::HalfTls {
                    missing: "security.tls_key",
                });
            }
            (None, Some(_)) => {
                return Err(SecurityError::HalfTls {
                    missing: "security.tls_cert",
                });
            }
            (Some(cert), Some(key)) => (
                read("security.tls_cert", cert)?,
                read("security.tls_key", key)?,
            ),
        };
        let mut tls = ServerTlsConfig::new().identity(Identity::from_pem(cert, key));
        if let Some(path) = &self.tls_client_ca {
            tls = tls.client_ca_root(Certificate::from_pem(read("security.tls_client_ca", path)?));
        }
        Ok(Some(tls))
    }
}

fn read(key: &'static str, path: &PathBuf) -> Result<Vec<u8>, SecurityError> {
    std::fs::read(path).map_err(|source| SecurityError::Unreadable {
        key,
        path: path.clone(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_needs_tls_and_tokens_or_a_clear_word() {
        let everywhere: SocketAddr = "0.0.0.0:7101".parse().unwrap();
        let mut security = Security::default();
        assert!(security.admit("127.0.0.1:7101".parse().unwrap()).is_ok());
        assert!(security.admit("[::1]:7101".parse().unwrap()).is_ok());
        let refusal = security.admit(everywhere).unwrap_err().to_string();
        assert!(
            refusal.contains("0.0.0.0:7101") && refusal.contains("insecure"),
            "{refusal}"
        );

        security.tls_cert = Some("cert.pem".into());
        security.tls_key = Some("key.pem".into());
        assert!(
            security.admit(everywhere).is_err(),
            "TLS alone lets anyone in"
        );
        security.tokens.push(Token::default());
        assert!(security.admit(everywhere).is_ok());

        let open = Security {
            insecure: true,
            ..Security::default()
        };
        assert!(open.admit(everywhere).is_ok());
    }

    #[test]
    fn half_a_tls_configuration_names_the_other_half() {
        let half = Security {
            tls_cert: Some("cert.pem".into()),
            ..Security::default()
        };
        assert!(
            half.tls()
                .unwrap_err()
                .to_string()
                .starts_with("security.tls_key is missing")
        );
        let absent = Security {
            tls_key: Some("/nonexistent.pem".into()),
            ..half
        };
        assert!(absent.tls().unwrap_err().to_string().contains("cert.pem"));
    }
}
