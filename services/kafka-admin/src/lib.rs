//! A small Kafka admin client: topics, SCRAM users and ACLs over one connection.
//!
//! It speaks Kafka's protocol itself (over rustls), because it must do what client libraries
//! don't offer (SCRAM users, ACLs) and, for the attackers, present any certificate and see the
//! exact alert or error code that comes back.
//!
//! # Layout
//!
//! - [`Plan`], [`apply`], [`Report`]: the declared state of the cluster, and bringing it about.
//! - [`Settings`]: the `KAFKA_…` variables of a client.
//! - [`Admin`]: one operation at a time (topics, users, ACLs, cluster).
//! - [`records`]: producing, fetching and offsets, enough to prove that a cluster works.
//! - [`Connection`]: TCP or TLS, SASL, requests and answers; [`tls`], [`scram`] beneath it.
//! - [`Error`]: who said no, and whether to try again.
//!
//! Start reading at [`apply`].

mod admin;
mod apply;
mod connection;
mod endpoint;
mod error;
pub mod plan;
pub mod records;
mod report;
mod sasl;
pub mod scram;
mod secret;
mod settings;
pub mod tls;
mod wire;

pub use admin::{AclBinding, Admin, ClusterInfo, Operation, Pattern, ResourceType, TopicInfo};
pub use apply::{AdminConnectConfig, Drift, apply, status};
pub use connection::{ConnectOptions, Connection, Transport};
pub use endpoint::Endpoint;
pub use error::{Error, Result};
pub use plan::{Passwords, Plan};
pub use report::{Change, Outcome, Report};
pub use sasl::Credentials;
pub use secret::Secret;
pub use settings::{Settings, secret_from};
