//! The leaderboard.

use serde::Serialize;
use storepulse_analytics::store::StoreError;

use super::Document;
use crate::clock::rfc3339;

/// What `leaderboards/trending` lists.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Trending {
    pub latest_window: String,
    pub most_bought: Vec<MostBought>,
    pub rising: Vec<Rising>,
    pub omitted_products_count: i64,
}

/// A product of which many pieces were bought.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct MostBought {
    pub product: String,
    pub name: String,
    pub quantity: i64,
    pub revenue_minor: i64,
}

/// A product that finds more interest than before.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Rising {
    pub product: String,
    pub name: String,
    pub interest_score: i64,
    pub previous_interest_score: i64,
    pub rise: i64,
}

impl Trending {
    /// Reads it; none if nothing has happened yet.
    ///
    /// # Errors
    ///
    /// If a field is of another type.
    pub fn of(document: Document<'_>) -> Result<Option<Self>, StoreError> {
        let Some(latest) = document.time("latest_window")? else { return Ok(None) };
        let product = |entry: Document<'_>| -> Result<(String, String), StoreError> {
            let id = entry.text("product")?.unwrap_or_default();
            Ok((id.to_owned(), entry.text("name")?.unwrap_or(id).to_owned()))
        };
        let most_bought = document.maps("most_bought")?.into_iter().map(|entry| {
            let (product, name) = product(entry)?;
            let (quantity, revenue_minor) = (entry.count("quantity")?, entry.minor("total_amount")?);
            Ok(MostBought { product, name, quantity, revenue_minor })
        });
        let rising = document.maps("rising")?.into_iter().map(|entry| {
            let (product, name) = product(entry)?;
            Ok(Rising {
                product,
                name,
                interest_score: entry.count("interest_score")?,
                previous_interest_score: entry.count("previous_interest_score")?,
                rise: entry.count("rise")?,
            })
        });
        Ok(Some(Self {
            latest_window: rfc3339(latest),
            most_bought: most_bought.collect::<Result<_, StoreError>>()?,
            rising: rising.collect::<Result<_, StoreError>>()?,
            omitted_products_count: document.count("omitted_products_count")?,
        }))
    }
}
