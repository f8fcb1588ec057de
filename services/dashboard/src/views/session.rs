//! A session's history.

use serde::Serialize;
use storepulse_analytics::document::story::LISTS;
use storepulse_analytics::store::StoreError;
use storepulse_events::Timestamp;

use super::Document;
use crate::clock::rfc3339;

/// What is known of a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Session {
    pub as_of: String,
    pub id: String,
    pub start_time: Option<String>,
    pub end_time: Option<String>,
    pub duration_seconds: Option<i64>,
    pub user_id: Option<String>,
    pub agent: Option<String>,
    pub location: Option<Location>,
    pub entries: Vec<Entry>,
    pub omitted: Vec<Omitted>,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Location {
    pub country: String,
    pub state: String,
    pub city: String,
    pub latitude: f64,
    pub longitude: f64,
}

/// Entries of a list that are not in the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Omitted {
    pub list: &'static str,
    pub count: i64,
}

/// What happened at a point in time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Entry {
    pub time: String,
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase: Option<Purchase>,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Purchase {
    pub items: Vec<Item>,
    pub total_minor: i64,
    pub discount_minor: i64,
    pub shipping_minor: i64,
    pub payment_method: String,
    pub country: String,
    pub state: String,
    pub city: String,
    pub estimated_delivery: String,
}

/// A part of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Item {
    pub product: String,
    pub quantity: i64,
    pub subtotal_minor: i64,
}

impl Session {
    /// Reads a history.
    ///
    /// # Errors
    ///
    /// If a field is of another type.
    pub fn of(id: &str, history: Document<'_>, as_of: Timestamp) -> Result<Self, StoreError> {
        let (start, end) = (history.time("start_time")?, history.time("end_time")?);
        let duration = history.number("session_duration_seconds")?.map(|seconds| seconds as i64);
        let text = |name| Ok::<_, StoreError>(history.text(name)?.map(str::to_owned));
        let mut omitted = Vec::new();
        for list in LISTS {
            let count = history.count(&format!("{list}_omitted_count"))?;
            if count > 0 {
                omitted.push(Omitted { list, count });
            }
        }
        Ok(Self {
            as_of: rfc3339(as_of),
            id: id.to_owned(),
            start_time: start.map(rfc3339),
            end_time: end.map(rfc3339),
            duration_seconds: duration,
            user_id: text("user_id")?,
            agent: text("agent")?,
            location: history.map("location")?.map(location).transpose()?,
            entries: entries(history, start, end)?,
            omitted,
        })
    }
}

/// All lists in one, by time; of the same time in the order in which such things happen.
fn entries(history: Document<'_>, start: Option<Timestamp>, end: Option<Timestamp>) -> Result<Vec<Entry>, StoreError> {
    let plain = |kind| Entry { kind, ..Entry::default() };
    let mut entries: Vec<(Option<Timestamp>, Entry)> = Vec::new();
    entries.extend(start.map(|start| (Some(start), plain("started"))));
    for (list, kind) in [
        ("categories_viewed", "category_viewed"),
        ("products_viewed", "product_viewed"),
        ("added_to_cart", "added_to_cart"),
        ("removed_from_cart", "removed_from_cart"),
        ("purchase", "purchase"),
    ] {
        for listed in history.maps(list)? {
            let text = |name| Ok::<_, StoreError>(listed.text(name)?.map(str::to_owned));
            let mut entry = Entry { category: text("category")?, product: text("product")?, ..plain(kind) };
            if list.ends_with("_cart") {
                entry.quantity = Some(listed.count("quantity")?);
            }
            if list == "purchase" {
                entry.purchase = Some(purchase(listed)?);
            }
            entries.push((listed.time("timestamp")?, entry));
        }
    }
    entries.extend(end.map(|end| (Some(end), plain("ended"))));
    // Equals keep the order that they have.
    entries.sort_by_key(|(time, _)| *time);
    let timed = entries.into_iter().map(|(time, entry)| Entry { time: time.map(rfc3339).unwrap_or_default(), ..entry });
    Ok(timed.collect())
}

