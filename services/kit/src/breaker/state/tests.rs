use proptest::prelude::*;

use super::*;

fn fail(state: &mut State, now: Instant) {
    let pass = state.admit(now).expect("let through");
    state.failed(pass, now);
}

fn succeed(state: &mut State, now: Instant) {
    let pass = state.admit(now).expect("let through");
    state.answered(pass, now, true);
}

fn opened(now: Instant) -> State {
    let mut state = State::default();
    (0..IN_A_ROW).for_each(|_| fail(&mut state, now));
    assert_eq!(state.phase(now), Phase::Open);
    state
}

#[test]
fn opens_on_failures_on_end_and_not_on_as_many_among_answers() {
    let now = Instant::now();
    let mut state = State::default();
    for _ in 0..3 {
        (1..IN_A_ROW).for_each(|_| fail(&mut state, now));
        (0..8).for_each(|_| succeed(&mut state, now));
    }
    assert_eq!(state.phase(now), Phase::Closed);
    opened(now);
}

#[test]
fn opens_when_half_of_the_calls_fail() {
    let now = Instant::now();
    let mut state = State::default();
    for _ in 0..10 {
        assert_eq!(state.phase(now), Phase::Closed);
        succeed(&mut state, now);
        fail(&mut state, now);
    }
    assert_eq!(state.phase(now), Phase::Open);
}

#[test]
fn one_probe_goes_out_and_its_failure_doubles_the_pause_up_to_half_a_second() {
    let mut now = Instant::now();
    let start = now;
    let mut state = opened(now);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let mut pause = Duration::ZERO;
        let probe = loop {
            match state.admit(now + pause) {
                Ok(probe) => break probe,
                Err(away) => assert_eq!(away, now + pause - start),
            }
            pause += Duration::from_millis(1);
        };
        assert!(state.admit(now + pause).is_err(), "one probe at a time");
        now += pause;
        pauses.push(pause.as_millis());
        state.failed(probe, now);
    }
    for (pause, rule) in pauses.iter().zip([100, 200, 400, 500, 500, 500]) {
        assert!(
            *pause >= rule * 8 / 10 && *pause <= rule * 12 / 10 + 1,
            "{pauses:?}"
        );
    }
}

#[test]
fn whoever_comes_back_is_met_by_a_tenth_first() {
    let mut now = Instant::now();
    let mut state = opened(now);
    now += LONGEST_PAUSE;
    succeed(&mut state, now);
    assert_eq!(state.phase(now), Phase::Ramp);
    let mut share = |after: Duration| {
        let let_through = |_: &u32| state.admit(now + after).is_ok();
        (0..1_000_u32).filter(let_through).count()
    };
    assert!((50..150).contains(&share(Duration::ZERO)));
    assert!((450..650).contains(&share(RAMP / 2)));
    assert_eq!(share(RAMP), 1_000);
    assert_eq!(state.phase(now + RAMP), Phase::Closed);
}

#[test]
fn a_relapse_during_the_ramp_opens_it_again() {
    let mut now = Instant::now();
    let mut state = opened(now);
    now += LONGEST_PAUSE;
    succeed(&mut state, now);
    now += RAMP - Duration::from_millis(1);
    let mut failures = 0;
    while state.phase(now) == Phase::Ramp {
        if let Ok(pass) = state.admit(now) {
            state.failed(pass, now);
            failures += 1;
        }
    }
    assert_eq!((failures, state.phase(now)), (2, Phase::Open));
}

#[test]
fn calls_from_before_it_opened_say_nothing_of_the_peer_now() {
    let mut now = Instant::now();
    let mut state = State::default();
    let old: Vec<_> = (0..20).map(|_| state.admit(now).expect("closed")).collect();
    (0..IN_A_ROW).for_each(|_| fail(&mut state, now));
    now += LONGEST_PAUSE;
    succeed(&mut state, now);
    for pass in old {
        state.failed(pass, now);
    }
    assert_eq!(state.phase(now), Phase::Ramp);
}

#[test]
fn what_a_call_takes_is_near_its_quick_ones_and_is_forgotten() {
    let now = Instant::now();
    let mut state = State::default();
    for ms in [9, 2, 2, 2, 30, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2] {
        let pass = state.admit(now).expect("closed");
        state.answered(pass, now + Duration::from_millis(ms), true);
    }
    let usual = state.usual(now);
    assert!(
        usual >= Duration::from_millis(2) && usual < Duration::from_millis(4),
        "{usual:?}"
    );
    assert_eq!(state.usual(now + 2 * USUAL_LASTS), Duration::ZERO);
}

proptest! {
    /// Whatever happened before: a peer that answers from now on is asked by all in four
    /// seconds, and a peer that never answers gets a few calls a second at most.
    #[test]
    fn always_finds_its_way_back(outcomes in prop::collection::vec((0_u8..3, 0_u64..400), 0..200)) {
        let mut now = Instant::now();
        let mut state = State::default();
        for (outcome, ms) in outcomes {
            now += Duration::from_millis(ms);
            let Ok(pass) = state.admit(now) else { continue };
            match outcome {
                0 => state.answered(pass, now, true),
                1 => state.failed(pass, now),
                _ => state.forget(pass, now),
            }
        }
        let mut dead = State::default();
        let mut asked = 0;
        for _ in 0..4_000 {
            now += Duration::from_millis(1);
            if let Ok(pass) = state.admit(now) {
                state.answered(pass, now, true);
            }
            if let Ok(pass) = dead.admit(now) {
                asked += 1;
                dead.failed(pass, now);
            }
        }
        prop_assert_eq!(state.phase(now), Phase::Closed);
        prop_assert!(asked <= IN_A_ROW + 12, "{}", asked);
    }
}
