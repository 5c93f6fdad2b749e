use super::*;

fn good() -> Answer {
    Answer {
        operation: "test",
        failure: None,
        degraded: false,
        generation: "g1".into(),
        timing: ServerTiming::Unsaid,
    }
}

fn timing(intended: u64, sent: u64, done: u64) -> Timing {
    let ms = Duration::from_millis;
    Timing {
        request: intended,
        intended: ms(intended),
        sent: ms(sent),
        done: ms(done),
    }
}

fn two_seconds_after_one() -> Measured {
    Measured::new(Duration::from_secs(1), Duration::from_secs(2), 10.0)
}

#[test]
fn the_warm_up_is_cut_off() {
    let mut measured = two_seconds_after_one();
    measured.record(&timing(999, 999, 5_000), good());
    assert_eq!(measured.requests(), 0);
    assert!(measured.latency().is_empty());
    measured.record(&timing(1_000, 1_000, 1_004), good());
    assert_eq!(measured.requests(), 1);
}

#[test]
fn latency_counts_from_the_intended_start_and_lag_is_apart() {
    let mut measured = two_seconds_after_one();
    measured.record(&timing(1_000, 1_030, 1_050), good());
    assert!((measured.latency().max_ms() - 50.0).abs() < 0.1);
    assert!((measured.lag().max_ms() - 30.0).abs() < 0.1);
}

#[test]
fn a_refusal_is_an_error_and_no_latency() {
    let mut measured = two_seconds_after_one();
    let failure = Failure {
        code: "UNAVAILABLE".into(),
        detail: "first".into(),
        refused: true,
    };
    for detail in ["first", "second"] {
        let failure = Some(Failure {
            detail: detail.into(),
            ..failure.clone()
        });
        measured.record(&timing(1_000, 1_000, 1_001), Answer { failure, ..good() });
    }
    assert!(measured.latency().is_empty());
    assert_eq!(measured.error_share(), Some(1.0));
    assert_eq!(
        measured.errors()["UNAVAILABLE"],
        Errors {
            count: 2,
            first: "first".into()
        }
    );
    assert!(measured.rate_got().abs() < f64::EPSILON);
}

#[test]
fn the_slowest_keep_their_own_number_lag_and_time() {
    let mut measured = two_seconds_after_one().keeping(1);
    measured.record(&timing(1_000, 1_001, 1_004), good());
    measured.record(&timing(1_200, 1_205, 1_250), good());
    measured.record(&timing(1_300, 1_300, 1_310), good());
    let [slow] = measured.slowest() else {
        panic!("{:?}", measured.slowest());
    };
    let ms = Duration::from_millis;
    assert_eq!((slow.request, slow.at), (1_200, ms(200)));
    assert_eq!((slow.latency, slow.lag), (ms(50), ms(5)));
}

#[test]
fn a_generation_that_answers_later_is_a_change() {
    let mut measured = two_seconds_after_one();
    for (at, generation) in [(1_000, "g1"), (1_500, "g2"), (1_600, "g1"), (1_700, "g2")] {
        let generation = generation.to_owned();
        measured.record(
            &timing(at, at, at + 1),
            Answer {
                generation,
                ..good()
            },
        );
    }
    let change = Change {
        at: Duration::from_millis(501),
        generation: "g2".into(),
    };
    assert_eq!(measured.changes(), [change]);
}

#[test]
fn the_rate_got_counts_what_was_answered_inside_the_window() {
    let mut measured = two_seconds_after_one();
    measured.record(&timing(990, 990, 1_001), good());
    measured.record(&timing(1_500, 1_500, 1_501), good());
    measured.record(&timing(2_999, 2_999, 3_001), good());
    assert!(
        (measured.rate_got() - 1.0).abs() < 1e-9,
        "{}",
        measured.rate_got()
    );
    assert_eq!(measured.requests(), 2);
}

#[test]
fn what_was_not_sent_is_an_error() {
    let mut measured = two_seconds_after_one();
    measured.unsent(Duration::from_millis(10));
    measured.unsent(Duration::from_millis(1_010));
    assert_eq!(measured.unsent_count(), 2);
    assert_eq!(measured.failed(), 1);
    assert_eq!(measured.errors()["UNSENT"].count, 1);
}
