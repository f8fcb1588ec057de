//! The products of the last hours.

use std::collections::{BTreeMap, HashSet};

use storepulse_events::{Event, Payload};

use super::grain::WINDOW;
use super::values::{amount, integer, map, string};
use super::{Rules, Weights};
use crate::store::{Fields, Value};

/// With more products the service drops some, and the lists are not exact.
const PRODUCTS: usize = 1000;

/// What happened to a product.
#[derive(Clone, Copy, Debug, Default)]
struct Doings {
    quantity: i64,
    total_amount: i64,
    interest: i128,
}

/// One document of trending products.
#[derive(Default)]
pub struct Trending {
    /// The number of the latest window.
    latest: i64,
    /// All products that ever were in an event.
    seen: HashSet<String>,
    /// By window and product; only windows that can still matter.
    windows: BTreeMap<i64, BTreeMap<String, Doings>>,
}

/// What an event does to products: none for an event of no product, or one from the future.
fn doings(event: &Event<'_>, record_ms: i64, weights: Weights) -> Vec<(String, Doings)> {
    if window(event) * (WINDOW / 1000) > record_ms {
        return Vec::new();
    }
    let of = |weight: i64, n: u32| Doings { interest: i128::from(weight) * i128::from(n), ..Doings::default() };
    match &event.payload {
        Payload::SessionStarted { .. } | Payload::SessionEnded { .. } | Payload::CategoryViewed { .. } => Vec::new(),
        Payload::ProductViewed { product } => vec![(product.id.to_string(), of(weights.view, 1))],
        Payload::ProductAddedToCart(c) => vec![(c.product.id.to_string(), of(weights.cart, c.quantity.get()))],
        Payload::ProductRemovedFromCart(c) => vec![(c.product.id.to_string(), of(weights.removal, c.quantity.get()))],
        Payload::Purchase(purchase) => {
            let items = purchase.items.iter().map(|item| {
                let doings = Doings {
                    quantity: item.quantity.get().into(),
                    total_amount: item.subtotal.minor(),
                    ..of(weights.purchase, item.quantity.get())
                };
                (item.product.id.to_string(), doings)
            });
            items.collect()
        }
    }
}

fn window(event: &Event<'_>) -> i64 {
    event.timestamp.micros().div_euclid(WINDOW)
}

/// Takes an event into the documents by path.
pub fn take(documents: &mut BTreeMap<String, Trending>, event: &Event<'_>, record_ms: i64, rules: &Rules) {
    let doings = doings(event, record_ms, rules.weights);
    if doings.is_empty() {
        return;
    }
    let path = "leaderboards/trending";
    for path in [path.to_owned(), format!("countries/{}/{path}", event.location.country)] {
        let fresh = || Trending { latest: window(event), ..Trending::default() };
        documents.entry(path).or_insert_with(fresh).take(window(event), &doings, rules);
    }
}

impl Trending {
    fn take(&mut self, window: i64, doings: &[(String, Doings)], rules: &Rules) {
        self.latest = self.latest.max(window);
        // The latest window only rises, so what is too old now will never matter again.
        self.windows = self.windows.split_off(&(self.latest - 2 * rules.trending_windows + 1));
        for (product, more) in doings {
            if !self.seen.contains(product) {
                self.seen.insert(product.clone());
            }
            if window > self.latest - 2 * rules.trending_windows {
                let sum = self.windows.entry(window).or_default().entry(product.clone()).or_default();
                sum.add(more);
            }
        }
    }

    /// What happened in the windows from `first` on, `rules.trending_windows` of them.
    fn sums(&self, first: i64, rules: &Rules) -> BTreeMap<&str, Doings> {
        let mut sums: BTreeMap<&str, Doings> = BTreeMap::new();
        for products in self.windows.range(first..first + rules.trending_windows).map(|(_, products)| products) {
            for (product, more) in products {
                sums.entry(product).or_default().add(more);
            }
        }
        sums
    }

    /// The fields. Where products may have been dropped, only `latest_window`, and the true quantities, which stored ones
    /// must not exceed.
    pub fn fields(&self, rules: &Rules) -> (Fields, Option<BTreeMap<String, i64>>) {
        let mut fields = Fields::default();
        fields.set("latest_window", Value::Timestamp(self.latest * WINDOW));
        let first = self.latest - rules.trending_windows + 1;
        let (recent, previous) = (self.sums(first, rules), self.sums(first - rules.trending_windows, rules));
        if self.seen.len() > PRODUCTS {
            let quantities = recent.iter().map(|(product, sum)| ((*product).to_owned(), sum.quantity));
            return (fields, Some(quantities.collect()));
        }

        let mut bought: Vec<_> = recent.iter().filter(|(_, sum)| sum.quantity > 0).collect();
        bought.sort_by_key(|(product, sum)| (-sum.quantity, **product));
        let bought = bought.into_iter().take(rules.trending_size).map(|(product, sum)| {
            map(vec![
                ("product", string(product)),
                ("quantity", Value::Integer(sum.quantity)),
                ("total_amount", amount(sum.total_amount)),
            ])
        });
        fields.set("most_bought", Value::Array(bought.collect()));

        let mut rising: Vec<_> = recent
            .keys()
            .chain(previous.keys())
            .map(|product| {
                let interest = |sums: &BTreeMap<&str, Doings>| sums.get(product).map_or(0, |sum| sum.interest);
                let (now, before) = (interest(&recent), interest(&previous));
                (-(now - before), *product, now, before)
            })
            .filter(|(fall, ..)| *fall < 0)
            .collect();
        rising.sort_unstable();
        rising.dedup();
        let rising = rising.into_iter().take(rules.trending_size).map(|(fall, product, now, before)| {
            map(vec![
                ("product", string(product)),
                ("interest_score", integer(now)),
                ("previous_interest_score", integer(before)),
                ("rise", integer(-fall)),
            ])
        });
        fields.set("rising", Value::Array(rising.collect()));
        fields.set("omitted_products_count", Value::Integer(0));
        (fields, None)
    }
}

impl Doings {
    fn add(&mut self, more: &Self) {
        self.quantity += more.quantity;
        self.total_amount += more.total_amount;
        self.interest += more.interest;
    }
}
