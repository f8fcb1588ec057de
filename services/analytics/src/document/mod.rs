//! The documents of the store: their names, their fields, and how changes add up to a state.
//!
//! - [`path`]: which document ([`DocumentId`]), its path and its freshness [`Tier`].
//! - [`counters`]: the counters of each kind of document.
//! - [`change`]: what is added to a document, and its encoding in the delta topic.
//! - [`state`]: the absolute state of a document: changes in, fields out, fields in.
//! - [`story`]: the history document of a session.

pub mod change;
pub mod counters;
pub mod path;
pub mod state;
pub mod story;

pub use change::{Change, DeltaBatch};
pub use counters::Kind;
pub use path::{DocumentId, Grain, Tier};
pub use state::DocumentState;
