//! What is left of a caller's time.

use std::time::{Duration, Instant};

use http::HeaderMap;
use tonic::Request;
use tonic::metadata::MetadataMap;

/// The moment after which nobody waits for the answer any more.
///
/// A server takes it from the request's `grpc-timeout`, gives each stage what is left, and sends
/// what is left on with its own calls: `Endpoint::timeout` only stops waiting at our end, so the
/// header is set on each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
}

impl Deadline {
    /// The caller's deadline, or `default` from now when it gave none (or an unreadable one).
    #[must_use]
    pub fn from_request(metadata: &MetadataMap, default: Duration) -> Self {
        Self::after(given(metadata.as_ref()).unwrap_or(default))
    }

    /// `left` from now.
    #[must_use]
    pub fn after(left: Duration) -> Self {
        let now = Instant::now();
        let a_year = Duration::from_secs(365 * 24 * 3_600);
        Self {
            at: now.checked_add(left.min(a_year)).unwrap_or(now),
        }
    }

    /// What is left; zero once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// True once nothing is left.
    #[must_use]
    pub fn expired(&self) -> bool {
        self.remaining().is_zero()
    }

    /// The deadline of a stage that may use `share` (0 to 1) of what is left.
    #[must_use]
    pub fn share(&self, share: f64) -> Self {
        let share = if share.is_finite() {
            share.clamp(0.0, 1.0)
        } else {
            1.0
        };
        Self::after(self.remaining().mul_f64(share))
    }

    /// A deadline before this one, so that the answer is back in time: a tenth of what is left is
    /// kept for the way, 50 ms at most.
    #[must_use]
    pub fn with_the_way_back(&self) -> Self {
        const MOST: Duration = Duration::from_millis(50);
        Self::after(
            self.remaining()
                .saturating_sub((self.remaining() / 10).min(MOST)),
        )
    }

    /// The earlier of this and `limit` from now.
    #[must_use]
    pub fn at_most(&self, limit: Duration) -> Self {
        Self {
            at: self.at.min(Self::after(limit).at),
        }
    }

    /// Sends what is left along with an outgoing request.
    pub fn apply<T>(&self, request: &mut Request<T>) {
        request.set_timeout(self.remaining());
    }

    /// Waits for `work` no longer than the deadline; `None` when it has passed.
    pub async fn bound<F: Future>(&self, work: F) -> Option<F::Output> {
        tokio::time::timeout_at(self.at.into(), work).await.ok()
    }
}

/// What the caller gives, when it gives something readable.
pub(crate) fn given(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?;
    parse_timeout(value.to_str().ok()?)
}

/// Reads a `grpc-timeout` value: up to 8 digits and a unit, as in the gRPC over HTTP/2 protocol.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3_600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(timeout: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", timeout.parse().unwrap());
        metadata
    }

    #[test]
    fn reads_every_unit_and_refuses_nonsense() {
        let second = Duration::from_secs(1);
        assert_eq!(parse_timeout("1S"), Some(second));
        assert_eq!(parse_timeout("1000m"), Some(second));
        assert_eq!(parse_timeout("1000000u"), Some(second));
        assert_eq!(
            parse_timeout("99999999n"),
            Some(Duration::from_nanos(99_999_999))
        );
        assert_eq!(parse_timeout("2M"), Some(120 * second));
        assert_eq!(
            parse_timeout("99999999H"),
            Some(Duration::from_secs(99_999_999 * 3_600))
        );
        for nonsense in ["", "S", "1", "-1S", "123456789S", "1é", "1x", "+1S"] {
            assert_eq!(parse_timeout(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn takes_the_callers_time_before_the_default() {
        let default = Duration::from_secs(9);
        let given = Deadline::from_request(&metadata("200m"), default).remaining();
        assert!(given <= Duration::from_millis(200) && given > Duration::from_millis(100));
        assert!(
            Deadline::from_request(&metadata("nonsense"), default).remaining()
                > 8 * Duration::from_secs(1)
        );
        assert!(!Deadline::from_request(&metadata("99999999H"), default).expired());
    }

    #[test]
    fn a_stage_gets_its_share_and_sends_it_on() {
        let stage = Deadline::after(Duration::from_secs(10)).share(0.5);
        let left = stage.remaining();
        assert!(left <= Duration::from_secs(5) && left > Duration::from_secs(4));
        let mut request = Request::new(());
        stage.apply(&mut request);
        let sent = Deadline::from_request(request.metadata(), Duration::ZERO).remaining();
        assert!(sent > Duration::from_secs(4) && sent <= left, "{sent:?}");
    }

    #[test]
    fn the_way_back_takes_a_tenth_and_never_much() {
        let left = |ms| {
            let whole = Deadline::after(Duration::from_millis(ms));
            whole.with_the_way_back().remaining()
        };
        assert!(
            left(1_000) <= Duration::from_millis(950) && left(1_000) > Duration::from_millis(900)
        );
        assert!(left(100) <= Duration::from_millis(90));
        assert_eq!(left(0), Duration::ZERO);
    }

    #[tokio::test]
    async fn work_past_the_deadline_is_given_up() {
        let soon = Deadline::after(Duration::from_millis(5));
        assert_eq!(soon.bound(std::future::pending::<()>()).await, None);
        assert!(soon.expired());
        assert_eq!(
            Deadline::after(Duration::from_secs(5))
                .bound(async { 7 })
                .await,
            Some(7)
        );
    }
}
