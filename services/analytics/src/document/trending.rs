//! Which products are bought most, and which rise: the state of a leaderboard.
//!
//! It keeps what happened to each product in the latest windows, so that its lists are a function of the events alone:
//! what is older than both stretches of time is dropped, and what comes late for them is not taken in.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use storepulse_events::Money;

use super::Window;
use super::change::{Deeds, Trend};
use super::rules::{DocumentRules, Weights};
use crate::store::{Fields, Value};

/// So many products are kept.
pub const MAX_PRODUCTS: usize = 1_000;
/// So many may there be before the least interesting are dropped, so that it is not done for each change.
const SLACK: usize = MAX_PRODUCTS / 4;

/// Key of the bookkeeping.
const STATE: &str = "products";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Product {
    name: Box<str>,
    windows: BTreeMap<i32, Deeds>,
}

/// What happened to products lately.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trending {
    /// The latest window; `None`: nothing happened.
    latest: Option<i32>,
    products: HashMap<Box<str>, Product>,
    /// How many were dropped, and the latest window then.
    omitted: (i64, i32),
}

/// [`Trending`] as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    latest: Option<i32>,
    products: BTreeMap<Box<str>, Product>,
    omitted: (i64, i32),
}

impl Product {
    /// The sums of the windows from `first` to `last`.
    fn sum(&self, first: i32, last: i32) -> Deeds {
        let mut sums = Deeds::default();
        for deeds in self.windows.range(first..=last).map(|(_, deeds)| deeds) {
            sums.iter_mut().zip(deeds).for_each(|(sum, deed)| *sum = sum.saturating_add(*deed));
        }
        sums
    }
}

fn score([views, added, removed, bought, _]: Deeds, weights: &Weights) -> i64 {
    weights.score(views, added, removed, bought)
}

impl Trending {
    /// Takes in what happened to products.
    pub fn add(&mut self, trends: &[Trend], rules: &DocumentRules) {
        let span = 2 * rules.trending_windows;
        let mut latest = self.latest.unwrap_or(i32::MIN);
        for trend in trends {
            latest = latest.max(trend.window);
            if trend.window <= latest.saturating_sub(span) {
                continue;
            }
            let product = self.products.entry(trend.product.clone()).or_default();
            if *product.name != *trend.name {
                product.name.clone_from(&trend.name);
            }
            let sums = product.windows.entry(trend.window).or_default();
            sums.iter_mut().zip(trend.deeds).for_each(|(sum, deed)| *sum = sum.saturating_add(deed));
        }
        if self.latest.is_none_or(|known| known < latest) && !trends.is_empty() {
            self.latest = Some(latest);
            let first = latest.saturating_sub(span) + 1;
            self.products.retain(|_, product| {
                product.windows = product.windows.split_off(&first);
                !product.windows.is_empty()
            });
            if self.omitted.1 < first {
                self.omitted = (0, i32::MIN);
            }
        }
        if self.products.len() > MAX_PRODUCTS + SLACK {
            self.drop_least(rules, latest);
        }
    }

    fn drop_least(&mut self, rules: &DocumentRules, latest: i32) {
        let mut scores: Vec<(i64, Box<str>)> = self
            .products
            .iter()
            .map(|(id, product)| (score(product.sum(i32::MIN, i32::MAX), &rules.weights), id.clone()))
            .collect();
        scores.sort_unstable_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
        for (_, id) in &scores[MAX_PRODUCTS..] {
            self.products.remove(id);
        }
        self.omitted = (self.omitted.0 + (scores.len() - MAX_PRODUCTS) as i64, latest);
    }

    /// Adds the fields.
    pub fn describe(&self, rules: &DocumentRules, fields: &mut Fields) {
        fields.set("omitted_products_count", Value::Integer(self.omitted.0));
        let Some(latest) = self.latest else { return };
        fields.set("latest_window", Value::Timestamp(Window::from_number(latest).start_ms() * 1_000));
        let span = rules.trending_windows;
        let (mut bought, mut rising) = (Vec::new(), Vec::new());
        for (id, product) in &self.products {
            let recent = product.sum(latest - span + 1, latest);
            let before = score(product.sum(latest - 2 * span + 1, latest - span), &rules.weights);
            let now = score(recent, &rules.weights);
            let [.., quantity, amount] = recent;
            if quantity > 0 {
                bought.push((Reverse(quantity), id, product, amount));
            }
            let rise = now.saturating_sub(before);
            if rise > 0 {
                rising.push((Reverse(rise), id, product, now, before));
            }
        }
        let text = |text: &str| Value::String(text.to_owned());
        bought.sort_unstable_by_key(|(quantity, id, ..)| (*quantity, *id));
        let bought = bought.into_iter().take(rules.trending_size).map(|(Reverse(quantity), id, product, amount)| {
            let entry = [
                ("name", text(&product.name)),
                ("product", text(id)),
                ("quantity", Value::Integer(quantity)),
                ("total_amount", Value::Double(Money::from_minor(amount).units())),
            ];
            Value::Map(entry.into_iter().collect())
        });
        fields.set("most_bought", Value::Array(bought.collect()));
        rising.sort_unstable_by_key(|(rise, id, ..)| (*rise, *id));
        let rising = rising.into_iter().take(rules.trending_size).map(|(Reverse(rise), id, product, now, before)| {
            let entry = [
                ("interest_score", Value::Integer(now)),
                ("name", text(&product.name)),
                ("previous_interest_score", Value::Integer(before)),
                ("product", text(id)),
                ("rise", Value::Integer(rise)),
            ];
            Value::Map(entry.into_iter().collect())
        });
        fields.set("rising", Value::Array(rising.collect()));
    }

