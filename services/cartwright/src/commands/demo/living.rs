//! `demo --simulate`: shoppers who live against the real API, and what acting adds, as it is told.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use feature_store::{FeatureStore, Millis};
use futures::future::try_join_all;
use kit::clock::Simulated;
use kit::{CancellationToken, Clock, ClockSettings};
use policy::Policy;
use simulator::{Options, World};

use super::shop::Shop;
use super::{Args, Folder, here};
use crate::commands::report::logs::Logs;
use crate::commands::report::summary::{Method, Report};
use crate::commands::report::table;
use crate::failure::Failure;
use crate::living::crowd::Biography;
use crate::living::lane::Lane;
use crate::living::receiver::Receiver;
use crate::living::teller::Teller;
use crate::living::truth::Lift;
use crate::output::{self, Steps};
use crate::roles::Together;
use crate::wire;

/// Monday, 2 March 2026.
const START_MS: i64 = 1_772_409_600_000;
const HOUR_MS: i64 = 3_600_000;
/// Carts are left in a day; then everybody has time to react.
const HOURS: i64 = 24 + 96;
const WINDOW_MS: i64 = 72 * HOUR_MS;
const LANES: usize = 2;
const REFRESH: Duration = Duration::from_secs(2);
/// Of all shoppers, so many have to be through before anything is told.
const FIRST_LOOK: u32 = 4;

/// What does not change while they live.
struct Scene {
    world: Arc<World>,
    policy: Policy,
    clock: Clock,
    store: FeatureStore,
    method: Method,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<()> {
    let mut steps = Steps::new(3);
    steps.next("training on how people of the month before left their carts");
    let folder = Folder::new(args.keep.as_deref())?;
    let options = Options {
        shoppers: usize::try_from(args.shoppers)?,
        days: 1,
        start_ms: START_MS,
        ..Options::default()
    };
    let world = Arc::new(World::new(args.seed, options));
    crate::living::past::train(args.seed, &world, &folder.snapshot())?;
    steps.next("starting features, candidates and recovery in this process");
    let stop = kit::shutdown::on_signals()?;
    let (together, scene) = start(args, world, &folder, stop.clone()).await?;
    steps.next(format!(
        "{} shoppers, {} times as fast as life; three in ten are left alone",
        output::thousands(options.shoppers),
        args.speed
    ));
    let people = live(&scene, &together.urls(), &stop).await?;
    tell(&scene, &people).await?;
    if !args.once && !stop.is_cancelled() {
        output::note("Still serving; Ctrl-C ends it.");
        stop.cancelled().await;
    }
    together.stop().await
}

async fn start(
    args: &Args,
    world: Arc<World>,
    folder: &Folder,
    stop: CancellationToken,
) -> anyhow::Result<(Together, Scene)> {
    let text = Policy::DEFAULT.replace("share = 0.05", "share = 0.3");
    let policy =
        Policy::parse(&text).map_err(|_| Failure::new("the shipped policy cannot be read"))?;
    let file = folder.path.join("policy.toml");
    std::fs::write(&file, text).context("write the policy")?;
    let simulated = Simulated {
        epoch_ms: START_MS,
        start_ms: Some(Clock::real().now_ms()),
        speed: args.speed,
    };
    let clock = ClockSettings::Simulated(simulated);
    let mut settings = here::settings(args, Millis(START_MS), folder);
    settings.clock = clock.clone();
    settings.recovery.policy = Some(file);
    settings.recovery.default_deadline_ms = 5_000;
    let store = settings.open_store().await?;
    let together = Together::start_on(settings, store.clone(), stop).await?;
    let method = Method {
        window_ms: Some(WINDOW_MS),
        first_look: u64::from(args.shoppers / FIRST_LOOK).max(100),
        holdout_share: policy.holdout_share(),
        until_ms: START_MS,
        currency: "EUR".to_owned(),
    };
    let scene = Scene {
        world,
        policy,
        clock: clock.start(),
        store,
        method,
    };
    Ok((together, scene))
}

/// Everybody lives; the table is told anew from the logs, until the time is over.
async fn live(
    scene: &Scene,
    [features, _, recovery]: &[String; 3],
    stop: &CancellationToken,
) -> anyhow::Result<Vec<Biography>> {
    let now = wire::timestamp(Millis(scene.clock.now_ms()));
    let shop = Shop::connect(features, recovery, now).await?;
    shop.upsert(scene.world.items()).await?;
    let teller = Teller::new(features, std::slice::from_ref(recovery))?;
    let end_ms = START_MS + HOURS * HOUR_MS;
    let over = CancellationToken::new();
    let (lanes, senders) = Lane::all(LANES, &scene.world, &teller, &scene.clock);
    let lanes = lanes.into_iter().map(|lane| lane.run(end_ms, over.clone()));
    let receiver = Receiver {
        name: "demo".to_owned(),
        lease: Duration::from_secs(10),
        urls: vec![recovery.clone()],
        forgets: 0,
    };
    let receiving = async {
        tokio::select! {
            received = receiver.run(|arrival| {
                senders.deliver(arrival);
                Ok(())
            }) => received,
            () = over.cancelled() => Ok(()),
        }
    };
    let showing = async {
        let mut screen = Screen::default();
        while scene.clock.now_ms() < end_ms && !stop.is_cancelled() {
            tokio::time::sleep(REFRESH).await;
            let (report, _) = report(scene).await?;
            screen.show(scene.clock.now_ms(), &report);
        }
        over.cancel();
        anyhow::Ok(())
    };
    let (people, (), ()) = tokio::try_join!(try_join_all(lanes), receiving, showing)?;
    Ok(people.into_iter().flatten().collect())
}

/// From the logs as they are now.
async fn report(scene: &Scene) -> anyhow::Result<(Report, Logs)> {
    let mut logs = Logs::read(&scene.store, &scene.policy).await?;
    let method = Method {
        until_ms: scene.clock.now_ms(),
        ..scene.method.clone()
    };
    let actions = std::mem::take(&mut logs.actions);
    Ok((Report::new(&logs.accounts, &method, actions)?, logs))
}

async fn tell(scene: &Scene, people: &[Biography]) -> anyhow::Result<()> {
    let (report, logs) = report(scene).await?;
    table::print(&report);
    let contact = scene
        .policy
        .contact_cost_minor(scene.policy.default_channel());
    let method = Method {
        until_ms: scene.clock.now_ms(),
        ..scene.method.clone()
    };
    let lift = Lift::of(&report, &logs.accounts, &method, people, contact);
    output::result(format!(
        "What is true: {} a person, as the simulator knows what everybody would have done if left alone",
        table::money(lift.truth, "EUR")
    ));
    Ok(())
}

/// Where the table is drawn again and again; a line at a time where there is no terminal.
#[derive(Default)]
struct Screen {
    lines: usize,
}

impl Screen {
    fn show(&mut self, now_ms: i64, report: &Report) {
        let mut stdout = std::io::stdout().lock();
        let head = format!("{}: {}", output::time(now_ms), table::headline(report));
        if !stdout.is_terminal() {
            output::note(head);
            return;
        }
        let text = format!("{head}\n{}\n", table::sides(report));
        if self.lines > 0 {
            drop(write!(stdout, "\x1b[{}A\x1b[J", self.lines));
        }
        drop(stdout.write_all(text.as_bytes()));
        drop(stdout.flush());
        self.lines = text.lines().count();
    }
}
