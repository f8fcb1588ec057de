//! What a document is about: its path, and the fields that say so.

use storepulse_events::CountryCode;

use super::grain::Grain;
use super::values::string;
use crate::store::{Fields, Value};

/// What a counting document is about; ids as they are in events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Shop,
    Category(String),
    Product(String),
    Payment(String),
    /// Deliveries to a state.
    Shipping(String),
    Visits,
}

/// A counting document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    pub subject: Subject,
    /// None: of all countries.
    pub country: Option<CountryCode>,
    pub grain: Grain,
}

impl Identity {
    pub fn path(&self) -> String {
        let country = self.country.map(|country| format!("countries/{country}/")).unwrap_or_default();
        let collection = match self.grain {
            Grain::Lifetime | Grain::Day(_) => "statistics",
            Grain::Hour(_) => "hours",
            Grain::Window(_) => "windows",
        };
        let within = match &self.subject {
            Subject::Shop => collection.to_owned(),
            Subject::Category(id) => format!("categories/{}/{collection}", legal(id)),
            Subject::Product(id) => format!("products/{}/{collection}", legal(id)),
            Subject::Payment(id) => format!("payments/{}/{collection}", legal(id)),
            Subject::Shipping(state) => format!("states/{}/shipping", legal(state)),
            Subject::Visits => "visits".to_owned(),
        };
        format!("{country}{within}/{}", self.grain.id())
    }

    /// The fields by which the document can be found.
    pub fn describe(&self, fields: &mut Fields) {
        let (subject, id) = match &self.subject {
            Subject::Shop => ("shop", None),
            Subject::Category(id) => ("category", Some(id)),
            Subject::Product(id) => ("product", Some(id)),
            Subject::Payment(id) => ("payment", Some(id)),
            Subject::Shipping(state) => ("shipping", Some(state)),
            Subject::Visits => ("visits", None),
        };
        fields.set("subject", string(subject));
        fields.set("grain", Value::String(self.grain.id()));
        fields.set("scope", string(if self.country.is_some() { "country" } else { "world" }));
        if let Some(country) = self.country {
            fields.set("country", string(country.as_str()));
        }
        if let Some(id) = id {
            fields.set("id", string(id));
        }
    }
}

/// An id as a document id of the store.
pub fn legal(id: &str) -> String {
    let reserved = id == "." || id == ".." || id.starts_with("__");
    let mut out = String::new();
    for (i, c) in id.chars().enumerate() {
        match c {
            '%' | '/' | '\u{0}'..='\u{1f}' | '\u{7f}' => out += &format!("%{:02X}", c as u32),
            _ if reserved && i == 0 => out += &format!("%{:02X}", c as u32),
            _ => out.push(c),
        }
    }
    if id.is_empty() { "%".into() } else { out }
}
