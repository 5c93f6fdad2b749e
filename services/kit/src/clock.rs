//! Time as an argument: the real clock, or one that a demo, a replay or a test sets.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Tells the time in milliseconds since the Unix epoch. Cloning shares the clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Real,
    Simulated {
        epoch_ms: i64,
        start_ms: i64,
        speed: f64,
        ahead_ms: AtomicI64,
    },
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn real() -> Self {
        Self(Arc::new(Kind::Real))
    }

    /// A clock that shows `epoch_ms` when the machine's clock shows `start_ms`, and runs `speed`
    /// times as fast from there. Processes given the same three numbers agree on the time.
    #[must_use]
    pub fn simulated(epoch_ms: i64, start_ms: i64, speed: f64) -> Self {
        Self(Arc::new(Kind::Simulated {
            epoch_ms,
            start_ms,
            speed,
            ahead_ms: AtomicI64::new(0),
        }))
    }

    /// A clock that stands still until it is moved by [`Clock::advance_to`].
    #[must_use]
    pub fn frozen(at_ms: i64) -> Self {
        Self::simulated(at_ms, 0, 0.0)
    }

    /// What passes on this clock in a time on the wall, for leases: whether a process lives shows on
    /// the wall. Never less than that time, on a clock that runs slowly or stands still.
    #[must_use]
    pub fn during(&self, wall: Duration) -> Duration {
        match &*self.0 {
            Kind::Real => wall,
            Kind::Simulated { speed, .. } => {
                Duration::try_from_secs_f64(wall.as_secs_f64() * speed.max(1.0))
                    .unwrap_or(Duration::MAX)
            }
        }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match &*self.0 {
            Kind::Real => machine_ms(),
            Kind::Simulated {
                epoch_ms,
                start_ms,
                speed,
                ahead_ms,
            } => epoch_ms
                .saturating_add(scaled(machine_ms().saturating_sub(*start_ms), *speed))
                .saturating_add(ahead_ms.load(Ordering::Acquire)),
        }
    }

    /// Moves a simulated clock forward to `at_ms`. It never goes back; the real clock does not move.
    pub fn advance_to(&self, at_ms: i64) {
        let behind = at_ms.saturating_sub(self.now_ms());
        match &*self.0 {
            Kind::Simulated { ahead_ms, .. } if behind > 0 => {
                ahead_ms.fetch_add(behind, Ordering::AcqRel);
            }
            Kind::Real | Kind::Simulated { .. } => {}
        }
    }
}

/// The machine's clock, for what is measured and not decided by.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the machine's clock"
)]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

fn machine_ms() -> i64 {
    let since_epoch = wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "float to integer saturates, and a millisecond in 285,000 years does not matter"
)]
fn scaled(elapsed_ms: i64, speed: f64) -> i64 {
    (elapsed_ms as f64 * speed) as i64
}

/// `clock = "real"`, or `clock = { epoch_ms = 1569888000000, start_ms = 1760000000000, speed = 60.0 }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClockSettings {
    /// The machine's clock.
    #[default]
    Real,
    /// A clock of its own.
    Simulated(Simulated),
}

/// Settings of a simulated clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Simulated {
    /// What the clock shows at `start_ms`.
    pub epoch_ms: i64,
    /// Machine time at which it starts; when this process starts it, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_ms: Option<i64>,
    /// How many simulated seconds pass in a real one; 0 stands still.
    pub speed: f64,
}

impl ClockSettings {
    /// Starts the clock.
    #[must_use]
    pub fn start(&self) -> Clock {
        match self {
            Self::Real => Clock::real(),
            Self::Simulated(simulated) => Clock::simulated(
                simulated.epoch_ms,
                simulated.start_ms.unwrap_or_else(machine_ms),
                simulated.speed,
            ),
        }
    }
}

impl Serialize for ClockSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Real => serializer.serialize_str("real"),
            Self::Simulated(simulated) => simulated.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClockSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SettingsVisitor)
    }
}

struct SettingsVisitor;

impl<'de> Visitor<'de> for SettingsVisitor {
    type Value = ClockSettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`real`, or a table of epoch_ms, start_ms and speed")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if text == "real" {
            Ok(ClockSettings::Real)
        } else {
            Err(E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let simulated = Simulated::deserialize(MapAccessDeserializer::new(map))?;
        if simulated.speed.is_finite() && simulated.speed >= 0.0 {
            Ok(ClockSettings::Simulated(simulated))
        } else {
            Err(A::Error::custom("speed must be 0 or more"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_forward_and_only_when_told() {
        let clock = Clock::frozen(1_000);
        assert_eq!(clock.now_ms(), 1_000);
        clock.advance_to(5_000);
        clock.advance_to(2_000);
        assert_eq!(clock.clone().now_ms(), 5_000);
    }

    #[test]
    fn a_simulated_clock_runs_at_its_speed_from_its_epoch() {
        let started_a_minute_ago = machine_ms() - 60_000;
        let now = Clock::simulated(0, started_a_minute_ago, 10.0).now_ms();
        assert!((600_000..610_000).contains(&now), "{now}");
    }

    #[test]
    fn a_lease_on_the_wall_is_as_much_longer_as_the_clock_runs_faster() {
        let second = Duration::from_secs(1);
        assert_eq!(Clock::real().during(second), second);
        assert_eq!(Clock::frozen(5).during(second), second);
        let fast = Clock::simulated(0, 0, 3_600.0);
        assert_eq!(fast.during(second), Duration::from_secs(3_600));
        assert_eq!(fast.during(Duration::MAX), Duration::MAX);
    }

    #[test]
    fn the_real_clock_ignores_being_moved() {
        let clock = Clock::real();
        clock.advance_to(i64::MAX);
        assert!(clock.now_ms() < 4_102_444_800_000);
    }
}
