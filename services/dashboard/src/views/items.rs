//! Products and categories.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use storepulse_analytics::store::StoreError;

use super::{Document, ratio};

/// The figures of a product.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct ProductRow {
    pub id: String,
    pub name: String,
    pub views_count: i64,
    pub added_to_cart_quantity: i64,
    pub removed_from_cart_quantity: i64,
    pub purchase_count: i64,
    pub total_items_purchased: i64,
    pub revenue_minor: i64,
    pub conversion_rate: Option<f64>,
    pub interest_score: i64,
}

/// The figures of a category.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CategoryRow {
    /// What products have too; its conversion is that of the views of its products.
    #[serde(flatten)]
    pub row: ProductRow,
    /// Views of its products.
    pub product_related_view_count: i64,
}

/// A product on a day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DayRow {
    /// The day.
    pub day: String,
    /// Its figures.
    #[serde(flatten)]
    pub row: ProductRow,
}

/// A product in an hour.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HourRow {
    /// The hour's id.
    pub hour: String,
    /// Whether it changes no more, late events apart.
    pub is_final: bool,
    /// Late events that came after that.
    pub events_after_close_count: i64,
    /// Its figures.
    #[serde(flatten)]
    pub row: ProductRow,
}

/// The columns of the products' table, in order.
pub const PRODUCT_COLUMNS: [&str; 10] = [
    "id",
    "name",
    "interest_score",
    "views_count",
    "added_to_cart_quantity",
    "removed_from_cart_quantity",
    "purchase_count",
    "total_items_purchased",
    "revenue_minor",
    "conversion_rate",
];

/// The sums of one or several documents of a product or category.
#[derive(Clone, Debug, Default)]
struct Sums {
    row: ProductRow,
    related_views: i64,
}

impl Sums {
    fn add(&mut self, document: Document<'_>) -> Result<(), StoreError> {
        let row = &mut self.row;
        row.views_count += document.count("views_count")?;
        row.added_to_cart_quantity += document.count("added_to_cart_quantity")?;
        row.removed_from_cart_quantity += document.count("removed_from_cart_quantity")?;
        row.purchase_count += document.count("purchase_count")?;
        row.total_items_purchased += document.count("total_items_purchased")?;
        row.revenue_minor += document.minor("total_amount")?;
        row.interest_score += document.count("interest_score")?;
        self.related_views += document.count("product_related_view_count")?;
        Ok(())
    }

    fn product(mut self) -> ProductRow {
        self.row.conversion_rate = ratio(self.row.purchase_count, self.row.views_count);
        self.row
    }

    fn category(mut self) -> CategoryRow {
        self.row.conversion_rate = ratio(self.row.purchase_count, self.related_views);
        CategoryRow { row: self.row, product_related_view_count: self.related_views }
    }
}

/// The product of a document.
///
/// # Errors
///
/// If a field is of another type.
pub fn product(document: Document<'_>, id: &str, name: &str) -> Result<ProductRow, StoreError> {
    let mut sums = Sums::default();
    sums.add(document)?;
    Ok(ProductRow { id: id.to_owned(), name: name.to_owned(), ..sums.product() })
}

/// Adds up documents by the product that they are of.
///
/// # Errors
///
/// If a field is of another type.
pub fn products<'a>(
    documents: impl IntoIterator<Item = Document<'a>>,
    names: &HashMap<String, String>,
) -> Result<Vec<ProductRow>, StoreError> {
    Ok(sums(documents, "products", names)?.map(Sums::product).collect())
}

/// Adds up documents by the category that they are of.
///
/// # Errors
///
/// If a field is of another type.
pub fn categories<'a>(
    documents: impl IntoIterator<Item = Document<'a>>,
    names: &HashMap<String, String>,
) -> Result<Vec<CategoryRow>, StoreError> {
    Ok(sums(documents, "categories", names)?.map(Sums::category).collect())
}

fn sums<'a>(
    documents: impl IntoIterator<Item = Document<'a>>,
    collection: &str,
    names: &HashMap<String, String>,
) -> Result<impl Iterator<Item = Sums>, StoreError> {
    let mut by_id = BTreeMap::<String, Sums>::new();
    for document in documents {
        let Some(id) = document.id_in(collection) else { continue };
        by_id.entry(id).or_default().add(document)?;
    }
    let named = by_id.into_iter().map(|(id, mut sums)| {
        sums.row.name = names.get(&id).unwrap_or(&id).clone();
        sums.row.id = id;
        sums
    });
    Ok(named.collect::<Vec<_>>().into_iter())
}

#[cfg(test)]
mod tests {
    use storepulse_analytics::store::{Fields, Value};

    use super::*;

    fn counts(counts: &[(&'static str, i64)]) -> Fields {
        counts.iter().map(|(name, count)| (*name, Value::Integer(*count))).collect()
    }

    #[test]
    fn days_of_a_product_are_added_up_under_its_plain_id_and_its_name() {
        let documents = [
            ("products/p%2F1/statistics/2026-11-20", counts(&[("views_count", 6), ("interest_score", -4)])),
            ("products/p%2F1/statistics/2026-11-21", counts(&[("views_count", 2), ("purchase_count", 2)])),
            ("products/q/statistics/2026-11-21", counts(&[("interest_score", 3)])),
        ];
        let names = HashMap::from([("p/1".to_owned(), "A lamp".to_owned())]);
        let rows = products(documents.iter().map(|(path, fields)| Document::new(path, fields)), &names).unwrap();
        let told: Vec<_> = rows.iter().map(|r| (&*r.id, &*r.name, r.interest_score, r.conversion_rate)).collect();
        assert_eq!(told, [("p/1", "A lamp", -4, Some(0.25)), ("q", "q", 3, None)]);
    }

    #[test]
    fn a_category_converts_views_of_its_products() {
        let fields = counts(&[("views_count", 100), ("product_related_view_count", 8), ("purchase_count", 2)]);
        let documents = [Document::new("countries/DE/categories/c/statistics/2026-11-21", &fields)];
        let rows = categories(documents, &HashMap::new()).unwrap();
        assert_eq!((rows[0].row.conversion_rate, rows[0].product_related_view_count), (Some(0.25), 8));
    }
}
