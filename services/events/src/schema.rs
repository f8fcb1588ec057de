//! The JSON Schema of the wire format.

use crate::Event;

/// The schema (draft 2020-12) of one event, generated from the Rust types.
pub fn event_schema() -> serde_json::Value {
    schemars::schema_for!(Event<'static>).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `storepulse-schema > docs/event.schema.json` renews the file.
    #[test]
    fn the_published_schema_is_the_types() {
        let published = include_str!("../../../docs/event.schema.json");
        let published: serde_json::Value = serde_json::from_str(published).expect("docs/event.schema.json is JSON");
        assert!(published == event_schema(), "docs/event.schema.json is not what storepulse-schema prints");
    }
}
