//! What an event says: its parameters, made from the session's step.

use std::borrow::Cow;

use storepulse_events::{
    CartChange, Item, Location, Money, Payload, PaymentMethod, Product, Purchase, Quantity, Timestamp,
};

use crate::fact::{Detail, Line};
use crate::session::{Session, Step};
use crate::settings::{Behaviour, MICROS};
use crate::world::World;

/// A shopper.
#[derive(Debug)]
pub(crate) struct User {
    pub id: String,
    pub agent: &'static str,
    pub location: Location<'static>,
}

/// What the parameters of an event are made from.
pub(crate) struct Scene<'a, 'w> {
    pub world: &'w World,
    pub behaviour: &'a Behaviour,
    pub user: &'a User,
    pub stamp: i64,
}

impl<'a, 'w: 'a> Scene<'a, 'w> {
    fn product(&self, index: u32) -> Product<'a> {
        product(self.world, index)
    }

    /// The parameters of the session's current step, and what they add to the ledger.
    pub fn payload(&self, session: &mut Session, lines: &mut Vec<Line>, items: Vec<Item<'w>>) -> (Payload<'a>, Detail) {
        let (product, quantity) = (session.product, session.quantity);
        let change = |quantity| CartChange { product: self.product(product), quantity };
        let pieces = || Quantity::new(quantity).unwrap_or(ONE);
        match session.step {
            Step::Start => (Payload::SessionStarted { user_agent: Cow::Borrowed(self.user.agent) }, Detail::None),
            Step::ViewCategory => {
                let category = &self.world.categories[session.category].category;
                (Payload::CategoryViewed { category: borrowed_category(category) }, Detail::None)
            }
            Step::ViewProduct => {
                (Payload::ProductViewed { product: self.product(product) }, Detail::Viewed { product })
            }
            Step::Add => (Payload::ProductAddedToCart(change(pieces())), Detail::Cart { product, quantity }),
            Step::Remove => (Payload::ProductRemovedFromCart(change(pieces())), Detail::Cart { product, quantity }),
            Step::Purchase => self.purchase(session, lines, items),
            Step::End => {
                let seconds = u32::try_from((self.stamp - session.started) / MICROS).unwrap_or(0);
                (Payload::SessionEnded { seconds_duration: seconds }, Detail::Ended { seconds })
            }
        }
    }

    /// Buys the cart. The total is the sum of the lines less the discount; shipping is beside it.
    fn purchase(
        &self,
        session: &mut Session,
        lines: &mut Vec<Line>,
        mut items: Vec<Item<'w>>,
    ) -> (Payload<'a>, Detail) {
        let (behaviour, world) = (self.behaviour, self.world);
        lines.clear();
        let mut sum = 0;
        for &(index, pieces) in &session.cart {
            let product = product(world, index);
            let subtotal = product.price.minor() * i64::from(pieces);
            sum += subtotal;
            lines.push(Line { product: index, quantity: pieces, subtotal });
            let quantity = Quantity::new(pieces).unwrap_or(ONE);
            items.push(Item { product, quantity, subtotal: Money::from_minor(subtotal) });
        }
        let rng = &mut session.rng;
        let percent = if rng.chance(behaviour.discount) { rng.between(5, 30) } else { 0 };
        let discount = (sum * percent + 50) / 100;
        let total = sum - discount;
        let payment = world.pick_payment(rng);
        let method = &world.payment_methods[payment];
        let gift = rng.chance(GIFTS);
        let shipping_address = if gift { world.pick_location(rng) } else { borrowed(&self.user.location) };
        let shipping = rng.between(behaviour.shipping_cost.0, behaviour.shipping_cost.1);
        let minutes = |days: u32| i64::from(days) * 24 * 60;
        let (soonest, latest) = behaviour.delivery_days;
        let delivery = self.stamp + rng.between(minutes(soonest), minutes(latest)) * 60 * MICROS;
        let detail = Detail::Purchase { payment: payment as u32, lines: lines.len() as u32, total, discount };
        let purchase = Purchase {
            items,
            total_amount: Money::from_minor(total),
            discount_amount: Money::from_minor(discount),
            shipping_address,
            shipping_cost: Money::from_minor(shipping),
            payment_method: PaymentMethod { id: Cow::Borrowed(&method.id), name: Cow::Borrowed(&method.name) },
            estimated_delivery_date: Timestamp::from_micros(delivery),
        };
        (Payload::Purchase(purchase), detail)
    }
}

/// Probability that an order goes to another place than the shopper's.
const GIFTS: f64 = 0.08;

const ONE: Quantity = match Quantity::new(1) {
    Some(one) => one,
    None => unreachable!(),
};

/// A product of the catalog without copying its text.
pub(crate) fn product(world: &World, index: u32) -> Product<'_> {
    let product = &world.products[index as usize];
    Product {
        id: Cow::Borrowed(&product.id),
        name: Cow::Borrowed(&product.name),
        category: borrowed_category(&product.category),
        price: product.price,
        currency: Cow::Borrowed(&product.currency),
    }
}

fn borrowed_category<'a>(category: &'a storepulse_events::Category<'_>) -> storepulse_events::Category<'a> {
    storepulse_events::Category { id: Cow::Borrowed(&category.id), name: Cow::Borrowed(&category.name) }
}

/// A place without copying its text.
pub(crate) fn borrowed<'a>(location: &'a Location<'_>) -> Location<'a> {
    Location {
        country: location.country,
        state: Cow::Borrowed(&location.state),
        city: Cow::Borrowed(&location.city),
        latitude: location.latitude,
        longitude: location.longitude,
    }
}
