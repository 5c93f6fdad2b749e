//! One drill from its start to its counts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use feature_store::FeatureStore;
use futures::future::try_join_all;
use kit::CancellationToken;
use kit::config::Secret;
use simulator::Random;

use super::check::{self, Truth};
use super::fleet::{Fleet, Victim};
use super::log::Decisions;
use super::receive::Tail;
use super::result::Outcome;
use super::{Args, Setup};
use crate::commands::report::logs::Logs;
use crate::commands::report::summary::{Method, Report};
use crate::living::Arrival;
use crate::living::crowd::{Biography, is_held_out};
use crate::living::lane::{Lane, Senders};
use crate::living::teller::Teller;
use crate::living::truth::Lift;
use crate::output::{self, Steps};

/// Shoppers are led in so many lanes at once.
const LANES: usize = 4;
/// How often journals are read, and the decision log at the end.
const JOURNALS_EVERY: Duration = Duration::from_millis(20);
const LOG_EVERY: Duration = Duration::from_secs(2);
/// Kills take place in so many tenths of the simulated time: after that, all has to come to rest.
const KILLING_TENTHS: u64 = 9;
/// A killed process stays away between this and four times as long.
const AWAY: Duration = Duration::from_millis(100);
/// What people do for so long after their first decision is what acting is measured by.
const WINDOW_MS: i64 = 60 * 3_600_000;
/// Lost ones that are named.
const NAMED: usize = 5;

pub(super) async fn run(args: &Args) -> anyhow::Result<()> {
    let mut steps = Steps::new(4);
    steps.next("training a snapshot of the shop");
    let setup = Setup::new(args)?;
    steps.next("starting Redis, features, candidates, two recovery processes and two receivers");
    let began = Instant::now();
    let mut fleet = Fleet::start(setup.clone()).await?;
    fleet.load(&setup).await?;
    steps.next(format!(
        "{} shoppers, {} times as fast as life",
        output::thousands(args.shoppers()),
        setup.speed
    ));
    let lived = live(args, &setup, &mut fleet).await?;
    steps.next("waiting for what is still owed");
    let outcome = conclude(args, &setup, &mut fleet, lived, began).await?;
    fleet.stop();
    outcome.write(&args.out)?;
    outcome.print(args.json)?;
    outcome.verdict()
}

/// What is known when everybody has stopped acting.
struct Lived {
    people: Vec<Biography>,
    post: Post,
    kills: BTreeMap<&'static str, usize>,
}

async fn live(args: &Args, setup: &Setup, fleet: &mut Fleet) -> anyhow::Result<Lived> {
    let teller = Teller::new(&fleet.features_url(), &fleet.recovery_urls())?;
    let stop = CancellationToken::new();
    let (lanes, senders) = Lane::all(LANES, &setup.world, &teller, &setup.clock);
    let lanes = lanes
        .into_iter()
        .map(|lane| lane.run(setup.end_ms, stop.clone()));
    let mut post = Post::new(setup, senders);
    let bar = output::count_bar(Some(setup.minutes().1), "simulated minutes");
    let ends = async {
        while setup.clock.now_ms() < setup.end_ms {
            post.deliver()?;
            bar.set_position(setup.minutes().0);
            tokio::time::sleep(JOURNALS_EVERY).await;
        }
        stop.cancel();
        anyhow::Ok(())
    };
    let killing = kill(args, setup, fleet, &stop);
    let (people, kills, ()) = tokio::try_join!(try_join_all(lanes), killing, ends)?;
    bar.finish_and_clear();
    Ok(Lived {
        people: people.into_iter().flatten().collect(),
        post,
        kills,
    })
}

/// Kills one process after the other, until there has to be rest.
async fn kill(
    args: &Args,
    setup: &Setup,
    fleet: &mut Fleet,
    stop: &CancellationToken,
) -> anyhow::Result<BTreeMap<&'static str, usize>> {
    let mut random = Random::new(args.seed, 0x6b69_6c6c);
    let mut kills: BTreeMap<&'static str, usize> = BTreeMap::new();
    let every = args.kill_every().0;
    let mut deck = Vec::new();
    while !stop.is_cancelled() {
        let wait = every.mul_f64(0.5 + random.unit());
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => break,
        }
        fleet.check_alive()?;
        let (over, all) = setup.minutes();
        if over * 10 > all * KILLING_TENTHS {
            continue;
        }
        if deck.is_empty() {
            deck = Victim::deal(&mut random);
        }
        let Some(victim) = deck.pop() else { break };
        let away = AWAY.mul_f64(1.0 + 3.0 * random.unit());
        *kills.entry(victim.kind()).or_default() += 1;
        fleet.strike(victim, away).await?;
    }
    Ok(kills)
}

