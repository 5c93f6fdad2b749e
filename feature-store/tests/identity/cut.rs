//! A process that dies between any two commits of a link or an unlinking.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use feature_store::store::{
    Commit, CommitOutcome, Due, Error, Health, Key, Kind, Log, LogEntry, Partition, Store,
    Versioned,
};
use feature_store::{EventKind, FeatureStore, Millis, Settings};

use super::{NOW, cart, event, ingest, view};
use crate::on_both_stores;
use crate::support::Fixture;

on_both_stores!(a_link_cut_at_any_commit_loses_and_doubles_nothing);

/// A store whose client dies: so many commits are made, and of the next one nobody hears.
#[derive(Debug)]
struct Cut {
    store: Arc<dyn Store>,
    left: AtomicUsize,
    /// Whether the last commit is made, and only its answer is lost.
    made: bool,
}

impl Cut {
    fn dead<T>() -> Result<T, Error> {
        Err(Error::Unavailable {
            store: "cut",
            detail: "the process is dead".to_owned(),
        })
    }

    fn is_dead(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

#[async_trait]
impl Store for Cut {
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Error> {
        match self.is_dead() {
            true => Self::dead(),
            false => self.store.get_many(keys).await,
        }
    }

    async fn commit(&self, commits: Vec<Commit>) -> Result<Vec<CommitOutcome>, Error> {
        if self.is_dead() {
            return Self::dead();
        }
        if self.left.fetch_sub(1, Ordering::SeqCst) > 1 {
            return self.store.commit(commits).await;
        }
        if self.made {
            self.store.commit(commits).await?;
        }
        Self::dead()
    }

    async fn list(&self, partition: Partition, kind: Kind) -> Result<Vec<String>, Error> {
        self.store.list(partition, kind).await
    }

    async fn read_logs(
        &self,
        from: &[(Partition, Log, u64)],
        limit_each: usize,
    ) -> Result<Vec<Vec<LogEntry>>, Error> {
        self.store.read_logs(from, limit_each).await
    }

    async fn log_ends(&self, logs: &[(Partition, Log)]) -> Result<Vec<u64>, Error> {
        self.store.log_ends(logs).await
    }

    async fn claim_due(
        &self,
        partitions: &[Partition],
        now: Millis,
        lease: Duration,
        limit: usize,
    ) -> Result<Vec<Due>, Error> {
        self.store.claim_due(partitions, now, lease, limit).await
    }

    async fn read_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        consumer: &str,
        lease: Duration,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<LogEntry>, Error> {
        let store = &self.store;
        let read = store.read_group(partition, log, group, consumer, lease, now, limit);
        read.await
    }

    async fn ack_group(
        &self,
        partition: Partition,
        log: Log,
        group: &str,
        sequences: &[u64],
    ) -> Result<(), Error> {
        self.store.ack_group(partition, log, group, sequences).await
    }

    fn name(&self) -> &'static str {
        "cut"
    }

    async fn check(&self) -> Result<Health, Error> {
        self.store.check().await
    }
}

/// Who meets first what was cut off.
#[derive(Copy, Clone, Debug)]
enum Next {
    Deadline,
    Event,
    SameAgain,
}

/// Claims what is due as the sweeper does, which ends links, and says what is scheduled then.
async fn deadlines(features: &FeatureStore) -> Vec<String> {
    let all: Vec<_> = Partition::all().collect();
    let claim = features.claim_due(&all, NOW, Duration::ZERO, 10_000);
    claim.await.expect("answers");
    let left = features.store();
    let left = left.claim_due(&all, Millis::MAX, Duration::ZERO, 10_000);
    let left = left.await.expect("answers").into_iter();
    left.map(|due| due.id).collect()
}

async fn a_link_cut_at_any_commit_loses_and_doubles_nothing(fixture: &Fixture) {
    let store = fixture.open().await;
    let mut finished = 0;
    for commits in 1..9 {
        for made in [false, true] {
            for next in [Next::Deadline, Next::Event, Next::SameAgain] {
                let name = format!("{commits} {made} {next:?}");
                finished += usize::from(cut_once(&store, &name, commits, made, next).await);
            }
        }
    }
    assert!(
        finished > 0,
        "some lived long enough, so every commit was cut"
    );
}

/// Says whether the link ended before the process died.
async fn cut_once(
    store: &Arc<dyn Store>,
    name: &str,
    commits: usize,
    made: bool,
    next: Next,
) -> bool {
    let (ann, phone) = (format!("ann {name}"), format!("phone {name}"));
    let features = FeatureStore::new(store.clone(), Settings::default());
    let add = |n: i64, shopper: &str| {
        let id = format!("{name} {n}");
        event(&id, shopper, EventKind::AddToCart, &format!("item {n}"), n)
    };
    ingest(&features, &[add(1, &ann), add(2, &phone)]).await;
    let cut = FeatureStore::new(
        Arc::new(Cut {
            store: store.clone(),
            left: AtomicUsize::new(commits),
            made,
        }),
        Settings::default(),
    );
    let linked = cut.link(&ann, &phone, name, NOW).await.is_ok();
    let begun = linked || commits > 1 || made;
    // Whatever the step: nobody sees anything twice, and each id still sees its own.
    assert!(view(&features, &phone).await.carted_units >= 1, "{name}");
    assert!(view(&features, &ann).await.carted_units <= 2, "{name}");
    match next {
        Next::Deadline if begun => {}
        Next::Event => ingest(&features, &[add(3, &phone)]).await,
        Next::Deadline | Next::SameAgain => {
            let again = features.link(&ann, &phone, name, NOW).await;
            again.expect("answers").expect("is linked");
        }
    }
    let left = deadlines(&features).await;
    assert!(
        left.iter().all(|id| !id.starts_with("link:")),
        "{name}: {left:?}"
    );
    if !begun && !matches!(next, Next::SameAgain | Next::Deadline) {
        return linked;
    }
    let units = if matches!(next, Next::Event) { 3 } else { 2 };
    let views = [view(&features, &ann).await, view(&features, &phone).await];
    assert_eq!(views[0], views[1], "{name}");
    assert_eq!(views[0].carted_units, units, "{name}");
    assert_eq!(cart(&views[0]).len() as u64, units, "{name}");
    assert!(left.contains(&format!("shop:{ann}")), "{name}: {left:?}");
    assert!(!left.contains(&format!("shop:{phone}")), "{name}: {left:?}");
    cut_unlinking(store, &features, (&ann, &phone), (commits, made)).await;
    linked
}

async fn cut_unlinking(
    store: &Arc<dyn Store>,
    features: &FeatureStore,
    (ann, phone): (&str, &str),
    (commits, made): (usize, bool),
) {
    let before = view(features, ann).await;
    let cut = FeatureStore::new(
        Arc::new(Cut {
            store: store.clone(),
            left: AtomicUsize::new(commits),
            made,
        }),
        Settings::default(),
    );
    let at = Millis(NOW.0 - 30 * Millis::MINUTE);
    let done = cut.unlink(phone, at).await.is_ok();
    let rug = event(
        &format!("{phone} rug"),
        phone,
        EventKind::AddToCart,
        "rug",
        50,
    );
    ingest(features, &[rug]).await;
    if done || commits > 1 || made {
        assert_eq!(cart(&view(features, phone).await), [("rug", 1)]);
        assert_eq!(view(features, ann).await, before);
    } else {
        assert_eq!(
            view(features, ann).await.carted_units,
            before.carted_units + 1
        );
    }
}
