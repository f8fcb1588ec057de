//! How far event time has come: the state of the document of watermarks.

use std::collections::BTreeMap;

use crate::store::{Fields, Value};

const PARTITIONS: &str = "partitions";

/// The watermark of each partition of the event topic, in milliseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watermarks(BTreeMap<i32, i64>);

impl Watermarks {
    /// Takes in watermarks; the higher one counts.
    pub fn raise(&mut self, partitions: &[(i32, i64)]) {
        for (partition, watermark) in partitions {
            let known = self.0.entry(*partition).or_insert(*watermark);
            *known = (*known).max(*watermark);
        }
    }

    /// The lowest one, but for those that are more than `idle_ms` behind the highest.
    pub fn lowest(&self, idle_ms: i64) -> Option<i64> {
        let highest = *self.0.values().max()?;
        self.0.values().copied().filter(|watermark| highest.saturating_sub(*watermark) <= idle_ms).min()
    }

    /// Adds the fields.
    pub fn describe(&self, idle_ms: i64, fields: &mut Fields) {
        let timestamp = |ms: i64| Value::Timestamp(ms.saturating_mul(1_000));
        let partitions = self.0.iter().map(|(partition, watermark)| (partition.to_string(), timestamp(*watermark)));
        fields.set(PARTITIONS, Value::Map(partitions.collect()));
        if let Some(watermark) = self.lowest(idle_ms) {
            fields.set("watermark", timestamp(watermark));
        }
    }

    /// From the fields of a stored document.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn from_fields(fields: &Fields) -> Result<Self, String> {
        let Some(Value::Map(partitions)) = fields.get(PARTITIONS) else {
            return Err(format!("{PARTITIONS} is missing or no map"));
        };
        let read = |(name, value): (&str, &Value)| match (name.parse(), value) {
            (Ok(partition), Value::Timestamp(micros)) => Ok((partition, micros.div_euclid(1_000))),
            _ => Err(format!("{PARTITIONS} has an entry {name} that is not a partition's time")),
        };
        partitions.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Roughly the memory that it takes beyond its own size, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.0.len() * 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_counts_unless_it_is_idle() {
        let mut watermarks = Watermarks::default();
        assert_eq!(watermarks.lowest(1_000), None);
        watermarks.raise(&[(0, 5_000), (1, 4_500), (2, 100)]);
        watermarks.raise(&[(0, 4_000), (1, 4_600)]);
        assert_eq!(watermarks.lowest(1_000), Some(4_600));
        assert_eq!(watermarks.lowest(4_900), Some(100));
        let mut fields = Fields::default();
        watermarks.describe(1_000, &mut fields);
        assert_eq!(fields.get("watermark"), Some(&Value::Timestamp(4_600_000)));
        assert_eq!(Watermarks::from_fields(&fields), Ok(watermarks));
        assert!(Watermarks::from_fields(&Fields::default()).is_err());
    }
}
