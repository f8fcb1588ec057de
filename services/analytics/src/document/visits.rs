//! Who came, and for how long: the state of a document of visits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use datasketches::hll::{HllSketch, HllType};

use super::lengths::{Lengths, RELATIVE_ERROR};
use crate::store::{Fields, Value};

/// The sketch's registers, as a power of two.
const LG_REGISTERS: u8 = 12;

/// The relative standard error of the number of users: 1.04 ÷ √4096.
pub const USERS_STANDARD_ERROR: f64 = 0.01625;

/// Keys of the bookkeeping.
const USERS: &str = "users";
const LENGTHS: &str = "lengths";

/// The quantiles and their fields.
const QUANTILES: [(f64, &str); 3] =
    [(0.5, "session_length_p50_seconds"), (0.9, "session_length_p90_seconds"), (0.99, "session_length_p99_seconds")];

/// Users and lengths of sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visits {
    /// `None`: nobody.
    users: Option<HllSketch>,
    lengths: Lengths,
}

impl Visits {
    /// Adds users by their hashes, and sessions by their buckets. Users may come again.
    pub fn add(&mut self, users: &[u64], lengths: &[(u16, i64)]) {
        if self.users.is_none() && !users.is_empty() {
            self.users = HllSketch::new(LG_REGISTERS, HllType::Hll8).ok();
        }
        if let Some(sketch) = &mut self.users {
            users.iter().for_each(|user| sketch.update(*user));
        }
        lengths.iter().for_each(|(bucket, count)| self.lengths.add(*bucket, *count));
    }

    /// How many users, roughly. It is a function of the set of users, not of the order in which they came.
    pub fn unique_users(&self) -> i64 {
        self.users.as_ref().map_or(0, |sketch| sketch.composite_estimate().round() as i64)
    }

    /// Adds the fields.
    pub fn describe(&self, fields: &mut Fields) {
        fields.set("unique_visitors_count", Value::Integer(self.unique_users()));
        fields.set("unique_visitors_standard_error", Value::Double(USERS_STANDARD_ERROR));
        fields.set("measured_sessions_count", Value::Integer(self.lengths.sessions()));
        fields.set("session_length_relative_error", Value::Double(RELATIVE_ERROR));
        for (share, name) in QUANTILES {
            if let Some(seconds) = self.lengths.quantile(share) {
                fields.set(name, Value::Double(seconds));
            }
        }
    }

    /// Adds the bookkeeping from which [`Self::from_bookkeeping`] makes the state again.
    pub fn keep(&self, bookkeeping: &mut Fields) {
        if let Some(users) = &self.users {
            bookkeeping.set(USERS, Value::String(BASE64.encode(users.serialize())));
        }
        let counts: Vec<(u16, i64)> = self.lengths.counts().collect();
        // Encoding into a growing vector can't fail.
        let bytes = postcard::to_stdvec(&counts).unwrap_or_default();
        bookkeeping.set(LENGTHS, Value::String(BASE64.encode(bytes)));
    }

    /// The inverse of [`Self::keep`].
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn from_bookkeeping(bookkeeping: &Fields) -> Result<Self, String> {
        let bytes = |name: &str| match bookkeeping.get(name) {
            Some(Value::String(text)) => BASE64.decode(text).map(Some).map_err(|e| format!("{name}: {e}")),
            Some(_) => Err(format!("{name} is no text")),
            None => Ok(None),
        };
        let users = bytes(USERS)?.map(|bytes| HllSketch::deserialize(&bytes)).transpose();
        let users = users.map_err(|e| format!("{USERS}: {e}"))?;
        if users.as_ref().is_some_and(|sketch| sketch.lg_config_k() != LG_REGISTERS) {
            return Err(format!("{USERS}: it is of another size"));
        }
        let counts = bytes(LENGTHS)?.ok_or_else(|| format!("it has no {LENGTHS}"))?;
        let counts: Vec<(u16, i64)> = postcard::from_bytes(&counts).map_err(|e| format!("{LENGTHS}: {e}"))?;
        Ok(Self { users, lengths: Lengths::from_counts(counts) })
    }

    /// Roughly the memory that it takes beyond its own size, in bytes.
    pub fn heap_bytes(&self) -> usize {
        /// Of an entry of a tree, with its share of nodes that are not full.
        const BUCKET: usize = 24;
        self.users.as_ref().map_or(0, HllSketch::estimated_size) + self.lengths.buckets() * BUCKET
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    fn users(n: u32) -> Vec<u64> {
        (0..n).map(|i| xxh3_64(format!("user-{i}").as_bytes())).collect()
    }

    #[test]
    fn the_number_of_users_depends_on_who_came_not_on_when_and_keeps_its_error() {
        for n in [1, 5, 100, 500, 3_000, 50_000, 300_000] {
            let mut list = users(n);
            let mut one = Visits::default();
            one.add(&list, &[]);
            list.reverse();
            let mut other = Visits::default();
            for part in list.chunks(997) {
                other.add(part, &[]);
                let mut bookkeeping = Fields::default();
                other.keep(&mut bookkeeping);
                other = Visits::from_bookkeeping(&bookkeeping).unwrap();
                other.add(part, &[]);
            }
            assert_eq!(one.unique_users(), other.unique_users(), "{n}");
            let error = (one.unique_users() - i64::from(n)).abs() as f64 / f64::from(n);
            assert!(error <= 4.0 * USERS_STANDARD_ERROR, "{n}: {}", one.unique_users());
        }
    }

    #[test]
    fn what_is_kept_comes_back_and_what_is_damaged_is_refused() {
        let mut visits = Visits::default();
        visits.add(&users(1_000), &[(0, 3), (300, 2)]);
        let mut bookkeeping = Fields::default();
        visits.keep(&mut bookkeeping);
        let again = Visits::from_bookkeeping(&bookkeeping).unwrap();
        let described = |visits: &Visits| {
            let mut fields = Fields::default();
            visits.describe(&mut fields);
            fields
        };
        assert_eq!(described(&again), described(&visits));
        for (name, value) in [(USERS, "no base64 %"), (USERS, "AAAA"), (LENGTHS, "////")] {
            let mut damaged = bookkeeping.clone();
            damaged.set(name, Value::String(value.into()));
            assert!(Visits::from_bookkeeping(&damaged).is_err(), "{name}");
        }
        assert!(Visits::from_bookkeeping(&Fields::default()).is_err());
    }
}
