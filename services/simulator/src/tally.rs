//! Counting acknowledged messages, in a worker; what has been counted travels to the supervisor in parts.

use serde::{Deserialize, Serialize};
use storepulse_events::CountryCode;

use crate::fact::{Detail, Fact, Kind, Line};
use crate::malformed;

/// The counters of `statistics/…` documents, money in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the documents")]
pub struct Counters {
    pub started_sessions_count: u64,
    pub ended_sessions_count: u64,
    pub total_sessions_duration_seconds: u64,
    pub purchase_count: u64,
    pub total_amount_minor: i64,
    pub total_discount_minor: i64,
    pub total_items_purchased: u64,
}

/// The counters of `products/…` documents, money in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the documents")]
pub struct ProductCounters {
    pub views_count: u64,
    pub added_to_cart_quantity: u64,
    pub removed_from_cart_quantity: u64,
    pub total_amount_minor: i64,
    pub total_items_purchased: u64,
}

/// The counters of `payments/…` documents, money in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the documents")]
pub struct PaymentCounters {
    pub usage_count: u64,
    pub total_amount_minor: i64,
}

/// What a worker has counted since it last said so. Adding one part to another gives the part of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Messages settled, of every kind, acknowledged or failed: how far the worker's sequence has come.
    pub messages: u64,
    /// Messages that the cluster did not acknowledge; they count nowhere else.
    pub failed: u64,
    /// Unique events by type, as [`storepulse_events::Payload::TYPES`] orders them.
    pub events: [u64; 7],
    /// Further copies of events.
    pub duplicates: u64,
    /// Messages that are no events, by kind.
    pub malformed: [u64; malformed::Kind::ALL.len()],
    /// Unique events sent long after their time.
    pub late: u64,
    /// Unique events sent after their successors.
    pub out_of_order: u64,
    /// Counters by country (its index) and day (its number).
    pub cells: Vec<(u16, i32, Counters)>,
    /// Counters by product.
    pub products: Vec<(u32, ProductCounters)>,
    /// Counters by payment method.
    pub payments: Vec<(u32, PaymentCounters)>,
}

/// Counts one message after another, quickly.
#[derive(Clone, Debug)]
pub struct Tally {
    part: Part,
    /// For each country the day it was last counted in, and where that cell is.
    latest: Vec<(i32, u32)>,
    cells: std::collections::HashMap<(u16, i32), u32>,
    products: Vec<ProductCounters>,
    payments: Vec<PaymentCounters>,
}

/// The number of possible [`CountryCode::index`] values.
const COUNTRIES: usize = 26 * 26;

impl Tally {
    /// Nothing counted yet, for a world with so many products and payment methods.
    pub fn new(products: usize, payments: usize) -> Self {
        Self {
            part: Part::default(),
            latest: vec![(i32::MIN, 0); COUNTRIES],
            cells: Default::default(),
            products: vec![ProductCounters::default(); products],
            payments: vec![PaymentCounters::default(); payments],
        }
    }

    /// Counts a message that was not acknowledged.
    pub fn fail(&mut self) {
        self.part.messages += 1;
        self.part.failed += 1;
    }

    /// Counts an acknowledged message. `lines` are those of an order, else empty.
    pub fn add(&mut self, fact: &Fact, lines: &[Line]) {
        self.part.messages += 1;
        match fact.kind {
            Kind::Duplicate => self.part.duplicates += 1,
            Kind::Malformed(kind) => self.part.malformed[usize::from(kind)] += 1,
            Kind::Original { late, out_of_order } => {
                self.part.late += u64::from(late);
                self.part.out_of_order += u64::from(out_of_order);
                self.part.events[usize::from(fact.event_type)] += 1;
                self.count(fact, lines);
            }
        }
    }

