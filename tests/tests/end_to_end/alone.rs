//! `storepulse-local run`, which is `make run`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use storepulse_tests::{Pipeline, Spec, wait};

const LIMIT: Duration = Duration::from_secs(240);
/// A variable that every process of the run inherits.
const MARK: &str = "STOREPULSE_TEST_MARK";

/// The processes with the mark in their environment, as `pid program`.
fn marked(mark: &str) -> Vec<String> {
    let wanted = format!("{MARK}={mark}");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let has_mark = |path: &Path| {
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    let name = |path: &Path| {
        let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
        format!("{} {}", path.display(), name.trim())
    };
    processes.map(|process| process.path()).filter(|path| has_mark(path)).map(|path| name(&path)).collect()
}

pub fn a_run_of_its_own_is_exact_and_leaves_nothing_running(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let dir = pipeline.dir().with_file_name("run-cluster");
    let mark = std::process::id().to_string();
    let mut spec = Spec::new("local")
        .arguments(["--dir", &dir.to_string_lossy(), "run", "--events", "5000", "--seed", "1", "--store", "sqlite"])
        // The simulator gets these: the embedded store keeps the promise under disorder too.
        .environment([
            ("SIMULATOR_DUPLICATES", "0.02"),
            ("SIMULATOR_OUT_OF_ORDER", "0.05"),
            ("SIMULATOR_MALFORMED", "0.005"),
            (MARK, &mark),
        ]);
    spec.has_others = true;
    let mut run = pipeline.start(&spec)?;
    // Itself, three nodes, analytics, the simulator and its workers: so the mark does find them.
    let most = wait::until("all parts run", LIMIT, || match marked(&mark) {
        all if all.len() >= 7 => Ok(all),
        _ if run.has_ended() => Ok(Vec::new()),
        some => Err(format!("{some:?}")),
    })?;
    let ended = run.wait(LIMIT)?;
    ended.expect_code(0)?;
    ensure!(!most.is_empty(), "it ended before all parts ran:\n{}", ended.stdout);
    ensure!(ended.stdout.contains("every document equals the reference"), "{}", ended.stdout);
    ensure!(ended.stdout.lines().any(|line| line.split_whitespace().eq(["differences", "0"])), "{}", ended.stdout);
    let left = marked(&mark);
    ensure!(left.is_empty(), "still running: {left:?}");
    ensure!(!dir.exists(), "files are left in {}", dir.display());
    Ok(())
}
