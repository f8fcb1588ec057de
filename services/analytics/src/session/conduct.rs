//! What a session did, as far as the shop's documents tell of it; the rules are in `docs/documents.md`.
//!
//! What a session adds to documents is a function of what it did so far ([`Conduct::tally`]). Whenever that changes, the
//! difference goes out: so a session that was closed and goes on takes back what it had added.

use serde::{Deserialize, Serialize};
use storepulse_events::{CartChange, Event, Payload};
use xxhash_rust::xxh3::xxh3_64;

use crate::document::counters::SESSION_COUNTERS;
use crate::document::{Hour, Minute, lengths};

const VIEWED: u8 = 1;
const CARTED: u8 = 2;
const BOUGHT: u8 = 4;
const ENDED: u8 = 8;
const CLOSED: u8 = 16;

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conduct {
    /// Window and country of its first event.
    began: (i32, u16),
    /// Times of the earliest and the latest event, in microseconds.
    earliest: i64,
    latest: i64,
    deeds: u8,
    /// Events besides its start and end; 2 stands for more.
    actions: u8,
    /// What is in the cart: pieces, and their worth in minor units.
    cart: (i64, i64),
    /// The visitor that was told last: hash of the user, hour, country.
    visitor: (u64, i32, u16),
}

/// What a session adds to documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// To the shop's counters of sessions, in their order.
    pub counters: [i64; SESSION_COUNTERS],
    /// To which bucket of lengths, if it is closed.
    pub length: Option<u16>,
}

impl Conduct {
    /// Of a session whose first event this is; [`Self::note`] is to follow.
    pub fn begin(event: &Event<'_>) -> Self {
        let micros = event.timestamp.micros();
        Self {
            began: (Minute::of(event.timestamp).window().number(), event.location.country.index()),
            earliest: micros,
            latest: micros,
            deeds: 0,
            actions: 0,
            cart: (0, 0),
            visitor: (0, i32::MIN, u16::MAX),
        }
    }

    /// Takes in an event that counts.
    pub fn note(&mut self, event: &Event<'_>) {
        let micros = event.timestamp.micros();
        self.earliest = self.earliest.min(micros);
        self.latest = self.latest.max(micros);
        match &event.payload {
            Payload::SessionStarted { .. } => return,
            Payload::SessionEnded { .. } => {
                self.deeds |= ENDED;
                return;
            }
            Payload::CategoryViewed { .. } | Payload::ProductViewed { .. } => self.deeds |= VIEWED,
            Payload::ProductAddedToCart(change) => {
                self.deeds |= CARTED;
                let (pieces, worth) = cart_change(change);
                self.cart = (self.cart.0.saturating_add(pieces), self.cart.1.saturating_add(worth));
            }
            Payload::ProductRemovedFromCart(change) => {
                let (pieces, worth) = cart_change(change);
                let left = (self.cart.0 - pieces).max(0);
                self.cart = (left, if left == 0 { 0 } else { (self.cart.1.saturating_sub(worth)).max(0) });
            }
            Payload::Purchase(_) => {
                self.deeds |= BOUGHT;
                self.cart = (0, 0);
            }
        }
        self.actions = (self.actions + 1).min(2);
    }

    /// Remembers the visitor of an event: hash of the user, hour, country. Says who it is unless that was the last.
    pub fn visit(&mut self, event: &Event<'_>) -> Option<(u64, i32, u16)> {
        let user = xxh3_64(event.user_id.as_bytes());
        let visitor = (user, Hour::of(event.timestamp).number(), event.location.country.index());
        (std::mem::replace(&mut self.visitor, visitor) != visitor).then_some(visitor)
    }

    /// Closes it if it has ended, or is idle for `idle_ms` at this watermark; opens it if not.
    pub fn close_or_open(&mut self, watermark: i64, idle_ms: i64) {
        let closed = self.deeds & ENDED != 0 || watermark >= self.idle_at(idle_ms);
        self.deeds = if closed { self.deeds | CLOSED } else { self.deeds & !CLOSED };
    }

    /// Closes it for good.
    pub fn close(&mut self) {
        self.deeds |= CLOSED;
    }

    /// Whether it is closed.
    pub const fn is_closed(&self) -> bool {
        self.deeds & CLOSED != 0
    }

    /// The watermark at which it is idle, in milliseconds.
    pub const fn idle_at(&self, idle_ms: i64) -> i64 {
        self.latest.div_euclid(1_000).saturating_add(idle_ms)
    }

    /// The window and the country that it adds to.
    pub const fn began(&self) -> (i32, u16) {
        self.began
    }

    /// Whether it adds what another state of the session adds, as far as that is seen without counting.
    pub fn adds_like(&self, other: &Self) -> bool {
        let open = (self.deeds | other.deeds) & CLOSED == 0;
        let did = |conduct: &Self| conduct.deeds & (VIEWED | CARTED | BOUGHT | CLOSED);
        let if_closed = |conduct: &Self| (conduct.actions, conduct.cart, conduct.latest, conduct.earliest);
        did(self) == did(other) && (open || if_closed(self) == if_closed(other))
    }

    /// What it adds.
    pub fn tally(&self) -> Tally {
        let did = |deed: u8| i64::from(self.deeds & deed != 0);
        let closed = did(CLOSED);
        let abandoned = if closed == 1 && self.cart.0 > 0 { self.cart } else { (0, 0) };
        let counters = [
            1,
            did(VIEWED),
            did(CARTED),
            did(BOUGHT),
            closed,
            closed * i64::from(self.actions <= 1),
            i64::from(abandoned.0 > 0),
            abandoned.1,
        ];
        let seconds = self.latest.saturating_sub(self.earliest) / 1_000_000;
        Tally { counters, length: (closed == 1).then(|| lengths::bucket(seconds)) }
    }
}

/// The pieces of a change of a cart, and their worth in minor units.
fn cart_change(change: &CartChange<'_>) -> (i64, i64) {
    let pieces = i64::from(change.quantity.get());
    (pieces, pieces.saturating_mul(change.product.price.minor()))
}
