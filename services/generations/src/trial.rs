//! A new generation is watched for a while, and taken back when it does worse than the time before.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use kit::CancellationToken;
use kit::metrics::requests::RequestMetrics;
use kit::metrics::traffic::Traffic;

use crate::keeper::{Keeper, Role};
use crate::settings::Settings;

const EVERY: Duration = Duration::from_secs(1);
/// A generation is taken back when so many seconds of it were bad, and all of them together are: one
/// bad second is a hiccup, however bad it was.
const SECONDS: u32 = 3;

/// A generation that went live a moment ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trial {
    pub(crate) generation: String,
    pub(crate) begun: Instant,
}

/// What breaks a bar, in words; `None` while nothing does. Nothing is said of the p99 without enough
/// calls to compare with.
fn broken(settings: &Settings, before: &Traffic, after: &Traffic) -> Option<String> {
    let shares = [
        (
            "failed",
            before.failed_share(),
            after.failed_share(),
            settings.failed_rise,
        ),
        (
            "degraded",
            before.degraded_share(),
            after.degraded_share(),
            settings.degraded_rise,
        ),
    ];
    for (what, was, is, rise) in shares {
        if is > was + rise {
            return Some(format!(
                "{:.2} % of {} calls {what}, {:.2} % before, {:.2} % more are allowed",
                is * 100.0,
                after.calls,
                was * 100.0,
                rise * 100.0
            ));
        }
    }
    if before.calls < settings.calls {
        return None;
    }
    let (was, is) = (before.p99()?, after.p99()?);
    let bar = was
        .mul_f64(settings.p99_times)
        .max(was + settings.p99_rise.0);
    (is > bar).then(|| {
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        format!(
            "p99 of {} calls is {:.1} ms, {:.1} ms before, {:.1} ms are allowed",
            after.calls,
            ms(is),
            ms(was),
            ms(bar)
        )
    })
}

/// Counts the calls of the time in which nothing was loaded: what a generation to come takes of the
/// machine says nothing of the one that is live.
#[derive(Debug, Default)]
struct Settled {
    all: Traffic,
    counted: Traffic,
    was_between: bool,
}

impl Settled {
    fn read(&mut self, all: Traffic, is_between: bool) -> Traffic {
        if !is_between && !self.was_between {
            self.counted.add(&all.since(&self.all));
        }
        self.all = all;
        self.was_between = is_between;
        self.counted.clone()
    }
}

/// Readings of the last while, one a second.
#[derive(Debug, Default)]
struct Readings(VecDeque<(Instant, Traffic)>);

impl Readings {
    fn read(&mut self, now: Instant, traffic: Traffic, keep: Duration) {
        self.0.push_back((now, traffic));
        let old = |(at, _): &(Instant, Traffic)| now.duration_since(*at) > keep + EVERY;
        while self.0.front().is_some_and(old) {
            self.0.pop_front();
        }
    }

    /// The newest reading before `moment`, and what was counted in the time before it.
    fn before(&self, moment: Instant) -> Option<(Traffic, Traffic)> {
        let (_, newest) = self.0.iter().rev().find(|(at, _)| *at <= moment)?;
        let (_, oldest) = self.0.front()?;
        Some((newest.clone(), newest.since(oldest)))
    }
}

/// A trial under way.
#[derive(Debug)]
struct Comparison {
    trial: Trial,
    start: Traffic,
    before: Traffic,
    last: Traffic,
    bad_seconds: u32,
}

impl<R: Role> Keeper<R> {
    /// Watches what callers get, for as long as the role lives.
    pub(crate) async fn judge(self, requests: RequestMetrics, stop: CancellationToken) {
        let watch = self.settings().watch.0;
        if watch.is_zero() {
            return;
        }
        let mut settled = Settled::default();
        let mut readings = Readings::default();
        let mut comparison: Option<Comparison> = None;
        let mut ticks = tokio::time::interval(EVERY);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = Instant::now();
            let traffic = settled.read(requests.traffic(), self.is_between());
            let trial = self.trial();
            if trial.as_ref() != comparison.as_ref().map(|one| &one.trial) {
                comparison = trial.and_then(|trial| {
                    let (start, before) = readings.before(trial.begun)?;
                    Some(Comparison::new(trial, start, before))
                });
            }
            readings.read(now, traffic.clone(), watch);
            if let Some(compared) = &mut comparison {
                let over = now.duration_since(compared.trial.begun) > watch;
                if let Some(why) = compared.look(self.settings(), &traffic) {
                    self.take_back(&compared.trial.generation, why).await;
                } else if over {
                    self.end_trial(&compared.trial);
                }
            }
        }
    }
}

