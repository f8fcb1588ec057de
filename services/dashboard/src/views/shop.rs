//! The shop's own documents: of a day, of a country, of several added up.

use serde::Serialize;
use storepulse_analytics::store::StoreError;

use super::{Document, ratio, rounded};

/// What sessions did, added up where they began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Funnel {
    /// Sessions with an event.
    pub sessions_count: i64,
    /// That viewed a category or product.
    pub viewing_sessions_count: i64,
    /// That put something into the cart.
    pub carting_sessions_count: i64,
    /// That bought.
    pub buying_sessions_count: i64,
    /// That are closed.
    pub closed_sessions_count: i64,
    /// That are closed with at most one event.
    pub bounced_sessions_count: i64,
    /// That are closed with something in the cart.
    pub abandoned_carts_count: i64,
    /// What that is worth, in minor units.
    pub abandoned_carts_minor: i64,
}

impl Funnel {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// If a field is of another type.
    pub fn of(shop: Document<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            sessions_count: shop.count("sessions_count")?,
            viewing_sessions_count: shop.count("viewing_sessions_count")?,
            carting_sessions_count: shop.count("carting_sessions_count")?,
            buying_sessions_count: shop.count("buying_sessions_count")?,
            closed_sessions_count: shop.count("closed_sessions_count")?,
            bounced_sessions_count: shop.count("bounced_sessions_count")?,
            abandoned_carts_count: shop.count("abandoned_carts_count")?,
            abandoned_carts_minor: shop.minor("abandoned_carts_amount")?,
        })
    }

    /// Adds another.
    pub const fn add(&mut self, other: &Self) {
        self.sessions_count += other.sessions_count;
        self.viewing_sessions_count += other.viewing_sessions_count;
        self.carting_sessions_count += other.carting_sessions_count;
        self.buying_sessions_count += other.buying_sessions_count;
        self.closed_sessions_count += other.closed_sessions_count;
        self.bounced_sessions_count += other.bounced_sessions_count;
        self.abandoned_carts_count += other.abandoned_carts_count;
        self.abandoned_carts_minor += other.abandoned_carts_minor;
    }
}

/// The sums of one or several of the shop's documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    started_sessions_count: i64,
    ended_sessions_count: i64,
    purchase_count: i64,
    revenue_minor: i64,
    discount_minor: i64,
    total_items_purchased: i64,
    product_views_count: i64,
    sessions: Funnel,
}

impl Sums {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// If a field is of another type.
    pub fn of(shop: Document<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            started_sessions_count: shop.count("started_sessions_count")?,
            ended_sessions_count: shop.count("ended_sessions_count")?,
            purchase_count: shop.count("purchase_count")?,
            revenue_minor: shop.minor("total_amount")?,
            discount_minor: shop.minor("total_discount")?,
            total_items_purchased: shop.count("total_items_purchased")?,
            product_views_count: shop.count("product_views_count")?,
            sessions: Funnel::of(shop)?,
        })
    }

    /// Adds another.
    pub const fn add(&mut self, other: &Self) {
        self.started_sessions_count += other.started_sessions_count;
        self.ended_sessions_count += other.ended_sessions_count;
        self.purchase_count += other.purchase_count;
        self.revenue_minor += other.revenue_minor;
        self.discount_minor += other.discount_minor;
        self.total_items_purchased += other.total_items_purchased;
        self.product_views_count += other.product_views_count;
        self.sessions.add(&other.sessions);
    }

    /// With the rates.
    pub fn day(self) -> Day {
        Day {
            average_order_value_minor: rounded(self.revenue_minor, self.purchase_count),
            items_per_order: ratio(self.total_items_purchased, self.purchase_count),
            discount_share: ratio(self.discount_minor, self.revenue_minor + self.discount_minor),
            conversion_rate: ratio(self.purchase_count, self.product_views_count),
            started_sessions_count: self.started_sessions_count,
            ended_sessions_count: self.ended_sessions_count,
            purchase_count: self.purchase_count,
            revenue_minor: self.revenue_minor,
            discount_minor: self.discount_minor,
            total_items_purchased: self.total_items_purchased,
            product_views_count: self.product_views_count,
            sessions: self.sessions,
        }
    }
}

