//! What the feature `failpoints` compiles in.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::{Mutex, MutexGuard};

use super::{Point, Switch};

/// A row of the table of points.
pub struct Entry {
    /// The point.
    pub point: Point,
    /// Its name in `FAILPOINTS`.
    pub name: &'static str,
    /// Whether `return(error)` has a meaning there.
    pub can_fail: bool,
    /// Where it is.
    pub place: &'static str,
}

const fn entry(point: Point, name: &'static str, can_fail: bool, place: &'static str) -> Entry {
    Entry { point, name, can_fail, place }
}

/// All points, in the order in which an event passes them.
pub const POINTS: [Entry; 11] = [
    entry(Point::DuringRestore, "during-restore", true, "a partition's checkpoints are read, its events are not"),
    entry(Point::BeforeTransaction, "before-transaction", false, "cuts are made, no transaction is begun"),
    entry(Point::BeforeTransactionOffsets, "before-transaction-offsets", true, "changes are sent, offsets are not"),
    entry(Point::BeforeTransactionCommit, "before-transaction-commit", true, "all is sent, nothing is committed"),
    entry(Point::AfterTransactionCommit, "after-transaction-commit", false, "it is committed, nobody has noted it"),
    entry(Point::BeforeStoreCommit, "before-store-commit", true, "a chunk of documents is about to be written"),
    entry(
        Point::BetweenFlushChunks,
        "between-flush-chunks",
        false,
        "a chunk of several is written, the next one is not (chunks then go one by one)",
    ),
    entry(
        Point::AfterStoreCommit,
        "after-store-commit",
        true,
        "a chunk is written, nobody has noted it; an error here is a commit whose outcome is unknown",
    ),
    entry(Point::BeforeOffsetCommit, "before-offset-commit", false, "documents are written, their offsets are not"),
    entry(
        Point::BeforeGivingUpPartitions,
        "before-giving-up-partitions",
        false,
        "the group takes partitions away, the last cut is not committed",
    ),
    entry(
        Point::WhileGivingUpPartitions,
        "while-giving-up-partitions",
        false,
        "the last cut is committed, workers still have the partitions",
    ),
];

/// All switches: names in `FAILPOINTS`, and what they do.
pub const SWITCHES: [(Switch, &str, &str); 2] = [
    (Switch::CountRedeliveries, "count-redeliveries", "a document absorbs changes again that its offset says it has"),
    (
        Switch::OffsetsBeforeDocuments,
        "offsets-before-documents",
        "the materialiser commits offsets of changes that are only in memory",
    ),
];

static ON: OnceLock<Vec<Switch>> = OnceLock::new();
static ONE_BY_ONE: OnceLock<Mutex<()>> = OnceLock::new();
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// What a point returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Kill { after: Duration },
    Stop,
    Fail,
}

impl Act {
    fn parse(text: Option<&str>) -> Option<Self> {
        match text?.trim() {
            "kill" => Some(Self::Kill { after: Duration::ZERO }),
            "stop" => Some(Self::Stop),
            "error" => Some(Self::Fail),
            other => {
                let millis = other.strip_prefix("kill ")?.trim().parse().ok()?;
                Some(Self::Kill { after: Duration::from_millis(millis) })
            }
        }
    }
}

/// Takes in a text of the form of `FAILPOINTS`.
pub(super) fn install(text: &str) -> Result<(), String> {
    let mut on = Vec::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let wrong = |why: &str| format!("FAILPOINTS: {part}: {why}");
        let (name, actions) = part.split_once('=').ok_or_else(|| wrong("is not name=action"))?;
        let (name, actions) = (name.trim(), actions.trim());
        if let Some((switch, ..)) = SWITCHES.iter().find(|(_, known, _)| *known == name) {
            if actions != "on" {
                return Err(wrong("a switch can only be `on`"));
            }
            on.push(*switch);
            continue;
        }
        let Some(entry) = POINTS.iter().find(|entry| entry.name == name) else {
            let names = POINTS.iter().map(|entry| entry.name).chain(SWITCHES.iter().map(|(_, name, _)| *name));
            return Err(wrong(&format!("no such point; there are {}", names.collect::<Vec<_>>().join(", "))));
        };
        for argument in actions.split("->").filter_map(|action| action.split_once("return")).map(|(_, rest)| rest) {
            let argument = argument.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
            match Act::parse(argument) {
                None => return Err(wrong("what is returned is not kill, kill <milliseconds>, stop or error")),
                Some(Act::Fail) if !entry.can_fail => return Err(wrong("nothing can fail there")),
                Some(_) => {}
            }
        }
        fail::cfg(name, actions).map_err(|why| wrong(&why))?;
        if entry.point == Point::BetweenFlushChunks {
            let _ = ONE_BY_ONE.set(Mutex::const_new(()));
        }
    }
    let _ = ON.set(on);
    if !text.trim().is_empty() {
        tracing::warn!(failpoints = text, "this program was built to be broken");
    }
    Ok(())
}

pub(super) fn is_on(switch: Switch) -> bool {
    ON.get().is_some_and(|on| on.contains(&switch))
}

pub(super) fn reach(point: Point) -> bool {
    let Some(entry) = POINTS.iter().find(|entry| entry.point == point) else { return false };
    match act(entry.name) {
        None => false,
        Some(act) => {
            tracing::warn!(point = entry.name, ?act, "a fail point strikes");
            match act {
                Act::Fail => return true,
                Act::Stop => send(Signal::SIGSTOP),
                Act::Kill { after: Duration::ZERO } => die(),
                Act::Kill { after } => {
                    std::thread::spawn(move || {
                        std::thread::sleep(after);
                        die()
                    });
                }
            }
            false
        }
    }
}

/// What the point is to do this time.
fn act(name: &str) -> Option<Act> {
    fail::fail_point!(name, |argument| Act::parse(argument.as_deref()));
    None
}

fn send(signal: Signal) {
    // It can't fail: a process may signal itself.
    let _ = kill(Pid::this(), signal);
}

fn die() -> ! {
    send(Signal::SIGKILL);
    loop {
        std::thread::park();
    }
}

/// The one chunk that may be written now.
pub(super) struct Turn {
    _turn: MutexGuard<'static, ()>,
}

impl Turn {
    /// Waits for the turn; `None` where there are no turns.
    pub(super) async fn wait() -> Option<Self> {
        let turns = ONE_BY_ONE.get()?;
        WAITING.fetch_add(1, Ordering::Relaxed);
        let turn = turns.lock().await;
        WAITING.fetch_sub(1, Ordering::Relaxed);
        Some(Self { _turn: turn })
    }

    pub(super) fn others_wait(&self) -> bool {
        WAITING.load(Ordering::Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_and_switch_has_one_name() {
        let mut names: Vec<&str> = POINTS.iter().map(|entry| entry.name).collect();
        names.extend(SWITCHES.iter().map(|(_, name, _)| *name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn what_is_misspelt_is_refused() {
        for text in [
            "before-store-comit=return(kill)",
            "before-store-commit",
            "before-store-commit=return(die)",
            "before-store-commit=return",
            "before-store-commit=5*of->return(kill)",
            "after-transaction-commit=return(error)",
            "count-redeliveries=return",
        ] {
            assert!(install(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_point_strikes_when_its_action_says_so() {
        install("before-store-commit=2*off->1*return(error)").unwrap();
        let struck = (0..4).map(|_| reach(Point::BeforeStoreCommit)).collect::<Vec<_>>();
        assert_eq!(struck, [false, false, true, false]);
        assert_eq!(Act::parse(Some("kill 20")), Some(Act::Kill { after: Duration::from_millis(20) }));
    }
}
