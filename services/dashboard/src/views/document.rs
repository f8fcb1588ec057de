//! Reading fields of documents as what they must be.

use storepulse_analytics::document::path::unescape;
use storepulse_analytics::store::{Fields, StoreError, Value};
use storepulse_events::{Money, Timestamp};

/// A document, or a map in one, whose fields are read as counts, amounts, texts or times. A field that is not there is
/// 0 or none; one that is of another type is an error that names it: a figure that can't be right is not shown.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    path: &'a str,
    fields: Option<&'a Fields>,
}

impl<'a> Document<'a> {
    /// Fields, and the document's path for messages.
    pub const fn new(path: &'a str, fields: &'a Fields) -> Self {
        Self { path, fields: Some(fields) }
    }

    /// A document without fields.
    pub const fn empty(path: &'a str) -> Self {
        Self { path, fields: None }
    }

    /// Its path.
    pub const fn path(&self) -> &'a str {
        self.path
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.and_then(|fields| fields.get(name))
    }

    fn is_not(&self, name: &str, what: &str) -> StoreError {
        let value = format!("{:?}", self.get(name));
        let value: String = value.chars().take(100).collect();
        StoreError::Refused(format!("field {name} of {} is not {what}: {value}", self.path))
    }

    /// A whole number; 0 if it is not there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] if it is something else.
    pub fn count(&self, name: &str) -> Result<i64, StoreError> {
        match self.get(name) {
            None => Ok(0),
            Some(Value::Integer(count)) => Ok(*count),
            Some(Value::Double(count)) if count.fract() == 0.0 && count.abs() < 9e15 => Ok(*count as i64),
            Some(_) => Err(self.is_not(name, "a count")),
        }
    }

    /// An amount in minor units; 0 if it is not there.
    ///
    /// # Errors
    ///
    /// As [`Self::count`].
    pub fn minor(&self, name: &str) -> Result<i64, StoreError> {
        let amount = match self.get(name) {
            None => return Ok(0),
            Some(Value::Double(units)) => Money::from_units(*units),
            Some(Value::Integer(units)) => units.checked_mul(100).map(Money::from_minor),
            Some(_) => None,
        };
        amount.map(Money::minor).ok_or_else(|| self.is_not(name, "an amount"))
    }

    /// A number, if it is there.
    ///
    /// # Errors
    ///
    /// As [`Self::count`].
    pub fn number(&self, name: &str) -> Result<Option<f64>, StoreError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Double(number)) => Ok(Some(*number)),
            Some(Value::Integer(number)) => Ok(Some(*number as f64)),
            Some(_) => Err(self.is_not(name, "a number")),
        }
    }

    /// A text, if it is there.
    ///
    /// # Errors
    ///
    /// As [`Self::count`].
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, StoreError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.is_not(name, "a text")),
        }
    }

    /// A point in time, if it is there.
    ///
    /// # Errors
    ///
    /// As [`Self::count`].
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Timestamp(micros)) => Ok(Some(Timestamp::from_micros(*micros))),
            Some(_) => Err(self.is_not(name, "a time")),
        }
    }

    /// The maps of a list; none if it is not there.
    ///
    /// # Errors
    ///
    /// As [`Self::count`].
    pub fn maps(&self, name: &str) -> Result<Vec<Document<'a>>, StoreError> {
        let list = match self.get(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(self.is_not(name, "a list")),
        };
        let map = |value: &'a Value| match value {
            Value::Map(fields) => Ok(Document::new(self.path, fields)),
            _ => Err(self.is_not(name, "a list of maps")),
        };
        list.iter().map(map).collect()
    }

    /// A map, if it is there.
    ///
    /// # Errors
    ///
    /// As [`Self::count`].
    pub fn map(&self, name: &str) -> Result<Option<Document<'a>>, StoreError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Map(fields)) => Ok(Some(Document::new(self.path, fields))),
            Some(_) => Err(self.is_not(name, "a map")),
        }
    }

    /// The document's own id.
    pub fn last_id(&self) -> &'a str {
        self.path.rsplit_once('/').map_or(self.path, |(_, id)| id)
    }

    /// The id, as events have it, of the product, category or country that the document is about: what follows
    /// `collection` in its path.
    pub fn id_in(&self, collection: &str) -> Option<String> {
        let mut ids = self.path.split('/');
        while let (Some(of), Some(id)) = (ids.next(), ids.next()) {
            if of == collection {
                return Some(unescape(id).unwrap_or_else(|| id.to_owned()));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_another_type_are_named_and_not_guessed() {
        let fields: Fields = [
            ("a", Value::Double(12.34)),
            ("n", Value::Integer(7)),
            ("s", Value::String("x".into())),
            ("whole", Value::Double(-3.0)),
        ]
        .into_iter()
        .collect();
        let document = Document::new("countries/DE/products/p%2F1/statistics/lifetime", &fields);
        assert_eq!(document.minor("a"), Ok(1234));
        assert_eq!((document.count("n"), document.count("whole"), document.count("none")), (Ok(7), Ok(-3), Ok(0)));
        for error in [document.count("a").err(), document.minor("s").err(), document.text("n").err()] {
            let text = error.expect("an error").to_string();
            assert!(text.contains("of countries/DE/products/p%2F1/statistics/lifetime is not a"), "{text}");
        }
        assert_eq!(document.id_in("products").as_deref(), Some("p/1"));
        assert_eq!((document.id_in("countries").as_deref(), document.id_in("states")), (Some("DE"), None));
        assert_eq!(document.last_id(), "lifetime");
    }
}
