//! The counters of each kind of document. Names and units are a public contract.

/// A kind of counting document: which counters it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `statistics/…`: the shop, or the shop in a country.
    Shop,
    /// `categories/{id}/statistics/…`.
    Category,
    /// `products/{id}/statistics/…`.
    Product,
    /// `payments/{id}/statistics/…`.
    Payment,
    /// `countries/{CC}/states/{state}/shipping/…`.
    Shipping,
}

/// The most counters that a kind of document has.
pub const MAX_COUNTERS: usize = 7;

/// The values of a document's counters, in the order of [`Kind::counters`]; money in minor units. Unused ones are 0.
pub type Counters = [i64; MAX_COUNTERS];

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
}

const SHOP: &[Counter] = &[
    count("started_sessions_count"),
    count("ended_sessions_count"),
    count("total_sessions_duration_seconds"),
    count("purchase_count"),
    amount("total_amount"),
    amount("total_discount"),
    count("total_items_purchased"),
];
const CATEGORY: &[Counter] = &[
    count("views_count"),
    count("product_related_view_count"),
    count("added_to_cart_quantity"),
    count("removed_from_cart_quantity"),
    amount("total_amount"),
    count("total_items_purchased"),
];
const PRODUCT: &[Counter] = &[
    count("views_count"),
    count("added_to_cart_quantity"),
    count("removed_from_cart_quantity"),
    amount("total_amount"),
    count("total_items_purchased"),
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
    fn every_kind_fits_the_array() {
        for kind in [Kind::Shop, Kind::Category, Kind::Product, Kind::Payment, Kind::Shipping] {
            assert!(kind.counters().len() <= MAX_COUNTERS);
        }
    }
}
