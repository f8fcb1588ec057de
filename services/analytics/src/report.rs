//! One day of the shop in a few lines, read from the store: `storepulse-analytics report`.

use std::fmt;

use serde::{Serialize, Serializer};
use storepulse_events::{Currency, Day, Money, Timestamp};
use storepulse_platform::Failure;
use storepulse_platform::telemetry::LogArgs;

use crate::document::path::unescape;
use crate::store::{self, DocumentStore, Fields, StoreArgs, StoreError, Value};

/// What happened on one UTC day. Amounts are whole minor units (cents).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShopReport {
    /// The currency of all amounts.
    #[serde(serialize_with = "as_text")]
    pub currency: Currency,
    /// The UTC day, of the events' own timestamps.
    #[serde(serialize_with = "as_text")]
    pub day: Day,
    /// What was paid for goods.
    pub revenue_minor: i64,
    /// Purchases.
    pub purchase_count: i64,
    /// Sessions that started.
    pub started_sessions_count: i64,
    /// The countries with the highest revenue, from the highest; none without revenue.
    pub top_countries: Vec<CountryRevenue>,
    /// The products with the highest revenue, from the highest; none without revenue.
    pub top_products: Vec<ProductRevenue>,
}

/// What a country paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CountryRevenue {
    /// Its ISO 3166-1 code.
    pub country: String,
    /// In minor units.
    pub revenue_minor: i64,
}

/// What was paid for a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProductRevenue {
    /// Its id.
    pub id: String,
    /// Its name, or its id if no name is known.
    pub name: String,
    /// In minor units.
    pub revenue_minor: i64,
}

/// Reads the report of a day, with at most `top` countries and products. What the store has no document of counts as 0.
///
/// # Errors
///
/// Those of the store; [`StoreError::Refused`] if a document holds something that is not a count or an amount.
pub async fn shop_report(
    store: &dyn DocumentStore,
    day: Day,
    currency: Currency,
    top: usize,
) -> Result<ShopReport, StoreError> {
    let path = format!("statistics/{day}");
    let shop = store.read(std::slice::from_ref(&path)).await?.into_iter().flatten().next();
    let shop = shop.map(|stored| stored.fields).unwrap_or_default();
    let countries = top_of(store, "countries", day, top).await?;
    let products = top_of(store, "products", day, top).await?;
    let names: Vec<String> = products.iter().map(|(id, _)| format!("products/{id}/statistics/lifetime")).collect();
    let names = store.read(&names).await?;
    Ok(ShopReport {
        currency,
        day,
        revenue_minor: revenue(&path, &shop)?.minor(),
        purchase_count: count(&path, &shop, "purchase_count")?,
        started_sessions_count: count(&path, &shop, "started_sessions_count")?,
        top_countries: countries
            .into_iter()
            .map(|(id, revenue)| CountryRevenue { country: plain(id), revenue_minor: revenue.minor() })
            .collect(),
        top_products: products
            .into_iter()
            .zip(names)
            .map(|((id, revenue), stored)| {
                let id = plain(id);
                let name = match stored.as_ref().and_then(|stored| stored.fields.get("name")) {
                    Some(Value::String(name)) => name.clone(),
                    _ => id.clone(),
                };
                ProductRevenue { id, name, revenue_minor: revenue.minor() }
            })
            .collect(),
    })
}

/// The (escaped) ids in `collection` with the highest revenue of the day.
async fn top_of(
    store: &dyn DocumentStore,
    collection: &str,
    day: Day,
    top: usize,
) -> Result<Vec<(String, Money)>, StoreError> {
    let ids = store.child_ids(collection).await?;
    let paths: Vec<String> = ids.iter().map(|id| format!("{collection}/{id}/statistics/{day}")).collect();
    let mut revenues = Vec::new();
    for ((id, path), stored) in ids.into_iter().zip(&paths).zip(store.read(&paths).await?) {
        let Some(stored) = stored else { continue };
        let revenue = revenue(path, &stored.fields)?;
        if revenue > Money::ZERO {
            revenues.push((id, revenue));
        }
    }
    revenues.sort_by(|(a_id, a), (b_id, b)| b.cmp(a).then_with(|| a_id.cmp(b_id)));
    revenues.truncate(top);
    Ok(revenues)
}

fn revenue(path: &str, fields: &Fields) -> Result<Money, StoreError> {
    const FIELD: &str = "total_amount";
    let amount = match fields.get(FIELD) {
        None => Some(Money::ZERO),
        Some(Value::Double(units)) => Money::from_units(*units),
        Some(_) => None,
    };
    amount.ok_or_else(|| {
        StoreError::Refused(format!("field {FIELD} of {path} is not an amount: {:?}", fields.get(FIELD)))
    })
}

fn count(path: &str, fields: &Fields, field: &str) -> Result<i64, StoreError> {
    match fields.get(field) {
        None => Ok(0),
        Some(Value::Integer(count)) => Ok(*count),
        Some(other) => Err(StoreError::Refused(format!("field {field} of {path} is not a count: {other:?}"))),
    }
}

