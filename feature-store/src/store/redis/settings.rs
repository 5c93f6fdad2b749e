//! Where Redis is, and how long to wait for it.

use std::fmt;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionInfo, IntoConnectionInfo as _};

use super::{connection, unavailable};
use crate::store::Error;

/// How to reach Redis.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://[user:password@]host[:port][/db]`.
    pub url: String,
    /// Separates shops that share a Redis; empty for none. It becomes part of every hash tag, so
    /// it holds no braces.
    pub key_prefix: String,
    /// How long a read may take that somebody waits for. Writes, and background reads of much data,
    /// may take twenty times as long.
    pub response_timeout: Duration,
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            key_prefix: String::new(),
            response_timeout: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(1),
        }
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("RedisSettings")
            .field("address", &self.address())
            .field("key_prefix", &self.key_prefix)
            .field("response_timeout", &self.response_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

impl RedisSettings {
    /// Where Redis is, without user and password.
    pub(super) fn address(&self) -> String {
        match self.url.as_str().into_connection_info() {
            Ok(info) => info.addr().to_string(),
            Err(_) => "an unreadable url".to_owned(),
        }
    }

    /// What to connect to; the settings' mistakes come out here.
    pub(super) fn connection_info(&self) -> Result<ConnectionInfo, Error> {
        if self.key_prefix.contains(['{', '}']) {
            let prefix = &self.key_prefix;
            return Err(unavailable(format_args!(
                "key_prefix is {prefix:?}, it may hold no braces"
            )));
        }
        let info = self.url.as_str().into_connection_info();
        let info = info.map_err(|error| unavailable(format_args!("redis url: {error}")))?;
        let tcp = TcpSettings::default()
            .set_nodelay(true)
            .set_user_timeout(connection::DEAD_AFTER);
        Ok(info.set_tcp_settings(tcp))
    }
}