    fn count(&mut self, fact: &Fact, lines: &[Line]) {
        match fact.detail {
            Detail::None if fact.event_type == 0 => self.cell(fact).started_sessions_count += 1,
            Detail::None => {}
            Detail::Viewed { product } => self.products[product as usize].views_count += 1,
            Detail::Cart { product, quantity } if fact.event_type == 3 => {
                self.products[product as usize].added_to_cart_quantity += u64::from(quantity);
            }
            Detail::Cart { product, quantity } => {
                self.products[product as usize].removed_from_cart_quantity += u64::from(quantity);
            }
            Detail::Ended { seconds } => {
                let cell = self.cell(fact);
                cell.ended_sessions_count += 1;
                cell.total_sessions_duration_seconds += u64::from(seconds);
            }
            Detail::Purchase { payment, total, discount, .. } => {
                let pieces = lines.iter().map(|line| u64::from(line.quantity)).sum::<u64>();
                let cell = self.cell(fact);
                cell.purchase_count += 1;
                cell.total_amount_minor += total;
                cell.total_discount_minor += discount;
                cell.total_items_purchased += pieces;
                let payment = &mut self.payments[payment as usize];
                payment.usage_count += 1;
                payment.total_amount_minor += total;
                for line in lines {
                    let product = &mut self.products[line.product as usize];
                    product.total_amount_minor += line.subtotal;
                    product.total_items_purchased += u64::from(line.quantity);
                }
            }
        }
    }

    fn cell(&mut self, fact: &Fact) -> &mut Counters {
        let (country, day) = (fact.country.index(), fact.day.number());
        let (latest_day, latest) = &mut self.latest[usize::from(country)];
        if *latest_day != day {
            let next = self.part.cells.len() as u32;
            let index = *self.cells.entry((country, day)).or_insert(next);
            if index == next {
                self.part.cells.push((country, day, Counters::default()));
            }
            (*latest_day, *latest) = (day, index);
        }
        &mut self.part.cells[*latest as usize].2
    }

    /// Whether nothing was counted since the last [`Self::take`].
    pub fn is_empty(&self) -> bool {
        self.part.messages == 0
    }

    /// What was counted since the last call.
    pub fn take(&mut self) -> Part {
        let mut part = std::mem::take(&mut self.part);
        self.cells.clear();
        self.latest.fill((i32::MIN, 0));
        part.products = sparse(&mut self.products);
        part.payments = sparse(&mut self.payments);
        part
    }
}

/// The entries that are not zero, which become zero.
fn sparse<T: Default + PartialEq>(dense: &mut [T]) -> Vec<(u32, T)> {
    let taken = dense.iter_mut().enumerate().map(|(i, counters)| (i as u32, std::mem::take(counters)));
    taken.filter(|(_, counters)| *counters != T::default()).collect()
}

impl Counters {
    /// Adds another's counts.
    pub const fn add(&mut self, other: &Self) {
        self.started_sessions_count += other.started_sessions_count;
        self.ended_sessions_count += other.ended_sessions_count;
        self.total_sessions_duration_seconds += other.total_sessions_duration_seconds;
        self.purchase_count += other.purchase_count;
        self.total_amount_minor += other.total_amount_minor;
        self.total_discount_minor += other.total_discount_minor;
        self.total_items_purchased += other.total_items_purchased;
    }
}

impl ProductCounters {
    /// Adds another's counts.
    pub const fn add(&mut self, other: &Self) {
        self.views_count += other.views_count;
        self.added_to_cart_quantity += other.added_to_cart_quantity;
        self.removed_from_cart_quantity += other.removed_from_cart_quantity;
        self.total_amount_minor += other.total_amount_minor;
        self.total_items_purchased += other.total_items_purchased;
    }
}

impl PaymentCounters {
    /// Adds another's counts.
    pub const fn add(&mut self, other: &Self) {
        self.usage_count += other.usage_count;
        self.total_amount_minor += other.total_amount_minor;
    }
}

/// The country of an index that came from [`CountryCode::index`], as text.
pub(crate) fn country_text(index: u16) -> String {
    CountryCode::from_index(index).map(|code| code.to_string()).unwrap_or_default()
}
