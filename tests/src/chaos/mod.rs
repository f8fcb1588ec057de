//! The fault campaign: faults of every kind, drawn from a seed, while events stream; then the audit.
//!
//! # Layout
//!
//! - [`plan`]: which faults come, and when. Pure.
//! - [`Campaign`]: takes a cluster through a plan; [`Options`] say how.
//! - [`World`]: what faults happen to, and how each is done: instances of analytics (`fleet`), the simulator (`stream`),
//!   brokers, and the way to the store.
//! - `backlog`: whether the system has caught up; [`memory`]: how much memory each process takes, and may take.
//! - [`Report`]: what came of it, for people and for programs.
//!
//! The program is `storepulse-chaos`. Start reading at [`Campaign::run`].

mod backlog;
mod campaign;
mod fleet;
pub mod memory;
mod options;
pub mod plan;
mod report;
mod stream;
mod world;

pub use campaign::Campaign;
pub use options::{Options, SWITCHES};
pub use report::{Audited, FaultRecord, Outage, Report};
pub use world::World;
