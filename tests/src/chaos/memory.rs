//! Watches how much memory every process takes, all the time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// Between two looks. The kernel keeps the peak of each process, so only the last moments of one that is killed can be
/// missed.
const PAUSE: Duration = Duration::from_millis(200);

/// Kinds of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// An instance of analytics.
    Analytics,
    /// The simulator's supervisor; its other processes are workers.
    Simulator,
    /// A worker of the simulator.
    SimulatorWorker,
    /// A Kafka node.
    Broker,
    /// The Firestore emulator.
    Firestore,
    /// This program.
    Campaign,
}

impl Role {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Analytics => "analytics",
            Self::Simulator => "simulator, supervisor",
            Self::SimulatorWorker => "simulator, worker",
            Self::Broker => "Kafka node",
            Self::Firestore => "Firestore emulator",
            Self::Campaign => "this campaign",
        }
    }
}

/// The memory of a kind of processes. Bytes of resident memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Peak {
    /// The kind.
    pub role: Role,
    /// Processes seen.
    pub processes: usize,
    /// The most that one of them took.
    pub most: u64,
    /// The most that all of them took at one time.
    pub most_together: u64,
}

#[derive(Debug, Default)]
struct Book {
    /// Process groups.
    groups: BTreeMap<i32, Role>,
    /// The peak of each process, by number and start.
    processes: BTreeMap<(i32, u64), (Role, u64)>,
    together: BTreeMap<Role, u64>,
    /// The most that a process of a kind took since the window was opened.
    window: BTreeMap<Role, u64>,
}

/// Looks at all processes of the groups it was told of. Ends when dropped.
#[derive(Debug)]
pub struct Watch {
    book: Arc<Mutex<Book>>,
    ended: Arc<AtomicBool>,
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Watch {
    fn default() -> Self {
        Self::start()
    }
}

impl Watch {
    /// Looks from now on; at this process to begin with.
    pub fn start() -> Self {
        let (book, ended) = (Arc::new(Mutex::new(Book::default())), Arc::new(AtomicBool::new(false)));
        let watch = Self { book: book.clone(), ended: ended.clone() };
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                look(&book);
                std::thread::sleep(PAUSE);
            }
        });
        watch
    }

    /// Looks at a process group, too.
    pub fn add(&self, role: Role, group: i32) {
        lock(&self.book).groups.insert(group, role);
    }

    /// The most that a process of a kind takes from now on is told by [`Self::window`].
    pub fn open_window(&self) {
        lock(&self.book).window.clear();
    }

    /// The most that a process of a kind took at a look since [`Self::open_window`].
    pub fn window(&self, role: Role) -> u64 {
        lock(&self.book).window.get(&role).copied().unwrap_or(0)
    }

    /// The peaks so far.
    pub fn peaks(&self) -> Vec<Peak> {
        let book = lock(&self.book);
        let mut peaks: BTreeMap<Role, Peak> = BTreeMap::new();
        for (role, most) in book.processes.values() {
            let most_together = book.together.get(role).copied().unwrap_or(0);
            let peak = peaks.entry(*role).or_insert(Peak { role: *role, processes: 0, most: 0, most_together });
            peak.processes += 1;
            peak.most = peak.most.max(*most);
        }
        peaks.into_values().collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// One look at all processes.
fn look(book: &Mutex<Book>) {
    let own = std::process::id();
    let mut together: BTreeMap<Role, u64> = BTreeMap::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(number) = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // A process may end while one looks.
        let Some((group, started)) = group_and_start(number) else { continue };
        let known = lock(book).groups.get(&group).copied();
        let role = match known {
            _ if u32::try_from(number) == Ok(own) => Role::Campaign,
            Some(Role::Simulator) if number != group => Role::SimulatorWorker,
            Some(role) => role,
            None => continue,
        };
        let Ok(status) = std::fs::read_to_string(process.path().join("status")) else { continue };
        let (Some(now), Some(peak)) = (bytes(&status, "VmRSS:"), bytes(&status, "VmHWM:")) else { continue };
        *together.entry(role).or_default() += now;
        let mut book = lock(book);
        let entry = book.processes.entry((number, started)).or_insert((role, 0));
        entry.1 = entry.1.max(peak);
        let window = book.window.entry(role).or_default();
        *window = (*window).max(now);
    }
    let mut book = lock(book);
    for (role, bytes) in together {
        let most = book.together.entry(role).or_default();
        *most = (*most).max(bytes);
    }
}

/// The group of a process, and when it was started (in ticks since the boot).
fn group_and_start(process: i32) -> Option<(i32, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold spaces and parentheses; state, parent and group follow it.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some((fields.get(2)?.parse().ok()?, fields.get(19)?.parse().ok()?))
}

/// Bytes in a process's `status`, from a line such as `VmHWM:     1234 kB`; `name` with its colon.
pub(crate) fn bytes(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// The most memory that an instance of analytics may take, in bytes, whatever happens to the store. It follows from what
/// is bounded in it:
///
/// - 96 MiB: the program itself, its threads' stacks, its two consumers and its producer;
/// - 4 MiB for each of the 24 partitions that it reads at most: what is fetched and not yet taken
///   (`queued.max.messages.kbytes`);
/// - 32 MiB: four commits to the store under way, of 2 MiB each, as documents, as Protocol Buffers and in the
///   connection;
/// - twice `DOCUMENT_CACHE_MEGABYTES`: documents are weighed roughly, and an allocator does not give back at once;
/// - 128 bytes for each message by which duplicates are told: those of `SESSION_LIFETIME_SECONDS` (600) at a rate, and
///   not more than `SESSION_LIFETIME_RECORDS` (200,000) in each of twelve partitions.
pub fn bound(cache_megabytes: u32, rate: u32) -> u64 {
    const MIB: u64 = 1 << 20;
    let known = (u64::from(rate) * 600).min(12 * 200_000);
    96 * MIB + 24 * 4 * MIB + 32 * MIB + 2 * u64::from(cache_megabytes) * MIB + known * 128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_how_much_memory_there_is() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!((bytes(status, "VmRSS:"), bytes(status, "VmHWM:")), (Some(1 << 20), Some(2 << 20)));
    }

    #[test]
    fn this_process_is_found_with_its_peak() {
        let book = Mutex::new(Book::default());
        look(&book);
        let watch = Watch { book: Arc::new(book), ended: Arc::default() };
        let peaks = watch.peaks();
        assert_eq!((peaks.len(), peaks[0].role, peaks[0].processes), (1, Role::Campaign, 1));
        assert!(peaks[0].most > 1 << 20 && watch.window(Role::Campaign) > 1 << 20);
        watch.open_window();
        assert_eq!(watch.window(Role::Campaign), 0);
    }
}
