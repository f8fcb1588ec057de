//! One shopper's session as a state machine: what happens next, and after how long.

use crate::rng::{Rng, derive};
use crate::settings::Behaviour;
use crate::world::World;

/// What happens next in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The shopper comes.
    Start,
    /// The shopper opens the page of a category.
    ViewCategory,
    /// The shopper opens the page of a product.
    ViewProduct,
    /// The product goes into the cart.
    Add,
    /// Something goes out of the cart.
    Remove,
    /// The cart is bought.
    Purchase,
    /// The shopper leaves.
    End,
}

/// The most products that are looked at in a session.
const MAX_VISITS: u32 = 20;
/// Probability that a shopper looks at one more product; the mean is five.
const STAYS: f64 = 0.8;
/// Probability that the next product is one of another category.
const CHANGES_CATEGORY: f64 = 0.35;

/// A shopper's seat: sessions of users follow one another in it.
#[derive(Clone, Debug)]
pub struct Session {
    /// Random numbers of this session only: what it holds depends on nothing else.
    pub rng: Rng,
    seed: u64,
    number: u64,
    /// What happens next.
    pub step: Step,
    /// Id of the session, the key of its messages.
    pub id: String,
    /// Index of the shopper among the worker's users.
    pub user: u32,
    /// Timestamp of its start, in microseconds since the Unix epoch.
    pub started: i64,
    /// The category being looked at.
    pub category: usize,
    /// The product being looked at.
    pub product: u32,
    /// Pieces that the current step adds or removes.
    pub quantity: u32,
    /// Products and pieces in the cart.
    pub cart: Vec<(u32, u32)>,
    visits_left: u32,
}

impl Session {
    /// A seat before its first session.
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            seed,
            number: 0,
            step: Step::Start,
            id: String::with_capacity(36),
            user: 0,
            started: 0,
            category: 0,
            product: 0,
            quantity: 0,
            cart: Vec::new(),
            visits_left: 0,
        }
    }

    /// Prepares the next session. `user` gets the random numbers of the session to choose its shopper.
    pub fn begin(&mut self, user: impl FnOnce(&mut Rng) -> u32) {
        self.rng = Rng::new(derive(self.seed, self.number));
        self.number += 1;
        self.user = user(&mut self.rng);
        self.id.clear();
        self.id.push_str(std::str::from_utf8(&self.rng.uuid()).unwrap_or_default());
        self.cart.clear();
        self.visits_left = 1;
        while self.visits_left < MAX_VISITS && self.rng.chance(STAYS) {
            self.visits_left += 1;
        }
    }

    /// The shopper of the next session, whom [`Self::begin`] will choose with the same `user`.
    pub fn next_user(&self, user: impl FnOnce(&mut Rng) -> u32) -> u32 {
        user(&mut Rng::new(derive(self.seed, self.number)))
    }

    /// Decides the details of the current step, and changes the cart by it.
    pub fn enter(&mut self, world: &World, behaviour: &Behaviour) {
        match self.step {
            Step::ViewCategory => self.category = world.pick_category(&mut self.rng),
            Step::ViewProduct => self.product = world.pick_product(&mut self.rng, self.category),
            Step::Add => {
                let (low, high) = behaviour.cart_quantity;
                self.quantity = self.rng.between(low.into(), high.into()) as u32;
                match self.cart.iter_mut().find(|(product, _)| *product == self.product) {
                    // At most MAX_VISITS times 1,000 pieces: within the wire format's limits.
                    Some((_, pieces)) => *pieces += self.quantity,
                    None => self.cart.push((self.product, self.quantity)),
                }
            }
            Step::Remove => {
                let line = self.rng.below(self.cart.len() as u64) as usize;
                let (product, pieces) = self.cart[line];
                self.product = product;
                self.quantity = self.rng.between(1, pieces.into()) as u32;
                if self.quantity == pieces {
                    self.cart.swap_remove(line);
                } else {
                    self.cart[line].1 -= self.quantity;
                }
            }
            Step::Start | Step::Purchase | Step::End => {}
        }
    }

    /// Moves to the step after the current one.
    pub fn advance(&mut self, behaviour: &Behaviour) {
        self.step = match self.step {
            Step::Start => Step::ViewCategory,
            Step::ViewCategory => Step::ViewProduct,
            Step::ViewProduct if self.rng.chance(behaviour.add_to_cart) => Step::Add,
            Step::Add if self.rng.chance(behaviour.remove_from_cart) => Step::Remove,
            Step::ViewProduct | Step::Add | Step::Remove => self.after_visit(behaviour),
            Step::Purchase => Step::End,
            Step::End => Step::Start,
        };
    }

    fn after_visit(&mut self, behaviour: &Behaviour) -> Step {
        self.visits_left = self.visits_left.saturating_sub(1);
        if self.visits_left > 0 {
            if self.rng.chance(CHANGES_CATEGORY) { Step::ViewCategory } else { Step::ViewProduct }
        } else if !self.cart.is_empty() && self.rng.chance(behaviour.purchase) {
            Step::Purchase
        } else {
            Step::End
        }
    }
}
