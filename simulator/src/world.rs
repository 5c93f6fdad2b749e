//! A shop that lives: who its shoppers are, and the carts they leave.

use feature_store::{Event, EventKind, Item, Millis};

use crate::catalogue::{CURRENCY, Catalogue};
use crate::random::Random;
use crate::shop::Options;
use crate::shopper::{Shopper, ShopperKind, Taste};
use crate::visit::{DAY, hour};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// Orders of before lie in so many days before the start.
const PAST_DAYS: i64 = 10;

/// The zones that shoppers live in, with their jurisdictions; the shop does not know everybody's.
const ZONES: [(&str, &str); 8] = [
    ("Europe/Berlin", "DE"),
    ("Europe/Berlin", "DE"),
    ("Europe/Madrid", "ES"),
    ("Europe/Lisbon", "PT"),
    ("Europe/Helsinki", "FI"),
    ("America/New_York", "US-NY"),
    ("America/Los_Angeles", "US-CA"),
    ("", "DE"),
];

/// A shop whose shoppers leave carts and react to what is done about it.
///
/// Everything is a function of the seed and a shopper's number, computed when asked: a world of a
/// million takes no more memory than one of ten.
#[derive(Debug)]
pub struct World {
    seed: u64,
    options: Options,
    items: Vec<Item>,
}

/// A shopper with what the shop may know of them, and what only the simulator knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub shopper: Shopper,
    /// IANA name; empty where the shop does not know it.
    pub time_zone: &'static str,
    pub jurisdiction: &'static str,
    /// Those they can be reached on.
    pub channels: Vec<&'static str>,
    /// Those they agreed to get marketing on.
    pub consented: Vec<&'static str>,
    pub devices: Vec<String>,
}

/// A line of the cart that is left.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Place of the item in [`World::items`].
    pub item: usize,
    pub quantity: u32,
}

/// What a shopper did until the cart was left.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// Orders of the days before, and the visit, by time.
    pub events: Vec<Event>,
    pub lines: Vec<Line>,
    /// The last act in the shop.
    pub left_at_ms: i64,
}

impl World {
    /// The same seed and options give the same world for ever.
    #[must_use]
    pub fn new(seed: u64, options: Options) -> Self {
        let told = |item: Item| Item {
            // Whoever measures margin has to know it: a cost that nobody told would be a guess.
            cost_minor: item.cost_minor.or(Some(item.price_minor * 3 / 5)),
            margin_rate: None,
            stock: None,
            ..item
        };
        let items = Catalogue::generate(seed, options.items.max(1)).items;
        Self {
            seed,
            options,
            items: items.into_iter().map(told).collect(),
        }
    }

    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    #[must_use]
    pub fn options(&self) -> Options {
        self.options
    }

    /// A stream of random numbers for one purpose of one shopper.
    pub(crate) fn random(&self, number: usize, stream: u64) -> Random {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        let mut own = Random::new(self.seed ^ number.wrapping_mul(0xa076_1d64_78bd_642f), 6);
        Random::new(own.next(), stream)
    }

    /// The shopper of that number, counted from 0.
    #[must_use]
    pub fn person(&self, number: usize) -> Person {
        let mut random = self.random(number, 1);
        let kind = ShopperKind::draw(&mut random).or_farmer(&mut random);
        let (time_zone, jurisdiction) = random.pick(&ZONES).copied().unwrap_or_default();
        let mut channels = vec!["email"];
        channels.extend(random.chance(0.4).then_some("sms"));
        channels.extend(random.chance(0.5).then_some("push"));
        let email = random.chance(0.8);
        let agrees = |channel: &&str| match *channel {
            "email" => email,
            _ => false,
        };
        let consented = channels.iter().copied().filter(agrees).collect();
        let devices = 1 + usize::from(random.chance(0.3));
        Person {
            shopper: Shopper {
                shopper_id: format!("shopper-{:06}", number + 1),
                kind,
            },
            time_zone,
            jurisdiction,
            channels,
            consented,
            devices: (0..devices)
                .map(|device| format!("device-{:06}-{device}", number + 1))
                .collect(),
        }
    }

