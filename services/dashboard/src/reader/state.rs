//! Whether the store answers.

use serde::Serialize;
use storepulse_analytics::store::StoreError;
use storepulse_events::Timestamp;
use tokio::sync::watch;

use crate::clock::rfc3339;

/// What is known of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreState {
    /// `ok` or `down`.
    pub state: &'static str,
    /// Since when.
    pub since: String,
    /// What it said.
    pub message: String,
}

impl StoreState {
    /// Whether it answers.
    pub fn is_ok(&self) -> bool {
        self.state == "ok"
    }
}

/// Tells whoever wants to know when it changes.
pub struct StoreWatch(watch::Sender<StoreState>);

impl StoreWatch {
    /// It answers.
    pub fn new(now: Timestamp) -> Self {
        Self(watch::Sender::new(StoreState { state: "ok", since: rfc3339(now), message: String::new() }))
    }

    /// Takes the outcome of a call down: none is success.
    pub fn note(&self, error: Option<&StoreError>, now: Timestamp) {
        self.0.send_if_modified(|known| {
            let (state, message) = match error {
                None => ("ok", String::new()),
                Some(error) => ("down", error.to_string()),
            };
            if known.state == state {
                return false;
            }
            match error {
                None => tracing::info!("the store answers again"),
                Some(error) => tracing::warn!(%error, "the store does not answer"),
            }
            *known = StoreState { state, since: rfc3339(now), message };
            true
        });
    }

    /// What is known.
    pub fn now(&self) -> StoreState {
        self.0.borrow().clone()
    }

    /// What is known, and changes of it.
    pub fn subscribe(&self) -> watch::Receiver<StoreState> {
        self.0.subscribe()
    }
}
