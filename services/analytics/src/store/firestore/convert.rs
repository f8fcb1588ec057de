//! Values and times, between Firestore's messages and ours.

use std::collections::HashMap;

use gcloud_sdk::google::firestore::v1::{self as proto, value::ValueType};
use gcloud_sdk::prost_types::Timestamp;

use crate::store::{Fields, Stored, Value, Version};

pub(super) fn fields_proto(fields: &Fields) -> HashMap<String, proto::Value> {
    fields.iter().map(|(name, value)| (name.to_owned(), value_proto(value))).collect()
}

fn value_proto(value: &Value) -> proto::Value {
    let value = match value {
        Value::Integer(v) => ValueType::IntegerValue(*v),
        Value::Double(v) => ValueType::DoubleValue(*v),
        Value::String(v) => ValueType::StringValue(v.clone()),
        Value::Timestamp(micros) => ValueType::TimestampValue(timestamp(*micros)),
        Value::Array(values) => {
            ValueType::ArrayValue(proto::ArrayValue { values: values.iter().map(value_proto).collect() })
        }
        Value::Map(map) => ValueType::MapValue(proto::MapValue { fields: fields_proto(map) }),
    };
    proto::Value { value_type: Some(value) }
}

pub(super) fn stored(document: proto::Document) -> Stored {
    // A document that is found always has its time.
    let version = document.update_time.map_or(Version { major: 0, minor: 0 }, version);
    Stored { fields: fields(document.fields), version }
}

pub(super) fn fields(map: HashMap<String, proto::Value>) -> Fields {
    map.into_iter().map(|(name, value)| (name, value_of(value))).collect()
}

/// See *Values that the service never writes* in [`super`].
pub(super) fn value_of(value: proto::Value) -> Value {
    let unsupported = |kind: &str| Value::String(format!("(unsupported: {kind})"));
    match value.value_type {
        Some(ValueType::IntegerValue(v)) => Value::Integer(v),
        Some(ValueType::DoubleValue(v)) => Value::Double(v),
        Some(ValueType::StringValue(v)) => Value::String(v),
        Some(ValueType::TimestampValue(v)) => Value::Timestamp(micros(v)),
        Some(ValueType::ArrayValue(v)) => Value::Array(v.values.into_iter().map(value_of).collect()),
        Some(ValueType::MapValue(v)) => Value::Map(fields(v.fields)),
        Some(ValueType::NullValue(_)) => unsupported("null"),
        Some(ValueType::BooleanValue(_)) => unsupported("boolean"),
        Some(ValueType::BytesValue(_)) => unsupported("bytes"),
        Some(ValueType::GeoPointValue(_)) => unsupported("geographical point"),
        Some(ValueType::ReferenceValue(_)) => unsupported("reference"),
        // What only queries have, or a type newer than this code.
        _ => unsupported("unknown type"),
    }
}

pub(super) const fn version(time: Timestamp) -> Version {
    Version { major: time.seconds, minor: time.nanos }
}

pub(super) const fn timestamp(micros: i64) -> Timestamp {
    // Below 10^9, which fits.
    Timestamp { seconds: micros.div_euclid(1_000_000), nanos: micros.rem_euclid(1_000_000) as i32 * 1_000 }
}

pub(super) const fn micros(time: Timestamp) -> i64 {
    // Firestore's years are 1 to 9999: it fits.
    time.seconds.saturating_mul(1_000_000).saturating_add(time.nanos as i64 / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_are_never_written_are_marked_and_keep_their_place() {
        let list = [ValueType::BooleanValue(true), ValueType::IntegerValue(7), ValueType::NullValue(0)]
            .map(|v| proto::Value { value_type: Some(v) });
        let read = value_of(proto::Value {
            value_type: Some(ValueType::ArrayValue(proto::ArrayValue { values: list.to_vec() })),
        });
        let marked = |kind: &str| Value::String(format!("(unsupported: {kind})"));
        assert_eq!(read, Value::Array(vec![marked("boolean"), Value::Integer(7), marked("null")]));
    }

    #[test]
    fn times_before_the_epoch_are_exact() {
        for at in [0, -1, 1, -1_000_000, 1_795_000_000_123_456, -62_135_596_800_000_000, 253_402_300_799_999_999] {
            let time = timestamp(at);
            assert!((0..1_000_000_000).contains(&time.nanos));
            assert_eq!(micros(time), at);
        }
    }
}
