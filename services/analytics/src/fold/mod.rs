//! Events to increments of documents.
//!
//! An event touches up to thirty documents, but only two or three *cells*: what it is about, its country and its time, and
//! the shop's. [`Folder::fold`] adds to cells; [`Folder::drain`] rolls the cells up into documents ([`rollup`]), once a
//! commit. That is where the speed comes from: a cell that many events hit is rolled up once. What sessions add comes
//! from [`crate::session`] through an [`Account`].

mod account;
mod interner;
mod live;
mod rollup;

use hashbrown::HashMap;
use storepulse_events::{Event, Payload, Product};

use crate::document::counters::{product, shop};
use crate::document::grain::WINDOW_MINUTES;
use crate::document::{Change, DocumentId, DocumentRules, Grain, Minute};
pub use account::Account;
use interner::Interner;
use live::{Live, live_at};

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

/// Time is counted in minutes since the Unix epoch, of the beginning of the finest grain that the topic has.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Cell {
    topic: Topic,
    time: i64,
    country: u16,
    live: Live,
}

/// Values of a cell. A shop's are those of [`shop`] up to sessions, and then [`EVENTS`] and the two below it; the others'
/// those of their kind, with events after the close of the hour behind a product's or a category's.
type Sums = [i64; 11];

/// Place of a shop's events.
const EVENTS: usize = shop::SESSIONS;
/// Of its events after the close of their hour, and of their window.
const LATE_FOR_HOUR: usize = EVENTS + 1;
const LATE_FOR_WINDOW: usize = EVENTS + 2;

/// When an event came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The stream time of its partition with it ([`crate::session`]), in milliseconds since the Unix epoch.
    pub stream_time: i64,
    /// The watermark of its partition before it, likewise; `i64::MIN`: none.
    pub watermark: i64,
}

/// Adds up events between two commits.
#[derive(Default)]
pub struct Folder {
    rules: DocumentRules,
    cells: HashMap<Cell, Sums>,
    /// What sessions add.
    pub account: Account,
    products: Interner,
    categories: Interner,
    payments: Interner,
    states: Interner,
}

/// Above this many interned ids the interners are emptied at the next drain, so that junk ids don't pile up.
const MAX_INTERNED: usize = 100_000;

impl Folder {
    /// With nothing in it.
    pub fn new(rules: DocumentRules) -> Self {
        Self { rules, account: Account::new(rules), ..Self::default() }
    }

    /// How much it holds, in cells and the like.
    pub fn len(&self) -> usize {
        self.cells.len() + self.account.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an event that counts.
    pub fn fold(&mut self, event: &Event<'_>, arrival: Arrival) {
        let country = event.location.country.index();
        let minute = Minute::of(event.timestamp);
        let window = minute.window();
        let live = live_at(window, arrival.stream_time, &self.rules);
        let is_late = |grain: Grain| {
            i64::from(grain.end_ms().is_some_and(|end| arrival.watermark >= end + self.rules.lateness_ms))
        };
        let (late_hour, late_window) = (is_late(Grain::Hour(window.hour())), is_late(Grain::Window(window)));
        let windows = i64::from(window.number());
        let at = |topic: Topic| {
            let time = match topic {
                Topic::Shop => minute.number(),
                Topic::Product { .. } => windows * WINDOW_MINUTES,
                Topic::Category(_) => windows.div_euclid(4) * 60,
                Topic::Payment(_) | Topic::Shipping(_) => windows.div_euclid(96) * 1440,
            };
            Cell { topic, time, country, live }
        };
        let mut of_shop = [0; 11];
        of_shop[EVENTS] = 1;
        (of_shop[LATE_FOR_HOUR], of_shop[LATE_FOR_WINDOW]) = (late_hour, late_window);
        let about = |place: usize, value: i64| {
            let mut sums = [0; 7];
            (sums[place], sums[product::LATE]) = (value, late_hour);
            sums
        };
        match &event.payload {
            Payload::SessionStarted { .. } => of_shop[shop::STARTED] = 1,
            Payload::SessionEnded { seconds_duration } => {
                (of_shop[shop::ENDED], of_shop[shop::DURATION]) = (1, i64::from(*seconds_duration));
            }
            Payload::CategoryViewed { category } => {
                let topic = Topic::Category(self.categories.id(&category.id, &category.name));
                self.add(at(topic), [1, 0, 0, 0, 0, 0, 0, late_hour]);
            }
            Payload::ProductViewed { product } => {
                of_shop[shop::PRODUCT_VIEWS] = 1;
                let topic = self.product(product);
                self.add(at(topic), about(product::VIEWS, 1));
            }
            Payload::ProductAddedToCart(change) => {
                let topic = self.product(&change.product);
                self.add(at(topic), about(product::ADDED, i64::from(change.quantity.get())));
            }
            Payload::ProductRemovedFromCart(change) => {
                let topic = self.product(&change.product);
                self.add(at(topic), about(product::REMOVED, i64::from(change.quantity.get())));
            }
            Payload::Purchase(purchase) => {
                let mut pieces = 0;
                for item in &purchase.items {
                    let quantity = i64::from(item.quantity.get());
                    pieces += quantity;
                    let topic = self.product(&item.product);
                    self.add(at(topic), [0, 0, 0, item.subtotal.minor(), quantity, 1, late_hour]);
                }
                let (total, discount) = (purchase.total_amount.minor(), purchase.discount_amount.minor());
                (of_shop[shop::PURCHASES], of_shop[shop::AMOUNT]) = (1, total);
                (of_shop[shop::DISCOUNT], of_shop[shop::ITEMS]) = (discount, pieces);
                let method = &purchase.payment_method;
                let topic = Topic::Payment(self.payments.id(&method.id, &method.name));
                self.add(at(topic), [1, total]);
                let address = &purchase.shipping_address;
                let hours = event.timestamp.hours_until(purchase.estimated_delivery_date);
                let topic = Topic::Shipping(self.states.id(&address.state, ""));
                let cell = Cell { country: address.country.index(), ..at(topic) };
                self.add(cell, [1, pieces, purchase.shipping_cost.minor(), hours]);
            }
        }
        self.add(at(Topic::Shop), of_shop);
    }

    fn product(&mut self, product: &Product<'_>) -> Topic {
        let category = self.categories.id(&product.category.id, &product.category.name);
        Topic::Product { product: self.products.id(&product.id, &product.name), category }
    }

    fn add<const N: usize>(&mut self, cell: Cell, values: [i64; N]) {
        rollup::add(self.cells.entry(cell).or_default(), &values);
    }

    /// Rolls the cells up into the documents they belong to, and empties them. Gives `take` each document of counters once.
    pub fn drain(&mut self, take: impl FnMut(DocumentId, Change)) {
        rollup::drain(self, take);
        for interner in [&mut self.products, &mut self.categories, &mut self.payments, &mut self.states] {
            if interner.len() > MAX_INTERNED {
                *interner = Interner::default();
            }
        }
    }
}

#[cfg(test)]
mod tests;
