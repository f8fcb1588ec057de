//! The documents of the store: their names, their fields, and how changes add up to a state.
//!
//! - [`path`]: which document ([`DocumentId`]), its path and its freshness [`Tier`].
//! - [`grain`]: the stretches of time that documents cover.
//! - [`counters`]: the counters of each kind of document.
//! - [`change`]: what is added to a document, and its encoding in the delta topic.
//! - [`rules`]: the settings that fields depend on.
//! - [`state`]: the absolute state of a document: changes in, fields out, fields in. Its body is one of [`counting`],
//!   [`visits`] (with [`lengths`]), [`trending`], [`watermarks`] and [`story`].
//!
//! The contract is `docs/documents.md`.

pub mod change;
pub mod counters;
pub mod counting;
pub mod grain;
pub mod lengths;
pub mod path;
pub mod rules;
pub mod state;
pub mod story;
pub mod trending;
pub mod visits;
pub mod watermarks;

pub use change::{Change, DeltaBatch};
pub use counters::Kind;
pub use grain::{Grain, Hour, Minute, Window};
pub use path::{DocumentId, Tier};
pub use rules::DocumentRules;
pub use state::DocumentState;
