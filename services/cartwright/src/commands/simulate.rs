//! `simulate`: event logs of a shop whose true effects are known.

use std::path::PathBuf;

use anyhow::Context as _;
use feature_store::{Event, EventKind, Millis};
use kit::config::Period;
use policy::holdout::Holdout;
use serde::Serialize;
use serde_json::json;
use simulator::{Arm, Life, Message, Options, Person, Visit, What, World};

use crate::failure::Failure;
use crate::writing::Out;
use crate::{output, wire};

/// Monday, 3 March 2025.
const START: &str = "2025-03-03T00:00:00Z";

/// Writes the event log of a simulated shop, and what is true of it
///
/// Every shopper fills a cart and leaves it; some come back by themselves. With --arm, everybody who
/// agreed to e-mail gets that message --after they left, but for a holdout. What each shopper would
/// have done otherwise follows from the seed, so the effect of the messages is known to the cent.
/// The same arguments give the same bytes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cartwright simulate --shoppers 10000 --out events.jsonl.zst --truth truth.jsonl.zst
  cartwright simulate --arm reminder --after 1h --holdout 0.2 --out events.jsonl --json")]
pub(crate) struct Args {
    /// The event log to write, canonical JSON lines; compressed when it ends in .zst
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where to write what is true of each shopper: kind, chances by arm, what acting was worth
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// How many shoppers; 1 to 1000000
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    shoppers: u32,
    /// How many items; 1 to 100000
    #[arg(long, value_name = "N", default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    items: u32,
    /// Over how many days their visits are spread; 1 to 365
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=365))]
    days: u32,
    /// Midnight before the first visit
    #[arg(long, value_name = "TIME", default_value = START)]
    start: jiff::Timestamp,
    /// The message that everybody gets: reminder, percent_coupon, fixed_coupon, free_shipping or limited_time_offer; nobody gets one without it
    #[arg(long, value_name = "ARM", value_parser = parse_arm)]
    arm: Option<Arm>,
    /// How long after the last act it is sent
    #[arg(long, value_name = "TIME", default_value = "1h")]
    after: Period,
    /// Share of people who are left alone all the same; 0 to 0.5
    #[arg(long, value_name = "SHARE", default_value_t = Holdout::DEFAULT_SHARE)]
    holdout: f64,
    /// The same seed gives the same shop for ever
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// Print the totals as JSON
    #[arg(long)]
    json: bool,
}

