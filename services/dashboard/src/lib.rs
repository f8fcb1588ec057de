//! The live dashboard of the shop: an HTTP server that reads documents from the store, and shows them in a browser.
//!
//! `docs/dashboard-api.md` is the contract of what it serves, `docs/dashboard.md` says how it is run and locked.
//!
//! # Layout
//!
//! - [`views`]: pure functions from documents to what the API answers. Start reading here.
//! - [`reader`]: questions to the store, answered once for all who ask the same, counted and bounded.
//! - [`live`]: one listener for each country that is watched, shared by its viewers.
//! - [`pipeline`]: what the services' own metrics say of Kafka, lag and health.
//! - [`auth`]: who may look: tokens, users, sessions, and how often one may guess.
//! - [`server`]: connections, TLS, the guards before every answer, the routes and the page itself.
//! - [`service`]: puts them together, runs, and stops.

pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod live;
pub mod metrics;
pub mod params;
pub mod pipeline;
pub mod reader;
pub mod server;
pub mod service;
pub mod table;
pub mod views;