    /// Adds the bookkeeping from which [`Self::from_bookkeeping`] makes the state again.
    pub fn keep(&self, bookkeeping: &mut Fields) {
        let products = self.products.iter().map(|(id, product)| (id.clone(), product.clone())).collect();
        let kept = Kept { latest: self.latest, products, omitted: self.omitted };
        // Encoding into a growing vector can't fail.
        let bytes = postcard::to_stdvec(&kept).unwrap_or_default();
        bookkeeping.set(STATE, Value::String(BASE64.encode(bytes)));
    }

    /// The inverse of [`Self::keep`].
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn from_bookkeeping(bookkeeping: &Fields) -> Result<Self, String> {
        let Some(Value::String(text)) = bookkeeping.get(STATE) else { return Err(format!("it has no {STATE}")) };
        let bytes = BASE64.decode(text).map_err(|e| format!("{STATE}: {e}"))?;
        let Kept { latest, products, omitted } = postcard::from_bytes(&bytes).map_err(|e| format!("{STATE}: {e}"))?;
        Ok(Self { latest, products: products.into_iter().collect(), omitted })
    }

    /// Roughly the memory that it takes beyond its own size, in bytes.
    pub fn heap_bytes(&self) -> usize {
        /// Of a product with its names and a few windows.
        const PRODUCT: usize = 1_024;
        self.products.len() * PRODUCT
    }
}

/// Whether an event of `window` counts here at this stream time: a client whose clock is ahead
/// must not push everything else out.
pub const fn is_eligible(window: Window, stream_time: i64) -> bool {
    window.start_ms() <= stream_time
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trend(product: &str, window: i32, deeds: Deeds) -> Trend {
        Trend { product: product.into(), name: product.to_uppercase().into(), window, deeds }
    }

    fn described(trending: &Trending, rules: &DocumentRules) -> Fields {
        let mut fields = Fields::default();
        trending.describe(rules, &mut fields);
        fields
    }

    fn listed(fields: &Fields, list: &str, number: &str) -> Vec<(String, i64)> {
        let Some(Value::Array(entries)) = fields.get(list) else { panic!("no list {list}") };
        let read = |entry: &Value| match entry {
            Value::Map(entry) => match (entry.get("product"), entry.get(number)) {
                (Some(Value::String(product)), Some(Value::Integer(number))) => (product.clone(), *number),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        entries.iter().map(read).collect()
    }

    #[test]
    fn the_lists_are_of_the_last_hours_and_of_those_before() {
        let rules = DocumentRules { trending_windows: 4, trending_size: 2, ..DocumentRules::default() };
        let mut trending = Trending::default();
        trending.add(&[trend("a", 100, [5, 0, 0, 2, 900]), trend("b", 103, [0, 0, 0, 2, 100])], &rules);
        trending.add(&[trend("c", 96, [50, 0, 0, 0, 0]), trend("d", 95, [999, 0, 0, 999, 0])], &rules);
        trending.add(&[trend("c", 101, [60, 0, 0, 1, 5])], &rules);
        let fields = described(&trending, &rules);
        // 95 is before both stretches, 96 to 99 and 100 to 103.
        assert_eq!(listed(&fields, "most_bought", "quantity"), [("a".into(), 2), ("b".into(), 2)]);
        // a: 5 views and 2 pieces; c: 65 − 50.
        assert_eq!(listed(&fields, "rising", "rise"), [("a".into(), 15), ("c".into(), 15)]);
        assert_eq!(fields.get("omitted_products_count"), Some(&Value::Integer(0)));
        trending.add(&[trend("e", 500, [1, 0, 0, 0, 0])], &rules);
        assert_eq!(trending.products.len(), 1, "what is over is forgotten");
    }

    #[test]
    fn the_least_interesting_are_dropped_and_counted_until_they_would_be_over_anyway() {
        let rules = DocumentRules { trending_windows: 2, ..DocumentRules::default() };
        let many: Vec<Trend> = (0..1_300).map(|i| trend(&format!("p{i:04}"), 10, [i, 0, 0, i, i])).collect();
        let mut trending = Trending::default();
        many.chunks(1).for_each(|part| trending.add(part, &rules));
        assert!(trending.products.len() <= MAX_PRODUCTS + SLACK);
        let fields = described(&trending, &rules);
        assert_eq!(listed(&fields, "most_bought", "quantity")[0], ("p1299".into(), 1299));
        assert_eq!(fields.get("omitted_products_count"), Some(&Value::Integer(251)));
        trending.add(&[trend("x", 14, [1, 0, 0, 0, 0])], &rules);
        assert_eq!(described(&trending, &rules).get("omitted_products_count"), Some(&Value::Integer(0)));
    }

    proptest! {
        /// In whatever order and pieces it comes, written and read in between: the lists are the same.
        #[test]
        fn the_lists_are_a_function_of_what_happened(
            trends in prop::collection::vec((0..6u8, 0..30i32, 0..9i64, 0..4i64), 1..40), cut in 1..5usize,
        ) {
            let rules = DocumentRules { trending_windows: 4, ..DocumentRules::default() };
            let mut trends: Vec<Trend> =
                trends.into_iter().map(|(p, w, a, b)| trend(&format!("p{p}"), w, [a, b, a / 2, b, a])).collect();
            let mut one = Trending::default();
            one.add(&trends, &rules);
            trends.reverse();
            let mut other = Trending::default();
            for part in trends.chunks(cut) {
                other.add(part, &rules);
                let mut bookkeeping = Fields::default();
                other.keep(&mut bookkeeping);
                other = Trending::from_bookkeeping(&bookkeeping).unwrap();
            }
            prop_assert_eq!(described(&one, &rules), described(&other, &rules));
        }
    }
}
