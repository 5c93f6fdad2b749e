//! What one shopper does, from the first visit to the last.

use feature_store::{Event, EventKind, Millis};

use crate::catalogue::{CURRENCY, Catalogue};
use crate::random::Random;
use crate::shopper::{Shopper, Taste};
use crate::words::SHELVES;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// Share of visits by hour of the day, in parts of a thousand: quiet nights, busy evenings.
const HOURS: [u64; 24] = [
    12, 7, 4, 3, 3, 6, 14, 27, 38, 44, 48, 50, 54, 52, 48, 46, 48, 54, 64, 78, 92, 96, 72, 40,
];

/// A shopper's life in the shop.
pub(crate) struct Visitor<'a> {
    shopper: &'a Shopper,
    taste: Taste,
    catalogue: &'a Catalogue,
    random: Random,
    now: i64,
    end: i64,
    sessions: u32,
    orders: u32,
    session_id: String,
    device_id: String,
    cart: Vec<Line>,
    events: Vec<Event>,
}

#[derive(Copy, Clone, Debug)]
struct Line {
    item: usize,
    quantity: u32,
}

/// What can be seen of a cart when its visit ends; the choice to buy depends on it.
#[derive(Copy, Clone, Debug, Default)]
struct Signs {
    checkout: bool,
    removed: bool,
    looked_twice: bool,
    bought_before: bool,
    over_budget: bool,
}

impl Signs {
    /// Added to the probability of buying; about 0 on average.
    fn lean(self) -> f64 {
        let lean = |sign: bool, with: f64, without: f64| if sign { with } else { without };
        lean(self.checkout, 0.19, -0.15)
            + lean(self.removed, -0.12, 0.02)
            + lean(self.looked_twice, 0.08, -0.04)
            + lean(self.bought_before, 0.06, -0.05)
            + lean(self.over_budget, -0.14, 0.06)
    }
}