fn location(place: Document<'_>) -> Result<Location, StoreError> {
    let text = |name| Ok::<_, StoreError>(place.text(name)?.unwrap_or_default().to_owned());
    Ok(Location {
        country: text("country")?,
        state: text("state")?,
        city: text("city")?,
        latitude: place.number("latitude")?.unwrap_or_default(),
        longitude: place.number("longitude")?.unwrap_or_default(),
    })
}

fn purchase(order: Document<'_>) -> Result<Purchase, StoreError> {
    let item = |item: Document<'_>| {
        Ok(Item {
            product: item.text("product")?.unwrap_or_default().to_owned(),
            quantity: item.count("quantity")?,
            subtotal_minor: item.minor("subtotal")?,
        })
    };
    let address = order.map("shipping_address")?.map(location).transpose()?;
    let (country, state, city) = address.map(|a| (a.country, a.state, a.city)).unwrap_or_default();
    Ok(Purchase {
        items: order.maps("items")?.into_iter().map(item).collect::<Result<_, StoreError>>()?,
        total_minor: order.minor("total_amount")?,
        discount_minor: order.minor("discount_amount")?,
        shipping_minor: order.minor("shipping_cost")?,
        payment_method: order.text("payment_method")?.unwrap_or_default().to_owned(),
        country,
        state,
        city,
        estimated_delivery: order.time("estimated_delivery_date")?.map(rfc3339).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use storepulse_analytics::store::{Fields, Value};

    use super::*;

    #[test]
    fn entries_of_all_lists_come_by_time() {
        let map = |fields: Vec<(&'static str, Value)>| Value::Map(fields.into_iter().collect());
        let (text, at) =
            (|t: &str| Value::String(t.to_owned()), |s: i64| ("timestamp", Value::Timestamp(s * 1_000_000)));
        let order = map(vec![
            (
                "items",
                Value::Array(vec![map(vec![
                    ("product", text("p")),
                    ("quantity", Value::Integer(2)),
                    ("subtotal", Value::Double(3.5)),
                ])]),
            ),
            ("total_amount", Value::Double(3.5)),
            ("payment_method", text("card")),
            ("shipping_address", map(vec![("country", text("DE")), ("city", text("Bonn"))])),
            at(4),
        ]);
        let fields: Fields = [
            ("start_time", Value::Timestamp(1_000_000)),
            ("end_time", Value::Timestamp(5_000_000)),
            ("session_duration_seconds", Value::Integer(4)),
            ("user_id", text("u")),
            ("purchase", Value::Array(vec![order])),
            (
                "products_viewed",
                Value::Array(vec![map(vec![("product", text("p")), at(2)]), map(vec![("product", text("q")), at(4)])]),
            ),
            (
                "added_to_cart",
                Value::Array(vec![map(vec![("product", text("p")), ("quantity", Value::Integer(2)), at(3)])]),
            ),
            ("products_viewed_omitted_count", Value::Integer(7)),
        ]
        .into_iter()
        .collect();
        let session =
            Session::of("s", Document::new("sessions_history/s", &fields), Timestamp::from_micros(0)).unwrap();
        let kinds: Vec<&str> = session.entries.iter().map(|e| e.kind).collect();
        assert_eq!(kinds, ["started", "product_viewed", "added_to_cart", "product_viewed", "purchase", "ended"]);
        assert_eq!((session.entries[2].quantity, session.entries[1].quantity), (Some(2), None));
        let purchase = session.entries[4].purchase.as_ref().unwrap();
        assert_eq!((purchase.items[0].subtotal_minor, purchase.city.as_str()), (350, "Bonn"));
        assert_eq!(session.omitted, [Omitted { list: "products_viewed", count: 7 }]);
    }
}
