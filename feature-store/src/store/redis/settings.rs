//! Where Redis is, and how long to wait for it.

use std::fmt;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionInfo, IntoConnectionInfo as _};

use super::{connection, unavailable};
use crate::store::Error;

/// What ends a hash tag, and what a pattern takes for more than itself: a prefix with one would go over
/// the keys of other shops, or miss its own.
const SIGNS: [char; 7] = ['{', '}', '*', '?', '[', ']', '\\'];

/// How to reach Redis.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://[user:password@]host[:port][/db]`.
    pub url: String,
    /// Separates shops that share a Redis; empty for none. It becomes part of every hash tag and of
    /// the patterns by which keys are gone over, so it holds none of `{}*?[]\`.
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
        if self.key_prefix.contains(SIGNS) {
            let prefix = &self.key_prefix;
            return Err(unavailable(format_args!(
                "key_prefix is \"{prefix}\", allowed is any text without {{ }} * ? [ ] \\"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_prefix_that_would_match_the_keys_of_another_shop() {
        let check = |key_prefix: &str| {
            let key_prefix = key_prefix.to_owned();
            let settings = RedisSettings {
                key_prefix,
                ..RedisSettings::default()
            };
            settings.connection_info().map(|_| ())
        };
        for prefix in ["", "shop-1", "shop_1:a.b"] {
            assert!(check(prefix).is_ok(), "{prefix}");
        }
        for sign in r"{}*?[]\".chars() {
            let prefix = format!("shop{sign}1");
            let error = check(&prefix).unwrap_err().to_string();
            assert!(
                error.contains(&format!("key_prefix is \"{prefix}\"")),
                "{error}"
            );
            assert!(error.contains(r"without { } * ? [ ] \"), "{error}");
        }
    }
}
