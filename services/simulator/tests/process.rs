//! Promises about the processes, checked on the real program.

#![allow(missing_docs, reason = "tests")]

mod common;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{add_up, assert_ledger_is};

fn simulator(directory: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_storepulse-simulator"));
    command.env_clear().current_dir(directory).args(["--http-address=127.0.0.1:0", "--log-level=warn"]).args(flags);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(directory: &Path, flags: &[&str]) -> Output {
    simulator(directory, flags).output().unwrap()
}

/// The processes whose parent is `parent`, from `/proc`.
fn children(parent: u32) -> Vec<u32> {
    let stat = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let stat = stat(*pid);
        let mut after = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        after.next() != Some("Z") && after.next().and_then(|p| p.parse().ok()) == Some(parent)
    })
    .collect()
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap().success());
}

#[track_caller]
fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn workers(child: &Child, count: usize) -> Vec<u32> {
    eventually("the workers", || Some(children(child.id())).filter(|found| found.len() == count))
}

fn ledger(directory: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(directory.join("ledger.json")).unwrap()).unwrap()
}

#[track_caller]
fn assert_ends_well(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

const FILE: [&str; 7] = [
    "--sink=events.jsonl",
    "--ledger=ledger.json",
    "--seed=1",
    "--processes=2",
    "--late=0.05",
    "--duplicates=0.05",
    "--malformed=0.02",
];

#[test]
fn two_runs_write_the_same_file_and_the_ledger_is_what_the_file_adds_up_to() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for directory in [&a, &b] {
        assert_ends_well(&run(directory.path(), &[&FILE[..], &["--events=20001"]].concat()));
    }
    let text = std::fs::read(a.path().join("events.jsonl")).unwrap();
    assert!(text == std::fs::read(b.path().join("events.jsonl")).unwrap());
    let lines = text.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n');
    let ledger = ledger(a.path());
    assert_eq!(ledger["events"], 20_001);
    assert_ledger_is(&ledger, &add_up(lines));
    let left: Vec<_> = std::fs::read_dir(a.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn killing_workers_changes_nothing_in_the_file_or_the_ledger() {
    let (calm, rough) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // At a rate the run lasts long enough for the kills; simulated time makes the bytes comparable.
    let flags = [&FILE[..], &["--events=16000", "--rate=4000", "--from=2026-03-01"]].concat();
    assert_ends_well(&run(calm.path(), &[&FILE[..], &["--events=16000", "--from=2026-03-01"]].concat()));
    let child = simulator(rough.path(), &flags).spawn().unwrap();
    for _ in 0..2 {
        let victims = workers(&child, 2);
        std::thread::sleep(Duration::from_millis(700));
        signal(victims[0], "KILL");
        eventually("its death", || (!children(child.id()).contains(&victims[0])).then_some(()));
    }
    let output = child.wait_with_output().unwrap();
    assert_ends_well(&output);
    assert!(String::from_utf8_lossy(&output.stderr).contains("a worker died"));
    assert_eq!(ledger(calm.path()), ledger(rough.path()));
    let read = |directory: &Path| std::fs::read(directory.join("events.jsonl")).unwrap();
    assert!(read(calm.path()) == read(rough.path()));
}

#[test]
fn sigterm_stops_all_soon_and_well_with_a_ledger_of_what_was_done() {
    for name in ["TERM", "INT"] {
        let directory = tempfile::tempdir().unwrap();
        let child = simulator(directory.path(), &[&FILE[..], &["--rate=2000"]].concat()).spawn().unwrap();
        let started = workers(&child, 2);
        std::thread::sleep(Duration::from_millis(800));
        let asked = Instant::now();
        signal(child.id(), name);
        let output = child.wait_with_output().unwrap();
        assert_ends_well(&output);
        assert!(asked.elapsed() < Duration::from_secs(5));
        assert!(started.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
        let text = std::fs::read(directory.path().join("events.jsonl")).unwrap();
        assert_ledger_is(&ledger(directory.path()), &add_up(text.strip_suffix(b"\n").unwrap().split(|b| *b == b'\n')));
    }
}

#[test]
fn workers_do_not_outlive_their_supervisor() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = simulator(directory.path(), &["--sink=null", "--rate=10", "--processes=3"]).spawn().unwrap();
    let started = workers(&child, 3);
    std::thread::sleep(Duration::from_millis(300));
    signal(child.id(), "KILL");
    child.wait().unwrap();
    for pid in started {
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        };
        eventually("a worker's end", gone);
    }
}

#[test]
fn a_worker_that_cannot_live_ends_a_finite_run_with_exit_code_1() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("events.jsonl.part-0")).unwrap();
    let output = run(directory.path(), &["--sink=events.jsonl", "--events=10", "--processes=1"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("cannot write events.jsonl.part-0") && error.contains("giving up"), "{error}");
}

#[test]
fn a_bad_setting_is_refused_with_its_name_and_what_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    for (name, value, allowed) in [
        ("PURCHASE_PROBABILITY", "1.5", "0 to 1"),
        ("MIN_SHIPPING_COST", "3.999", "at most two decimals"),
        ("MIN_CART_QUANTITY", "9", "at most MAX_CART_QUANTITY"),
        ("NUMBER_SIMULATION_PROCESSES", "0", "from 1 to 512"),
        ("SHOP_CURRENCY", "usd", "three upper-case letters"),
        ("SIMULATOR_TO", "2026-13-01", "RFC 3339"),
        ("SIMULATOR_TO", "2026-12-01", "together with SIMULATOR_FROM"),
        ("SIMULATOR_CATEGORIES", "101", "at most SIMULATOR_PRODUCTS"),
        ("SIMULATOR_USERS", "5", "at least SIMULATOR_SESSIONS"),
        ("MAX_EVENT_INTERVAL_SECONDS", "-1", "from 0"),
        ("SIMULATOR_RATE", "many", "a number"),
        ("HTTP_ADDRESS", "here", "address"),
    ] {
        let mut command = simulator(directory.path(), &["--sink=null", "--events=1"]);
        if name == "HTTP_ADDRESS" {
            command = Command::new(env!("CARGO_BIN_EXE_storepulse-simulator"));
            command.env_clear().args(["--sink=null", "--events=1"]);
        }
        let output = command.env(name, value).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {error}");
        assert!(error.contains(name) && error.contains(value) && error.contains(allowed), "{name}: {error}");
    }
    let output = run(directory.path(), &["--events=1"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && error.contains("not set: KAFKA_BROKERS"), "{error}");
}
