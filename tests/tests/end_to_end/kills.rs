//! A kill at each place where it could hurt: the crash points of `docs/exactly-once.md`. And what a program does that was
//! built to be wrong.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use memchr::memmem;
use storepulse_tests::{Difference, Ended, Pipeline, Run, Service, program};

use crate::under_load::{COUNTED, LONG, end_exact, stream, until_it_has_a_share};

/// For a program that refuses its settings.
const ANSWER: Duration = Duration::from_secs(20);
const SIGKILL: i32 = 9;

/// Does [`die_in`] to a stream of this seed.
fn die_and_stay_exact(pipeline: &mut Pipeline, seed: u32, points: &[&str]) -> anyhow::Result<()> {
    let run = stream(pipeline, seed)?;
    die_in(pipeline, run, points)
}

/// Starts analytics with one fail point after another under load, each time until it dies of it; then without any, and
/// proves that nothing came of it.
fn die_in(pipeline: &mut Pipeline, mut run: Run, points: &[&str]) -> anyhow::Result<()> {
    for point in points {
        let victim = pipeline.start(&pipeline.failpoints_spec(point))?;
        let ended = victim.wait(LONG).with_context(|| format!("it does not die of {point}"))?;
        expect_death(&ended, point)?;
        ensure!(!run.simulator.has_ended(), "the stream has ended");
    }
    // What releases are built like does not know the variable.
    let fatal = "before-transaction-commit=return(kill);before-store-commit=return(kill);during-restore=return(kill)";
    let mut heir = pipeline.start(&pipeline.analytics_spec().set("FAILPOINTS", fatal))?;
    heir.until_at_least(COUNTED, 300.0, LONG)?;
    end_exact(pipeline, run)?;
    heir.stop()?;
    Ok(())
}

/// Has an instance commit, and stop: only after what is committed there is something to restore.
fn commit_something(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let mut first = pipeline.analytics()?;
    first.until_at_least(COUNTED, 300.0, LONG)?;
    first.stop()?;
    Ok(())
}

/// It was killed, where it was to be killed.
fn expect_death(ended: &Ended, point: &str) -> anyhow::Result<()> {
    let name = point.split('=').next().unwrap_or_default();
    let said = ended.stderr.lines().rev().find(|line| line.contains("a fail point strikes")).unwrap_or_default();
    ensure!(ended.signal() == Some(SIGKILL), "{point}: it ended with {}", ended.status);
    ensure!(said.contains(&format!("\"{name}\"")), "{point}: it died elsewhere: {said}");
    Ok(())
}

pub fn a_kill_before_the_transaction_commit_loses_nothing(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let points = ["before-transaction-offsets=6*off->return(kill)", "before-transaction-commit=6*off->return(kill)"];
    die_and_stay_exact(pipeline, 101, &points)
}

pub fn a_kill_in_or_after_the_transaction_commit_counts_nothing_twice(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let points = [
        // A commit takes some tens of milliseconds.
        "before-transaction-commit=6*off->return(kill 15)",
        "after-transaction-commit=6*off->return(kill)",
    ];
    die_and_stay_exact(pipeline, 102, &points)
}

pub fn a_kill_between_the_chunks_of_a_flush_counts_nothing_twice(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let points = ["between-flush-chunks=return(kill)"];
    die_and_stay_exact(pipeline, 103, &points)
}

pub fn a_kill_between_the_store_write_and_the_offset_commit_counts_nothing_twice(
    pipeline: &mut Pipeline,
) -> anyhow::Result<()> {
    let points = ["after-store-commit=8*off->return(kill)", "before-offset-commit=2*off->return(kill)"];
    die_and_stay_exact(pipeline, 104, &points)
}

pub fn a_kill_while_sessions_are_restored_costs_nothing(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let run = stream(pipeline, 105)?;
    commit_something(pipeline)?;
    die_in(pipeline, run, &["during-restore=5*off->return(kill)"])
}

pub fn a_kill_while_partitions_are_given_up_costs_nothing(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let run = stream(pipeline, 106)?;
    let mut heir: Option<Service> = None;
    for point in ["before-giving-up-partitions=return(kill)", "while-giving-up-partitions=return(kill)"] {
        let mut victim = pipeline.start(&pipeline.failpoints_spec(point))?;
        match heir.take() {
            // Takes partitions from the one before, which lives, then gives some up in its turn.
            Some(one) => {
                until_it_has_a_share(&mut victim)?;
                one.stop()?;
            }
            None => victim.until_ready()?,
        }
        victim.until_at_least(COUNTED, 200.0, LONG)?;
        heir = Some(pipeline.start(&pipeline.analytics_spec())?);
        let ended = victim.wait(LONG).with_context(|| format!("it does not die of {point}"))?;
        expect_death(&ended, point)?;
    }
    let mut heir = heir.context("nobody is left")?;
    heir.until_at_least(COUNTED, 300.0, LONG)?;
    end_exact(pipeline, run)?;
    heir.stop()?;
    Ok(())
}

