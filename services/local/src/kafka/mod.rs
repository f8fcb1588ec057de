//! Kafka nodes: their configuration, how they are formatted and started, and why one does not start.

mod config;
mod diagnose;
mod jars;
mod node;

pub(crate) use diagnose::cause;
pub(crate) use jars::Jars;
pub(crate) use node::{Launcher, extra_properties, started_log_offset};