fn parse_arm(text: &str) -> Result<Arm, String> {
    Arm::from_name(text).ok_or_else(|| {
        let names = Arm::ALL.map(Arm::as_str).join(", ");
        format!("{text:?} is no message; possible are {names}")
    })
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let salt = format!("simulate-{}", args.seed);
    let holdout = Holdout::new(&salt, args.holdout)
        .map_err(|error| Failure::usage(format!("--holdout: {error}")))?;
    let options = Options {
        shoppers: size(args.shoppers),
        items: size(args.items),
        days: args.days,
        start_ms: args.start.as_millisecond(),
    };
    let world = World::new(args.seed, options);
    let mut truth = args.truth.as_deref().map(Out::create).transpose()?;
    let mut totals = Totals::default();
    let mut events = Vec::new();
    let bar = output::count_bar(Some(u64::from(args.shoppers)), "living");
    for number in 0..options.shoppers {
        let lived = Lived::new(&world, number, args, &holdout);
        totals.add(&lived);
        if let Some(truth) = &mut truth {
            let line = serde_json::to_string(&lived.truth(&world, args))?;
            truth.line(&line).context("write the truth")?;
        }
        events.extend(lived.events());
        bar.inc(1);
    }
    bar.finish_and_clear();
    events.sort_by(|one, other| {
        let key = |event: &Event| (event.occurred_at, event.kind);
        key(one)
            .cmp(&key(other))
            .then_with(|| one.event_id.cmp(&other.event_id))
    });
    totals.events = events.len();
    write(args, &events)?;
    if let Some(truth) = truth {
        truth.finish().context("write the truth")?;
    }
    totals.print(args)
}

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn write(args: &Args, events: &[Event]) -> anyhow::Result<()> {
    let doing = || format!("write {}", args.out.display());
    let mut out = Out::create(&args.out)?;
    let bar = output::count_bar(u64::try_from(events.len()).ok(), "writing");
    for event in events {
        out.line(&wire::json_line(event)).with_context(doing)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    out.finish().with_context(doing)
}

/// One shopper's life as it went, and as it would have gone.
struct Lived {
    number: usize,
    person: Person,
    visit: Visit,
    held_out: bool,
    message: Option<(Message, &'static str)>,
    life: Life,
    left_alone: Life,
}

impl Lived {
    fn new(world: &World, number: usize, args: &Args, holdout: &Holdout) -> Self {
        let (person, visit) = (world.person(number), world.visit(number));
        let left_alone = world.life_of(number, &person, &visit, &[]);
        let held_out = holdout.holds(&person.shopper.shopper_id);
        let after_ms = i64::try_from(args.after.0.as_millis()).unwrap_or(i64::MAX);
        let at_ms = visit.left_at_ms.saturating_add(after_ms);
        let ordered = left_alone
            .order
            .as_ref()
            .is_some_and(|order| order.at_ms <= at_ms);
        let channel = person.consented.first().copied();
        let message = args.arm.zip(channel).filter(|_| !held_out && !ordered);
        let message = message.map(|(arm, channel)| {
            let value_minor = world.money(&visit.lines).0;
            (offer(arm, value_minor, at_ms), channel)
        });
        let sent: Vec<Message> = message.iter().map(|(message, _)| *message).collect();
        let life = match sent.is_empty() {
            true => left_alone.clone(),
            false => world.life_of(number, &person, &visit, &sent),
        };
        Self {
            number,
            person,
            visit,
            held_out,
            message,
            life,
            left_alone,
        }
    }

    /// All that the shop sees of it.
    fn events(&self) -> Vec<Event> {
        let mut events = self.visit.events.clone();
        if let Some((message, _)) = &self.message {
            events.push(self.about_message(EventKind::MessageSent, message.at_ms));
        }
        for act in &self.life.acts {
            match &act.what {
                What::Event(event) => events.push(event.as_ref().clone()),
                What::Opens(_) => {
                    events.push(self.about_message(EventKind::MessageOpened, act.at_ms));
                }
                What::Clicks(_) => {
                    events.push(self.about_message(EventKind::MessageClicked, act.at_ms));
                }
                What::Unsubscribes(_) => {
                    events.push(self.about_message(EventKind::MessageUnsubscribed, act.at_ms));
                }
                // No events of a shop: they are told to the API.
                What::Complains(_) | What::Dismisses(_) | What::Revokes | What::Refunds => {}
            }
        }
        events
    }

    fn about_message(&self, kind: EventKind, at_ms: i64) -> Event {
        let shopper_id = self.person.shopper.shopper_id.clone();
        Event {
            event_id: format!("{shopper_id}-{}", kind.as_str()),
            shopper_id,
            kind,
            occurred_at: Millis(at_ms),
            ..Event::default()
        }
    }

    fn truth(&self, world: &World, args: &Args) -> Truth<'_> {
        let after_ms = i64::try_from(args.after.0.as_millis()).unwrap_or(i64::MAX);
        let chance = |arm: Arm| (arm.as_str(), world.uplift(self.number, arm, after_ms));
        let (cart_value_minor, cart_margin_minor) = world.money(&self.visit.lines);
        Truth {
            shopper_id: &self.person.shopper.shopper_id,
            kind: self.person.shopper.kind.as_str(),
            time_zone: self.person.time_zone,
            jurisdiction: self.person.jurisdiction,
            channels: &self.person.channels,
            consented: &self.person.consented,
            devices: &self.person.devices,
            left_at: output::rfc3339(self.visit.left_at_ms),
            cart_value_minor,
            cart_margin_minor,
            returns_alone: world.chance_of_order(self.number, &[]),
            uplift: Arm::ALL.into_iter().map(chance).collect(),
            held_out: self.held_out,
            received: self.message.map(|(message, _)| message.arm.as_str()),
            channel: self.message.map(|(_, channel)| channel),
            refunded: self
                .life
                .order
                .as_ref()
                .is_some_and(|order| order.refunded_at_ms.is_some()),
            net_minor: self.life.money().net_minor(),
            net_left_alone_minor: self.left_alone.money().net_minor(),
        }
    }
}

/// What the arms are in `simulate`: ten per cent, five off, or free shipping, for three days.
fn offer(arm: Arm, value_minor: i64, at_ms: i64) -> Message {
    let (discount_minor, hours) = match arm {
        Arm::Reminder => (0, 72),
        Arm::PercentCoupon => (value_minor / 10, 72),
        Arm::LimitedTimeOffer => (value_minor / 10, 24),
        Arm::FixedCoupon => (500, 72),
        Arm::FreeShipping => (490, 72),
    };
    Message {
        arm,
        at_ms,
        discount_minor: discount_minor.min(value_minor),
        ends_at_ms: at_ms.saturating_add(hours * 3_600_000),
    }
}

/// One line of the truth.
#[derive(Serialize)]
struct Truth<'a> {
    shopper_id: &'a str,
    kind: &'static str,
    time_zone: &'static str,
    jurisdiction: &'static str,
    channels: &'a [&'static str],
    consented: &'a [&'static str],
    devices: &'a [String],
    left_at: String,
    cart_value_minor: i64,
    cart_margin_minor: i64,
    /// Probability that the cart is bought without a message.
    returns_alone: f64,
    /// What each arm changes in it, sent as the first message.
    uplift: std::collections::BTreeMap<&'static str, f64>,
    held_out: bool,
    received: Option<&'static str>,
    channel: Option<&'static str>,
    refunded: bool,
    /// Margin after discount and refund, as it went.
    net_minor: i64,
    /// The same as it would have gone.
    net_left_alone_minor: i64,
}

