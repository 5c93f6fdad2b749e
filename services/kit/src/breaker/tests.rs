use super::*;

async fn ask(breaker: &Breaker, answer: Result<(), Code>) -> Result<(), Trouble> {
    let deadline = Deadline::after(Duration::from_secs(10));
    let answer = answer
        .map(Response::new)
        .map_err(|code| Status::new(code, "said"));
    breaker.ask(deadline, async { answer }).await
}

#[tokio::test]
async fn misses_at_once_while_the_peer_is_away() {
    let breaker = Breaker::new("features", Pressure::default());
    for _ in 0..IN_A_ROW {
        let missed = ask(&breaker, Err(Code::Unavailable)).await;
        assert!(matches!(missed, Err(Trouble::Answered(_))), "{missed:?}");
    }
    assert_eq!(breaker.phase(), Phase::Open);
    let asked = breaker
        .ask(Deadline::after(Duration::from_secs(9)), async {
            panic!("nothing is asked of it") as Result<Response<()>, Status>
        })
        .await;
    assert!(matches!(asked, Err(Trouble::Open(_))), "{asked:?}");
    assert_eq!(breaker.missed(), 1);
}

#[tokio::test]
async fn silence_counts_when_there_was_time_for_an_answer() {
    for (given_ms, phase) in [(2, Phase::Closed), (20, Phase::Open)] {
        let breaker = Breaker::new("features", Pressure::default());
        for _ in 0..IN_A_ROW {
            let deadline = Deadline::after(Duration::from_millis(given_ms));
            let silence = std::future::pending::<Result<Response<()>, Status>>();
            let asked = breaker.ask(deadline, silence).await;
            assert!(matches!(asked, Err(Trouble::Late(_))), "{asked:?}");
        }
        assert_eq!(breaker.phase(), phase, "{given_ms} ms each");
    }
}

#[tokio::test]
async fn who_was_given_up_is_not_waited_for_as_long() {
    let breaker = Breaker::new("features", Pressure::default());
    let longest = Duration::from_millis(250);
    assert_eq!(breaker.patience(longest), longest);
    for _ in 0..IN_A_ROW {
        drop(ask(&breaker, Err(Code::Unavailable)).await);
    }
    assert_eq!(breaker.patience(longest), WARY);
    assert_eq!(breaker.patience(WARY / 2), WARY / 2);
}

#[tokio::test]
async fn a_refusal_by_load_is_pressure_and_not_death() {
    let pressure = Pressure::default();
    let breaker = Breaker::new("features", pressure.clone());
    for _ in 0..100 {
        drop(ask(&breaker, Err(Code::ResourceExhausted)).await);
    }
    assert_eq!(breaker.phase(), Phase::Closed);
    assert_eq!(pressure.take(), 100);
}

/// A call that stays without an answer while `meanwhile` another gets one.
async fn silence(breaker: &Breaker, meanwhile: bool) {
    let silence = async {
        if meanwhile {
            ask(breaker, Ok(())).await.unwrap();
        }
        std::future::pending::<Result<Response<()>, Status>>().await
    };
    let deadline = Deadline::after(SHORT * 2);
    let asked = breaker.ask(deadline, silence).await;
    assert!(matches!(asked, Err(Trouble::Late(_))), "{asked:?}");
}

#[tokio::test]
async fn late_for_want_of_cores_is_pressure_and_silence_towards_all_is_not() {
    for (starved, meanwhile, phase, felt) in [
        (true, true, Phase::Closed, 5),
        (true, false, Phase::Open, 0),
        (false, false, Phase::Open, 0),
    ] {
        let pressure = Pressure::default();
        pressure.set_starved(starved);
        let breaker = Breaker::new("features", pressure.clone());
        for _ in 0..IN_A_ROW {
            silence(&breaker, meanwhile).await;
        }
        let what = format!("starved {starved}, others answered {meanwhile}");
        assert_eq!((breaker.phase(), pressure.take()), (phase, felt), "{what}");
    }
}

#[tokio::test]
async fn what_cannot_be_afforded_is_not_asked() {
    let breaker = Breaker::new("features", Pressure::default());
    let deadline = Deadline::after(Duration::from_secs(10));
    let slow = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(Response::new(()))
    };
    breaker.ask(deadline, slow).await.unwrap();
    let short = Deadline::after(Duration::from_millis(5));
    let asked = breaker.ask(short, async { Ok(Response::new(())) }).await;
    assert!(
        matches!(asked, Err(Trouble::Unaffordable { .. })),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_the_probe_to_the_next() {
    let breaker = Breaker::new("features", Pressure::default());
    for _ in 0..IN_A_ROW {
        drop(ask(&breaker, Err(Code::Unavailable)).await);
    }
    tokio::time::sleep(FIRST_PAUSE * 2).await;
    let deadline = Deadline::after(Duration::from_secs(10));
    let silence = std::future::pending::<Result<Response<()>, Status>>();
    let probe = breaker.ask(deadline, silence);
    drop(tokio::time::timeout(Duration::from_millis(1), probe).await);
    ask(&breaker, Ok(())).await.unwrap();
    assert_eq!(breaker.phase(), Phase::Ramp);
}