pub fn what_fails_at_any_point_is_done_again_and_counts_once(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let points = "during-restore=2*return(error);before-transaction-offsets=5%return(error);\
                  before-transaction-commit=5%return(error);before-store-commit=10%return(error);\
                  after-store-commit=20%return(error)";
    let run = stream(pipeline, 107)?;
    commit_something(pipeline)?;
    let mut analytics = pipeline.start(&pipeline.failpoints_spec(points))?;
    analytics.until_metrics("enough has failed", LONG, |metrics| {
        metrics.sum("storepulse_analytics_transactions_aborted_total") >= 4.0
            && metrics.sum("storepulse_analytics_store_errors_total") >= 12.0
            && metrics.sum("storepulse_analytics_stage_restarts_total") >= 1.0
    })?;
    end_exact(pipeline, run)?;
    analytics.stop()?;
    Ok(())
}

pub fn releases_have_no_fail_points_and_misspelt_ones_are_refused(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let ended = pipeline.run(&pipeline.failpoints_spec("no-such-point=return(kill)"), ANSWER)?;
    ended.expect_code(2)?;
    let list = ended.stderr.split("there are ").nth(1).context("it does not say which points there are")?;
    let names: Vec<&str> = list.trim().split(", ").collect();
    ensure!(names.len() > 10 && names.contains(&"count-redeliveries"), "{names:?}");
    let bytes_of = |name: &str| anyhow::Ok(std::fs::read(program(name)?)?);
    let has = |bytes: &[u8], name: &str| memmem::find(bytes, name.as_bytes()).is_some();
    let (release, broken) = (bytes_of("analytics")?, bytes_of("analytics-failpoints")?);
    for name in names {
        ensure!(has(&broken, name), "the program with fail points has no {name}");
        ensure!(!has(&release, name), "the program without fail points has {name}");
    }
    ensure!(!has(&release, "FAILPOINTS"), "the program without fail points knows FAILPOINTS");
    let misspelt = ["before-store-commit=return(die)", "after-transaction-commit=return(error)", "count-redeliveries"];
    for points in misspelt {
        let ended = pipeline.run(&pipeline.failpoints_spec(points), ANSWER)?;
        ended.expect_code(2)?;
        ensure!(ended.stderr.contains(points), "{points}: {}", ended.stderr);
    }
    Ok(())
}

/// Runs a build that is wrong on purpose under load: kills it at `fatal`, starts it again, and audits.
fn differences_of(pipeline: &mut Pipeline, seed: u32, wrong: &str, fatal: &str) -> anyhow::Result<Vec<Difference>> {
    let run = stream(pipeline, seed)?;
    let both = format!("{wrong};{fatal}");
    let ended = pipeline.start(&pipeline.failpoints_spec(&both))?.wait(LONG)?;
    expect_death(&ended, fatal)?;
    let mut heir = pipeline.start(&pipeline.failpoints_spec(wrong))?;
    heir.until_at_least(COUNTED, 300.0, LONG)?;
    pipeline.end(run)?;
    let (ended, audit) = pipeline.audit(None)?;
    ended.expect_code(1)?;
    heir.stop()?;
    Ok(audit.differences)
}

/// Counters to which nothing but events adds. What is derived from them, and what a session that goes on takes back, may
/// be larger or smaller when an event counts twice.
const GROWING: [&str; 6] = [
    "started_sessions_count",
    "product_views_count",
    "views_count",
    "purchase_count",
    "total_amount",
    "total_items_purchased",
];

/// How many of the differences are counters that are larger, and smaller, than they should be.
fn larger_and_smaller(differences: &[Difference]) -> (usize, usize) {
    let grows = |difference: &&Difference| GROWING.iter().any(|name| difference.subject.ends_with(&format!(" {name}")));
    let numbers = differences.iter().filter(grows).filter_map(|difference| {
        let number = |text: &str| text.parse::<f64>().ok();
        Some((number(&difference.expected)?, number(&difference.found)?))
    });
    let numbers: Vec<_> = numbers.collect();
    let count = |holds: fn(&&(f64, f64)) -> bool| numbers.iter().filter(holds).count();
    (count(|(expected, found)| found > expected), count(|(expected, found)| found < expected))
}

/// The last of all that need right documents: it leaves wrong ones behind.
pub fn exactness_that_is_broken_on_purpose_is_found(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let twice = differences_of(pipeline, 108, "count-redeliveries=on", "before-offset-commit=3*off->return(kill)")?;
    let (larger, smaller) = larger_and_smaller(&twice);
    ensure!(larger > 0 && smaller == 0, "redeliveries counted: {larger} larger, {smaller} smaller: {twice:#?}");
    let lost =
        differences_of(pipeline, 109, "offsets-before-documents=on", "before-store-commit=20*off->return(kill)")?;
    let missing = lost.iter().filter(|difference| difference.found == "none").count();
    let (_, smaller) = larger_and_smaller(&lost);
    ensure!(smaller + missing > 0, "offsets before documents: nothing was lost: {lost:#?}");
    Ok(())
}
