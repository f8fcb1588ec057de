//! storepulse on one machine, without containers: a secured Kafka cluster of three real nodes and the Firestore
//! emulator as background processes, and the services run against them.
//!
//! # Layout
//!
//! - [`Cluster`]: brings the cluster up (proven to work), finds it again, takes parts of it away, takes it down.
//!   [`Paths`] says where, [`State`] what runs, [`Status`] how it is.
//! - [`run`]: the whole pipeline, watched; [`attack`]: the attackers against the cluster.
//! - [`containers`]: the files that the containers of `docker-compose.yml` are given.
//! - `kafka`, `firestore`: how each real part is configured, started, and asked why it doesn't start.
//! - `security`, `admin`: certificates and passwords; topics, users and ACLs. Both are other crates' work.
//! - `ready`: the proof that an event gets through.
//! - [`http`]: what asking a service for a page takes.
//! - `process`, `ports`, `lock`, `files`, `progress`: the manners.
//!
//! Start reading at [`Cluster::up`].

mod admin;
pub mod attack;
mod cluster;
pub mod containers;
mod context;
mod env_files;
mod error;
mod files;
mod firestore;
pub mod http;
mod java;
mod kafka;
mod lock;
mod paths;
mod ports;
mod process;
mod progress;
mod ready;
pub mod run;
mod security;
mod state;

pub use cluster::{Cluster, ClusterGuard, Found, Health, PartStatus, Status, StoreChoice};
pub use context::Context;
pub use env_files::{Environment, quote as shell_quote};
pub use error::{Error, Result};
pub use paths::Paths;
pub use process::{ProcessId, Stopped};
pub use progress::{Progress, Step};
pub use state::{Node, Phase, State, Store};
