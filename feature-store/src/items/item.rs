//! One item of the catalogue, and what makes one acceptable.

use crate::event;

const ID_BYTES: usize = 128;
const NAME_BYTES: usize = 512;
const PART_BYTES: usize = 64;
const PATH_PARTS: usize = 8;
const TAGS: usize = 32;
const MOST_MINOR: i64 = 1_000_000_000_000;

/// What the shop says of an item. Empty text = absent; money is in minor units of `currency`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Item {
    /// 1 to 128 bytes.
    pub item_id: String,
    /// Up to 512 bytes.
    pub name: String,
    /// From the root, at most 8 parts of up to 64 bytes.
    pub category_path: Vec<String>,
    /// Up to 128 bytes.
    pub brand: String,
    /// Price of one unit; 0 = unknown.
    pub price_minor: i64,
    /// ISO 4217; required with a price.
    pub currency: String,
    /// What one unit costs the shop. Not together with `margin_rate`.
    pub cost_minor: Option<i64>,
    /// Share of the price that is margin, 0 to 1. Not together with `cost_minor`.
    pub margin_rate: Option<f64>,
    /// Units at hand; `None` = not tracked.
    pub stock: Option<i64>,
    /// Up to 32, of up to 64 bytes.
    pub tags: Vec<String>,
    /// Not to be shown or sold while true.
    pub unsellable: bool,
}

/// A change of stock, price or availability; `None` leaves a field as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Availability {
    /// Which item.
    pub item_id: String,
    /// Units at hand.
    pub stock: Option<i64>,
    /// Price of one unit, in the item's currency.
    pub price_minor: Option<i64>,
    /// Whether it must not be shown or sold.
    pub unsellable: Option<bool>,
}

/// Why a change of an item was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct ItemRejection {
    /// The field as `catalog.proto` names it.
    pub field: &'static str,
    /// A sentence with the field, its value and what is allowed.
    pub detail: String,
    /// Whether the item does not exist, which the API answers differently.
    pub not_found: bool,
}

impl ItemRejection {
    fn new(field: &'static str, detail: String) -> Self {
        Self {
            field,
            detail,
            not_found: false,
        }
    }

    pub(crate) fn unknown(item_id: &str) -> Self {
        Self {
            field: "item_id",
            detail: format!("item_id is {item_id:?}, which is not in the catalogue"),
            not_found: true,
        }
    }

    pub(crate) fn unreadable(error: &crate::store::Error) -> Self {
        Self::new("item_id", error.to_string())
    }
}

impl Item {
    /// Checks the limits of `catalog.proto`.
    pub fn validate(&self) -> Result<(), ItemRejection> {
        item_id(&self.item_id)?;
        text("name", &self.name, NAME_BYTES)?;
        texts("category_path", &self.category_path, PATH_PARTS)?;
        text("brand", &self.brand, ID_BYTES)?;
        self.validate_money()?;
        stock(self.stock)?;
        texts("tags", &self.tags, TAGS)
    }

    fn validate_money(&self) -> Result<(), ItemRejection> {
        price("price_minor", self.price_minor)?;
        currency(&self.currency, self.price_minor > 0)?;
        if let Some(cost) = self.cost_minor {
            price("cost_minor", cost)?;
        }
        match self.margin_rate {
            Some(rate) if !(0.0..=1.0).contains(&rate) => Err(ItemRejection::new(
                "margin_rate",
                format!("margin_rate is {rate}, 0 to 1 is allowed"),
            )),
            Some(_) if self.cost_minor.is_some() => Err(ItemRejection::new(
                "margin_rate",
                "margin_rate is given together with cost_minor, one of them is allowed".to_owned(),
            )),
            Some(_) | None => Ok(()),
        }
    }
}

impl Availability {
    /// Checks the limits of `catalog.proto`.
    pub fn validate(&self) -> Result<(), ItemRejection> {
        item_id(&self.item_id)?;
        stock(self.stock)?;
        price("price_minor", self.price_minor.unwrap_or_default())
    }

    /// The item with this change made.
    pub(crate) fn apply(&self, item: &mut Item) -> Result<(), ItemRejection> {
        item.stock = self.stock.or(item.stock);
        item.price_minor = self.price_minor.unwrap_or(item.price_minor);
        item.unsellable = self.unsellable.unwrap_or(item.unsellable);
        item.validate()
    }
}

fn item_id(id: &str) -> Result<(), ItemRejection> {
    if id.is_empty() {
        let detail = "item_id is empty, it is required".to_owned();
        return Err(ItemRejection::new("item_id", detail));
    }
    text("item_id", id, ID_BYTES)
}

