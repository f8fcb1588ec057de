//! Whether the service can do its work, and if not, why.
//!
//! Each part of the service says what state it is in; `/readyz` shows all of them, a line for each. The service is
//! ready when every part is.
//!
//! # What is ready
//!
//! Readiness tells an orchestrator when to go on with a rollout; nothing sends requests to this service. So a part is
//! ready as soon as it does its work, however much of it there is: an instance that is *catching up* is ready, because
//! a rollout that waited for it would leave the others unchanged for hours, and fewer instances would be slower still.
//! An instance without partitions is ready too once it is clear that the others have them all: as a stand-by it must
//! not hold up a rollout. It is not ready while it joins, restores sessions, or can't reach brokers or store: then the
//! next instance should not be stopped. No state here is a reason to kill the process, so `/healthz` knows none of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use prometheus::IntGaugeVec;
use storepulse_events::Timestamp;
use storepulse_platform::http::{Part, Readiness};

/// The state of a part of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is about to begin.
    Starting,
    /// It joins its consumer group.
    Joining,
    /// The others have all partitions.
    StandingBy,
    /// Sessions of its partitions are being restored.
    Restoring,
    /// It works, and is far behind.
    CatchingUp,
    /// It works.
    Working,
    /// It has waited long for something.
    Stuck,
    /// It failed, and begins anew.
    BeginningAnew,
    /// The store does not answer, or answers that it can't.
    Unavailable,
    /// No broker can be reached.
    Unreachable,
}

impl State {
    /// The name in `/readyz`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Joining => "joining",
            Self::StandingBy => "standing by",
            Self::Restoring => "restoring sessions",
            Self::CatchingUp => "catching up",
            Self::Working => "working",
            Self::Stuck => "stuck",
            Self::BeginningAnew => "beginning anew",
            Self::Unavailable => "unavailable",
            Self::Unreachable => "unreachable",
        }
    }

    /// Whether the part does its work; see the module's documentation.
    pub const fn is_ready(self) -> bool {
        matches!(self, Self::StandingBy | Self::CatchingUp | Self::Working)
    }

    /// What to do about it, for states that someone may have to do something about.
    const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Unavailable => Some(
                "nothing is lost, changes wait in Kafka; look at the store's status, its quotas and the network to it",
            ),
            Self::Unreachable => {
                Some("nothing is lost, work goes on by itself; look at the brokers and the network to KAFKA_BROKERS")
            }
            Self::Stuck => Some("nothing is lost; see whether two brokers of each partition are in sync"),
            Self::BeginningAnew => {
                Some("nothing is lost, it goes on from what is committed; if it repeats, see the log")
            }
            _ => None,
        }
    }
}

struct Standing {
    state: State,
    detail: String,
    since: SystemTime,
    /// Something that should not take long, and when it began.
    pending: Option<(Instant, &'static str)>,
}

/// What is pending for longer is stuck.
const LONG: Duration = Duration::from_secs(10);

/// The states of the service's parts. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<&'static str, Standing>>>,
    ready: IntGaugeVec,
}

impl Health {
    /// Without parts. `ready` gets 1 or 0 for each.
    pub fn new(ready: IntGaugeVec) -> Self {
        Self { parts: Arc::default(), ready }
    }

    /// Says what state a part is in, with details in a few words.
    pub fn set(&self, part: &'static str, state: State, detail: impl Into<String>) {
        let detail = detail.into();
        self.ready.with_label_values(&[part]).set(i64::from(state.is_ready()));
        let mut parts = self.lock();
        match parts.get_mut(part) {
            // It is the state's beginning that counts, not that of its latest details.
            Some(standing) if standing.state == state => standing.detail = detail,
            _ => {
                let since = SystemTime::now();
                let pending = parts.get(part).and_then(|standing| standing.pending);
                parts.insert(part, Standing { state, detail, since, pending });
            }
        }
    }

    /// Says that a stage has no partition: because it joins its group, or because the others have them all.
    pub fn set_idle(&self, stage: &'static str, is_standing_by: bool) {
        match is_standing_by {
            true => self.set(stage, State::StandingBy, "the other instances have all partitions"),
            false => self.set(stage, State::Joining, "no partition is assigned to this instance"),
        }
    }