impl Comparison {
    fn new(trial: Trial, start: Traffic, before: Traffic) -> Self {
        Self {
            trial,
            last: start.clone(),
            start,
            before,
            bad_seconds: 0,
        }
    }

    /// Why it must be taken back, when it must. Fewer calls than the settings ask for say nothing.
    fn look(&mut self, settings: &Settings, traffic: &Traffic) -> Option<String> {
        let newest = traffic.since(&self.last);
        self.last = traffic.clone();
        if broken(settings, &self.before, &newest).is_some() {
            self.bad_seconds += 1;
        }
        let all = traffic.since(&self.start);
        if self.bad_seconds < SECONDS || all.calls < settings.calls {
            return None;
        }
        broken(settings, &self.before, &all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            calls: 100,
            ..Settings::default()
        }
    }

    fn traffic(calls: u64, failed: u64, degraded: u64) -> Traffic {
        Traffic::counted(calls, failed, degraded)
    }

    #[test]
    fn a_share_that_rises_by_more_than_allowed_breaks_its_bar() {
        let before = traffic(1_000, 10, 100);
        assert_eq!(broken(&settings(), &before, &traffic(1_000, 19, 149)), None);
        let failed = broken(&settings(), &before, &traffic(1_000, 21, 100)).unwrap();
        assert!(
            failed.contains("2.10 % of 1000 calls failed, 1.00 % before"),
            "{failed}"
        );
        let degraded = broken(&settings(), &before, &traffic(1_000, 10, 151)).unwrap();
        assert!(
            degraded.contains("15.10 % of 1000 calls degraded"),
            "{degraded}"
        );
    }

    #[test]
    fn calls_of_the_time_of_a_load_do_not_count() {
        let mut settled = Settled::default();
        let seen = [
            (100, false),
            (200, true),
            (900, true),
            (1_000, false),
            (1_100, false),
        ];
        let counted =
            seen.map(|(calls, is_between)| settled.read(traffic(calls, 0, 0), is_between).calls);
        assert_eq!(counted, [100, 100, 100, 100, 200]);
    }

    fn watched() -> Comparison {
        let trial = Trial {
            generation: "g".to_owned(),
            begun: Instant::now(),
        };
        Comparison::new(trial, Traffic::default(), traffic(1_000, 0, 0))
    }

    /// What each second of the calls, of which so many fail, makes of a generation.
    fn seconds(calls_and_failed: &[(u64, u64)]) -> Vec<bool> {
        let (mut compared, mut all) = (watched(), Traffic::default());
        let mut look = |&(calls, failed): &(u64, u64)| {
            all.add(&traffic(calls, failed, 0));
            compared.look(&settings(), &all).is_some()
        };
        calls_and_failed.iter().map(&mut look).collect()
    }

    #[test]
    fn few_calls_say_nothing() {
        let ten_fail = [(10, 10); 10];
        let mut taken_back = [false; 10];
        taken_back[9] = true;
        assert_eq!(seconds(&ten_fail), taken_back, "100 calls are asked for");
        assert_eq!(
            broken(&settings(), &traffic(99, 0, 0), &traffic(100, 0, 0)),
            None,
            "no p99 to compare with"
        );
    }

    #[test]
    fn one_bad_second_is_a_hiccup_however_bad_it_was() {
        let (good, bad) = ((1_000, 0), (1_000, 900));
        assert_eq!(seconds(&[bad, good, good, good, good]), [false; 5]);
        assert_eq!(
            seconds(&[bad, good, bad, good, bad]),
            [false, false, false, false, true]
        );
    }

    #[test]
    fn bad_seconds_that_others_make_up_for_are_no_reason() {
        let mut all = vec![(1_000, 20); 2];
        all.extend([(1_000, 0); 8]);
        all.push((1_000, 20));
        assert!(seconds(&all).iter().all(|taken_back| !taken_back));
    }

    #[test]
    fn the_time_before_ends_with_the_last_reading_before_the_swap() {
        let mut readings = Readings::default();
        let begin = Instant::now();
        for second in 0..10_u32 {
            let calls = u64::from(second) * 100;
            let at = begin + EVERY * second;
            readings.read(at, traffic(calls, 0, 0), Duration::from_secs(4));
        }
        let swapped = begin + Duration::from_millis(8_500);
        let (start, before) = readings.before(swapped).unwrap();
        assert_eq!(start.calls, 800);
        assert_eq!(before.calls, 400, "readings from second 4 on are kept");
    }
}
