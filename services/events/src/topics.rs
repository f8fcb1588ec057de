//! Names of the Kafka topics and consumer groups.

/// The shop's events: JSON, keyed by session id. Written by the simulator, read by analytics.
pub const EVENTS: &str = "e-commerce-events";
/// Per-document increments on their way to the store. Internal to analytics.
pub const DELTAS: &str = "analytics-deltas";
/// Compacted checkpoints of long-lived sessions. Internal to analytics.
pub const SESSIONS: &str = "analytics-sessions";
/// Rejected messages, with reason and origin in their headers.
pub const DEAD_LETTERS: &str = "e-commerce-events-dlq";
/// Canary topic that only the administrator may use, to prove that the cluster works.
pub const READY: &str = "storepulse-ready";
/// Default consumer group of the analytics service; its materialising stage appends [`MATERIALISER_SUFFIX`].
pub const ANALYTICS_GROUP: &str = "analytics";
/// Suffix of the materialising stage's consumer group.
pub const MATERIALISER_SUFFIX: &str = "-materialiser";
