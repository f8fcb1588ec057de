//! Whether the service can do its work, and if not, why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The states of the service's parts. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Health {
    /// Says why `part` can't do its work, in a few words.
    pub fn problem(&self, part: &'static str, why: impl Into<String>) {
        self.lock().insert(part, why.into());
    }

    /// Says that `part` does its work.
    pub fn well(&self, part: &'static str) {
        self.lock().remove(part);
    }

    /// Ready, or the reasons why not.
    ///
    /// # Errors
    ///
    /// One line for each part with a problem.
    pub fn check(&self) -> Result<(), String> {
        let problems = self.lock();
        if problems.is_empty() {
            return Ok(());
        }
        Err(problems.iter().map(|(part, why)| format!("{part}: {why}")).collect::<Vec<_>>().join("\n"))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}
