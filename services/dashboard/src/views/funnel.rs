//! How far sessions get, and who visits.

use serde::Serialize;
use storepulse_analytics::store::StoreError;

use super::shop::Funnel;
use super::{Document, ratio};

/// Shares of the sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct FunnelRates {
    pub viewing: Option<f64>,
    pub carting: Option<f64>,
    pub buying: Option<f64>,
    pub bounce: Option<f64>,
    pub abandonment: Option<f64>,
}

impl FunnelRates {
    /// The shares of these.
    pub fn of(funnel: &Funnel) -> Self {
        let of_all = |part| ratio(part, funnel.sessions_count);
        Self {
            viewing: of_all(funnel.viewing_sessions_count),
            carting: of_all(funnel.carting_sessions_count),
            buying: of_all(funnel.buying_sessions_count),
            bounce: ratio(funnel.bounced_sessions_count, funnel.closed_sessions_count),
            abandonment: ratio(funnel.abandoned_carts_count, funnel.carting_sessions_count),
        }
    }
}

/// Visitors, and how long sessions are.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/dashboard-api.md has them")]
pub struct Visits {
    pub unique_visitors_count: i64,
    pub unique_visitors_standard_error: f64,
    pub measured_sessions_count: i64,
    pub p50_seconds: Option<f64>,
    pub p90_seconds: Option<f64>,
    pub p99_seconds: Option<f64>,
    pub relative_error: f64,
}

impl Visits {
    /// Reads a document of visits.
    ///
    /// # Errors
    ///
    /// If a field is of another type.
    pub fn of(visits: Document<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            // An estimate, which may have decimals.
            unique_visitors_count: visits.number("unique_visitors_count")?.unwrap_or(0.0).round() as i64,
            unique_visitors_standard_error: visits.number("unique_visitors_standard_error")?.unwrap_or(0.0),
            measured_sessions_count: visits.count("measured_sessions_count")?,
            p50_seconds: visits.number("session_length_p50_seconds")?,
            p90_seconds: visits.number("session_length_p90_seconds")?,
            p99_seconds: visits.number("session_length_p99_seconds")?,
            relative_error: visits.number("session_length_relative_error")?.unwrap_or(0.0),
        })
    }
}

/// A day of the funnel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DayRow {
    /// The day.
    pub day: String,
    /// Its visits, if they are known.
    pub visits: Option<Visits>,
    /// Its sessions.
    #[serde(flatten)]
    pub funnel: Funnel,
}

/// An hour of the funnel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HourRow {
    /// The hour's id.
    pub hour: String,
    /// Its sessions.
    #[serde(flatten)]
    pub funnel: Funnel,
}

/// A country of the funnel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CountryRow {
    /// Its ISO 3166-1 code.
    pub country: String,
    /// Its sessions.
    #[serde(flatten)]
    pub funnel: Funnel,
}

/// The columns of the days' table, in order; the last ones are of the visits.
pub const DAY_COLUMNS: [&str; 16] = [
    "day",
    "sessions_count",
    "viewing_sessions_count",
    "carting_sessions_count",
    "buying_sessions_count",
    "closed_sessions_count",
    "bounced_sessions_count",
    "abandoned_carts_count",
    "abandoned_carts_minor",
    "unique_visitors_count",
    "unique_visitors_standard_error",
    "measured_sessions_count",
    "p50_seconds",
    "p90_seconds",
    "p99_seconds",
    "relative_error",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_what_they_are_said_to_be_of() {
        let funnel = Funnel {
            sessions_count: 100,
            viewing_sessions_count: 80,
            carting_sessions_count: 40,
            buying_sessions_count: 10,
            closed_sessions_count: 50,
            bounced_sessions_count: 5,
            abandoned_carts_count: 30,
            abandoned_carts_minor: 1,
        };
        let rates = FunnelRates::of(&funnel);
        assert_eq!((rates.viewing, rates.carting, rates.buying), (Some(0.8), Some(0.4), Some(0.1)));
        assert_eq!((rates.bounce, rates.abandonment), (Some(0.1), Some(0.75)));
        assert_eq!(FunnelRates::of(&Funnel::default()).viewing, None);
    }
}
