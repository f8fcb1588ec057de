//! Events to increments of documents.
//!
//! An event touches up to sixteen documents, but only one *cell*: the finest combination of what it is about, its
//! country and its day. [`Folder::fold`] adds to cells, once or twice an event; [`Folder::drain`] rolls the cells up
//! into documents, once a commit. That is where the speed comes from: a cell that many events hit is rolled up once.

mod interner;

use hashbrown::HashMap;
use storepulse_events::{CountryCode, Day, Event, Payload, Product};

use crate::document::counters::{Counters, MAX_COUNTERS};
use crate::document::path::Subject;
use crate::document::{Change, DocumentId, Grain, Kind};
use interner::Interner;

/// What a cell is about. The numbers are the interner's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Topic {
    Shop,
    Category(u32),
    /// A product in its category; it may move to another one.
    Product {
        product: u32,
        category: u32,
    },
    Payment(u32),
    Shipping(u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Cell {
    topic: Topic,
    country: u16,
    day: i32,
}

/// A document, in the interner's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Target {
    kind: Kind,
    id: u32,
    country: Option<u16>,
    day: Option<i32>,
}

/// Adds up events between two commits.
#[derive(Default)]
pub struct Folder {
    cells: HashMap<Cell, Counters>,
    products: Interner,
    categories: Interner,
    payments: Interner,
    states: Interner,
}

/// Above this many interned ids the interners are emptied at the next drain, so that junk ids don't pile up.
const MAX_INTERNED: usize = 100_000;

impl Folder {
    /// The number of cells that hold something.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether no cell holds anything.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Adds an event that counts.
    pub fn fold(&mut self, event: &Event<'_>) {
        let country = event.location.country.index();
        let day = event.timestamp.day().number();
        match &event.payload {
            Payload::SessionStarted { .. } => self.add(Topic::Shop, country, day, [1]),
            Payload::SessionEnded { seconds_duration } => {
                self.add(Topic::Shop, country, day, [0, 1, i64::from(*seconds_duration)]);
            }
            Payload::CategoryViewed { category } => {
                let topic = Topic::Category(self.categories.id(&category.id, &category.name));
                self.add(topic, country, day, [1]);
            }
            Payload::ProductViewed { product } => {
                let topic = self.product(product);
                self.add(topic, country, day, [1]);
            }
            Payload::ProductAddedToCart(change) => {
                let topic = self.product(&change.product);
                self.add(topic, country, day, [0, i64::from(change.quantity.get())]);
            }
            Payload::ProductRemovedFromCart(change) => {
                let topic = self.product(&change.product);
                self.add(topic, country, day, [0, 0, i64::from(change.quantity.get())]);
            }
            Payload::Purchase(purchase) => {
                let mut pieces = 0;
                for item in &purchase.items {
                    let quantity = i64::from(item.quantity.get());
                    pieces += quantity;
                    let topic = self.product(&item.product);
                    self.add(topic, country, day, [0, 0, 0, item.subtotal.minor(), quantity]);
                }
                let (total, discount) = (purchase.total_amount.minor(), purchase.discount_amount.minor());
                self.add(Topic::Shop, country, day, [0, 0, 0, 1, total, discount, pieces]);
                let method = &purchase.payment_method;
                let topic = Topic::Payment(self.payments.id(&method.id, &method.name));
                self.add(topic, country, day, [1, total]);
                let address = &purchase.shipping_address;
                let hours = event.timestamp.hours_until(purchase.estimated_delivery_date);
                let topic = Topic::Shipping(self.states.id(&address.state, ""));
                self.add(topic, address.country.index(), day, [1, pieces, purchase.shipping_cost.minor(), hours]);
            }
        }
    }

    fn product(&mut self, product: &Product<'_>) -> Topic {
        let category = self.categories.id(&product.category.id, &product.category.name);
        Topic::Product { product: self.products.id(&product.id, &product.name), category }
    }

    fn add<const N: usize>(&mut self, topic: Topic, country: u16, day: i32, values: [i64; N]) {
        let counters = self.cells.entry(Cell { topic, country, day }).or_default();
        for (sum, value) in counters.iter_mut().zip(values) {
            *sum += value;
        }
    }

    /// Rolls the cells up into the documents they belong to, and empties them. Gives `take` each document once.
    pub fn drain(&mut self, mut take: impl FnMut(DocumentId, Change)) {
        let mut targets: HashMap<Target, Counters> = HashMap::with_capacity(self.cells.len() * 2);
        for (cell, counters) in self.cells.drain() {
            roll_up(&cell, &counters, &mut targets);
        }
        for (target, counters) in targets {
            let (id, change) = self.change(target, &counters);
            take(id, change);
        }
        for interner in [&mut self.products, &mut self.categories, &mut self.payments, &mut self.states] {
            if interner.len() > MAX_INTERNED {
                *interner = Interner::default();
            }
        }
    }

    fn change(&self, target: Target, counters: &Counters) -> (DocumentId, Change) {
        let names = match target.kind {
            Kind::Shop => None,
            Kind::Category => Some(&self.categories),
            Kind::Product => Some(&self.products),
            Kind::Payment => Some(&self.payments),
            Kind::Shipping => Some(&self.states),
        };
        let id: Box<str> = names.map_or("", |names| names.text(target.id)).into();
        let subject = match target.kind {
            Kind::Shop => Subject::Shop,
            Kind::Category => Subject::Category(id),
            Kind::Product => Subject::Product(id),
            Kind::Payment => Subject::Payment(id),
            Kind::Shipping => Subject::Shipping(id),
        };
        let named = target.country.is_none() && target.day.is_none();
        let name = names.filter(|_| named).map(|names| names.name(target.id)).filter(|name| !name.is_empty());
        let document = DocumentId::Counting {
            country: target.country.and_then(CountryCode::from_index),
            subject,
            grain: target.day.map_or(Grain::Lifetime, |day| Grain::Day(Day::from_number(day))),
        };
        (document, Change::Count { add: *counters, name: name.map(Into::into) })
    }
}

/// Adds a cell to its documents: those of its country and day, of all countries, and of the lifetime.
fn roll_up(cell: &Cell, counters: &Counters, targets: &mut HashMap<Target, Counters>) {
    let mut add = |kind: Kind, id: u32, by_country_only: bool, values: &Counters| {
        for country in [Some(cell.country), None] {
            if by_country_only && country.is_none() {
                continue;
            }
            for day in [Some(cell.day), None] {
                let sums = targets.entry(Target { kind, id, country, day }).or_insert([0; MAX_COUNTERS]);
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
    };
    match cell.topic {
        Topic::Shop => add(Kind::Shop, 0, false, counters),
        Topic::Category(id) => add(Kind::Category, id, false, counters),
        Topic::Payment(id) => add(Kind::Payment, id, false, counters),
        Topic::Shipping(id) => add(Kind::Shipping, id, true, counters),
        Topic::Product { product, category } => {
            add(Kind::Product, product, false, counters);
            // A product's views are its category's product-related views; the rest counts for both alike.
            let [views, added, removed, amount, items, ..] = *counters;
            add(Kind::Category, category, false, &[0, views, added, removed, amount, items, 0]);
        }
    }
}

#[cfg(test)]
mod tests;
