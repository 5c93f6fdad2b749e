use super::*;

const SERVICES: [&str; 1] = ["cartwright.v1.FeatureService"];
const METHOD: usize = 0;

fn gate(most: u32, queue: u32) -> (Arc<Gate>, Instant) {
    let settings = Settings {
        least: 1,
        most,
        queue,
    };
    let now = Instant::now();
    (
        Gate::new(&settings, &SERVICES, Pressure::default(), now),
        now,
    )
}

fn entered(gate: &Arc<Gate>, now: Instant) -> Place {
    let Entry::In(place) = gate.enter(METHOD, None, now) else {
        panic!("there is a place");
    };
    place
}

fn lined_up(gate: &Arc<Gate>, left: Option<Duration>, now: Instant) -> Ticket {
    let Entry::Wait(ticket) = gate.enter(METHOD, left, now) else {
        panic!("it has to wait");
    };
    ticket
}

fn has_place(ticket: &mut Ticket) -> bool {
    ticket.place.try_recv().map(std::mem::forget).is_ok()
}

#[test]
fn a_place_that_is_left_goes_to_who_waited_longest() {
    let (gate, now) = gate(1, 10);
    let place = entered(&gate, now);
    let mut first = lined_up(&gate, None, now);
    let mut second = lined_up(&gate, None, now);
    assert_eq!((gate.under_way(), gate.queued()), (1, 2));
    drop(place);
    assert!(has_place(&mut first) && !has_place(&mut second));
    assert_eq!((gate.under_way(), gate.queued()), (1, 1));
}

#[test]
fn a_queue_that_stands_serves_the_newest_until_it_is_calm() {
    let (gate, now) = gate(1, 10);
    let _place = entered(&gate, now);
    let first = lined_up(&gate, None, now);
    assert_eq!(first.patience, PATIENCE);
    let later = now + PATIENCE;
    let newest = lined_up(&gate, None, later);
    assert_eq!(newest.patience, PATIENCE_OVERLOADED);
    assert_eq!(gate.lock().next(later).map(|one| one.id), Some(newest.id));
    drop((first, newest));
    assert_eq!(
        lined_up(&gate, None, later + CALM / 2).patience,
        PATIENCE_OVERLOADED
    );
    assert_eq!(lined_up(&gate, None, later + CALM).patience, PATIENCE);
}

#[test]
fn nobody_waits_longer_than_the_deadline_lets_it() {
    let (gate, now) = gate(1, 10);
    let _place = entered(&gate, now);
    let left = Duration::from_millis(7);
    assert_eq!(lined_up(&gate, Some(left), now).patience, left);
    let refused = gate.enter(METHOD, Some(Duration::ZERO), now);
    assert!(matches!(&refused, Entry::Refused(one) if one.reason == Reason::Deadline));
}

#[test]
fn what_cannot_be_done_in_time_is_refused_before_it_costs_anything() {
    let (gate, now) = gate(100, 10);
    for _ in 0..100 {
        let _place = entered(&gate, now);
        gate.meter().done(METHOD, Some(Duration::from_millis(20)));
    }
    let now = now + Duration::from_millis(100);
    let enter = |ms| gate.enter(METHOD, Some(Duration::from_millis(ms)), now);
    assert!(matches!(enter(25), Entry::In(_)));
    let Entry::Refused(refusal) = enter(5) else {
        panic!("5 ms do not suffice");
    };
    assert_eq!(refusal.reason, Reason::Deadline);
    assert!(
        refusal
            .why
            .starts_with("5 ms are left and such a call takes "),
        "{}",
        refusal.why
    );
    assert_eq!(
        gate.refused(),
        [
            (Reason::Deadline, 1),
            (Reason::Full, 0),
            (Reason::Waited, 0)
        ]
    );
}

#[test]
fn a_full_queue_refuses() {
    let (gate, now) = gate(1, 1);
    let _place = entered(&gate, now);
    let _ticket = lined_up(&gate, None, now);
    let refused = gate.enter(METHOD, None, now);
    assert!(matches!(refused, Entry::Refused(one) if one.reason == Reason::Full));
}

#[tokio::test]
async fn who_waits_in_vain_is_refused_and_who_leaves_the_queue_leaves_no_trace() {
    let (gate, now) = gate(1, 10);
    let place = entered(&gate, now);
    let refusal = lined_up(&gate, None, now).wait().await.unwrap_err();
    assert_eq!(refusal.reason, Reason::Waited);
    let gone = lined_up(&gate, None, now);
    let stays = lined_up(&gate, None, now);
    drop(gone);
    assert_eq!(gate.queued(), 1);
    drop(place);
    let place = stays.wait().await.unwrap();
    assert_eq!((gate.under_way(), gate.queued()), (1, 0));
    drop(place);
    assert_eq!(gate.under_way(), 0);
}

#[test]
fn beyond_the_limit_calls_get_in_while_they_only_wait() {
    let (gate, now) = gate(200, 10);
    let places: Vec<_> = (0..100).map(|_| entered(&gate, now)).collect();
    assert!(places.len() > gate.limit());
    for _ in 0..50 {
        gate.meter().waited(Duration::from_millis(9), now);
    }
    assert!(matches!(gate.enter(METHOD, None, now), Entry::Wait(_)));
}

/// Whatever the order of coming, going and giving up: no place is lost and none is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_place_is_ever_lost() {
    let (gate, now) = gate(3, 50);
    let calls = (0..2_000_u64).map(|number| {
        let gate = Arc::clone(&gate);
        tokio::spawn(async move {
            let left = (number % 3 == 0).then(|| Duration::from_micros(number % 700));
            let place = match gate.enter(METHOD, left, now) {
                Entry::In(place) => place,
                Entry::Wait(ticket) if number % 5 == 0 => return drop(ticket),
                Entry::Wait(ticket) => match ticket.wait().await {
                    Ok(place) => place,
                    Err(_) => return,
                },
                Entry::Refused(_) => return,
            };
            assert!(gate.under_way() <= 3);
            tokio::task::yield_now().await;
            drop(place);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert_eq!((gate.under_way(), gate.queued()), (0, 0));
}