/// Carries what arrives at the receivers to the shoppers' lanes, and keeps it all.
struct Post {
    tails: Vec<Tail>,
    lanes: Senders,
    arrivals: Vec<Arrival>,
    keys: HashSet<String>,
}

impl Post {
    fn new(setup: &Setup, lanes: Senders) -> Self {
        Self {
            tails: (0..2)
                .map(|place| Tail::new(setup.journal(place)))
                .collect(),
            lanes,
            arrivals: Vec::new(),
            keys: HashSet::new(),
        }
    }

    fn deliver(&mut self) -> anyhow::Result<()> {
        for tail in &mut self.tails {
            for arrival in tail.read()? {
                if self.keys.insert(arrival.key.clone()) {
                    self.lanes.deliver(arrival.clone());
                }
                self.arrivals.push(arrival);
            }
        }
        Ok(())
    }
}

/// Waits until nothing is owed any more, or patience ends, and counts.
async fn conclude(
    args: &Args,
    setup: &Setup,
    fleet: &mut Fleet,
    lived: Lived,
    began: Instant,
) -> anyhow::Result<Outcome> {
    let Lived {
        people,
        mut post,
        kills,
    } = lived;
    let truths: HashMap<String, Truth> = people.iter().map(|one| truth(setup, one)).collect();
    let config = ::features::Config {
        redis: Some(Secret::new(fleet.redis_url())),
        ..::features::Config::default()
    };
    let store = ::features::open_store(&config).await?;
    let mut over = None;
    let (decisions, lost) = loop {
        fleet.check_alive()?;
        let decisions = Decisions::read(&store).await?;
        post.deliver()?;
        let lost = decisions.lost(&truths, &post.keys);
        if setup.is_all_due() {
            over.get_or_insert_with(Instant::now);
        }
        let out_of_patience = over.is_some_and(|since| since.elapsed() > args.patience.0);
        if lost.is_empty() || out_of_patience {
            break (decisions, lost);
        }
        tokio::time::sleep(LOG_EVERY).await;
    };
    for one in lost.iter().take(NAMED) {
        output::note(format!("lost: {one}"));
    }
    let (counts, spent_minor) = check::count(&post.arrivals, &truths, &setup.promises);
    let lift = lift(setup, &store, &people).await?;
    let ordered = |one: &&Biography| one.told.ordered_at_ms.is_some();
    Ok(Outcome {
        shoppers: args.shoppers(),
        carts: people.len(),
        decisions: decisions.count,
        counts,
        lost: lost.len(),
        decided_twice: decisions.double,
        orders: people.iter().filter(ordered).count(),
        budget_minor: setup.promises.budget_minor,
        spent_minor,
        lift,
        kills,
        speed: setup.speed,
        seconds: began.elapsed().as_secs_f64(),
        seed: args.seed,
    })
}

/// What the report tells from the logs, and what is true.
async fn lift(setup: &Setup, store: &FeatureStore, people: &[Biography]) -> anyhow::Result<Lift> {
    let policy = &setup.policy;
    let logs = Logs::read(store, policy).await?;
    let half = u64::try_from(people.len() / 2).unwrap_or(u64::MAX);
    let method = Method {
        window_ms: Some(WINDOW_MS),
        first_look: half.max(100),
        holdout_share: policy.holdout_share(),
        until_ms: setup.end_ms,
        currency: logs.currency,
    };
    let report = Report::new(&logs.accounts, &method, logs.actions)?;
    let contact = policy.contact_cost_minor(policy.default_channel());
    Ok(Lift::of(&report, &logs.accounts, &method, people, contact))
}

fn truth(setup: &Setup, one: &Biography) -> (String, Truth) {
    let truth = Truth {
        zone: one.person.time_zone,
        consented: one.person.consented.contains(&"email"),
        held_out: is_held_out(setup.policy.holdout(), &one.person),
        told: one.told.clone(),
    };
    (one.person.shopper.shopper_id.clone(), truth)
}
