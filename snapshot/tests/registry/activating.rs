use futures::future::join_all;
use snapshot::{Activation, Error, NewActivation};

use crate::support::{activation, everywhere};

#[test]
fn the_latest_record_says_what_is_live_and_the_sequence_is_the_history() {
    everywhere(|world| async move {
        assert_eq!(world.registry.head().await.unwrap(), None);
        assert_eq!(world.registry.next(0).await.unwrap(), None);
        let (a, b) = (world.published("a").await, world.published("b").await);
        let first = world
            .registry
            .append(0, activation(a.id(), "ann"))
            .await
            .unwrap();
        let second = world
            .registry
            .append(1, activation(b.id(), "bob"))
            .await
            .unwrap();
        assert_eq!((first.sequence, second.sequence), (1, 2));
        assert_eq!(second.previous.as_deref(), Some(a.id()));
        assert_eq!(world.registry.head().await.unwrap(), Some(second.clone()));
        assert_eq!(world.registry.next(1).await.unwrap(), Some(second.clone()));
        assert_eq!(world.registry.next(2).await.unwrap(), None);
        assert_eq!(world.registry.history().await.unwrap(), [first, second]);
    });
}

#[test]
fn of_many_at_once_one_wins_and_the_others_learn_who() {
    everywhere(|world| async move {
        let a = world.published("a").await;
        world
            .registry
            .append(0, activation(a.id(), "first"))
            .await
            .unwrap();
        let names: Vec<String> = (0..8).map(|n| format!("publisher {n}")).collect();
        let tries = names
            .iter()
            .map(|by| world.registry.append(1, activation(a.id(), by)));
        let outcomes = join_all(tries).await;
        let won: Vec<&Activation> = outcomes.iter().flatten().collect();
        assert_eq!(won.len(), 1);
        for lost in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            let Error::Conflict { winner } = lost else {
                panic!("{lost:?}");
            };
            assert_eq!(winner.as_ref(), won[0]);
            assert!(lost.to_string().contains(&won[0].by), "{lost}");
        }
        assert_eq!(world.registry.history().await.unwrap().len(), 2);
    });
}

#[test]
fn a_late_comer_conflicts_and_one_ahead_of_the_sequence_is_refused() {
    everywhere(|world| async move {
        let a = world.published("a").await;
        for after in 0..3 {
            world
                .registry
                .append(after, activation(a.id(), "ann"))
                .await
                .unwrap();
        }
        let late = world.registry.append(1, activation(a.id(), "bob")).await;
        assert!(matches!(late, Err(Error::Conflict { winner }) if winner.sequence == 2));
        let ahead = world.registry.append(4, activation(a.id(), "bob")).await;
        assert!(matches!(ahead, Err(Error::Ahead { after: 4, head: 3 })));
    });
}

#[test]
fn what_is_not_published_or_is_blocked_does_not_go_live() {
    everywhere(|world| async move {
        let (a, b) = (world.published("a").await, world.published("b").await);
        let unknown = world
            .registry
            .append(0, activation(&"0".repeat(64), "ann"))
            .await;
        assert!(matches!(unknown, Err(Error::NotPublished { .. })));
        world
            .registry
            .append(0, activation(a.id(), "ann"))
            .await
            .unwrap();
        world
            .registry
            .append(1, activation(b.id(), "ann"))
            .await
            .unwrap();
        let back = NewActivation {
            blocks: vec![b.id().to_owned()],
            why: "p99 41 ms, bar 20 ms".to_owned(),
            ..activation(a.id(), "recovery")
        };
        world.registry.append(2, back).await.unwrap();
        let blocked = world
            .registry
            .append(3, activation(b.id(), "ann"))
            .await
            .unwrap_err();
        assert!(
            blocked.to_string().contains("activation 3: p99 41 ms"),
            "{blocked}"
        );
        let forced = NewActivation {
            forced: vec!["blocked".to_owned()],
            ..activation(b.id(), "ann")
        };
        world.registry.append(3, forced).await.unwrap();
        assert_eq!(
            world.registry.head().await.unwrap().unwrap().snapshot,
            b.id()
        );
    });
}

/// Records are kept for ever, so this one of the first layout has to stay readable.
#[test]
fn a_record_of_the_first_layout_reads() {
    let golden = include_str!("../golden/activation-1.json");
    let record = Activation::parse(42, golden.as_bytes()).unwrap();
    assert_eq!(record.action, snapshot::Action::Automatic);
    assert_eq!(record.by, "recovery@host-3");
    assert_eq!(record.verdicts[0].gate, "recall");
    assert!(record.verdicts[0].forced);
    assert_eq!(record.forced, ["recall"]);
    assert_eq!(record.blocks, ["1".repeat(64)]);
    let written = serde_json::to_value(&record).unwrap();
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    assert_eq!(written, golden);
}
