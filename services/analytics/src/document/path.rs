//! Which document: typed ids, and the paths they have in the store.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use storepulse_events::CountryCode;
use xxhash_rust::xxh3::xxh3_64;

use super::{Grain, Kind};

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
    /// Who came, and for how long; of a day or an hour.
    Visits,
}

/// A document of the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "Wire")]
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
    /// `leaderboards/trending`: the products that are bought most, and that rise.
    Trending(Option<CountryCode>),
    /// `watermarks/events`: how far event time has come.
    Watermarks,
    /// `sessions_history/{session_id}`.
    Session(Box<str>),
}

/// How soon a changed document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// The shop, countries, payment methods: what people watch.
    Hot,
    /// Products and categories of the whole shop; its hours, visits and trending products.
    Warm,
    /// The long tail: products, categories and payment methods by country, deliveries by state; countries' and products'
    /// hours and the like.
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
    /// The kind of counters, or `None` for visits, which have none.
    pub const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Shop => Some(Kind::Shop),
            Self::Category(_) => Some(Kind::Category),
            Self::Product(_) => Some(Kind::Product),
            Self::Payment(_) => Some(Kind::Payment),
            Self::Shipping(_) => Some(Kind::Shipping),
            Self::Visits => None,
        }
    }

    /// What the field `subject` says.
    pub const fn as_str(&self) -> &'static str {
        match self.kind() {
            Some(kind) => kind.as_str(),
            None => "visits",
        }
    }

    /// The id of what it is about, if there are several.
    pub const fn id(&self) -> Option<&str> {
        match self {
            Self::Category(id) | Self::Product(id) | Self::Payment(id) | Self::Shipping(id) => Some(id),
            Self::Shop | Self::Visits => None,
        }
    }
}

impl DocumentId {
    /// The kind of counters, or `None` for a document that has no counters.
    pub const fn kind(&self) -> Option<Kind> {
        match self {
            Self::Counting { subject, .. } => subject.kind(),
            Self::Trending(_) | Self::Watermarks | Self::Session(_) => None,
        }
    }

    /// How soon it is written after a change.
    pub const fn tier(&self) -> Tier {
        let Self::Counting { country, subject, grain } = self else {
            return match self {
                Self::Session(_) => Tier::Session,
                Self::Trending(Some(_)) => Tier::Cold,
                _ => Tier::Warm,
            };
        };
        let is_closing = grain.end_ms().is_some();
        match (subject, country) {
            (Subject::Shop, None) if matches!(grain, Grain::Hour(_)) => Tier::Warm,
            (Subject::Shop, None) => Tier::Hot,
            (Subject::Shop, Some(_)) if !is_closing => Tier::Hot,
            (Subject::Payment(_), None) => Tier::Hot,
            (Subject::Category(_) | Subject::Product(_), None) if !is_closing => Tier::Warm,
            (Subject::Visits, None) => Tier::Warm,
            _ => Tier::Cold,
        }
    }

    /// The path in the store, relative to the database's root, with ids escaped by [`escape`].
    pub fn path(&self) -> String {
        let mut path = String::with_capacity(96);
        let begin = |path: &mut String, country: &Option<CountryCode>| {
            if let Some(country) = country {
                path.push_str("countries/");
                path.push_str(country.as_str());
                path.push('/');
            }
        };
        match self {
            Self::Session(id) => {
                path.push_str("sessions_history/");
                escape(id, &mut path);
            }
            Self::Watermarks => path.push_str("watermarks/events"),
            Self::Trending(country) => {
                begin(&mut path, country);
                path.push_str("leaderboards/trending");
            }
            Self::Counting { country, subject, grain } => {
                begin(&mut path, country);
                let collection = match subject {
                    Subject::Shop | Subject::Visits => "",
                    Subject::Category(_) => "categories/",
                    Subject::Product(_) => "products/",
                    Subject::Payment(_) => "payments/",
                    Subject::Shipping(_) => "states/",
                };
                path.push_str(collection);
                if let Some(id) = subject.id() {
                    escape(id, &mut path);
                    path.push('/');
                }
                let leaf = match (subject, grain) {
                    (Subject::Visits, _) => "visits",
                    (Subject::Shipping(_), _) => "shipping",
                    (_, Grain::Lifetime | Grain::Day(_)) => "statistics",
                    (_, Grain::Hour(_)) => "hours",
                    (_, Grain::Window(_)) => "windows",
                };
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

/// The encoding in the delta topic: a tag, a country's index plus one (0: none), the id, and the grain in two numbers.
#[derive(Deserialize)]
struct Wire(u8, u16, Box<str>, u8, i32);

/// [`Wire`] without owning the id.
#[derive(Serialize)]
struct WireRef<'a>(u8, u16, &'a str, u8, i32);

impl Serialize for DocumentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = |country: &Option<CountryCode>| country.map_or(0, |c| c.index() + 1);
        let wire = match self {
            Self::Session(id) => WireRef(5, 0, id, 0, 0),
            Self::Trending(country) => WireRef(7, number(country), "", 0, 0),
            Self::Watermarks => WireRef(8, 0, "", 0, 0),
            Self::Counting { country, subject, grain } => {
                let tag = match subject {
                    Subject::Shop => 0,
                    Subject::Category(_) => 1,
                    Subject::Product(_) => 2,
                    Subject::Payment(_) => 3,
                    Subject::Shipping(_) => 4,
                    Subject::Visits => 6,
                };
                let (which, time) = grain.to_numbers();
                WireRef(tag, number(country), subject.id().unwrap_or_default(), which, time)
            }
        };
        wire.serialize(serializer)
    }
}

impl TryFrom<Wire> for DocumentId {
    type Error = &'static str;

