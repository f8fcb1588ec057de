//! What the tests of the running system stand on: the real programs, as processes, on a real cluster.
//!
//! # Layout
//!
//! - [`Pipeline`]: one local cluster, the services on it, and what they should add up to.
//! - [`Service`]: a program of this workspace as a process; its output goes to a file, and it does not outlive the test.
//! - [`by_hand`]: what no service does: a message written, a dead letter read, a permission taken away. [`letters`] are
//!   such messages.
//! - [`fault_proxy`]: Firestore that fails on demand.
//! - [`chaos`]: the fault campaign.
//! - [`Metrics`], [`http`]: what the services say about themselves.
//! - [`Secrets`]: looks for passwords wherever they must not be.
//! - [`wait`]: waiting for a condition, with a deadline; nothing here sleeps in the hope that something has happened.
//! - [`cleanup`]: Ctrl-C leaves nothing running.
//! - [`machine`], [`page`], [`random`]: what campaign and benchmark both need.
//! - [`bench`]: the same programs and cluster, measured against named bounds: `make bench`.
//!
//! The tests themselves are in `tests/end_to_end`. Start reading at [`Pipeline`].

pub mod bench;
pub mod by_hand;
pub mod chaos;
pub mod cleanup;
pub mod fault_proxy;
pub mod http;
pub mod letters;
pub mod machine;
mod metrics;
pub mod page;
mod pipeline;
pub mod random;
mod reckoning;
mod secrets;
mod service;
pub mod wait;

pub use metrics::Metrics;
pub use pipeline::{Audit, Difference, Pipeline, Run, counter};
pub use reckoning::Reckoning;
pub use secrets::Secrets;
pub use service::{Ended, Service, Spec, program, runs, variable};
