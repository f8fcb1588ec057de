//! The counters of each kind of document. Names and units are a public contract.

use super::Grain;
use super::grain::WINDOW_MINUTES;

/// A kind of counting document: which counters it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The shop, or the shop in a country.
    Shop,
    /// A category.
    Category,
    /// A product.
    Product,
    /// A payment method.
    Payment,
    /// Deliveries to a state.
    Shipping,
}

/// The values of a document's counters, in the order of [`Kind::counters`]; money in minor units. Missing ones are 0.
///
/// Behind a kind's counters an hour or a window has [`EVENTS_AFTER_CLOSE`], and a window of the whole shop also
/// [`MINUTE`]'s three for each of its minutes.
pub type Counters = Vec<i64>;

/// A counter's field name, and whether it is an amount (a double of units in the document, minor units inside).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Name of the field.
    pub name: &'static str,
    /// Whether it is money.
    pub is_amount: bool,
}

const fn count(name: &'static str) -> Counter {
    Counter { name, is_amount: false }
}

const fn amount(name: &'static str) -> Counter {
    Counter { name, is_amount: true }
}

impl Kind {
    /// The counters of the kind, in the order of their values.
    pub const fn counters(self) -> &'static [Counter] {
        match self {
            Self::Shop => SHOP,
            Self::Category => CATEGORY,
            Self::Product => PRODUCT,
            Self::Payment => PAYMENT,
            Self::Shipping => SHIPPING,
        }
    }

    /// The counters of the kind's documents of a grain, without those of minutes.
    pub fn counters_of(self, grain: Grain) -> impl Iterator<Item = &'static Counter> {
        self.counters().iter().chain(grain.end_ms().map(|_| &EVENTS_AFTER_CLOSE))
    }

    /// The kind in the field `subject`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Category => "category",
            Self::Product => "product",
            Self::Payment => "payment",
            Self::Shipping => "shipping",
        }
    }
}

/// Places of a shop's counters. Sessions' are the last [`SESSION_COUNTERS`].
pub mod shop {
    /// `started_sessions_count`.
    pub const STARTED: usize = 0;
    /// `ended_sessions_count`.
    pub const ENDED: usize = 1;
    /// `total_sessions_duration_seconds`.
    pub const DURATION: usize = 2;
    /// `product_views_count`.
    pub const PRODUCT_VIEWS: usize = 3;
    /// `purchase_count`.
    pub const PURCHASES: usize = 4;
    /// `total_amount`.
    pub const AMOUNT: usize = 5;
    /// `total_discount`.
    pub const DISCOUNT: usize = 6;
    /// `total_items_purchased`.
    pub const ITEMS: usize = 7;
    /// The first of the counters of sessions.
    pub const SESSIONS: usize = 8;
    /// `events_after_close_count`.
    pub const LATE: usize = SESSIONS + super::SESSION_COUNTERS;
    /// The first of the counters of minutes.
    pub const MINUTES: usize = LATE + 1;
}

/// How many of the shop's counters come from what sessions did.
pub const SESSION_COUNTERS: usize = 8;

/// Events that came when the hour or window was closed.
pub const EVENTS_AFTER_CLOSE: Counter = count("events_after_close_count");

/// How many counters the minutes of a window have together.
pub const MINUTE_COUNTERS: usize = WINDOW_MINUTES as usize * MINUTE.len();

/// The counters of a minute, in a window's list `minutes`.
pub const MINUTE: [Counter; 3] = [count("events_count"), count("purchase_count"), amount("total_amount")];

const SHOP: &[Counter] = &[
    count("started_sessions_count"),
    count("ended_sessions_count"),
    count("total_sessions_duration_seconds"),
    count("product_views_count"),
    count("purchase_count"),
    amount("total_amount"),
    amount("total_discount"),
    count("total_items_purchased"),
    count("sessions_count"),
    count("viewing_sessions_count"),
    count("carting_sessions_count"),
    count("buying_sessions_count"),
    count("closed_sessions_count"),
    count("bounced_sessions_count"),
    count("abandoned_carts_count"),
    amount("abandoned_carts_amount"),
];

/// Places of a category's counters.
pub mod category {
    /// `views_count`.
    pub const VIEWS: usize = 0;
    /// `product_related_view_count`; a product's counters stand from here on in the same order.
    pub const PRODUCT_VIEWS: usize = 1;
    /// `events_after_close_count`.
    pub const LATE: usize = 7;
}

const CATEGORY: &[Counter] = &[
    count("views_count"),
    count("product_related_view_count"),
    count("added_to_cart_quantity"),
    count("removed_from_cart_quantity"),
    amount("total_amount"),
    count("total_items_purchased"),
    count("purchase_count"),
];

/// Places of a product's counters.
pub mod product {
    /// `views_count`.
    pub const VIEWS: usize = 0;
    /// `added_to_cart_quantity`.
    pub const ADDED: usize = 1;
    /// `removed_from_cart_quantity`.
    pub const REMOVED: usize = 2;
    /// `total_amount`.
    pub const AMOUNT: usize = 3;
    /// `total_items_purchased`.
    pub const ITEMS: usize = 4;
    /// `purchase_count`.
    pub const PURCHASES: usize = 5;
    /// `events_after_close_count`.
    pub const LATE: usize = 6;
}

const PRODUCT: &[Counter] = &[
    count("views_count"),
    count("added_to_cart_quantity"),
    count("removed_from_cart_quantity"),
    amount("total_amount"),
    count("total_items_purchased"),
    count("purchase_count"),
];
const PAYMENT: &[Counter] = &[count("usage_count"), amount("total_amount")];
const SHIPPING: &[Counter] = &[
    count("shipping_count"),
    count("total_items_delivered"),
    amount("total_shipping_cost"),
    count("estimated_delivery_hours_waiting"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_are_those_of_the_names() {
        let name = |kind: Kind, place: usize| kind.counters()[place].name;
        assert_eq!(name(Kind::Shop, shop::PRODUCT_VIEWS), "product_views_count");
        assert_eq!(name(Kind::Shop, shop::ITEMS), "total_items_purchased");
        assert_eq!(name(Kind::Shop, shop::SESSIONS), "sessions_count");
        assert_eq!(Kind::Shop.counters().len(), shop::LATE);
        assert_eq!(name(Kind::Category, category::PRODUCT_VIEWS), "product_related_view_count");
        assert_eq!(Kind::Category.counters().len(), category::LATE);
        assert_eq!(name(Kind::Product, product::PURCHASES), "purchase_count");
        assert_eq!(Kind::Product.counters().len(), product::LATE);
        let after_views = |kind: Kind, views: usize| -> Vec<&str> {
            kind.counters()[views + 1..].iter().map(|counter| counter.name).collect()
        };
        assert_eq!(
            after_views(Kind::Product, product::VIEWS),
            after_views(Kind::Category, category::PRODUCT_VIEWS),
            "what counts for a product counts for its category in the same order"
        );
    }
}
