//! What every storepulse service needs around its own work.
//!
//! # Layout
//!
//! - [`kafka`]: the Kafka client's settings from the environment, with TLS, client certificate and SCRAM always on.
//! - [`preflight()`]: proves at start that brokers, credentials, topics and ACLs are as they must be, or says which is not.
//! - [`telemetry`]: logs for people or programs, without secrets.
//! - [`parse`]: values of settings.
//! - [`http`]: `/healthz`, `/readyz`, `/metrics`.
//! - [`probe`]: asks a running service for them, for container probes.
//! - [`shutdown`]: SIGTERM and SIGINT as a token.
//! - [`exit`]: the exit codes that tell configuration errors from run-time failures.
//! - [`secret`]: text that can't be printed.

pub mod exit;
pub mod http;
pub mod kafka;
pub mod parse;
pub mod preflight;
pub mod probe;
pub mod secret;
pub mod shutdown;
pub mod telemetry;

pub use exit::Failure;
pub use kafka::{ConfigError, KafkaArgs};
pub use preflight::{PreflightError, preflight};
pub use secret::Secret;
