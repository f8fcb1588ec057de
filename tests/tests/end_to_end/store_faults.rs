//! A store that fails in every way it can, by a proxy in front of Firestore's emulator.
//!
//! A stopped emulator would forget all its documents, which no database does. So the proxy plays the stopped process: it
//! cuts all connections, and new ones are refused by the operating system. (A store that hangs is
//! `exact::a_store_outage_is_waited_out`.)

use std::time::Duration;

use storepulse_tests::fault_proxy::{Calls, Fault, FaultProxy, How};
use storepulse_tests::{Pipeline, Run, Service, wait};
use tonic::Code;

use crate::under_load::{COUNTED, LONG, SENT, count_more, end_exact, stream};

/// Events that are sent while the store takes no connection, at 400 a second. The campaign
/// (`make chaos`) has longer ones.
const OUTAGE_EVENTS: f64 = 4_800.0;

/// Runs analytics under load behind a proxy, does something to it, clears the proxy, and proves that nothing came of it.
fn behind_a_proxy(
    pipeline: &mut Pipeline,
    seed: u32,
    harm: impl FnOnce(&FaultProxy, &mut Service, &mut Run) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let proxy = FaultProxy::start(&pipeline.store_address()?, 1)?;
    let mut analytics = pipeline.start(&pipeline.analytics_spec().set("FIRESTORE_EMULATOR_HOST", proxy.address()))?;
    analytics.until_ready()?;
    let mut run = stream(pipeline, seed)?;
    analytics.until_at_least(COUNTED, 200.0, LONG)?;
    harm(&proxy, &mut analytics, &mut run)?;
    proxy.clear();
    count_more(&mut analytics, 200.0)?;
    end_exact(pipeline, run)?;
    analytics.stop()?;
    Ok(())
}

/// Plans faults, and waits until each has struck so often.
fn strike(proxy: &FaultProxy, times: u64, faults: &[(Calls, Fault, f64)]) -> anyhow::Result<()> {
    for (calls, fault, probability) in faults {
        proxy.plan(*calls, *fault, How::Probability(*probability));
    }
    wait::until("the store has failed often enough", LONG, || {
        let injected = proxy.injected();
        let enough = |fault: &Fault| injected.get(&fault.to_string()).is_some_and(|count| *count >= times);
        if faults.iter().all(|(_, fault, _)| enough(fault)) { Ok(()) } else { Err(format!("{injected:?}")) }
    })
}

pub fn what_the_store_refuses_is_asked_again_and_counts_once(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    behind_a_proxy(pipeline, 141, |proxy, _, _| {
        let faults = [Code::Unavailable, Code::Aborted, Code::ResourceExhausted, Code::DeadlineExceeded];
        strike(proxy, 6, &faults.map(|code| (Calls::All, Fault::Refuse(code), 0.08)))
    })
}

pub fn a_deadline_that_is_exceeded_after_applying_counts_nothing_twice(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    behind_a_proxy(pipeline, 142, |proxy, _, _| {
        let after = |code| (Calls::Commit, Fault::FailAfter(code), 0.25);
        strike(proxy, 12, &[after(Code::DeadlineExceeded), after(Code::Unavailable), after(Code::Aborted)])
    })
}

pub fn a_connection_cut_before_or_after_the_write_counts_nothing_twice(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    behind_a_proxy(pipeline, 143, |proxy, _, _| {
        let cut = |calls, fault| (calls, fault, 0.1);
        strike(proxy, 6, &[cut(Calls::All, Fault::CutBefore), cut(Calls::Commit, Fault::CutAfter)])
    })
}

pub fn a_slow_store_and_answers_that_never_come_are_waited_out(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    behind_a_proxy(pipeline, 144, |proxy, analytics, _| {
        proxy.plan(Calls::Commit, Fault::Swallow, How::Next(2));
        proxy.plan(Calls::BatchGet, Fault::Swallow, How::Next(1));
        proxy.plan(Calls::All, Fault::Delay(Duration::from_millis(700)), How::Always);
        analytics.until_unready("store")?;
        wait::until("all three answers are swallowed", LONG, || match proxy.injected().get("swallowed") {
            Some(3) => Ok(()),
            other => Err(format!("{other:?}")),
        })
    })
}

pub fn a_store_that_takes_no_connection_is_waited_out(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    behind_a_proxy(pipeline, 145, |proxy, analytics, run| {
        proxy.refuse_connections()?;
        let sent = run.simulator.metrics().sum(SENT);
        analytics.until_unready("store")?;
        run.simulator.until_at_least(SENT, sent + OUTAGE_EVENTS, LONG)?;
        analytics.until_unready("store")?;
        proxy.accept_connections()?;
        analytics.until_ready()
    })
}
