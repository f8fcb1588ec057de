//! storepulse on Kubernetes, where the Strimzi operator manages Kafka.
//!
//! # Layout
//!
//! - [`manifests`]: `k8s/`, rendered. [`object`]: an object as JSON. [`readiness`]: whether one is as it should be.
//! - [`cluster`]: the API server, and the few things that are asked of it.
//! - [`wait`]: waits for real conditions, and says why something does not become ready. [`job`]: a short-lived Job.
//! - [`up`], [`status`], [`verify`], [`audit`], [`rotate`], [`down`]: the commands.
//! - [`token`]: the dashboard's. [`probe`]: what `verify` runs inside its pods.
//!
//! Start reading at [`up`].

mod ask;
pub mod audit;
pub mod cli;
pub mod cluster;
pub mod down;
mod error;
pub mod job;
pub mod manifests;
pub mod object;
pub mod probe;
mod progress;
pub mod readiness;
pub mod rotate;
pub mod status;
pub mod token;
pub mod up;
pub mod verify;
pub mod wait;

pub use error::{Error, Result};
pub use progress::Progress;
