//! The state of a document of counters, and what is derived from them.

use storepulse_events::{Money, Timestamp};

use super::counters::{Counter, Counters, MINUTE, MINUTE_COUNTERS, category, product, shop};
use super::grain::WINDOW_MINUTES;
use super::path::Subject;
use super::rules::DocumentRules;
use super::{DocumentId, Grain, Kind};
use crate::store::{Fields, Value};

/// The field with the name for people of a product, category or payment method, in its `lifetime` document.
pub const NAME: &str = "name";

/// The list of a window's minutes.
const MINUTES: &str = "minutes";

/// A document's counters.
#[derive(Clone, Debug, PartialEq)]
pub struct Counting {
    kind: Kind,
    grain: Grain,
    has_minutes: bool,
    /// All of [`Self::length`].
    counters: Counters,
    name: Option<Box<str>>,
}

impl Counting {
    /// Of nothing; `None` if the document is not one of counters.
    pub fn empty(id: &DocumentId) -> Option<Self> {
        let DocumentId::Counting { country, subject, grain } = id else { return None };
        let kind = subject.kind()?;
        let has_minutes = country.is_none() && matches!((kind, grain), (Kind::Shop, Grain::Window(_)));
        let length = kind.counters_of(*grain).count();
        let minutes = if has_minutes { MINUTE_COUNTERS } else { 0 };
        Some(Self { kind, grain: *grain, has_minutes, counters: vec![0; length + minutes], name: None })
    }

    /// Adds increments.
    ///
    /// # Errors
    ///
    /// If they are not such a document's; then nothing is added but what came before.
    pub fn add(&mut self, add: &[i64], name: &Option<Box<str>>) -> Result<(), String> {
        let count = self.counters.len();
        if add.len() > count {
            return Err(format!("{} counters, where its kind has {count}", add.len()));
        }
        for (counter, add) in self.counters.iter_mut().zip(add) {
            *counter = counter.checked_add(*add).ok_or("a counter overflows")?;
        }
        if name.is_some() {
            self.name.clone_from(name);
        }
        Ok(())
    }

    /// From the fields of a stored document.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn from_fields(id: &DocumentId, fields: &Fields) -> Option<Result<Self, String>> {
        Self::empty(id).map(|mut counting| counting.read(fields).map(|()| counting))
    }

    fn read(&mut self, fields: &Fields) -> Result<(), String> {
        let mut places = self.counters.iter_mut();
        for counter in self.kind.counters_of(self.grain) {
            if let Some(place) = places.next() {
                *place = read(fields, counter)?;
            }
        }
        if self.has_minutes {
            let Some(Value::Array(minutes)) = fields.get(MINUTES) else {
                return Err(format!("{MINUTES} is missing or no list"));
            };
            for minute in minutes {
                let Value::Map(minute) = minute else { return Err(format!("{MINUTES} has an entry that is no map")) };
                for counter in &MINUTE {
                    let place = places.next().ok_or_else(|| format!("{MINUTES} has too many entries"))?;
                    *place = read(minute, counter)?;
                }
            }
        }
        self.name = match fields.get(NAME) {
            Some(Value::String(name)) => Some(name.as_str().into()),
            _ => None,
        };
        Ok(())
    }

    /// Adds the fields.
    pub fn describe(&self, rules: &DocumentRules, fields: &mut Fields) {
        let mut counters = self.counters.iter().copied();
        for (counter, value) in self.kind.counters_of(self.grain).zip(&mut counters) {
            fields.set(counter.name, written(counter, value));
        }
        if self.has_minutes {
            let minute = |_| {
                let values = MINUTE.iter().zip(&mut counters);
                Value::Map(values.map(|(counter, value)| (counter.name, written(counter, value))).collect())
            };
            let minutes = (0..WINDOW_MINUTES).map(minute).collect();
            fields.set(MINUTES, Value::Array(minutes));
        }
        if let Some(name) = &self.name {
            fields.set(NAME, Value::String(name.to_string()));
        }
        if let Some(end) = self.grain.end_ms() {
            fields.set("closes_at", time(end + rules.lateness_ms));
        }
        self.derive(rules, fields);
    }

    fn derive(&self, rules: &DocumentRules, fields: &mut Fields) {
        let of = |place: usize| self.counters[place];
        let mut ratio = |name: &'static str, over: i64, under: i64| {
            if under > 0 {
                fields.set(name, Value::Double(over as f64 / under as f64));
            }
        };
        match self.kind {
            Kind::Shop => {
                let purchases = of(shop::PURCHASES);
                ratio("items_per_order", of(shop::ITEMS), purchases);
                ratio("discount_share", of(shop::DISCOUNT), of(shop::AMOUNT).saturating_add(of(shop::DISCOUNT)));
                ratio("conversion_rate", purchases, of(shop::PRODUCT_VIEWS));
                if purchases > 0 {
                    let average = Money::from_minor(of(shop::AMOUNT)).units() / purchases as f64;
                    fields.set("average_order_value", Value::Double(average));
                }
            }
            Kind::Category | Kind::Product => {
                // A category's counters are a product's behind its own views.
                let (own_views, first) =
                    if self.kind == Kind::Category { (of(category::VIEWS), category::PRODUCT_VIEWS) } else { (0, 0) };
                let of = |place: usize| self.counters[first + place];
                ratio("conversion_rate", of(product::PURCHASES), of(product::VIEWS));
                let views = own_views.saturating_add(of(product::VIEWS));
                let score = rules.weights.score(views, of(product::ADDED), of(product::REMOVED), of(product::ITEMS));
                fields.set("interest_score", Value::Integer(score));
            }
            Kind::Payment | Kind::Shipping => {}
        }
    }

    /// Roughly the memory that it takes beyond its own size, in bytes.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&self.counters[..]) + self.name.as_ref().map_or(0, |name| name.len())
    }
}