fn text(field: &'static str, value: &str, most: usize) -> Result<(), ItemRejection> {
    event::text(field, value, most).map_err(|refused| ItemRejection::new(field, refused.detail))
}

fn texts(field: &'static str, values: &[String], most: usize) -> Result<(), ItemRejection> {
    if values.len() > most {
        let detail = format!(
            "{field} has {} entries, at most {most} are allowed",
            values.len()
        );
        return Err(ItemRejection::new(field, detail));
    }
    for value in values {
        if value.is_empty() {
            let detail = format!("{field} has an empty entry, 1 to {PART_BYTES} bytes are allowed");
            return Err(ItemRejection::new(field, detail));
        }
        text(field, value, PART_BYTES)?;
    }
    Ok(())
}

fn price(field: &'static str, minor: i64) -> Result<(), ItemRejection> {
    if (0..=MOST_MINOR).contains(&minor) {
        return Ok(());
    }
    let detail = format!("{field} is {minor}, 0 to {MOST_MINOR} is allowed");
    Err(ItemRejection::new(field, detail))
}

fn currency(code: &str, required: bool) -> Result<(), ItemRejection> {
    if code.is_empty() && !required {
        return Ok(());
    }
    if code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return Ok(());
    }
    let detail = format!("currency is {code:?}, a price needs three upper-case letters");
    Err(ItemRejection::new("currency", detail))
}

fn stock(stock: Option<i64>) -> Result<(), ItemRejection> {
    match stock {
        Some(units) if units < 0 => Err(ItemRejection::new(
            "stock",
            format!("stock is {units}, 0 or more is allowed"),
        )),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone() -> Item {
        Item {
            item_id: "1004856".to_owned(),
            name: "Phone".to_owned(),
            category_path: vec!["electronics".to_owned(), "smartphone".to_owned()],
            brand: "samsung".to_owned(),
            price_minor: 13_079,
            currency: "USD".to_owned(),
            cost_minor: Some(9_000),
            stock: Some(3),
            ..Item::default()
        }
    }

    fn field_refused(change: impl FnOnce(&mut Item)) -> &'static str {
        let mut item = phone();
        change(&mut item);
        item.validate().expect_err("is refused").field
    }

    #[test]
    fn accepts_a_usual_item_and_one_with_only_an_id() {
        assert_eq!(phone().validate(), Ok(()));
        let bare = Item {
            item_id: "1".to_owned(),
            ..Item::default()
        };
        assert_eq!(bare.validate(), Ok(()));
    }

    #[test]
    fn names_the_field_that_is_wrong() {
        assert_eq!(field_refused(|i| i.item_id.clear()), "item_id");
        assert_eq!(field_refused(|i| i.item_id = "x".repeat(129)), "item_id");
        assert_eq!(field_refused(|i| i.name = "x".repeat(513)), "name");
        let nine = vec!["a".to_owned(); 9];
        assert_eq!(field_refused(|i| i.category_path = nine), "category_path");
        let long = vec!["x".repeat(65)];
        assert_eq!(field_refused(|i| i.category_path = long), "category_path");
        assert_eq!(field_refused(|i| i.brand = "x".repeat(129)), "brand");
        assert_eq!(field_refused(|i| i.price_minor = -1), "price_minor");
        assert_eq!(field_refused(|i| i.currency.clear()), "currency");
        assert_eq!(field_refused(|i| i.currency = "usd".to_owned()), "currency");
        assert_eq!(field_refused(|i| i.cost_minor = Some(-1)), "cost_minor");
        assert_eq!(field_refused(|i| i.stock = Some(-1)), "stock");
        assert_eq!(field_refused(|i| i.tags = vec![String::new()]), "tags");
        let many = vec!["a".to_owned(); 33];
        assert_eq!(field_refused(|i| i.tags = many), "tags");
    }

    #[test]
    fn takes_a_cost_or_a_margin_but_not_both() {
        assert_eq!(field_refused(|i| i.margin_rate = Some(0.3)), "margin_rate");
        assert_eq!(field_refused(|i| i.margin_rate = Some(1.1)), "margin_rate");
        assert_eq!(
            field_refused(|i| i.margin_rate = Some(f64::NAN)),
            "margin_rate"
        );
        let mut item = phone();
        item.cost_minor = None;
        item.margin_rate = Some(0.3);
        assert_eq!(item.validate(), Ok(()));
    }

    #[test]
    fn changes_only_what_an_availability_names() {
        let mut item = phone();
        let change = Availability {
            item_id: item.item_id.clone(),
            stock: Some(0),
            ..Availability::default()
        };
        change.apply(&mut item).expect("is allowed");
        assert_eq!((item.stock, item.price_minor), (Some(0), 13_079));
    }
}
