//! While Redis does not answer, nobody waits for it: requests fail at once, and one at a time finds
//! out whether it is back.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests on end without an answer after which it counts as away.
const IN_A_ROW: u32 = 3;
/// The pause before a request tries again doubles from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Pauses are longer by up to this, in steps of a fifth of it, so that the processes which lost one
/// Redis do not all come back to it at once.
const JITTER: Duration = Duration::from_millis(50);

/// Opens when Redis falls silent, closes with its first answer.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    in_a_row: u32,
    away: Option<Away>,
    /// How often it has opened: an answer to a request from before is old news.
    openings: u64,
}

#[derive(Debug)]
struct Away {
    since: Instant,
    /// When the next request may try, if none is trying.
    again: Instant,
    trying: bool,
    pauses: u32,
}

/// A request that was let through. Dropped without an answer it counts as unanswered, when it
/// waited long enough for one.
#[derive(Debug)]
pub(super) struct UnderWay<'a> {
    breaker: &'a Breaker,
    since: Instant,
    openings: u64,
    enough: Duration,
    ended: bool,
}

impl Breaker {
    /// Lets a request through, or says for how long Redis has been away. To wait for `enough` in
    /// vain says that it does not answer.
    pub(super) fn enter(&self, enough: Duration, now: Instant) -> Result<UnderWay<'_>, Duration> {
        let mut state = self.lock();
        if let Some(away) = &mut state.away {
            if away.trying || now < away.again {
                return Err(now.saturating_duration_since(away.since));
            }
            away.trying = true;
        }
        Ok(UnderWay {
            breaker: self,
            since: now,
            openings: state.openings,
            enough,
            ended: false,
        })
    }

    /// Whether requests fail at once.
    pub(super) fn is_open(&self) -> bool {
        self.lock().away.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay<'_> {
    /// Redis answered, whatever it said.
    pub(super) fn answered(mut self) {
        self.ended = true;
        let mut state = self.breaker.lock();
        if state.openings == self.openings {
            state.in_a_row = 0;
            if state.away.take().is_some() {
                tracing::info!("redis answers again");
            }
        }
    }

    /// It did not.
    pub(super) fn unanswered(mut self, now: Instant) {
        self.ended = true;
        self.breaker.lock().unanswered(self.openings, now);
    }

    fn dropped(&self, now: Instant) {
        let mut state = self.breaker.lock();
        if now.saturating_duration_since(self.since) >= self.enough {
            state.unanswered(self.openings, now);
        } else if state.openings == self.openings
            && let Some(away) = &mut state.away
        {
            away.trying = false;
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.dropped(Instant::now());
        }
    }
}

impl State {
    fn unanswered(&mut self, openings: u64, now: Instant) {
        if openings != self.openings {
            return;
        }
        self.in_a_row += 1;
        match &mut self.away {
            None if self.in_a_row >= IN_A_ROW => {
                tracing::warn!("redis does not answer; requests fail at once until it does");
                self.openings += 1;
                self.away = Some(Away {
                    since: now,
                    again: now + pause(0, self.openings),
                    trying: false,
                    pauses: 1,
                });
            }
            None => {}
            Some(away) => {
                away.trying = false;
                away.again = now + pause(away.pauses, self.openings);
                away.pauses += 1;
            }
        }
    }
}

fn pause(pauses: u32, openings: u64) -> Duration {
    let fifths = u32::try_from((u64::from(std::process::id()) + openings) % 6).unwrap_or_default();
    let doubled = FIRST_PAUSE.saturating_mul(1 << pauses.min(8));
    doubled.min(LONGEST_PAUSE) + JITTER / 5 * fifths
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: Duration = Duration::from_millis(25);

    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..IN_A_ROW {
            breaker.enter(ENOUGH, now).unwrap().unanswered(now);
        }
        assert!(breaker.is_open());
        breaker
    }

    #[test]
    fn silence_on_end_opens_it_and_answers_in_between_do_not() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..10 {
            breaker.enter(ENOUGH, now).unwrap().unanswered(now);
            breaker.enter(ENOUGH, now).unwrap().unanswered(now);
            breaker.enter(ENOUGH, now).unwrap().answered();
        }
        assert!(!breaker.is_open());
        let later = now + Duration::from_millis(50);
        let away = opened(now).enter(ENOUGH, later).unwrap_err();
        assert_eq!(away, Duration::from_millis(50));
    }

    #[test]
    fn one_at_a_time_tries_again_after_pauses_that_double() {
        let start = Instant::now();
        let (breaker, mut now) = (opened(start), start);
        for rule in [100, 200, 400, 500, 500] {
            let early = now + Duration::from_millis(rule - 1);
            assert!(breaker.enter(ENOUGH, early).is_err(), "before {rule} ms");
            now += Duration::from_millis(rule) + JITTER;
            let trying = breaker.enter(ENOUGH, now).unwrap();
            assert!(breaker.enter(ENOUGH, now).is_err(), "one at a time");
            trying.unanswered(now);
        }
        now += LONGEST_PAUSE + JITTER;
        breaker.enter(ENOUGH, now).unwrap().answered();
        assert!(!breaker.is_open());
    }

    #[test]
    fn who_gives_up_early_says_nothing_and_who_waited_says_it() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..10 * IN_A_ROW {
            drop(breaker.enter(Duration::from_secs(60), now));
        }
        assert!(!breaker.is_open());
        for _ in 0..IN_A_ROW {
            drop(breaker.enter(Duration::ZERO, now));
        }
        assert!(breaker.is_open());
    }

    #[test]
    fn a_try_that_is_given_up_leaves_its_place_to_the_next() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + LONGEST_PAUSE;
        drop(breaker.enter(Duration::from_secs(60), later).unwrap());
        assert!(breaker.enter(ENOUGH, later).is_ok());
    }

    #[test]
    fn requests_from_before_it_opened_say_nothing_of_redis_now() {
        let now = Instant::now();
        let breaker = Breaker::default();
        let old: Vec<_> = (0..9)
            .map(|_| breaker.enter(ENOUGH, now).unwrap())
            .collect();
        for _ in 0..IN_A_ROW {
            breaker.enter(ENOUGH, now).unwrap().unanswered(now);
        }
        for request in old {
            request.unanswered(now);
        }
        let later = now + FIRST_PAUSE + JITTER;
        breaker.enter(ENOUGH, later).unwrap().answered();
        assert!(!breaker.is_open());
    }
}