    fn try_from(Wire(tag, country, id, which, time): Wire) -> Result<Self, Self::Error> {
        let country = country.checked_sub(1).and_then(CountryCode::from_index);
        let grain = Grain::from_numbers(which, time).ok_or("no such grain")?;
        let subject = match tag {
            0 => Subject::Shop,
            1 => Subject::Category(id),
            2 => Subject::Product(id),
            3 => Subject::Payment(id),
            4 => Subject::Shipping(id),
            5 => return Ok(Self::Session(id)),
            6 => Subject::Visits,
            7 => return Ok(Self::Trending(country)),
            8 => return Ok(Self::Watermarks),
            _ => return Err("no such kind of document"),
        };
        Ok(Self::Counting { country, subject, grain })
    }
}

#[cfg(test)]
mod tests {
    use super::super::grain::{Hour, Window};
    use super::*;
    use proptest::prelude::*;
    use storepulse_events::{Day, Timestamp};

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
            (DocumentId::Trending(None), "leaderboards/trending"),
            (DocumentId::Trending(CountryCode::parse("DE")), "countries/DE/leaderboards/trending"),
            (DocumentId::Watermarks, "watermarks/events"),
        ] {
            assert_eq!(id.path(), path);
        }
        let hour = Hour::of(Timestamp::parse("2026-11-26T19:44:00Z").unwrap());
        let at = |country: &str, subject: Subject, grain: Grain| {
            DocumentId::Counting { country: CountryCode::parse(country), subject, grain }.path()
        };
        assert_eq!(at("DE", Subject::Shop, Grain::Hour(hour)), "countries/DE/hours/2026-11-26T19");
        assert_eq!(at("", Subject::Product("p".into()), Grain::Hour(hour)), "products/p/hours/2026-11-26T19");
        assert_eq!(at("", Subject::Visits, Grain::Hour(hour)), "visits/2026-11-26T19");
        assert_eq!(at("DE", Subject::Visits, Grain::Day(hour.day())), "countries/DE/visits/2026-11-26");
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
            country in prop::option::of(0usize..249), id in "\\PC{1,12}", time in -700_000..2_900_000i32, which in 0..9,
            grain in 0..4,
        ) {
            let country = country.map(|i| CountryCode::all().nth(i).unwrap());
            let grain = match grain {
                0 => Grain::Lifetime,
                1 => Grain::Day(Day::from_number(time)),
                2 => Grain::Hour(Hour::from_number(time)),
                _ => Grain::Window(Window::from_number(time)),
            };
            let subject = match which {
                0 => Subject::Shop,
                1 => Subject::Category(id.clone().into()),
                2 => Subject::Product(id.clone().into()),
                3 => Subject::Payment(id.clone().into()),
                4 => Subject::Visits,
                _ => Subject::Shipping(id.clone().into()),
            };
            let document = match which {
                7 => DocumentId::Trending(country),
                8 => DocumentId::Watermarks,
                6 => DocumentId::Session(id.into()),
                _ => DocumentId::Counting { country, subject, grain },
            };
            let bytes = postcard::to_stdvec(&document).unwrap();
            prop_assert_eq!(postcard::from_bytes::<DocumentId>(&bytes).unwrap(), document);
        }
    }
}
