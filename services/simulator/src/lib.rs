//! Simulates the shoppers of an online shop and sends what they do, exactly accounted for.
//!
//! # Layout
//!
//! Pure, deterministic, tested without Kafka:
//! - [`rng`]: random numbers that never change. [`world`]: the catalog and where people live, from the seed.
//! - [`session`]: what a shopper does next. [`rhythm`]: when a shopper comes back.
//! - [`generator`]: thousands of sessions on one thread, in the order of a schedule; events as JSON.
//! - [`delivery`]: the order of sending: late, duplicate, out-of-order and [`malformed`] messages among the events.
//! - [`fact`], [`tally`], [`ledger`]: what acknowledged messages add up to.
//!
//! Around it:
//! - [`options`] and [`cluster`]: command line and environment; [`settings`]: what they mean.
//! - [`sink`]: nothing, a file, or Kafka. [`worker`]: one process: generate, pace, send, report.
//! - [`supervisor`]: starts the workers, restarts those that die, adds up what they report; [`protocol`]: how they talk.
//! - [`metrics`]: Prometheus metrics of the supervisor.
//!
//! Start reading at [`generator::Generator::generate`].

pub mod cluster;
pub mod delivery;
pub mod fact;
pub mod generator;
pub mod ledger;
pub mod malformed;
pub mod metrics;
pub mod options;
pub mod parse;
pub mod protocol;
pub mod rhythm;
pub mod rng;
mod scene;
pub mod session;
pub mod settings;
pub mod sink;
pub mod supervisor;
pub mod tally;
pub mod worker;
pub mod world;
