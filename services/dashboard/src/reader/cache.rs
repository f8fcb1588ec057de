//! What is known, for how long, and how much of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use storepulse_analytics::store::{Query, StoreError};
use storepulse_events::Timestamp;

use crate::views::Documents;

/// What a question that is asked all the time may cost, beyond a minimum.
pub const DOCUMENTS_PER_SECOND: u32 = 8;

/// The most questions whose answers are kept.
const MAX_QUESTIONS: usize = 1_000;

/// What is asked of the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// The documents at these paths.
    Paths(Vec<String>),
    /// Those that answer a query.
    Query(Query),
}

/// How long an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    least: Duration,
    most: Duration,
}

impl Keep {
    /// About a second.
    pub const NOW: Self = Self { least: Duration::from_millis(900), most: Duration::from_millis(900) };
    /// Some seconds: the day still changes.
    pub const TODAY: Self = Self { least: Duration::from_secs(5), most: Duration::from_secs(60) };
    /// Minutes: late events change it still.
    pub const YESTERDAY: Self = Self { least: Duration::from_secs(300), most: Duration::from_secs(300) };
    /// An hour.
    pub const PAST: Self = Self { least: Duration::from_secs(3_600), most: Duration::from_secs(3_600) };

    /// For an answer that took so many documents.
    pub(super) fn of(self, documents: usize) -> Duration {
        let documents = u32::try_from(documents).unwrap_or(u32::MAX);
        (Duration::from_secs(1) * documents / DOCUMENTS_PER_SECOND).clamp(self.least, self.most)
    }
}

/// What the store answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The documents that there are, by their paths.
    pub documents: Arc<Documents>,
    /// When.
    pub read_at: Timestamp,
}

/// An answer that is kept.
#[derive(Debug)]
pub(super) struct Known {
    answer: Answer,
    until: Instant,
}

impl Known {
    pub(super) fn holds(&self) -> bool {
        Instant::now() < self.until
    }

    pub(super) fn answer(&self) -> Answer {
        self.answer.clone()
    }
}

/// Whoever holds its lock asks the store; the others wait, and find the answer.
type Slot = Arc<tokio::sync::Mutex<Found>>;

/// What there is about a question.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The last answer.
    pub(super) known: Option<Known>,
    /// Why there was none, and when: who waited meanwhile does not ask again.
    pub(super) failed: Option<(Instant, StoreError)>,
}

#[derive(Default)]
struct Entry {
    slot: Slot,
    documents: AtomicUsize,
    used: AtomicU64,
}

pub(super) struct Cache {
    entries: Mutex<HashMap<Question, Entry>>,
    clock: AtomicU64,
    max_documents: usize,
}

impl Cache {
    pub(super) fn new(max_documents: usize) -> Self {
        Self { entries: Mutex::default(), clock: AtomicU64::new(0), max_documents }
    }

    /// The place for the answer to a question.
    pub(super) fn slot(&self, question: &Question) -> Slot {
        let used = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.lock();
        if !entries.contains_key(question) {
            make_room(&mut entries, MAX_QUESTIONS - 1, usize::MAX);
            entries.insert(question.clone(), Entry::default());
        }
        let Some(entry) = entries.get(question) else { return Slot::default() };
        entry.used.store(used, Ordering::Relaxed);
        Arc::clone(&entry.slot)
    }

    /// What to put into the place of the question. Answers that were not asked for long make room.
    pub(super) fn keep(&self, question: &Question, answer: Answer, keep: Duration) -> Known {
        let mut entries = self.lock();
        if let Some(entry) = entries.get(question) {
            entry.documents.store(answer.documents.len(), Ordering::Relaxed);
        }
        make_room(&mut entries, MAX_QUESTIONS, self.max_documents);
        Known { answer, until: Instant::now() + keep }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Question, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what was used longest ago until there are no more than so many questions and documents.
fn make_room(entries: &mut HashMap<Question, Entry>, questions: usize, documents: usize) {
    loop {
        let all = entries.values().map(|entry| entry.documents.load(Ordering::Relaxed)).fold(0, usize::saturating_add);
        // One answer is always kept: it is the one that was just given.
        if entries.len() <= questions && (all <= documents || entries.len() <= 1) {
            return;
        }
        let oldest = entries.iter().min_by_key(|(_, entry)| entry.used.load(Ordering::Relaxed));
        let Some(oldest) = oldest.map(|(question, _)| question.clone()) else { return };
        entries.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use storepulse_analytics::store::Fields;

    use super::*;

    fn question(n: usize) -> Question {
        Question::Paths(vec![format!("a/{n}")])
    }

    #[test]
    fn what_took_many_documents_holds_longer_within_bounds() {
        assert_eq!(Keep::TODAY.of(1), Duration::from_secs(5));
        assert_eq!(Keep::TODAY.of(80), Duration::from_secs(10));
        assert_eq!(Keep::TODAY.of(100_000), Duration::from_secs(60));
        assert_eq!(Keep::NOW.of(100), Duration::from_millis(900));
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let cache = Cache::new(25);
        for n in 0..3 {
            drop(cache.slot(&question(n)));
            let documents: Documents = (0..10).map(|i| (format!("a/{i}"), Fields::default())).collect();
            let answer = Answer { documents: documents.into(), read_at: Timestamp::from_micros(0) };
            cache.keep(&question(n), answer, Duration::ZERO);
        }
        let kept: Vec<bool> = (0..3).map(|n| cache.lock().contains_key(&question(n))).collect();
        assert_eq!(kept, [false, true, true]);
        for n in 0..2 * MAX_QUESTIONS {
            cache.slot(&question(n));
        }
        assert_eq!(cache.lock().len(), MAX_QUESTIONS);
    }
}