/// Adds what a document is about, and until when it is kept.
pub fn identify(id: &DocumentId, rules: &DocumentRules, fields: &mut Fields) {
    let DocumentId::Counting { country, subject, grain } = id else { return };
    let text = |text: &str| Value::String(text.to_owned());
    fields.set("subject", text(subject.as_str()));
    fields.set("grain", Value::String(grain.to_string()));
    fields.set("scope", text(if country.is_some() { "country" } else { "world" }));
    if let Some(country) = country {
        fields.set("country", text(country.as_str()));
    }
    if let Some(id) = subject.id() {
        fields.set("id", text(id));
    }
    if let Some(expires) = expires_ms(*grain, rules) {
        fields.set("expires_at", time(expires));
    }
    debug_assert!(!matches!(subject, Subject::Visits) || matches!(grain, Grain::Day(_) | Grain::Hour(_)));
}

/// When a document of this grain expires, in milliseconds since the Unix epoch; `None`: never.
pub fn expires_ms(grain: Grain, rules: &DocumentRules) -> Option<i64> {
    let retention = match grain {
        Grain::Lifetime | Grain::Day(_) => return None,
        Grain::Hour(_) => rules.hours_retention_ms,
        Grain::Window(_) => rules.windows_retention_ms,
    };
    grain.end_ms().map(|end| end + retention)
}

/// A timestamp; the latest that there is, for what is later.
fn time(ms: i64) -> Value {
    Value::Timestamp(ms.saturating_mul(1_000).min(Timestamp::MAX.micros()))
}

fn written(counter: &Counter, value: i64) -> Value {
    if counter.is_amount { Value::Double(Money::from_minor(value).units()) } else { Value::Integer(value) }
}

fn read(fields: &Fields, counter: &Counter) -> Result<i64, String> {
    match fields.get(counter.name) {
        Some(Value::Integer(n)) if !counter.is_amount => Ok(*n),
        Some(Value::Double(units)) if counter.is_amount => Money::from_units(*units)
            .map(Money::minor)
            .ok_or_else(|| format!("{} is not an exact amount", counter.name)),
        _ => Err(format!("{} is missing or of another type", counter.name)),
    }
}
