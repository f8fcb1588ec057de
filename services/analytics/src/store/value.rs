//! Values of document fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A value of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A number; amounts are doubles of currency units.
    Double(f64),
    /// Text.
    String(String),
    /// A point in time: microseconds since the Unix epoch.
    Timestamp(i64),
    /// A list.
    Array(Vec<Value>),
    /// A map.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// The size of the value as Firestore counts it, in bytes
    /// (<https://firebase.google.com/docs/firestore/storage-size>).
    pub fn size(&self) -> usize {
        match self {
            Self::Integer(_) | Self::Double(_) | Self::Timestamp(_) => 8,
            Self::String(text) => text.len() + 1,
            Self::Array(values) => values.iter().map(Self::size).sum(),
            Self::Map(map) => map.iter().map(|(name, value)| name.len() + 1 + value.size()).sum(),
        }
    }
}

/// The fields of a document, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(pub BTreeMap<String, Value>);

impl Fields {
    /// Sets a field.
    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// A field by name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The size of the fields as Firestore counts them, in bytes, without the document's name.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + 1 + value.size()).sum()
    }
}
