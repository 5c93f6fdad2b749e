//! Who was erased, told to whoever watches.

use std::time::Duration;

use feature_store::store::{Commit, CommitOutcome, Log, Op, Partition};
use feature_store::{Millis, Tombstone};
use proto::v1 as pb;
use proto::v1::erasure_service_client::ErasureServiceClient;
use tonic::Streaming;

use super::support::{NOW_S, Server, server};

async fn erase(server: &Server, shopper: &str) -> u64 {
    let mac = server.store.mac_key().await.unwrap().of(shopper);
    let tombstone = Tombstone {
        shopper: mac,
        erased_at: Millis(NOW_S * 1_000),
    };
    let ops = vec![Op::Append {
        log: Log::Erasures,
        value: tombstone.encode().into(),
    }];
    let partition = Partition::of(shopper);
    let commit = server.store.store().commit(vec![Commit { partition, ops }]);
    assert_eq!(commit.await, Ok(vec![CommitOutcome::Done]));
    mac.short()
}

async fn watch(server: &Server) -> Streaming<pb::Erasures> {
    let mut client = ErasureServiceClient::new(server.channel.clone());
    let request = pb::WatchErasuresRequest {};
    client.watch_erasures(request).await.unwrap().into_inner()
}

/// Reads until all before the stream began, or one more, is told.
async fn next(
    stream: &mut Streaming<pb::Erasures>,
    enough: impl Fn(&[u64], bool) -> bool,
) -> Vec<u64> {
    let mut told = Vec::new();
    let reading = async {
        loop {
            let message = stream.message().await.unwrap().unwrap();
            told.extend(message.erased.iter().map(|one| one.shopper));
            if enough(&told, message.complete) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading)
        .await
        .unwrap();
    told.sort_unstable();
    told
}

#[tokio::test]
async fn a_watcher_hears_of_all_who_were_erased_and_then_of_each_further_one() {
    let server = server().await;
    let mut expected = vec![erase(&server, "anna").await, erase(&server, "bob").await];
    expected.sort_unstable();
    let mut stream = watch(&server).await;
    assert_eq!(next(&mut stream, |_, complete| complete).await, expected);
    let third = erase(&server, "cleo").await;
    assert_eq!(next(&mut stream, |told, _| !told.is_empty()).await, [third]);
    // Another begins from the beginning.
    let mut other = watch(&server).await;
    assert_eq!(next(&mut other, |_, complete| complete).await.len(), 3);
}

#[tokio::test]
async fn a_word_names_the_key_and_the_time_and_comes_though_nobody_was_erased() {
    let server = server().await;
    let mut stream = watch(&server).await;
    let first = stream.message().await.unwrap().unwrap();
    let key = server.store.mac_key().await.unwrap();
    assert_eq!(first.key, key.fingerprint());
    assert!(first.complete && first.erased.is_empty() && first.sent_at.is_some());
    erase(&server, "anna").await;
    let mut more = stream.message().await.unwrap().unwrap();
    while more.erased.is_empty() {
        more = stream.message().await.unwrap().unwrap();
    }
    assert_eq!(more.erased[0].erased_at_ms, NOW_S * 1_000);
}

#[tokio::test]
async fn a_watcher_holds_up_no_stop() {
    let server = server().await;
    let mut stream = watch(&server).await;
    assert!(stream.message().await.unwrap().is_some());
    assert!(
        server.stop().await < Duration::from_secs(4),
        "the drain is 5 s"
    );
}