/// The shop's figures of a day, or of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Day {
    pub started_sessions_count: i64,
    pub ended_sessions_count: i64,
    pub purchase_count: i64,
    pub revenue_minor: i64,
    pub discount_minor: i64,
    pub total_items_purchased: i64,
    pub product_views_count: i64,
    pub average_order_value_minor: Option<i64>,
    pub items_per_order: Option<f64>,
    pub discount_share: Option<f64>,
    pub conversion_rate: Option<f64>,
    pub sessions: Funnel,
}

/// The figures of a country.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CountryRow {
    /// Its ISO 3166-1 code.
    pub country: String,
    /// Its share of the revenue of all.
    pub revenue_share: Option<f64>,
    /// Its figures.
    #[serde(flatten)]
    pub day: Day,
}

/// The columns of the countries' table, in order.
pub const COUNTRY_COLUMNS: [&str; 21] = [
    "country",
    "revenue_share",
    "revenue_minor",
    "purchase_count",
    "started_sessions_count",
    "ended_sessions_count",
    "discount_minor",
    "total_items_purchased",
    "product_views_count",
    "average_order_value_minor",
    "items_per_order",
    "discount_share",
    "conversion_rate",
    "sessions_count",
    "viewing_sessions_count",
    "carting_sessions_count",
    "buying_sessions_count",
    "closed_sessions_count",
    "bounced_sessions_count",
    "abandoned_carts_count",
    "abandoned_carts_minor",
];

/// Adds up documents of the shop by country: each with its days in one row.
///
/// # Errors
///
/// If a field is of another type.
pub fn countries<'a>(documents: impl IntoIterator<Item = Document<'a>>) -> Result<Vec<CountryRow>, StoreError> {
    let mut by_country = std::collections::BTreeMap::<String, Sums>::new();
    for document in documents {
        let Some(country) = document.id_in("countries") else { continue };
        by_country.entry(country).or_default().add(&Sums::of(document)?);
    }
    let total: i64 = by_country.values().map(|sums| sums.revenue_minor).sum();
    let row = |(country, sums): (String, Sums)| CountryRow {
        country,
        revenue_share: ratio(sums.revenue_minor, total),
        day: sums.day(),
    };
    let mut rows: Vec<CountryRow> = by_country.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.day.revenue_minor));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use storepulse_analytics::store::{Fields, Value};

    use super::*;

    fn shop(revenue: f64, purchases: i64) -> Fields {
        [
            ("total_amount", Value::Double(revenue)),
            ("purchase_count", Value::Integer(purchases)),
            ("product_views_count", Value::Integer(40)),
            ("total_discount", Value::Double(0.25)),
            ("abandoned_carts_amount", Value::Double(1.5)),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn days_of_a_country_are_added_up_and_shares_are_of_all() {
        let documents = [
            ("countries/DE/statistics/2026-11-20", shop(0.75, 1)),
            ("countries/FR/statistics/2026-11-20", shop(3.0, 2)),
        ];
        let more = [("countries/DE/statistics/2026-11-21", shop(0.25, 1))];
        let all = documents.iter().chain(&more).map(|(path, fields)| Document::new(path, fields));
        let rows = countries(all).unwrap();
        assert_eq!((rows[0].country.as_str(), rows[0].revenue_share), ("FR", Some(0.75)));
        let germany = &rows[1];
        assert_eq!((germany.day.revenue_minor, germany.day.average_order_value_minor), (100, Some(50)));
        assert_eq!(germany.day.discount_share, Some(50.0 / 150.0));
        assert_eq!((germany.day.conversion_rate, germany.day.sessions.abandoned_carts_minor), (Some(0.025), 300));
    }

    #[test]
    fn a_day_on_which_nothing_happened_divides_by_nothing() {
        let day = Sums::of(Document::empty("statistics/2026-11-21")).unwrap().day();
        assert_eq!((day.average_order_value_minor, day.items_per_order), (None, None));
        assert_eq!((day.discount_share, day.conversion_rate), (None, None));
    }
}
