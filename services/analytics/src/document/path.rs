//! Which document: typed ids, and the paths they have in the store.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use storepulse_events::{CountryCode, Day};
use xxhash_rust::xxh3::xxh3_64;

use super::Kind;

/// The stretch of time that a counting document covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// Everything.
    Lifetime,
    /// One UTC day, of the events' own timestamps.
    Day(Day),
}

impl fmt::Display for Grain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lifetime => f.write_str("lifetime"),
            Self::Day(day) => day.fmt(f),
        }
    }
}

/// What a counting document is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The whole shop.
    Shop,
    /// A category, by id.
    Category(Box<str>),
    /// A product, by id.
    Product(Box<str>),
    /// A payment method, by id.
    Payment(Box<str>),
    /// Deliveries to a state, by name; always with a country.
    Shipping(Box<str>),
}

/// A document of the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(from = "Wire")]
pub enum DocumentId {
    /// A document of counters.
    Counting {
        /// Only events of this country; `None`: all.
        country: Option<CountryCode>,
        /// What it is about.
        subject: Subject,
        /// The time it covers.
        grain: Grain,
    },
    /// `sessions_history/{session_id}`.
    Session(Box<str>),
}

/// How soon a changed document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// The shop, countries, payment methods: what people watch.
    Hot,
    /// Products and categories of the whole shop.
    Warm,
    /// The long tail: products, categories and payment methods by country, deliveries by state.
    Cold,
    /// A session's history, which arrives when the session is over.
    Session,
}

impl Tier {
    /// All tiers.
    pub const ALL: [Self; 4] = [Self::Hot, Self::Warm, Self::Cold, Self::Session];

    /// The tier as a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Warm => "warm",
            Self::Cold => "cold",
            Self::Session => "session",
        }
    }
}

impl Subject {
    /// The kind of document.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Shop => Kind::Shop,
            Self::Category(_) => Kind::Category,
            Self::Product(_) => Kind::Product,
            Self::Payment(_) => Kind::Payment,
            Self::Shipping(_) => Kind::Shipping,
        }
    }
}

impl DocumentId {
    /// The kind of counters, or `None` for a session's history.
    pub const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Counting { subject, .. } => Some(subject.kind()),
            Self::Session(_) => None,
        }
    }

    /// How soon it is written after a change.
    pub const fn tier(&self) -> Tier {
        match self {
            Self::Session(_) => Tier::Session,
            Self::Counting { subject: Subject::Shop, .. }
            | Self::Counting { subject: Subject::Payment(_), country: None, .. } => Tier::Hot,
            Self::Counting { subject: Subject::Category(_) | Subject::Product(_), country: None, .. } => Tier::Warm,
            Self::Counting { .. } => Tier::Cold,
        }
    }

    /// The path in the store, relative to the database's root, with ids escaped by [`escape`].
    pub fn path(&self) -> String {
        let mut path = String::with_capacity(96);
        match self {
            Self::Session(id) => {
                path.push_str("sessions_history/");
                escape(id, &mut path);
            }
            Self::Counting { country, subject, grain } => {
                if let Some(country) = country {
                    path.push_str("countries/");
                    path.push_str(country.as_str());
                    path.push('/');
                }
                let (collection, id, leaf) = match subject {
                    Subject::Shop => ("", None, "statistics"),
                    Subject::Category(id) => ("categories/", Some(id), "statistics"),
                    Subject::Product(id) => ("products/", Some(id), "statistics"),
                    Subject::Payment(id) => ("payments/", Some(id), "statistics"),
                    Subject::Shipping(id) => ("states/", Some(id), "shipping"),
                };
                path.push_str(collection);
                if let Some(id) = id {
                    escape(id, &mut path);
                    path.push('/');
                }
                // Writing to a string can't fail.
                let _ = write!(path, "{leaf}/{grain}");
            }
        }
        path
    }

    /// The partition of the delta topic that this document belongs to: XXH3 of its path. It must never change for
    /// documents that exist, because a document's bookkeeping is an offset of its partition.
    pub fn partition(&self, partitions: i32) -> i32 {
        partition_of_path(&self.path(), partitions)
    }
}

