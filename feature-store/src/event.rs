//! What a shopper did, or what became of a message sent to them.

use std::fmt;

use crate::time::Millis;

/// Longest id, brand or currency-free text, in bytes.
const MAX_ID: usize = 128;
const MAX_CATEGORY: usize = 256;
const MAX_QUANTITY: u32 = 10_000;
const MAX_PRICE: i64 = 1_000_000_000_000;

/// What happened. The order of the variants is the order in which events of one instant count.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum EventKind {
    #[default]
    View,
    AddToCart,
    RemoveFromCart,
    CheckoutStart,
    Purchase,
    MessageSent,
    MessageDelivered,
    MessageOpened,
    MessageClicked,
    MessageUnsubscribed,
}

impl EventKind {
    /// Every kind, by code.
    pub const ALL: [Self; 10] = [
        Self::View,
        Self::AddToCart,
        Self::RemoveFromCart,
        Self::CheckoutStart,
        Self::Purchase,
        Self::MessageSent,
        Self::MessageDelivered,
        Self::MessageOpened,
        Self::MessageClicked,
        Self::MessageUnsubscribed,
    ];

    /// The number of this type on the wire, 1 to 10.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::View => 1,
            Self::AddToCart => 2,
            Self::RemoveFromCart => 3,
            Self::CheckoutStart => 4,
            Self::Purchase => 5,
            Self::MessageSent => 6,
            Self::MessageDelivered => 7,
            Self::MessageOpened => 8,
            Self::MessageClicked => 9,
            Self::MessageUnsubscribed => 10,
        }
    }

    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The name in features and in logs, e.g. `add_to_cart`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::AddToCart => "add_to_cart",
            Self::RemoveFromCart => "remove_from_cart",
            Self::CheckoutStart => "checkout_start",
            Self::Purchase => "purchase",
            Self::MessageSent => "message_sent",
            Self::MessageDelivered => "message_delivered",
            Self::MessageOpened => "message_opened",
            Self::MessageClicked => "message_clicked",
            Self::MessageUnsubscribed => "message_unsubscribed",
        }
    }

    /// Whether the event reports on a message, not on the shopper's own doing in the shop.
    #[must_use]
    pub const fn is_message(self) -> bool {
        self.code() > Self::Purchase.code()
    }

    /// Whether the event names an item.
    #[must_use]
    pub const fn needs_item(self) -> bool {
        matches!(
            self,
            Self::View | Self::AddToCart | Self::RemoveFromCart | Self::Purchase
        )
    }

    /// Whether the event raises the cart's version.
    #[must_use]
    pub const fn changes_cart(self) -> bool {
        matches!(
            self,
            Self::AddToCart | Self::RemoveFromCart | Self::Purchase
        )
    }

    /// Position in tables that hold one entry for each kind.
    pub(crate) fn index(self) -> usize {
        usize::from(self.code()) - 1
    }
}

/// One thing that happened. An empty text is an absent one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Event {
    pub event_id: String,
    pub shopper_id: String,
    pub device_id: String,
    pub kind: EventKind,
    pub item_id: String,
    /// Units added, removed or bought: a delta. 0 reads as 1.
    pub quantity: u32,
    /// Price of one unit in minor units; 0 = unknown.
    pub price_minor: i64,
    pub currency: String,
    pub occurred_at: Millis,
    pub session_id: String,
    pub order_id: String,
    /// Path with dots between its parts.
    pub category: String,
    pub brand: String,
}

impl Event {
    /// Checks the limits that hold for every event, whatever is known of its shopper.
    pub fn validate(&self) -> Result<(), Rejection> {
        self.validate_texts()?;
        if self.kind.needs_item() && self.item_id.is_empty() {
            let detail = format!("item_id is empty, {} needs one", self.kind.as_str());
            return Err(Rejection::invalid("item_id", detail));
        }
        if self.quantity > MAX_QUANTITY {
            let detail = format!(
                "quantity is {}, at most {MAX_QUANTITY} is allowed",
                self.quantity
            );
            return Err(Rejection::invalid("quantity", detail));
        }
        self.validate_price()?;
        if self.occurred_at.0 <= 0 {
            let detail = format!(
                "occurred_at is {}, a time after 1970 is needed",
                self.occurred_at
            );
            return Err(Rejection::invalid("occurred_at", detail));
        }
        Ok(())
    }