/// An hour of the day, drawn by [`HOURS`].
pub(crate) fn hour(random: &mut Random) -> i64 {
    let mut left = random.below(HOURS.iter().sum());
    for (hour, share) in (0..).zip(HOURS) {
        if left < share {
            return hour;
        }
        left -= share;
    }
    0
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(
        shopper: &'a Shopper,
        number: usize,
        catalogue: &'a Catalogue,
        mut random: Random,
        (start, end): (i64, i64),
    ) -> Self {
        let taste = Taste::draw(&mut random);
        let device_id = format!("device-{:04}-a", number + 1);
        Self {
            shopper,
            taste,
            catalogue,
            random,
            now: start,
            end,
            sessions: 0,
            orders: 0,
            session_id: String::new(),
            device_id,
            cart: Vec::new(),
            events: Vec::new(),
        }
    }

    /// All events of the shopper in the order in which they happened.
    pub(crate) fn live(mut self) -> Vec<Event> {
        let mut starts = self.visit_times();
        starts.sort_unstable();
        for start in starts {
            // A visit that would begin before the last one was over is left out.
            if start > self.now + HOUR || self.sessions == 0 {
                self.now = start;
                self.visit();
            }
        }
        self.events.retain(|event| event.occurred_at.0 < self.end);
        self.events
    }

    fn visit_times(&mut self) -> Vec<i64> {
        let days = (self.end - self.now) / DAY;
        let visits = self.random.between(1, 3 + days.min(14) / 2);
        let first = self.now;
        (0..visits)
            .map(|_| {
                let day = self.random.between(0, days.max(1));
                let hour = hour(&mut self.random);
                first + day * DAY + hour * HOUR + self.random.between(0, HOUR)
            })
            .collect()
    }

    fn visit(&mut self) {
        self.open_session();
        let seen = self.browse();
        if self.cart.is_empty() {
            return;
        }
        let signs = self.waver(&seen);
        let buys = 1.0 - self.shopper.kind.true_risk() + signs.lean();
        if !self.random.chance(buys.clamp(0.02, 0.98)) {
            self.tidy_up_later();
        } else if self.random.chance(0.45) {
            self.buy();
        } else {
            self.come_back_and_buy();
        }
    }

    fn open_session(&mut self) {
        self.sessions += 1;
        self.session_id = format!("{}-{}", self.shopper.shopper_id, self.sessions);
        if self.random.chance(0.12) {
            let other = if self.device_id.ends_with('a') {
                'b'
            } else {
                'a'
            };
            self.device_id.pop();
            self.device_id.push(other);
        }
    }

    /// Views items and puts some into the cart. Returns what was seen.
    fn browse(&mut self) -> Vec<usize> {
        let steps = self.random.between(2, 9);
        let shops_today = self.random.chance(0.72);
        let mut seen: Vec<usize> = Vec::new();
        for _ in 0..steps {
            let Some(item) = self.next_item(seen.last().copied()) else {
                break;
            };
            self.step(3, 95);
            self.record(EventKind::View, item, 1);
            seen.push(item);
            let liked = if self.is_favourite(item) { 0.5 } else { 0.22 };
            if shops_today && !self.in_cart(item) && self.random.chance(liked) {
                self.add(item);
            }
        }
        seen
    }

    /// What catches the eye next: what goes with the last item, the own shelves, or a bestseller.
    fn next_item(&mut self, last: Option<usize>) -> Option<usize> {
        let draw = self.random.below(100);
        if let (Some(last), 0..30) = (last, draw) {
            let along = self.catalogue.companions.get(last)?;
            if let Some(item) = self.random.pick(along) {
                return Some(*item);
            }
        }
        if let (Some(last), 30..42) = (last, draw) {
            return Some(last);
        }
        if draw < 82 {
            let favourite = usize::from(self.random.chance(0.35));
            return self.shelf_item(self.taste.shelves[favourite]);
        }
        self.bestseller()
    }

    /// An item of the shelf: of the favourite brand where two tries find one.
    fn shelf_item(&mut self, shelf: usize) -> Option<usize> {
        let places = self.catalogue.shelves.get(shelf)?;
        let first = *self.random.pick(places)?;
        let second = *self.random.pick(places)?;
        Some(if self.is_favourite(second) && !self.is_favourite(first) {
            second
        } else {
            first
        })
    }

    /// The smaller of two draws: items at the start of the catalogue sell best.
    fn bestseller(&mut self) -> Option<usize> {
        let count = self.catalogue.items.len();
        let item = self.random.place(count).min(self.random.place(count));
        (item < count).then_some(item)
    }

    fn is_favourite(&self, item: usize) -> bool {
        let shelf = &SHELVES[Catalogue::shelf_of(item)];
        let brand = shelf.brands.get(self.taste.brand);
        self.catalogue
            .items
            .get(item)
            .is_some_and(|item| Some(&item.brand.as_str()) == brand)
    }

    fn in_cart(&self, item: usize) -> bool {
        self.cart.iter().any(|line| line.item == item)
    }

    fn add(&mut self, item: usize) {
        let quantity = if self.random.chance(0.12) { 2 } else { 1 };
        self.step(4, 40);
        self.record(EventKind::AddToCart, item, quantity);
        self.cart.push(Line { item, quantity });
    }

    /// Second thoughts, the checkout page, and what can be seen of both.
    fn waver(&mut self, seen: &[usize]) -> Signs {
        let mut signs = Signs::default();
        if self.cart.len() > 1 && self.random.chance(0.25) {
            let place = self.random.place(self.cart.len());
            let line = self.cart.remove(place);
            self.step(10, 90);
            self.record(EventKind::RemoveFromCart, line.item, line.quantity);
            signs.removed = true;
        }
        if self.random.chance(0.45) {
            self.step(10, 120);
            self.record_checkout();
            signs.checkout = true;
        }
        let views = |line: &Line| seen.iter().filter(|item| **item == line.item).count();
        signs.looked_twice = self.cart.iter().any(|line| views(line) > 1);
        signs.bought_before = self.orders > 0;
        signs.over_budget = self.cart_value() > self.taste.budget_minor;
        signs
    }

    fn cart_value(&self) -> i64 {
        let value = |line: &Line| {
            let price = self
                .catalogue
                .items
                .get(line.item)
                .map_or(0, |item| item.price_minor);
            price * i64::from(line.quantity)
        };
        self.cart.iter().map(value).sum()
    }

    fn buy(&mut self) {
        self.orders += 1;
        self.step(20, 240);
        let order_id = format!("order-{}-{}", self.shopper.shopper_id, self.orders);
        for line in std::mem::take(&mut self.cart) {
            self.record(EventKind::Purchase, line.item, line.quantity);
            if let Some(event) = self.events.last_mut() {
                event.order_id.clone_from(&order_id);
            }
        }
    }

    /// Sleeps on it, looks at the cart again, and buys.
    fn come_back_and_buy(&mut self) {
        self.now += self.random.between(40 * MINUTE, 10 * HOUR);
        self.open_session();
        if let Some(line) = self.cart.first().copied() {
            self.record(EventKind::View, line.item, 1);
        }
        self.step(10, 120);
        self.record_checkout();
        self.buy();
    }

    /// The cart is not bought; on a later visit it is emptied.
    fn tidy_up_later(&mut self) {
        self.now += self.random.between(3 * HOUR, 13 * HOUR);
        self.open_session();
        for line in std::mem::take(&mut self.cart) {
            self.step(2, 20);
            self.record(EventKind::RemoveFromCart, line.item, line.quantity);
        }
    }

    fn step(&mut self, least_seconds: i64, most_seconds: i64) {
        self.now += self
            .random
            .between(least_seconds * SECOND, most_seconds * SECOND);
    }

    fn record(&mut self, kind: EventKind, item: usize, quantity: u32) {
        let Some(item) = self.catalogue.items.get(item) else {
            return;
        };
        let event = Event {
            item_id: item.item_id.clone(),
            quantity,
            price_minor: item.price_minor,
            currency: CURRENCY.to_owned(),
            category: item.category_path.join("."),
            brand: item.brand.clone(),
            ..self.event(kind)
        };
        self.events.push(event);
    }

    fn record_checkout(&mut self) {
        let event = self.event(EventKind::CheckoutStart);
        self.events.push(event);
    }

    fn event(&self, kind: EventKind) -> Event {
        Event {
            event_id: format!("{}-{}", self.shopper.shopper_id, self.events.len() + 1),
            shopper_id: self.shopper.shopper_id.clone(),
            device_id: self.device_id.clone(),
            kind,
            occurred_at: Millis(self.now),
            session_id: self.session_id.clone(),
            ..Event::default()
        }
    }
}
