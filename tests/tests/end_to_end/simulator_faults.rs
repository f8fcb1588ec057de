//! The simulator's own processes, killed.

use anyhow::{Context as _, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use storepulse_tests::{Pipeline, Service, runs, wait};

use crate::under_load::{COUNTED, LONG, SENT, stream};

const RESTARTS: &str = "storepulse_simulator_worker_restarts_total";
/// What a worker may have had acknowledged and not reported yet when it is killed: reports come every 250 ms.
const UNREPORTED: u64 = 2_000;

fn two_workers(simulator: &Service) -> anyhow::Result<Vec<i32>> {
    wait::until("both workers run", LONG, || match simulator.children() {
        workers if workers.len() == 2 => Ok(workers),
        workers => Err(format!("{workers:?}")),
    })
}

/// Kills a worker, waits until another one runs in its place, and until more was sent.
fn kill_a_worker(simulator: &mut Service, which: usize) -> anyhow::Result<()> {
    let restarts = simulator.metrics().sum(RESTARTS);
    let workers = two_workers(simulator)?;
    kill(Pid::from_raw(workers[which]), Signal::SIGKILL).context("killing a worker")?;
    simulator.until_at_least(RESTARTS, restarts + 1.0, LONG)?;
    let sent = simulator.metrics().sum(SENT);
    simulator.until_at_least(SENT, sent + 300.0, LONG)?;
    Ok(())
}

/// A finite run knows all it has to send: a worker's next life repeats what its former one had sent and not reported,
/// with the same ids, and nothing else. So every event is in the topic, some in two copies, and counts once.
pub fn a_killed_worker_of_a_finite_run_goes_on_and_every_event_counts_once(
    pipeline: &mut Pipeline,
) -> anyhow::Result<()> {
    let mut analytics = pipeline.analytics()?;
    // Simulated time: the copies are the same to the last byte. No malformed messages, which have no ids.
    let options = ["--from=2026-03-01", "--rate=600", "--events=5000", "--late=0.02", "--out-of-order=0.05"];
    let mut run = pipeline.simulate(&[&options[..], &["--seed=151"]].concat())?;
    run.simulator.until_at_least(SENT, 600.0, LONG)?;
    kill_a_worker(&mut run.simulator, 0)?;
    kill_a_worker(&mut run.simulator, 1)?;
    ensure!(!run.simulator.has_ended(), "it was over before the kills");
    let (_, ledger) = pipeline.finish(run)?;
    ensure!(ledger["events"] == 5_000, "the ledger has {} events", ledger["events"]);
    let audit = pipeline.audit(None)?.1;
    let copies = audit.duplicates.saturating_sub(pipeline.reckoning.duplicates);
    ensure!(copies <= UNREPORTED, "{copies} events were sent again");
    pipeline.reckoning.duplicates += copies;
    pipeline.expect_exact(None)?;
    analytics.until_at_least(COUNTED, 5_000.0, LONG)?;
    analytics.stop()?;
    Ok(())
}

/// An endless run has nothing to repeat: a worker's next life begins with new sessions. What its former one, or all of
/// them after the supervisor's death, had acknowledged and did not report is in the topic, in no ledger, and counts once.
pub fn a_killed_worker_or_supervisor_of_an_endless_run_leaves_nothing_that_is_not_exact(
    pipeline: &mut Pipeline,
) -> anyhow::Result<()> {
    let analytics = pipeline.analytics()?;
    let mut run = stream(pipeline, 152)?;
    run.simulator.until_at_least(SENT, 500.0, LONG)?;
    kill_a_worker(&mut run.simulator, 0)?;
    let (_, ledger) = pipeline.end(run)?;
    let sent = ledger["events"].as_u64().context("the ledger has no events")?;
    ensure!(sent > 500, "the ledger has {sent} events");
    let reckoned = pipeline.reckoning.clone();
    pipeline.reckon_from_topic(0)?;
    let unreported = pipeline.reckoning.events - reckoned.events;
    ensure!(unreported <= UNREPORTED, "{unreported} events are in no ledger");

    let mut run = stream(pipeline, 153)?;
    let acknowledged = run.simulator.until_at_least(SENT, 600.0, LONG)?;
    let workers = two_workers(&run.simulator)?;
    kill(Pid::from_raw(run.simulator.group()), Signal::SIGKILL).context("killing the supervisor")?;
    wait::until("its workers have ended by themselves", LONG, || {
        let left: Vec<_> = workers.iter().filter(|worker| runs(**worker)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })?;
    run.simulator.wait(LONG)?;
    pipeline.reckon_from_topic(acknowledged as u64)?;

    let run = pipeline.simulate(&["--rate=1200", "--events=2000", "--seed=154"])?;
    pipeline.finish(run)?;
    pipeline.expect_exact(None)?;
    analytics.stop()?;
    Ok(())
}
