//! The second stage: changes to documents.
//!
//! - [`cache`]: the documents in memory: pure bookkeeping of what is absorbed, what is written, what waits.
//! - [`stage`]: the member of the delta topic's group that reads changes, loads, writes, and commits offsets.
//!
//! # Freshness
//!
//! Each document has a [`crate::document::Tier`], and each tier an interval. A hot document is written at once when
//! its last write is an interval ago, else when it is; the others an interval after their first change. So a document
//! is written at most once in its interval, whatever the rate of events. When no change has come for a while,
//! everything that waits is written: waiting longer would save nothing.

mod ages;
pub mod cache;
mod patience;
pub mod stage;

pub use cache::{Capacity, Intervals};
pub use stage::{MaterialiserConfig, run};
