//! What the fields of documents depend on, beside the changes.

use super::story::StoryLimits;

/// Weights of what people do with a product, for its interest score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Of a view.
    pub view: i64,
    /// Of a piece put into a cart.
    pub cart: i64,
    /// Of a piece taken out of a cart.
    pub removal: i64,
    /// Of a piece bought.
    pub purchase: i64,
}

impl Weights {
    /// The score. It stays within its type: beyond it, it is the type's end.
    pub fn score(&self, views: i64, added: i64, removed: i64, bought: i64) -> i64 {
        let part = |count: i64, weight: i64| i128::from(count) * i128::from(weight);
        let score =
            part(views, self.view) + part(added, self.cart) + part(removed, self.removal) + part(bought, self.purchase);
        i64::try_from(score).unwrap_or(if score < 0 { i64::MIN } else { i64::MAX })
    }
}

/// The rules; see `docs/documents.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentRules {
    /// How long histories may grow.
    pub story: StoryLimits,
    /// How long after its end an hour or a window is still open, in milliseconds.
    pub lateness_ms: i64,
    /// How long after its end an hour is kept, in milliseconds.
    pub hours_retention_ms: i64,
    /// How long after its end a window is kept, in milliseconds.
    pub windows_retention_ms: i64,
    /// A partition whose watermark is further behind the highest is idle, in milliseconds.
    pub watermark_idle_ms: i64,
    /// The stretch of time of the trending lists, in windows.
    pub trending_windows: i32,
    /// The most products of a trending list.
    pub trending_size: usize,
    /// For the interest score.
    pub weights: Weights,
}

/// What the service has when nothing is set.
impl Default for DocumentRules {
    fn default() -> Self {
        const DAY: i64 = 86_400_000;
        Self {
            story: StoryLimits::default(),
            lateness_ms: 300_000,
            hours_retention_ms: 90 * DAY,
            windows_retention_ms: 14 * DAY,
            watermark_idle_ms: 3_600_000,
            trending_windows: 12,
            trending_size: 20,
            weights: Weights { view: 1, cart: 3, removal: -2, purchase: 5 },
        }
    }
}
