//! What the services' own metrics say: rates, lag, latency, health.
//!
//! - [`exposition`]: reads Prometheus's text format.
//! - [`scrape`]: asks all instances of a service.
//! - [`sample`]: what one look at all instances gave, and differences of two.
//! - [`view`]: what the API answers, as a pure function of samples.
//! - [`audit`]: the result of the last audit, from a file.
//!
//! Nobody is asked unless somebody wants to know: [`Pipeline::latest`] asks the services at most every two seconds, however
//! many call it.

pub mod audit;
pub mod exposition;
pub mod sample;
pub mod scrape;
pub mod view;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use audit::AuditFile;
pub use sample::Sample;
pub use scrape::Target;
pub use view::PipelineView;

use crate::clock::Clock;
use crate::views::now::Pulse;

/// How often the services are asked, at most.
pub const PERIOD: Duration = Duration::from_secs(2);
/// How far back samples are kept: latencies are of that time.
const KEPT: Duration = Duration::from_secs(60);
/// What is older says nothing about now.
const STALE: Duration = Duration::from_secs(10);

/// What was found out, and when.
#[derive(Clone, Debug)]
pub struct Latest {
    /// What the API answers, without what comes from documents.
    pub view: PipelineView,
    /// What goes into the view of now.
    pub pulse: Pulse,
    at: Instant,
}

/// See the [module](self).
pub struct Pipeline {
    analytics: Vec<Target>,
    simulators: Vec<Target>,
    audit: Mutex<AuditFile>,
    clock: Clock,
    history: tokio::sync::Mutex<VecDeque<Sample>>,
    latest: Mutex<Option<Arc<Latest>>>,
}

impl Pipeline {
    /// Asks these services, and reads the audit's result from a file.
    pub fn new(analytics: Vec<Target>, simulators: Vec<Target>, audit: Option<PathBuf>, clock: Clock) -> Self {
        let (audit, history, latest) = (Mutex::new(AuditFile::new(audit)), Default::default(), Mutex::new(None));
        Self { analytics, simulators, audit, clock, history, latest }
    }

    /// What is known without asking, unless it is too old.
    pub fn pulse(&self) -> Pulse {
        let latest = self.known().filter(|latest| latest.at.elapsed() < STALE);
        latest.map(|latest| latest.pulse.clone()).unwrap_or_default()
    }

    /// What is known and less than two seconds old; else the services are asked.
    pub async fn latest(&self) -> Arc<Latest> {
        let fresh = || self.known().filter(|latest| latest.at.elapsed() < PERIOD);
        if let Some(latest) = fresh() {
            return latest;
        }
        let mut history = self.history.lock().await;
        // Somebody else may have asked meanwhile.
        if let Some(latest) = fresh() {
            return latest;
        }
        let (analytics, simulators) = tokio::join!(scrape::all(&self.analytics), scrape::all(&self.simulators));
        let at = Instant::now();
        history.push_back(Sample { at, analytics, simulators });
        while history.front().is_some_and(|sample| at.duration_since(sample.at) > KEPT) {
            history.pop_front();
        }
        let audit = self.audit.lock().unwrap_or_else(PoisonError::into_inner).read();
        let samples: Vec<&Sample> = history.iter().collect();
        let (view, pulse) = view::of(&samples, audit, self.clock.now());
        let latest = Arc::new(Latest { view, pulse, at });
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&latest));
        latest
    }

    fn known(&self) -> Option<Arc<Latest>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