    /// What the shopper does until they leave their cart.
    #[must_use]
    pub fn visit(&self, number: usize) -> Visit {
        let mut random = self.random(number, 2);
        let taste = Taste::draw(&mut random);
        let person = self.person(number);
        let start = self.options.start_ms;
        let days = i64::from(self.options.days.max(1));
        let mut diary = Diary {
            world: self,
            person: &person,
            session: 0,
            events: Vec::new(),
        };
        if random.chance(0.5) {
            let at = start - random.between(2 * HOUR, PAST_DAYS * DAY);
            let item = self.item(&taste, &mut random);
            diary.item(EventKind::Purchase, Line { item, quantity: 1 }, at);
            diary.order("before");
        }
        let day = random.between(0, days) * DAY;
        let mut now = start + day + hour(&mut random) * HOUR + random.between(0, HOUR);
        diary.session = 1;
        let mut lines: Vec<Line> = Vec::new();
        for _ in 0..random.between(1, 4) {
            let item = self.item(&taste, &mut random);
            diary.item(EventKind::View, Line { item, quantity: 1 }, now);
            now += random.between(3 * SECOND, 95 * SECOND);
            if lines.iter().all(|line| line.item != item) {
                let quantity = if random.chance(0.12) { 2 } else { 1 };
                let line = Line { item, quantity };
                diary.item(EventKind::AddToCart, line, now);
                now += random.between(4 * SECOND, 40 * SECOND);
                lines.push(line);
            }
        }
        if random.chance(0.4) {
            diary.checkout(now);
        }
        let left_at_ms = diary.events.last().map_or(now, |event| event.occurred_at.0);
        Visit {
            events: diary.events,
            lines,
            left_at_ms,
        }
    }

    /// Something of their shelves that their purse allows; of three looks the cheapest otherwise.
    fn item(&self, taste: &Taste, random: &mut Random) -> usize {
        let price = |place: &usize| self.items.get(*place).map_or(0, |item| item.price_minor);
        let looks: Vec<usize> = (0..3).map(|_| random.place(self.items.len())).collect();
        let liked = |place: &usize| taste.shelves.contains(&Catalogue::shelf_of(*place));
        let fits = |place: &usize| price(place) <= taste.budget_minor;
        let by_heart = looks.iter().find(|place| liked(place) && fits(place));
        let by_purse = by_heart.or_else(|| looks.iter().find(|place| fits(place)));
        let cheapest = by_purse.or_else(|| looks.iter().min_by_key(|place| price(place)));
        cheapest.copied().unwrap_or(0)
    }

    /// A spare item for somebody who changes their cart later.
    pub(crate) fn another(&self, random: &mut Random) -> Line {
        Line {
            item: random.place(self.items.len()),
            quantity: 1,
        }
    }

    /// Value and margin of lines, in minor units.
    #[must_use]
    pub fn money(&self, lines: &[Line]) -> (i64, i64) {
        lines.iter().fold((0, 0), |(value, margin), line| {
            let Some(item) = self.items.get(line.item) else {
                return (value, margin);
            };
            let cost = item.cost_minor.unwrap_or(item.price_minor);
            let quantity = i64::from(line.quantity);
            (
                value + item.price_minor * quantity,
                margin + (item.price_minor - cost) * quantity,
            )
        })
    }

    /// An event of a line, named by what makes it the only one of its kind.
    pub(crate) fn line_event(
        &self,
        (person, name): (&Person, &str),
        kind: EventKind,
        line: Line,
        at_ms: i64,
    ) -> Event {
        let item = self.items.get(line.item).cloned().unwrap_or_default();
        Event {
            item_id: item.item_id,
            quantity: line.quantity,
            price_minor: item.price_minor,
            currency: CURRENCY.to_owned(),
            category: item.category_path.join("."),
            brand: item.brand,
            ..bare_event((person, name), kind, at_ms)
        }
    }
}

fn bare_event((person, name): (&Person, &str), kind: EventKind, at_ms: i64) -> Event {
    let id = &person.shopper.shopper_id;
    Event {
        event_id: format!("{id}-{name}"),
        shopper_id: id.clone(),
        device_id: person.devices.first().cloned().unwrap_or_default(),
        kind,
        occurred_at: Millis(at_ms),
        ..Event::default()
    }
}

/// Writes down what a shopper does.
struct Diary<'a> {
    world: &'a World,
    person: &'a Person,
    session: u32,
    events: Vec<Event>,
}

impl Diary<'_> {
    fn item(&mut self, kind: EventKind, line: Line, at_ms: i64) {
        let name = (self.events.len() + 1).to_string();
        let event = self
            .world
            .line_event((self.person, &name), kind, line, at_ms);
        self.push(event);
    }

    fn checkout(&mut self, at_ms: i64) {
        let name = (self.events.len() + 1).to_string();
        self.push(bare_event(
            (self.person, &name),
            EventKind::CheckoutStart,
            at_ms,
        ));
    }

    fn push(&mut self, mut event: Event) {
        let id = &self.person.shopper.shopper_id;
        event.session_id = format!("{id}-{}", self.session);
        self.events.push(event);
    }

    /// Names the order of the last event.
    fn order(&mut self, name: &str) {
        let id = &self.person.shopper.shopper_id;
        if let Some(event) = self.events.last_mut() {
            event.order_id = format!("order-{id}-{name}");
        }
    }
}
