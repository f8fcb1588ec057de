//! What a message adds to the ledger once it has been acknowledged.

use storepulse_events::{CountryCode, Day};

/// What a message is to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first copy of a well-formed event.
    Original {
        /// It was sent long after its time.
        late: bool,
        /// It was sent after its successor in the session.
        out_of_order: bool,
    },
    /// A further copy.
    Duplicate,
    /// Not an event: the index of its kind in [`crate::malformed::Kind::ALL`].
    Malformed(u8),
}

/// The ledger's entry for one message; small, because one waits for each message in flight.
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    /// What the message is.
    pub kind: Kind,
    /// Index into [`storepulse_events::Payload::TYPES`].
    pub event_type: u8,
    /// The event's own country.
    pub country: CountryCode,
    /// The UTC day of the event's own timestamp.
    pub day: Day,
    /// What it adds beyond being there.
    pub detail: Detail,
}

impl Fact {
    /// How many lines of an order are kept beside it.
    pub const fn line_count(&self) -> usize {
        if let Detail::Purchase { lines, .. } = self.detail { lines as usize } else { 0 }
    }
}

/// Amounts that a type of event adds.
#[derive(Clone, Copy, Debug)]
pub enum Detail {
    /// Nothing.
    None,
    /// A product was seen.
    Viewed {
        /// Index of the product in the world.
        product: u32,
    },
    /// Pieces went into the cart, or out of it.
    Cart {
        /// Index of the product in the world.
        product: u32,
        /// Pieces.
        quantity: u32,
    },
    /// An order; its lines are kept beside the fact.
    Purchase {
        /// Index of the payment method in the world.
        payment: u32,
        /// Number of lines.
        lines: u32,
        /// In minor units.
        total: i64,
        /// In minor units.
        discount: i64,
    },
    /// The end of a session.
    Ended {
        /// Its length.
        seconds: u32,
    },
}

/// A line of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Index of the product in the world.
    pub product: u32,
    /// Pieces.
    pub quantity: u32,
    /// In minor units.
    pub subtotal: i64,
}
