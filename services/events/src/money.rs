//! Exact money: integers of minor units.

use std::borrow::Cow;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::reject::BAD_AMOUNT;

/// An amount of the shop's currency as an exact count of minor units (hundredths).
///
/// On the wire it is a JSON number with two decimals, between 0 and [`Money::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount that a single field of an event may carry: one milliard units of currency.
    pub const MAX: Self = Self(100_000_000_000);
    /// How far, in minor units, a number may be from a whole minor unit and still be read as one. It forgives the
    /// noise of binary fractions (19.99 × 3 = 59.97000000000001) and nothing that a person would call a third decimal.
    const TOLERANCE: f64 = 1e-3;

    /// From a count of minor units (cents).
    pub const fn from_minor(minor: i64) -> Self {
        Self(minor)
    }

    /// The count of minor units (cents).
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// The amount in units of currency as the nearest double, as documents carry it.
    ///
    /// Exact to the cent, and reversible by [`Money::from_units`], up to 2 × 10^13 units (2^51 minor units).
    pub fn units(self) -> f64 {
        self.0 as f64 / 100.0
    }

    /// The inverse of [`Money::units`]: the nearest minor unit of a double. `None` if it is not within the noise of
    /// a double of a whole minor unit, not finite, or too large to be exact.
    pub fn from_units(units: f64) -> Option<Self> {
        let scaled = units * 100.0;
        let rounded = scaled.round();
        // Beyond 2^51 the division by 100 and the multiplication back may miss the integer. Relative noise of one multiplication and one division is below 2^-51.
        let tolerance = Self::TOLERANCE.max(scaled.abs() * 4.5e-16);
        if scaled.is_finite() && rounded.abs() <= 2_251_799_813_685_248.0 && (scaled - rounded).abs() <= tolerance {
            Some(Self(rounded as i64))
        } else {
            None
        }
    }

    /// Appends the amount as a JSON number with exactly two decimals.
    pub fn write_json(self, out: &mut Vec<u8>) {
        if self.0 < 0 {
            out.push(b'-');
        }
        let minor = self.0.unsigned_abs();
        out.extend_from_slice(itoa::Buffer::new().format(minor / 100).as_bytes());
        let cents = (minor % 100) as u8;
        out.extend_from_slice(&[b'.', b'0' + cents / 10, b'0' + cents % 10]);
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let minor = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", minor / 100, minor % 100)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl Visitor<'_> for V {
            type Value = Money;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount: a number with at most two decimals")
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Money, E> {
                match Money::from_units(v) {
                    Some(m) if m >= Money::ZERO && m <= Money::MAX => Ok(m),
                    _ => Err(E::custom(format_args!(
                        "{BAD_AMOUNT} {v}: allowed are 0 to {} with at most two decimals",
                        Money::MAX
                    ))),
                }
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Money, E> {
                self.visit_f64(v as f64)
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Money, E> {
                self.visit_f64(v as f64)
            }
        }
        deserializer.deserialize_f64(V)
    }
}

impl schemars::JsonSchema for Money {
    fn schema_name() -> Cow<'static, str> {
        "Money".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "number",
            "description": "An amount of the shop's currency with two decimals.",
            "minimum": 0,
            "maximum": Self::MAX.units(),
        })
    }
}

/// A currency code of ISO 4217: three upper-case letters, such as `USD`. Its existence is not checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The default currency of a shop.
    pub const USD: Self = Self(*b"USD");

    /// Parses three upper-case letters.
    pub const fn parse(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        if b.len() == 3 && b[0].is_ascii_uppercase() && b[1].is_ascii_uppercase() && b[2].is_ascii_uppercase() {
            Some(Self([b[0], b[1], b[2]]))
        } else {
            None
        }
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Currency {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "a currency is three upper-case letters, such as USD".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn doubles_carry_amounts_exactly(minor in -2_000_000_000_000_000i64..=2_000_000_000_000_000) {
            prop_assert_eq!(Money::from_units(Money(minor).units()), Some(Money(minor)));
        }

        #[test]
        fn the_wire_carries_amounts_exactly(minor in 0..=Money::MAX.0) {
            let mut text = Vec::new();
            Money(minor).write_json(&mut text);
            prop_assert_eq!(serde_json::from_slice::<Money>(&text).unwrap(), Money(minor));
        }
    }

    #[test]
    fn float_noise_is_forgiven_and_a_third_decimal_is_not() {
        assert_eq!(Money::from_units(19.99 * 3.0), Some(Money(5997)));
        assert_eq!(Money::from_units(0.1 + 0.2), Some(Money(30)));
        assert_eq!(Money::from_units(0.001), None);
        assert_eq!(Money::from_units(12.345), None);
        assert_eq!(Money::from_units(f64::NAN), None);
        assert_eq!(Money::from_units(f64::INFINITY), None);
    }

    #[test]
    fn amounts_outside_the_range_are_refused() {
        for bad in ["-0.01", "1000000000.01", "1e300", "\"1.00\"", "null", "true"] {
            assert!(serde_json::from_str::<Money>(bad).is_err(), "{bad}");
        }
        assert_eq!(serde_json::from_str::<Money>("7").unwrap(), Money(700));
    }
}
