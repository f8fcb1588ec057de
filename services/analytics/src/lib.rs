//! Exact, live aggregates of a shop's events in a document store.
//!
//! Two stages, joined by a topic; `docs/exactly-once.md` has the argument why every event counts once.
//!
//! 1. [`aggregate`] reads events, folds them ([`fold`]) into changes of documents, keeps the sessions ([`session`]),
//!    and commits changes, checkpoints, dead letters and source offsets in one Kafka transaction.
//! 2. [`materialise`] adds the changes to absolute states ([`document`]) and writes them to the store ([`store`]), each
//!    with the offset it has absorbed and guarded by the version it was read at.
//!
//! [`audit`] proves the result: it computes every document anew, by other code, and compares.
//!
//! Logic is apart from input and output: [`fold`], [`session`] and [`document`] are pure and tested without a broker.

pub mod aggregate;
pub mod audit;
pub mod cli;
mod clock;
pub mod config;
pub mod document;
pub mod failpoint;
pub mod fold;
pub mod health;
pub mod kafka;
pub mod materialise;
pub mod metrics;
pub mod report;
pub mod service;
pub mod session;
pub mod store;
