//! Values of document fields.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// The name of a field; those of the service's own documents are static.
pub type Name = Cow<'static, str>;

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
    Map(Fields),
}

impl Value {
    /// The size of the value as Firestore counts it, in bytes
    /// (<https://firebase.google.com/docs/firestore/storage-size>).
    pub fn size(&self) -> usize {
        match self {
            Self::Integer(_) | Self::Double(_) | Self::Timestamp(_) => 8,
            Self::String(text) => text.len() + 1,
            Self::Array(values) => values.iter().map(Self::size).sum(),
            Self::Map(fields) => fields.size(),
        }
    }
}

/// Values by name: the fields of a document, or a map within it. There are few, so they stand in one list, sorted by
/// name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<(Name, Value)>);

impl Fields {
    /// Sets a field, and returns the value that it had.
    pub fn set(&mut self, name: impl Into<Name>, value: Value) -> Option<Value> {
        let name = name.into();
        // Most come in order.
        if self.0.last().is_none_or(|(last, _)| **last < *name) {
            self.0.push((name, value));
            return None;
        }
        match self.find(&name) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// A field by name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.find(name).ok().map(|at| &self.0[at].1)
    }

    /// A field by name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.find(name).ok().map(|at| &mut self.0[at].1)
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.find(name).ok().map(|at| self.0.remove(at).1)
    }

    /// All fields in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// The number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The size of the fields as Firestore counts them, in bytes, without the document's name.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + 1 + value.size()).sum()
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name))
    }
}

impl<N: Into<Name>> FromIterator<(N, Value)> for Fields {
    /// Of values with the same name the last one stays.
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(values: I) -> Self {
        let values = values.into_iter();
        let mut fields = Self(Vec::with_capacity(values.size_hint().0));
        for (name, value) in values {
            fields.set(name, value);
        }
        fields
    }
}

impl IntoIterator for Fields {
    type Item = (Name, Value);
    type IntoIter = std::vec::IntoIter<(Name, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of values by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    fields.set(name, value);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(V)
    }
}
