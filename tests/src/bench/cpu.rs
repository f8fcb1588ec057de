//! What processes have used, as the kernel counts it.

use std::iter::Sum;
use std::ops::{Add, Sub};
use std::time::Instant;

use anyhow::Context as _;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::Serialize;

use crate::chaos::memory::bytes;

/// Time on the cores, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cpu {
    /// In the programs' own code.
    pub user: f64,
    /// In the kernel on their behalf.
    pub system: f64,
}

/// The unit of times in `/proc`: Linux shows them to programs in hundredths of a second on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

impl Cpu {
    /// Both together.
    pub fn total(self) -> f64 {
        self.user + self.system
    }

    /// For each million of so many.
    pub fn per_million(self, count: u64) -> Self {
        let factor = 1e6 / count.max(1) as f64;
        Self { user: self.user * factor, system: self.system * factor }
    }

    /// What a running process has used, with all its threads.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn of_process(pid: u32) -> anyhow::Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        Self::parse(&text).with_context(|| format!("{path} is not as expected"))
    }

    /// What these processes have used.
    ///
    /// # Errors
    /// When one of them is gone.
    pub fn of_processes(pids: &[u32]) -> anyhow::Result<Self> {
        pids.iter().map(|pid| Self::of_process(*pid)).sum()
    }

    /// What the calling thread has used.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn of_this_thread() -> anyhow::Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
        Ok(Self { user: seconds(usage.user_time()), system: seconds(usage.system_time()) })
    }

    /// What the children of this process have used that have ended and were waited for, with their own such children.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn of_ended_children() -> anyhow::Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        Ok(Self { user: seconds(usage.user_time()), system: seconds(usage.system_time()) })
    }

    fn parse(stat: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_whitespace().skip(11);
        let mut ticks = || Some(fields.next()?.parse::<f64>().ok()? / TICKS_PER_SECOND);
        Some(Self { user: ticks()?, system: ticks()? })
    }
}

/// The most memory that a running process has had, in bytes (`VmHWM`).
///
/// # Errors
/// When there is no such process.
pub fn peak_memory(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    bytes(&text, "VmHWM:").with_context(|| format!("{path} is not as expected"))
}

/// What all programs of the machine have used up to some moment.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    at: Instant,
    busy: f64,
}

impl Machine {
    /// Looks now.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn now() -> anyhow::Result<Self> {
        let text = std::fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
        let busy = parse_busy(&text).context("/proc/stat is not as expected")?;
        Ok(Self { at: Instant::now(), busy })
    }

    /// How many cores were busy since then, on average, with anything but `own`; among it what a hypervisor took.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn others(self, own: Cpu) -> anyhow::Result<f64> {
        let now = Self::now()?;
        let seconds = (now.at - self.at).as_secs_f64().max(0.01);
        Ok(((now.busy - self.busy - own.total()) / seconds).max(0.0))
    }
}

/// Seconds of all cores together in which they were neither idle nor waited for a disk.
fn parse_busy(stat: &str) -> Option<f64> {
    let all = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<f64> = all.split_whitespace().map_while(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let busy = [0, 1, 2, 5, 6, 7].iter().map(|field| ticks.get(*field).copied()).sum::<Option<f64>>()?;
    Some(busy / TICKS_PER_SECOND)
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

impl Add for Cpu {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { user: self.user + other.user, system: self.system + other.system }
    }
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { user: self.user - other.user, system: self.system - other.system }
    }
}

impl Sum for Cpu {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 1234 56 9 9 20 0 12 0 100 1 1";
        assert_eq!(Cpu::parse(stat), Some(Cpu { user: 12.34, system: 0.56 }));
        assert_eq!(Cpu::parse("7 (x) S 1"), None);
    }

    #[test]
    fn idle_cores_are_not_busy() {
        assert_eq!(parse_busy("cpu  100 0 50 9999 77 1 2 47 0 0\ncpu0 1\n"), Some(2.0));
        assert_eq!(parse_busy("cpu  100 0\n"), None);
        assert!(Machine::now().and_then(|machine| machine.others(Cpu::default())).is_ok());
    }

    #[test]
    fn this_process_has_used_something_and_no_process_is_an_error() {
        assert!(Cpu::of_process(std::process::id()).is_ok());
        assert!(Cpu::of_process(u32::MAX).is_err());
        assert!(peak_memory(std::process::id()).unwrap() > 1_000_000);
        assert_eq!(bytes("VmPeak:\t  9 kB\nVmHWM:\t   12 kB\n", "VmHWM:"), Some(12 * 1024));
        assert_eq!(Cpu { user: 3.0, system: 1.0 }.per_million(2_000_000).total(), 2.0);
    }
}
