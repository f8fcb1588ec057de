//! Kafka nodes: their configuration, how they are formatted and started, and why one does not start.

pub(crate) mod config;
mod diagnose;
mod jars;
mod node;

pub(crate) use diagnose::cause;
pub(crate) use jars::Jars;
pub(crate) use node::{Launcher, SERVER_OPTIONS, extra_properties, format_arguments, quote_all, started_log_offset};
