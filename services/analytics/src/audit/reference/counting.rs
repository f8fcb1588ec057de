//! What each event and each session adds to the counters of the shop, categories, products, payment methods and
//! deliveries.

use std::collections::{BTreeMap, HashMap};

use storepulse_events::{CartChange, CountryCode, Event, Payload, Purchase, Timestamp};

use super::Rules;
use super::grain::{Grain, MINUTE};
use super::identity::{Identity, Subject};
use super::sessions::{Contribution, Found};

/// Counters by field; amounts in minor units.
pub type Counters = BTreeMap<&'static str, i128>;

/// What is added to counters.
type Addends<'a> = &'a [(&'static str, i128)];

/// A minute of a window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Minute {
    pub events: i128,
    pub purchases: i128,
    pub total_amount: i128,
}

/// When a counted event came.
#[derive(Clone, Copy)]
pub struct Arrival {
    /// The broker's time of its record, in milliseconds.
    pub record_ms: i64,
    /// The watermark of its partition before it.
    pub watermark: Option<i64>,
}

/// All counters.
#[derive(Default)]
pub struct Counting {
    pub documents: HashMap<Identity, Counters>,
    /// By the number of the window.
    pub minutes: HashMap<i64, [Minute; 15]>,
}

impl Counting {
    /// Counts an event.
    pub fn event(&mut self, event: &Event<'_>, arrival: Arrival, rules: &Rules) {
        let shop: Vec<(&str, i128)> = match &event.payload {
            Payload::SessionStarted { .. } => vec![("started_sessions_count", 1)],
            Payload::SessionEnded { seconds_duration } => {
                vec![("ended_sessions_count", 1), ("total_sessions_duration_seconds", i128::from(*seconds_duration))]
            }
            Payload::ProductViewed { .. } => vec![("product_views_count", 1)],
            Payload::Purchase(purchase) => vec![
                ("purchase_count", 1),
                ("total_amount", i128::from(purchase.total_amount.minor())),
                ("total_discount", i128::from(purchase.discount_amount.minor())),
                ("total_items_purchased", pieces(purchase)),
            ],
            Payload::CategoryViewed { .. } | Payload::ProductAddedToCart(_) | Payload::ProductRemovedFromCart(_) => {
                vec![]
            }
        };
        // Every event touches the shop's documents, if only with zeros.
        for identity in of_the_shop(event.timestamp, event.location.country) {
            self.touch(identity, arrival, rules, &shop);
        }
        self.minute(event, arrival, rules);

        let mut category = |id: &str, addends: Addends<'_>| {
            self.thing(Subject::Category(id.to_owned()), event, arrival, rules, addends);
        };
        match &event.payload {
            Payload::SessionStarted { .. } | Payload::SessionEnded { .. } => {}
            Payload::CategoryViewed { category: viewed } => category(&viewed.id, &[("views_count", 1)]),
            Payload::ProductViewed { product } => {
                category(&product.category.id, &[("product_related_view_count", 1)]);
                let product = Subject::Product(product.id.to_string());
                self.thing(product, event, arrival, rules, &[("views_count", 1)]);
            }
            Payload::ProductAddedToCart(change) => self.cart(event, change, "added_to_cart_quantity", arrival, rules),
            Payload::ProductRemovedFromCart(change) => {
                self.cart(event, change, "removed_from_cart_quantity", arrival, rules);
            }
            Payload::Purchase(purchase) => self.purchase(event, purchase, arrival, rules),
        }
    }

    /// Counts what a session adds now, and takes back what it added before.
    pub fn session(&mut self, found: &Found, record_ms: i64, rules: &Rules) {
        let count = |field: fn(&Contribution) -> bool| {
            i128::from(u8::from(field(&found.after))) - i128::from(u8::from(field(&found.before)))
        };
        let mut addends = vec![
            ("sessions_count", count(|c| c.sessions)),
            ("viewing_sessions_count", count(|c| c.viewing)),
            ("carting_sessions_count", count(|c| c.carting)),
            ("buying_sessions_count", count(|c| c.buying)),
            ("closed_sessions_count", count(|c| c.closed)),
            ("bounced_sessions_count", count(|c| c.bounced)),
            ("abandoned_carts_count", count(|c| c.abandoned)),
            ("abandoned_carts_amount", found.after.abandoned_amount - found.before.abandoned_amount),
        ];
        addends.retain(|(_, n)| *n != 0);
        if addends.is_empty() {
            return;
        }
        for identity in of_the_shop(found.start, found.country) {
            if identity.grain.takes(record_ms, rules) {
                self.add(identity, &addends);
            }
        }
    }

    fn minute(&mut self, event: &Event<'_>, arrival: Arrival, rules: &Rules) {
        let window = Grain::window(event.timestamp);
        if let Grain::Window(number) = window
            && window.takes(arrival.record_ms, rules)
        {
            let minute = event.timestamp.micros().div_euclid(MINUTE).rem_euclid(15);
            let minute = &mut self.minutes.entry(number).or_default()[minute as usize];
            minute.events += 1;
            if let Payload::Purchase(purchase) = &event.payload {
                minute.purchases += 1;
                minute.total_amount += i128::from(purchase.total_amount.minor());
            }
        }
    }

    fn cart(
        &mut self,
        event: &Event<'_>,
        change: &CartChange<'_>,
        field: &'static str,
        arrival: Arrival,
        rules: &Rules,
    ) {
        let addends = [(field, i128::from(change.quantity.get()))];
        self.thing(Subject::Product(change.product.id.to_string()), event, arrival, rules, &addends);
        self.thing(Subject::Category(change.product.category.id.to_string()), event, arrival, rules, &addends);
    }

    fn purchase(&mut self, event: &Event<'_>, purchase: &Purchase<'_>, arrival: Arrival, rules: &Rules) {
        let (time, country) = (event.timestamp, event.location.country);
        let payment = Subject::Payment(purchase.payment_method.id.to_string());
        let addends = [("usage_count", 1), ("total_amount", i128::from(purchase.total_amount.minor()))];
        for identity in always(&payment, time, country) {
            self.touch(identity, arrival, rules, &addends);
        }
        for item in &purchase.items {
            let addends = [
                ("total_amount", i128::from(item.subtotal.minor())),
                ("total_items_purchased", i128::from(item.quantity.get())),
                ("purchase_count", 1),
            ];
            self.thing(Subject::Product(item.product.id.to_string()), event, arrival, rules, &addends);
            self.thing(Subject::Category(item.product.category.id.to_string()), event, arrival, rules, &addends);
        }
        // Half to even over whole hours, on exact integers.
        let micros = purchase.estimated_delivery_date.micros() - time.micros();
        let addends = [
            ("shipping_count", 1),
            ("total_items_delivered", pieces(purchase)),
            ("total_shipping_cost", i128::from(purchase.shipping_cost.minor())),
            ("estimated_delivery_hours_waiting", half_even(micros.into(), 3_600_000_000)),
        ];
        let address = &purchase.shipping_address;
        for grain in [Grain::Lifetime, Grain::day(time)] {
            let subject = Subject::Shipping(address.state.to_string());
            self.touch(Identity { subject, country: Some(address.country), grain }, arrival, rules, &addends);
        }
    }

    /// Counts for a category or product.
    fn thing(&mut self, subject: Subject, event: &Event<'_>, arrival: Arrival, rules: &Rules, addends: Addends<'_>) {
        for identity in always(&subject, event.timestamp, event.location.country) {
            self.touch(identity, arrival, rules, addends);
        }
        let hour = Identity { subject, country: None, grain: Grain::hour(event.timestamp) };
        self.touch(hour, arrival, rules, addends);
    }

    /// Counts an event, or an item of it, in a document, unless that is gone.
    fn touch(&mut self, identity: Identity, arrival: Arrival, rules: &Rules, addends: Addends<'_>) {
        let grain = identity.grain;
        if !grain.takes(arrival.record_ms, rules) {
            return;
        }
        let late = arrival.watermark.zip(grain.closes_ms(rules)).is_some_and(|(watermark, closes)| watermark >= closes);
        let counters = self.add(identity, addends);
        if late {
            *counters.entry("events_after_close_count").or_default() += 1;
        }
    }

    fn add(&mut self, identity: Identity, addends: Addends<'_>) -> &mut Counters {
        let counters = self.documents.entry(identity).or_default();
        for (field, n) in addends {
            *counters.entry(field).or_default() += n;
        }
        counters
    }
}

/// The shop's documents of a time and country.
fn of_the_shop(time: Timestamp, country: CountryCode) -> Vec<Identity> {
    let of = |country| Grain::all(time).map(|grain| Identity { subject: Subject::Shop, country, grain });
    [of(None), of(Some(country))].concat()
}

/// The documents that are always kept.
fn always(subject: &Subject, time: Timestamp, country: CountryCode) -> Vec<Identity> {
    let of = |country| {
        [Grain::Lifetime, Grain::day(time)].map(|grain| Identity { subject: subject.clone(), country, grain })
    };
    [of(None), of(Some(country))].concat()
}

fn pieces(purchase: &Purchase<'_>) -> i128 {
    purchase.items.iter().map(|item| i128::from(item.quantity.get())).sum()
}

/// Round half to even of `n / d`, for positive `d`.
fn half_even(n: i128, d: i128) -> i128 {
    let (floor, rest) = (n.div_euclid(d), n.rem_euclid(d));
    match (rest * 2).cmp(&d) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Greater => floor + 1,
        std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
    }
}