/// See [`DocumentId::partition`].
pub fn partition_of_path(path: &str, partitions: i32) -> i32 {
    // Below the number of partitions, which is an i32.
    (xxh3_64(path.as_bytes()) % partitions.max(1) as u64) as i32
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

/// Appends `id` so that it can be a document id of Firestore: not `.`, not `..`, not `__…__`, no slash, not empty
/// (<https://firebase.google.com/docs/firestore/quotas#collections_documents_and_fields>).
///
/// `%`, `/` and control characters become `%XX`; so does the first byte of `.`, `..` and of ids that begin with `__`;
/// the empty id becomes a lone `%`. [`unescape`] is the inverse.
pub fn escape(id: &str, out: &mut String) {
    if id.is_empty() {
        out.push('%');
        return;
    }
    let reserved = id == "." || id == ".." || id.starts_with("__");
    for (i, c) in id.char_indices() {
        if c == '%' || c == '/' || c.is_ascii_control() || (reserved && i == 0) {
            let _ = write!(out, "%{:02X}", u32::from(c));
        } else {
            out.push(c);
        }
    }
}

/// The inverse of [`escape`]; `None` for text that it never makes.
pub fn unescape(text: &str) -> Option<String> {
    if text == "%" {
        return Some(String::new());
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let code = u8::from_str_radix(rest.get(at + 1..at + 3)?, 16).ok()?;
        out.push(char::from(code));
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    Some(out)
}

/// The encoding in the delta topic: a tag, a country's index plus one (0: none), the id, and the day (`i32::MIN`:
/// lifetime).
#[derive(Deserialize)]
struct Wire(u8, u16, Box<str>, i32);

/// [`Wire`] without owning the id.
#[derive(Serialize)]
struct WireRef<'a>(u8, u16, &'a str, i32);

impl Serialize for DocumentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = match self {
            Self::Session(id) => WireRef(5, 0, id, i32::MIN),
            Self::Counting { country, subject, grain } => {
                let country = country.map_or(0, |c| c.index() + 1);
                let day = match grain {
                    Grain::Lifetime => i32::MIN,
                    Grain::Day(day) => day.number(),
                };
                match subject {
                    Subject::Shop => WireRef(0, country, "", day),
                    Subject::Category(id) => WireRef(1, country, id, day),
                    Subject::Product(id) => WireRef(2, country, id, day),
                    Subject::Payment(id) => WireRef(3, country, id, day),
                    Subject::Shipping(id) => WireRef(4, country, id, day),
                }
            }
        };
        wire.serialize(serializer)
    }
}

impl From<Wire> for DocumentId {
    fn from(Wire(tag, country, id, day): Wire) -> Self {
        let country = country.checked_sub(1).and_then(CountryCode::from_index);
        let grain = if day == i32::MIN { Grain::Lifetime } else { Grain::Day(Day::from_number(day)) };
        let subject = match tag {
            0 => Subject::Shop,
            1 => Subject::Category(id),
            2 => Subject::Product(id),
            3 => Subject::Payment(id),
            4 => Subject::Shipping(id),
            _ => return Self::Session(id),
        };
        Self::Counting { country, subject, grain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counting(country: &str, subject: Subject, day: Option<&str>) -> DocumentId {
        let grain = day.map_or(Grain::Lifetime, |d| Grain::Day(Day::parse(d).unwrap()));
        DocumentId::Counting { country: CountryCode::parse(country), subject, grain }
    }

    #[test]
    fn paths_are_those_of_the_contract() {
        for (id, path) in [
            (counting("", Subject::Shop, None), "statistics/lifetime"),
            (counting("DE", Subject::Shop, Some("2026-11-21")), "countries/DE/statistics/2026-11-21"),
            (counting("", Subject::Category("c1".into()), None), "categories/c1/statistics/lifetime"),
            (counting("FR", Subject::Product("p/1".into()), None), "countries/FR/products/p%2F1/statistics/lifetime"),
            (counting("US", Subject::Payment("card".into()), None), "countries/US/payments/card/statistics/lifetime"),
            (counting("DE", Subject::Shipping("Bayern".into()), None), "countries/DE/states/Bayern/shipping/lifetime"),
            (counting("SG", Subject::Shipping("".into()), None), "countries/SG/states/%/shipping/lifetime"),
            (DocumentId::Session("s-1".into()), "sessions_history/s-1"),
        ] {
            assert_eq!(id.path(), path);
        }
    }

    proptest! {
        #[test]
        fn escaping_is_reversible_and_legal(id in "\\PC{0,12}|[._/%\u{0}-\u{1f}]{0,5}|__.{0,4}__") {
            let mut escaped = String::new();
            escape(&id, &mut escaped);
            prop_assert_eq!(unescape(&escaped), Some(id));
            prop_assert!(!escaped.is_empty() && !escaped.contains('/') && escaped != "." && escaped != "..");
            prop_assert!(!escaped.starts_with("__"));
        }

        #[test]
        fn the_delta_encoding_is_reversible(
            country in prop::option::of(0usize..249), id in "\\PC{1,12}", day in prop::option::of(-700_000..2_900_000i32),
            which in 0..6,
        ) {
            let country = country.map(|i| CountryCode::all().nth(i).unwrap());
            let grain = day.map_or(Grain::Lifetime, |d| Grain::Day(Day::from_number(d)));
            let subject = match which {
                0 => Subject::Shop,
                1 => Subject::Category(id.clone().into()),
                2 => Subject::Product(id.clone().into()),
                3 => Subject::Payment(id.clone().into()),
                _ => Subject::Shipping(id.clone().into()),
            };
            let document = match which {
                5 => DocumentId::Session(id.into()),
                _ => DocumentId::Counting { country, subject, grain },
            };
            let bytes = postcard::to_stdvec(&document).unwrap();
            prop_assert_eq!(postcard::from_bytes::<DocumentId>(&bytes).unwrap(), document);
        }
    }
}
