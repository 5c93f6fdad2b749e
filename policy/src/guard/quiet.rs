//! Quiet hours on the shopper's own clock.
//!
//! A moment is quiet when the clock on the shopper's wall says so. The days on which that clock is
//! set need no rule of their own: an hour that is left out is not waited for, and one that comes
//! twice is quiet twice. Where the zone is not known, a moment is quiet if it is quiet in any zone
//! that the shop serves. Zones come from the database compiled in, so every machine has the same.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp};

const MINUTES_A_DAY: u16 = 24 * 60;
/// Beyond this nothing is promised: hours that are free in all zones come every day or never.
const HORIZON_MS: i64 = 8 * 86_400_000;

/// A span of the day, on the wall clock; it may go over midnight.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    from_minute: u16,
    to_minute: u16,
}

/// Quiet hours or a zone that make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuietError {
    #[error("{name} is {minute}, it has to be a minute of the day, 0 to 1439")]
    Minute { name: &'static str, minute: u16 },
    #[error("quiet hours from minute {0} to itself are none and all of the day")]
    Empty(u16),
    #[error("{0:?} is not a time zone of the database, e.g. Europe/Berlin")]
    Zone(String),
    #[error("the shop serves no time zone; one at least is needed for shoppers of unknown zone")]
    NoZones,
}

/// The zones that the shop serves.
#[derive(Clone, Debug)]
pub struct Clocks {
    database: TimeZoneDatabase,
    served: Vec<TimeZone>,
}

impl Clocks {
    /// # Errors
    /// A name that the time zone database does not have, or no name at all.
    pub fn serving<'a>(zones: impl IntoIterator<Item = &'a str>) -> Result<Self, QuietError> {
        let database = TimeZoneDatabase::bundled();
        let mut served = Vec::new();
        for name in zones {
            let zone = database.get(name);
            served.push(zone.map_err(|_| QuietError::Zone(name.to_owned()))?);
        }
        if served.is_empty() {
            return Err(QuietError::NoZones);
        }
        Ok(Self { database, served })
    }

    /// A shop that says nothing of its zones: those of unknown zone are on universal time.
    pub(crate) fn universal() -> Self {
        Self {
            database: TimeZoneDatabase::bundled(),
            served: vec![TimeZone::UTC],
        }
    }

    /// The zone of that name alone; all that the shop serves when it is not known.
    #[must_use]
    pub fn zones(&self, name: Option<&str>) -> Vec<TimeZone> {
        match name.and_then(|name| self.database.get(name).ok()) {
            Some(zone) => vec![zone],
            None => self.served.clone(),
        }
    }
}

impl QuietHours {
    /// From one minute of the day up to, and not with, another.
    ///
    /// # Errors
    /// A minute that the day does not have, or twice the same.
    pub fn between(from_minute: u16, to_minute: u16) -> Result<Self, QuietError> {
        for (name, minute) in [("from_minute", from_minute), ("to_minute", to_minute)] {
            if minute >= MINUTES_A_DAY {
                return Err(QuietError::Minute { name, minute });
            }
        }
        if from_minute == to_minute {
            return Err(QuietError::Empty(from_minute));
        }
        Ok(Self {
            from_minute,
            to_minute,
        })
    }

    /// Whether a moment is quiet in any of the zones. A moment that no calendar has is quiet.
    #[must_use]
    pub fn is_quiet(&self, zones: &[TimeZone], at_ms: i64) -> bool {
        zones.iter().any(|zone| self.is_quiet_in(zone, at_ms))
    }

    fn is_quiet_in(&self, zone: &TimeZone, at_ms: i64) -> bool {
        let Ok(timestamp) = Timestamp::from_millisecond(at_ms) else {
            return true;
        };
        let local = zone.to_datetime(timestamp).time();
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        let minute = u16::try_from(minute).unwrap_or(0);
        match self.from_minute < self.to_minute {
            true => (self.from_minute..self.to_minute).contains(&minute),
            false => minute >= self.from_minute || minute < self.to_minute,
        }
    }

    /// The first moment from `at_ms` on that is quiet in none of the zones; `None` when there is
    /// none, as in a shop that serves the whole world.
    #[must_use]
    pub fn next_open(&self, zones: &[TimeZone], at_ms: i64) -> Option<i64> {
        let end_ms = at_ms.checked_add(HORIZON_MS)?;
        let mut at_ms = at_ms;
        // Each turn moves to where the zone that is quiet the longest opens.
        while at_ms <= end_ms {
            let mut open_ms = at_ms;
            for zone in zones {
                open_ms = open_ms.max(self.next_open_in(zone, at_ms)?);
            }
            if open_ms == at_ms {
                return Some(at_ms);
            }
            at_ms = open_ms;
        }
        None
    }

    /// A quiet span ends where the wall clock reaches its end, or where the clock is set.
    fn next_open_in(&self, zone: &TimeZone, at_ms: i64) -> Option<i64> {
        if !self.is_quiet_in(zone, at_ms) {
            return Some(at_ms);
        }
        let timestamp = Timestamp::from_millisecond(at_ms).ok()?;
        let today = zone.to_datetime(timestamp).date();
        let mut ends: Vec<Timestamp> = zone
            .following(timestamp)
            .take(1)
            .map(|transition| transition.timestamp())
            .collect();
        for days in 0..=2_i64 {
            let day = today.checked_add(Span::new().days(days)).ok();
            if let Some(end) = day.and_then(|day| self.end_on(day)) {
                let ambiguous = zone.to_ambiguous_timestamp(end);
                ends.extend(ambiguous.earlier());
                ends.extend(ambiguous.later());
            }
        }
        let ends = ends.into_iter().map(Timestamp::as_millisecond);
        ends.filter(|end| *end > at_ms && !self.is_quiet_in(zone, *end))
            .min()
    }

    fn end_on(&self, day: Date) -> Option<DateTime> {
        let (hour, minute) = (self.to_minute / 60, self.to_minute % 60);
        let (hour, minute) = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?);
        let time = Time::new(hour, minute, 0, 0).ok()?;
        Some(DateTime::from_parts(day, time))
    }
}
