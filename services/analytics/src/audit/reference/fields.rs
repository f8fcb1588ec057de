//! Counters to fields.

use super::counting::{Counters, Minute};
use super::grain::Grain;
use super::identity::{Identity, Subject};
use super::values::{amount, integer, map, moment};
use super::{Rules, Weights};
use crate::store::{Fields, Value};

/// The fields of a counting document; `minutes` of a window of all countries.
pub fn fields(identity: &Identity, counters: &Counters, minutes: Option<&[Minute; 15]>, rules: &Rules) -> Fields {
    let mut fields = Fields::default();
    identity.describe(&mut fields);
    let count = |name: &str| counters.get(name).copied().unwrap_or(0);
    for name in names(&identity.subject) {
        let value = if is_amount(name) { amount(count(name)) } else { integer(count(name)) };
        fields.set(*name, value);
    }
    let mut ratio = |name: &'static str, numerator: f64, denominator: i128| {
        if denominator > 0 {
            fields.set(name, Value::Double(numerator / denominator as f64));
        }
    };
    let purchases = count("purchase_count");
    match &identity.subject {
        Subject::Shop => {
            let (total, discount) = (count("total_amount"), count("total_discount"));
            ratio("average_order_value", total as f64 / 100.0, purchases);
            ratio("items_per_order", count("total_items_purchased") as f64, purchases);
            ratio("discount_share", discount as f64, total + discount);
            ratio("conversion_rate", purchases as f64, count("product_views_count"));
        }
        Subject::Category(_) => {
            let of_products = count("product_related_view_count");
            ratio("conversion_rate", purchases as f64, of_products);
            fields.set("interest_score", interest(counters, count("views_count") + of_products, rules.weights));
        }
        Subject::Product(_) => {
            ratio("conversion_rate", purchases as f64, count("views_count"));
            fields.set("interest_score", interest(counters, count("views_count"), rules.weights));
        }
        Subject::Payment(_) | Subject::Shipping(_) | Subject::Visits => {}
    }
    if let (Some(closes), Some(expires)) = (identity.grain.closes_ms(rules), identity.grain.expires_ms(rules)) {
        fields.set("closes_at", moment(closes));
        fields.set("expires_at", moment(expires));
        fields.set("events_after_close_count", integer(count("events_after_close_count")));
    }
    if identity.subject == Subject::Shop && identity.country.is_none() && matches!(identity.grain, Grain::Window(_)) {
        let minutes = minutes.copied().unwrap_or_default().map(|minute| {
            map(vec![
                ("events_count", integer(minute.events)),
                ("purchase_count", integer(minute.purchases)),
                ("total_amount", amount(minute.total_amount)),
            ])
        });
        fields.set("minutes", Value::Array(minutes.into()));
    }
    fields
}

fn interest(counters: &Counters, views: i128, weights: Weights) -> Value {
    let count = |name: &str| counters.get(name).copied().unwrap_or(0);
    integer(
        views * i128::from(weights.view)
            + count("added_to_cart_quantity") * i128::from(weights.cart)
            + count("removed_from_cart_quantity") * i128::from(weights.removal)
            + count("total_items_purchased") * i128::from(weights.purchase),
    )
}

/// The counters of a subject's documents.
fn names(subject: &Subject) -> &'static [&'static str] {
    match subject {
        Subject::Shop => &[
            "started_sessions_count",
            "ended_sessions_count",
            "total_sessions_duration_seconds",
            "product_views_count",
            "purchase_count",
            "total_amount",
            "total_discount",
            "total_items_purchased",
            "sessions_count",
            "viewing_sessions_count",
            "carting_sessions_count",
            "buying_sessions_count",
            "closed_sessions_count",
            "bounced_sessions_count",
            "abandoned_carts_count",
            "abandoned_carts_amount",
        ],
        Subject::Category(_) => &[
            "views_count",
            "product_related_view_count",
            "added_to_cart_quantity",
            "removed_from_cart_quantity",
            "total_amount",
            "total_items_purchased",
            "purchase_count",
        ],
        Subject::Product(_) => &[
            "views_count",
            "added_to_cart_quantity",
            "removed_from_cart_quantity",
            "total_amount",
            "total_items_purchased",
            "purchase_count",
        ],
        Subject::Payment(_) => &["usage_count", "total_amount"],
        Subject::Shipping(_) => {
            &["shipping_count", "total_items_delivered", "total_shipping_cost", "estimated_delivery_hours_waiting"]
        }
        Subject::Visits => &[],
    }
}

fn is_amount(field: &str) -> bool {
    matches!(field, "total_amount" | "total_discount" | "total_shipping_cost" | "abandoned_carts_amount")
}