    fn validate_texts(&self) -> Result<(), Rejection> {
        required("event_id", &self.event_id)?;
        required("shopper_id", &self.shopper_id)?;
        text("event_id", &self.event_id, MAX_ID)?;
        text("shopper_id", &self.shopper_id, MAX_ID)?;
        text("device_id", &self.device_id, MAX_ID)?;
        text("item_id", &self.item_id, MAX_ID)?;
        text("session_id", &self.session_id, MAX_ID)?;
        text("order_id", &self.order_id, MAX_ID)?;
        text("category", &self.category, MAX_CATEGORY)?;
        text("brand", &self.brand, MAX_ID)
    }

    fn validate_price(&self) -> Result<(), Rejection> {
        let price = self.price_minor;
        if !(0..=MAX_PRICE).contains(&price) {
            let detail = format!("price_minor is {price}, 0 to {MAX_PRICE} is allowed");
            return Err(Rejection::invalid("price_minor", detail));
        }
        if price == 0 && self.kind == EventKind::Purchase {
            let detail = "price_minor is 0, a purchase needs a price above 0".to_owned();
            return Err(Rejection::invalid("price_minor", detail));
        }
        if price > 0 && self.currency.is_empty() {
            let detail = format!("currency is empty, price_minor {price} needs one");
            return Err(Rejection::invalid("currency", detail));
        }
        if !self.currency.is_empty() && !is_currency(&self.currency) {
            let detail = format!(
                "currency is {:?}, three upper-case letters are needed",
                self.currency
            );
            return Err(Rejection::invalid("currency", detail));
        }
        Ok(())
    }

    /// Units of this event: at least 1.
    #[must_use]
    pub fn units(&self) -> u32 {
        self.quantity.max(1)
    }
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn required(field: &'static str, value: &str) -> Result<(), Rejection> {
    if value.is_empty() {
        return Err(Rejection::invalid(
            field,
            format!("{field} is empty, it is required"),
        ));
    }
    Ok(())
}

/// Refuses a text that is too long or holds control characters.
pub(crate) fn text(field: &'static str, value: &str, max: usize) -> Result<(), Rejection> {
    if value.len() > max {
        let detail = format!(
            "{field} has {} bytes, at most {max} are allowed",
            value.len()
        );
        return Err(Rejection::invalid(field, detail));
    }
    if value.chars().any(char::is_control) {
        let detail = format!("{field} is {value:?}, control characters are not allowed");
        return Err(Rejection::invalid(field, detail));
    }
    Ok(())
}

/// Why an event was refused, as a stable word.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum RejectCode {
    /// More than 24 h before the newest event known of the shopper.
    TooLate,
    /// More than 5 min ahead of the clock.
    TooEarly,
    /// A field breaks its limits.
    Invalid,
    /// More events in a day than a person makes.
    BotRate,
}

impl RejectCode {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLate => "too_late",
            Self::TooEarly => "too_early",
            Self::Invalid => "invalid",
            Self::BotRate => "bot_rate",
        }
    }
}

/// An event or a record that was not taken, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Rejection {
    pub code: RejectCode,
    /// The field at fault; empty unless one field is.
    pub field: &'static str,
    pub detail: String,
}

impl Rejection {
    pub(crate) fn invalid(field: &'static str, detail: String) -> Self {
        Self {
            code: RejectCode::Invalid,
            field,
            detail,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

/// What became of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Accepted,
    /// Known already; nothing changed.
    Duplicate,
    Rejected(Rejection),
}

#[cfg(test)]
mod tests;