    /// Says that a part is gone, as it should be.
    pub fn forget(&self, part: &'static str) {
        let _ = self.ready.remove_label_values(&[part]);
        self.lock().remove(part);
    }

    /// Says that a part waits for `what` until the returned value is dropped. After ten seconds it counts as stuck.
    pub fn waiting(&self, part: &'static str, what: &'static str) -> Waiting<'_> {
        if let Some(standing) = self.lock().get_mut(part) {
            standing.pending = Some((Instant::now(), what));
        }
        Waiting { health: self, part }
    }

    /// What `/readyz` says.
    pub fn check(&self) -> Readiness {
        let parts = self.lock();
        Readiness { parts: parts.iter().map(|(part, standing)| standing.told(part)).collect() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Standing>> {
        self.parts.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Ends a wait when it is dropped.
pub struct Waiting<'a> {
    health: &'a Health,
    part: &'static str,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(standing) = self.health.lock().get_mut(self.part) {
            standing.pending = None;
        }
    }
}

impl Standing {
    fn told(&self, part: &str) -> Part {
        let (state, detail, since) = match self.pending {
            Some((began, what)) if began.elapsed() >= LONG => {
                (State::Stuck, format!("waiting for {what}"), SystemTime::now() - began.elapsed())
            }
            _ => (self.state, self.detail.clone(), self.since),
        };
        let detail = match (detail.is_empty(), state.advice()) {
            (_, None) => detail,
            (true, Some(advice)) => advice.to_owned(),
            (false, Some(advice)) => format!("{detail}; {advice}"),
        };
        Part {
            name: part.to_owned(),
            ready: state.is_ready(),
            state: state.as_str().to_owned(),
            detail,
            since: Some(Timestamp::from_micros(micros(since)).to_string()),
            seconds: since.elapsed().unwrap_or_default().as_secs(),
        }
    }
}

/// Since the Unix epoch.
fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn health() -> (Health, IntGaugeVec) {
        let ready = Metrics::new().unwrap().part_ready;
        (Health::new(ready.clone()), ready)
    }

    #[test]
    fn ready_is_who_works_however_much_there_is_to_do() {
        let (health, gauge) = health();
        health.set("aggregate", State::CatchingUp, "900,000 events behind");
        health.set("store", State::Working, "");
        let readiness = health.check();
        assert!(readiness.is_ready());
        let text = readiness.to_string();
        assert!(text.starts_with("ready\n[+]aggregate: catching up"), "{text}");
        assert!(text.contains("900,000 events behind") && text.contains("\n[+]store: working\n"), "{text}");

        health.set("store", State::Unavailable, "deadline exceeded");
        let text = health.check().to_string();
        assert!(text.starts_with("not ready\n[+]aggregate"), "{text}");
        assert!(
            text.contains("[-]store: unavailable for 0 s, since 2") && text.contains("deadline exceeded"),
            "{text}"
        );
        assert!(text.contains("nothing is lost"), "what to do: {text}");
        assert_eq!((gauge.with_label_values(&["store"]).get(), gauge.with_label_values(&["aggregate"]).get()), (0, 1));
        health.forget("store");
        assert!(health.check().is_ready());
    }

    #[test]
    fn a_state_begins_once_however_often_its_details_change() {
        let (health, _) = health();
        let since = |health: &Health| health.check().parts[0].since.clone();
        health.set("aggregate", State::Restoring, "1 of 12 partitions");
        let began = since(&health);
        health.set("aggregate", State::Restoring, "2 of 12 partitions");
        assert_eq!(since(&health), began);
        assert!(health.check().to_string().contains("2 of 12"));
        health.set("aggregate", State::Working, "");
        assert_ne!(since(&health), began);
    }

    #[test]
    fn a_wait_is_no_trouble_until_it_is_long() {
        let (health, _) = health();
        health.set("aggregate", State::Working, "");
        let waiting = health.waiting("aggregate", "a transaction");
        assert!(health.check().is_ready());
        if let Some(standing) = health.lock().get_mut("aggregate") {
            standing.pending = Instant::now().checked_sub(LONG).map(|began| (began, "a transaction"));
        }
        let text = health.check().to_string();
        assert!(text.contains("[-]aggregate: stuck for 10 s") && text.contains("waiting for a transaction"), "{text}");
        drop(waiting);
        assert!(health.check().is_ready());
    }
}
