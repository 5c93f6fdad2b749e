//! kill -9 at every step of a swap: after a restart the role serves one whole generation.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use proto::v1 as pb;
use proto::v1::candidate_service_client::CandidateServiceClient;
use proto::v1::snapshot_service_client::SnapshotServiceClient;
use snapshot::{Builder, NewActivation, Registry, Snapshot};

use super::support::{Server, await_some, cartwright, snapshot, text};

const SIGKILL: i32 = 9;
/// From the first byte fetched to what is remembered on disk, of the second snapshot that the
/// process prepares: the first is the one it starts with.
const STEPS: [&str; 7] = [
    "swap.fetched.2",
    "swap.released.2",
    "swap.loaded.2",
    "swap.prepared.2",
    "swap.activate.2",
    "swap.live.2",
    "swap.remembered.2",
];

/// The same snapshot with another note, so with another id.
fn noted(of: &Snapshot, to: &Path, note: &str) -> Snapshot {
    let mut builder = Builder::new(to).unwrap();
    for name in of.manifest().files.keys() {
        builder.write(name, &of.read(name).unwrap()).unwrap();
    }
    let mut manifest = of.manifest().clone();
    manifest.notes.push(note.to_owned());
    builder.finish(manifest).unwrap()
}

struct World {
    dir: tempfile::TempDir,
    registry: Registry,
    a: String,
    b: String,
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(text(&dir.path().join("registry"))).unwrap();
    let first = Snapshot::open(snapshot()).unwrap();
    let second = noted(&first, &dir.path().join("b"), "another");
    for one in [&first, &second] {
        registry.publish(one, &|_| {}).await.unwrap();
    }
    let (a, b) = (first.id().to_owned(), second.id().to_owned());
    let world = World {
        dir,
        registry,
        a,
        b,
    };
    world.record(0, &world.a).await;
    world
}

impl World {
    async fn record(&self, after: u64, id: &str) {
        let new = NewActivation {
            snapshot: id.to_owned(),
            ..NewActivation::default()
        };
        self.registry.append(after, new).await.unwrap();
    }

    fn args(&self, cache: &Path) -> Vec<String> {
        let registry = self.dir.path().join("registry");
        let fixed = ["candidates", "--addr", "127.0.0.1:0", "--admin", "none"];
        let fixed = fixed.into_iter().chain(["--features", ""]);
        let follow = ["--registry", text(&registry), "--cache", text(cache)];
        fixed.chain(follow).map(str::to_owned).collect()
    }

    fn start(&self, cache: &Path, crash_at: &str) -> Server {
        let args = self.args(cache);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let environment = [("CARTWRIGHT_CRASH_AT", crash_at)];
        Server::start_with(&args, &environment, 1)
    }
}

/// The live generation, and the one that an answer names.
async fn serves(server: &Server) -> (String, String) {
    let url = server.url("candidates");
    let mut snapshots = SnapshotServiceClient::connect(url.clone()).await.unwrap();
    let status = snapshots.get_status(pb::GetStatusRequest {}).await.unwrap();
    let mut candidates = CandidateServiceClient::connect(url).await.unwrap();
    let asked = pb::RetrieveRequest {
        recent_items: vec![pb::RecentInteraction {
            item_id: "1".to_owned(),
            ..pb::RecentInteraction::default()
        }],
        ..pb::RetrieveRequest::default()
    };
    let answer = candidates.retrieve(asked).await.unwrap().into_inner();
    (status.into_inner().live_generation, answer.generation)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_at_any_step_of_a_swap_comes_back_with_one_whole_generation() {
    for step in STEPS {
        let world = world().await;
        let cache = world.dir.path().join("cache");
        let server = world.start(&cache, step);
        assert_eq!(
            serves(&server).await,
            (world.a.clone(), world.a.clone()),
            "{step}"
        );
        world.record(1, &world.b).await;
        let status = server.wait();
        assert_eq!(status.signal(), Some(SIGKILL), "{step} is reached");
        let restarted = world.start(&cache, "");
        let (live, answered) = serves(&restarted).await;
        assert_eq!(
            (&live, &answered),
            (&world.b, &world.b),
            "{step}: the record counts"
        );
        let memory = cache.join("candidates.live.json");
        await_some("what it remembers", || {
            let text = std::fs::read_to_string(&memory).ok()?;
            text.contains(&world.b).then_some(())
        });
        restarted.kill();
        // Without the registry, too, what is remembered is whole.
        let registry = world.dir.path().join("registry");
        std::fs::rename(&registry, world.dir.path().join("away")).unwrap();
        std::fs::write(&registry, "").unwrap();
        let alone = world.start(&cache, "");
        assert_eq!(serves(&alone).await.0, world.b, "{step}: alone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_loads_its_first_serves_it_after_a_restart() {
    let world = world().await;
    let cache = world.dir.path().join("cache");
    for step in ["fetch.folder", "fetch.done", "swap.loaded.1", "swap.live.1"] {
        let args = world.args(&cache);
        let mut command = cartwright();
        command.arg("serve").args(args).args(["--log", "warn"]);
        let mut child = command.env("CARTWRIGHT_CRASH_AT", step).spawn().unwrap();
        let status = await_some("its end", || child.try_wait().unwrap());
        assert_eq!(status.signal(), Some(SIGKILL), "{step} is reached");
        let restarted = world.start(&cache, "");
        assert_eq!(
            serves(&restarted).await,
            (world.a.clone(), world.a.clone()),
            "{step}"
        );
        drop(restarted);
        std::fs::remove_dir_all(&cache).unwrap();
    }
}
