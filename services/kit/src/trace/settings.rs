//! `[telemetry]`: what leaves this process, and where to.

use http::Uri;
use serde::{Deserialize, Serialize};

use crate::config::{Period, Report, Secret};

/// How a receiver is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// OTLP over gRPC, by custom on port 4317.
    #[default]
    Grpc,
    /// OTLP as protobuf over HTTP, by custom on port 4318.
    Http,
}

/// Settings of traces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether requests are traced. Without it nothing has a trace id and nothing is sent; stages are
    /// timed all the same, for metrics and `server-timing`.
    pub trace: bool,
    /// URL of an OTLP receiver, `http://host:port`; nothing leaves without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<String>,
    /// How the receiver is spoken to.
    pub protocol: Protocol,
    /// Share of the traces begun here that are sent, 0 to 1. What fails, is degraded or slow is sent
    /// whatever the share.
    pub sample: f64,
    /// A request that takes longer is slow.
    pub slow: Period,
    /// How often all metrics are pushed to the receiver; 0 s = never.
    pub metrics_every: Period,
    /// Key of the hashes that stand for shoppers; random for each process without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shopper_key: Option<Secret>,
    /// Names this process among those of its role; random without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trace: true,
            otlp: None,
            protocol: Protocol::Grpc,
            sample: 0.01,
            slow: Period::millis(50),
            metrics_every: Period::seconds(15),
            shopper_key: None,
            instance: None,
        }
    }
}

impl Settings {
    /// Checks what the types cannot, with keys relative to the section.
    pub fn check(&self, report: &mut Report) {
        if !(0.0..=1.0).contains(&self.sample) {
            report.add("sample", self.sample, "0 to 1");
        }
        let hour = Period::seconds(3_600);
        let often = Period::millis(100)..=hour;
        if !self.metrics_every.0.is_zero() && !often.contains(&self.metrics_every) {
            report.add("metrics_every", self.metrics_every, "0s, or 100ms to 1h");
        }
        if let Some(url) = &self.otlp
            && !is_receiver(url)
        {
            let allowed =
                "http://host:port; a receiver elsewhere is reached through a collector here";
            report.add("otlp", url, allowed);
        }
    }
}

fn is_receiver(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    uri.scheme_str() == Some("http") && uri.authority().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_a_plain_url() {
        assert!(is_receiver("http://127.0.0.1:4317"));
        assert!(is_receiver("http://collector:4318/v1/traces"));
        for url in ["", "127.0.0.1:4317", "https://h:1", "http://", "grpc://h:1"] {
            assert!(!is_receiver(url), "{url}");
        }
    }
}