/// An id as events have it. One that the service did not escape is left alone.
fn plain(id: String) -> String {
    unescape(&id).unwrap_or(id)
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// A short table for people.
impl fmt::Display for ShopReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The width of what is counted, and of the figures.
        const WIDTHS: (usize, usize) = (40, 16);
        let mut line = |what: &str, figure: &dyn fmt::Display| {
            // Padding counts characters. A longer name is cut: lines stay lines.
            let mut what: String = what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            if what.chars().count() > WIDTHS.0 {
                what = what.chars().take(WIDTHS.0 - 1).chain(['…']).collect();
            }
            let line = format!("{what:<0$} {1:>2$}", WIDTHS.0, figure.to_string(), WIDTHS.1);
            writeln!(f, "{}", line.trim_end())
        };
        line(&format!("{} (UTC)", self.day), &self.currency)?;
        line("Revenue", &Money::from_minor(self.revenue_minor))?;
        line("Purchases", &self.purchase_count)?;
        line("Sessions started", &self.started_sessions_count)?;
        if !self.top_countries.is_empty() {
            line("Top countries", &"")?;
        }
        for CountryRevenue { country, revenue_minor } in &self.top_countries {
            line(&format!("  {country}"), &Money::from_minor(*revenue_minor))?;
        }
        if !self.top_products.is_empty() {
            line("Top products", &"")?;
        }
        for ProductRevenue { name, revenue_minor, .. } in &self.top_products {
            line(&format!("  {name}"), &Money::from_minor(*revenue_minor))?;
        }
        Ok(())
    }
}

/// Settings of the report.
#[derive(Clone, Debug, clap::Args)]
pub struct ReportArgs {
    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Currency of the shop, any three upper-case letters
    #[arg(long, env = "SHOP_CURRENCY", value_name = "SHOP_CURRENCY", default_value = "USD")]
    pub shop_currency: Currency,
    /// UTC day, YYYY-MM-DD; default: today
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    pub day: Option<Day>,
    /// How many countries and products to list
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub top: usize,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Logs.
    #[command(flatten)]
    pub logs: LogArgs,
}

fn parse_day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| "a day is YYYY-MM-DD, such as 2026-11-21".into())
}

/// Prints the report of a day.
///
/// # Errors
///
/// If the store can't be opened or read.
pub async fn run(args: ReportArgs) -> Result<(), Failure> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_err(Failure::runtime)?;
    let today = Timestamp::from_micros(i64::try_from(now.as_micros()).map_err(Failure::runtime)?).day();
    args.store.must_keep("the report")?;
    let store = store::open::open(&args.store).await?;
    let report = shop_report(store.as_ref(), args.day.unwrap_or(today), args.shop_currency, args.top)
        .await
        .map_err(Failure::runtime)?;
    if args.json {
        println!("{}", serde_json::to_string(&report).map_err(Failure::runtime)?);
    } else {
        print!("{report}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::SqliteStore;
    use crate::store::{Guard, Write};

    fn day() -> Day {
        Day::parse("2026-11-21").unwrap()
    }

    fn document(path: &str, fields: &[(&str, Value)]) -> Write {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Write { path: path.to_owned(), fields, guard: Guard::Absent }
    }

    async fn report_of(writes: &[Write], top: usize) -> Result<ShopReport, StoreError> {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("store.db")).unwrap();
        store.commit(writes).await.unwrap();
        shop_report(&store, day(), Currency::USD, top).await
    }

    fn paid(path: &str, units: f64) -> Write {
        document(path, &[("total_amount", Value::Double(units))])
    }

    #[tokio::test]
    async fn the_report_holds_the_day_and_its_best() {
        let writes = [
            document(
                "statistics/2026-11-21",
                &[
                    ("total_amount", Value::Double(1234.56)),
                    ("purchase_count", Value::Integer(12)),
                    ("started_sessions_count", Value::Integer(345)),
                ],
            ),
            paid("statistics/lifetime", 9999.0),
            paid("statistics/2026-11-20", 777.0),
            paid("countries/DE/statistics/2026-11-21", 1000.0),
            paid("countries/FR/statistics/2026-11-21", 234.5),
            paid("countries/US/statistics/2026-11-21", 0.06),
            paid("countries/SG/statistics/2026-11-20", 5000.0),
            paid("products/p%2F1/statistics/2026-11-21", 0.3),
            document("products/p%2F1/statistics/lifetime", &[("name", Value::String("A lamp".to_owned()))]),
            paid("products/b/statistics/2026-11-21", 0.3),
            paid("products/unsold/statistics/2026-11-21", 0.0),
            paid("countries/DE/products/abroad/statistics/2026-11-21", 8.0),
        ];
        let report = report_of(&writes, 2).await.unwrap();
        let json = serde_json::json!({
            "currency": "USD",
            "day": "2026-11-21",
            "revenue_minor": 123456,
            "purchase_count": 12,
            "started_sessions_count": 345,
            "top_countries": [{"country": "DE", "revenue_minor": 100000}, {"country": "FR", "revenue_minor": 23450}],
            "top_products": [
                {"id": "b", "name": "b", "revenue_minor": 30},
                {"id": "p/1", "name": "A lamp", "revenue_minor": 30},
            ],
        });
        assert_eq!(serde_json::to_value(&report).unwrap(), json);
        let text = report.to_string();
        let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert!(words.contains(&vec!["Revenue", "1234.56"]), "{text}");
        assert!(words.contains(&vec!["A", "lamp", "0.30"]), "{text}");
        let is_heading = |line: &str| line.starts_with("Top ");
        assert!(text.lines().all(|line| is_heading(line) || line.chars().count() == 57), "{text}");
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    }

    #[tokio::test]
    async fn a_day_without_documents_is_all_zero() {
        let report = report_of(&[paid("statistics/lifetime", 1.0)], 5).await.unwrap();
        assert_eq!((report.revenue_minor, report.purchase_count, report.top_products.len()), (0, 0, 0));
    }

    #[tokio::test]
    async fn a_damaged_amount_is_named_and_not_left_out() {
        let writes = [document("products/p/statistics/2026-11-21", &[("total_amount", Value::String("7".to_owned()))])];
        let error = report_of(&writes, 5).await.unwrap_err();
        assert!(error.to_string().contains("total_amount of products/p/statistics/2026-11-21"), "{error}");
    }
}