/// Sums over all shoppers.
#[derive(Debug, Default)]
struct Totals {
    events: usize,
    messages: usize,
    orders: usize,
    refunds: usize,
    held_out: usize,
    treated: usize,
    added_minor: i64,
}

impl Totals {
    fn add(&mut self, lived: &Lived) {
        let order = lived.life.order.as_ref();
        self.orders += usize::from(order.is_some());
        self.refunds += usize::from(order.is_some_and(|order| order.refunded_at_ms.is_some()));
        self.messages += usize::from(lived.message.is_some());
        if lived.held_out {
            self.held_out += 1;
        } else {
            self.treated += 1;
            let nets = [&lived.life, &lived.left_alone].map(|life| life.money().net_minor());
            self.added_minor += nets[0] - nets[1];
        }
    }

    fn print(&self, args: &Args) -> anyhow::Result<()> {
        let people = u32::try_from(self.treated).unwrap_or(u32::MAX).max(1);
        #[expect(
            clippy::cast_precision_loss,
            reason = "money of a shop is below 2^53 cents"
        )]
        let lift = self.added_minor as f64 / f64::from(people);
        if args.json {
            return output::json(&json!({
                "seed": args.seed,
                "shoppers": args.shoppers,
                "events": self.events,
                "messages": self.messages,
                "orders": self.orders,
                "refunds": self.refunds,
                "people_treated": self.treated,
                "people_holdout": self.held_out,
                "true_lift_minor": lift,
            }));
        }
        output::result(format!(
            "{} shoppers left a cart: {} events, {} messages, {} orders, {} sent back",
            output::thousands(size(args.shoppers)),
            output::thousands(self.events),
            output::thousands(self.messages),
            output::thousands(self.orders),
            output::thousands(self.refunds),
        ));
        if args.arm.is_some() {
            output::result(format!(
                "true effect on {} treated people: {lift:.2} cents each, after discounts and refunds, before the cost of sending",
                output::thousands(self.treated)
            ));
        }
        Ok(())
    }
}
