//! The types of an event. Text borrows from the message where it can.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::reject::BAD_VALUE;
use crate::{CountryCode, Money, Timestamp};

/// One event of a shopper's session. The envelope is the same for all types; `payload` is `event_type` and
/// `parameters` on the wire.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(description = "One event of a shopper's session. Unknown extra fields are accepted.")]
pub struct Event<'a> {
    /// Unique id of the event; the same id again in the same session is a duplicate. Not empty.
    pub event_id: Cow<'a, str>,
    /// Id of the session, and the key of the Kafka message. Not empty, at most [`MAX_ID_BYTES`] bytes.
    pub session_id: Cow<'a, str>,
    /// Id of the shopper. Not empty.
    pub user_id: Cow<'a, str>,
    /// When the event happened.
    pub timestamp: Timestamp,
    /// Where the shopper is.
    pub location: Location<'a>,
    /// What happened.
    #[schemars(flatten)]
    pub payload: Payload<'a>,
}

/// The longest id or state name, in bytes. Percent-encoded (three bytes for one) it fits a Firestore document id
/// (1,500 bytes; <https://firebase.google.com/docs/firestore/quotas>).
pub const MAX_ID_BYTES: usize = 500;

/// What happened: the event's type with its parameters.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(tag = "event_type", content = "parameters", rename_all = "snake_case")]
pub enum Payload<'a> {
    /// A shopper came.
    SessionStarted {
        /// The `User-Agent` of the shopper's browser.
        user_agent: Cow<'a, str>,
    },
    /// A category page was seen.
    CategoryViewed {
        /// Which.
        category: Category<'a>,
    },
    /// A product page was seen.
    ProductViewed {
        /// Which.
        product: Product<'a>,
    },
    /// Something was put into the cart.
    ProductAddedToCart(CartChange<'a>),
    /// Something was taken out of the cart.
    ProductRemovedFromCart(CartChange<'a>),
    /// An order was placed.
    Purchase(Purchase<'a>),
    /// The shopper left.
    SessionEnded {
        /// Length of the session in seconds.
        seconds_duration: u32,
    },
}

impl Payload<'_> {
    /// The wire names of all types, in the order of the variants; [`Self::type_index`] is an index into it.
    pub const TYPES: [&'static str; 7] = [
        "session_started",
        "category_viewed",
        "product_viewed",
        "product_added_to_cart",
        "product_removed_from_cart",
        "purchase",
        "session_ended",
    ];

    /// The position of the type in [`Self::TYPES`].
    pub const fn type_index(&self) -> usize {
        match self {
            Self::SessionStarted { .. } => 0,
            Self::CategoryViewed { .. } => 1,
            Self::ProductViewed { .. } => 2,
            Self::ProductAddedToCart(_) => 3,
            Self::ProductRemovedFromCart(_) => 4,
            Self::Purchase(_) => 5,
            Self::SessionEnded { .. } => 6,
        }
    }

    /// The wire name of the type, such as `purchase`.
    pub const fn event_type(&self) -> &'static str {
        Self::TYPES[self.type_index()]
    }
}

/// A place.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
pub struct Location<'a> {
    /// Country.
    pub country: CountryCode,
    /// State, province or region; may be empty where a country has none. At most [`MAX_ID_BYTES`] bytes.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// City.
    #[serde(borrow)]
    pub city: Cow<'a, str>,
    /// Degrees north, −90 to 90.
    #[schemars(range(min = -90.0, max = 90.0))]
    pub latitude: f64,
    /// Degrees east, −180 to 180.
    #[schemars(range(min = -180.0, max = 180.0))]
    pub longitude: f64,
}

/// A category of products.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
pub struct Category<'a> {
    /// Id; not empty, at most [`MAX_ID_BYTES`] bytes.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// Name for people.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

/// A product.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
pub struct Product<'a> {
    /// Id; not empty, at most [`MAX_ID_BYTES`] bytes.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// Name for people.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Its category.
    #[serde(borrow)]
    pub category: Category<'a>,
    /// Price of one piece.
    pub price: Money,
    /// Currency of the price, ISO 4217; must be the shop's.
    #[serde(borrow)]
    pub currency: Cow<'a, str>,
}

/// A number of pieces: 1 to 1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(u32);

impl Quantity {
    /// The largest quantity of one item.
    pub const MAX: u32 = 1_000_000;

    /// Checks the range; `None` outside 1 to [`Self::MAX`].
    pub const fn new(pieces: u32) -> Option<Self> {
        if pieces >= 1 && pieces <= Self::MAX { Some(Self(pieces)) } else { None }
    }

    /// The number of pieces.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Quantity;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of pieces")
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Quantity, E> {
                u32::try_from(v).ok().and_then(Quantity::new).ok_or_else(|| {
                    E::custom(format_args!("{BAD_VALUE} quantity {v}: allowed are 1 to {}", Quantity::MAX))
                })
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Quantity, E> {
                Err(E::custom(format_args!("{BAD_VALUE} quantity {v}: allowed are 1 to {}", Quantity::MAX)))
            }
        }
        deserializer.deserialize_u32(V)
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": Self::MAX })
    }
}

/// A product and how many pieces of it went into or out of the cart.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
pub struct CartChange<'a> {
    /// Which product.
    #[serde(borrow)]
    pub product: Product<'a>,
    /// How many pieces.
    pub quantity: Quantity,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
pub struct Item<'a> {
    /// Which product.
    #[serde(borrow)]
    pub product: Product<'a>,
    /// How many pieces.
    pub quantity: Quantity,
    /// What the line costs.
    pub subtotal: Money,
}

/// A way to pay.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
pub struct PaymentMethod<'a> {
    /// Id; not empty, at most [`MAX_ID_BYTES`] bytes.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// Name for people.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
pub struct Purchase<'a> {
    /// Its lines.
    #[serde(borrow)]
    pub items: Vec<Item<'a>>,
    /// What the shopper pays.
    pub total_amount: Money,
    /// What was taken off.
    pub discount_amount: Money,
    /// Where it goes.
    #[serde(borrow)]
    pub shipping_address: Location<'a>,
    /// What shipping costs.
    pub shipping_cost: Money,
    /// How it is paid.
    #[serde(borrow)]
    pub payment_method: PaymentMethod<'a>,
    /// When it should arrive.
    pub estimated_delivery_date: Timestamp,
}
