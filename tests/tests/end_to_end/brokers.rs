//! Brokers that go and come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::ensure;
use storepulse_tests::by_hand::leaders;
use storepulse_tests::{Pipeline, wait};

use crate::under_load::{COUNTED, LONG, SENT, end_exact, stream};

/// How long nothing may move until the line counts as waiting.
const STILL: Duration = Duration::from_secs(3);
/// For three elections and a broker's start on a busy machine.
const RECOVERY: Duration = Duration::from_secs(150);

pub fn a_rolling_restart_of_all_brokers_moves_every_leader_and_costs_nothing(
    pipeline: &mut Pipeline,
) -> anyhow::Result<()> {
    let mut analytics = pipeline.analytics()?;
    let mut run = stream(pipeline, 131)?;
    analytics.until_at_least(COUNTED, 400.0, LONG)?;
    let admin = pipeline.environment("admin");
    let mut led: BTreeMap<i32, BTreeSet<i32>> = BTreeMap::new();
    let mut note = || {
        for (partition, leader) in leaders(&admin)? {
            led.entry(partition).or_default().insert(leader);
        }
        anyhow::Ok(())
    };
    note()?;
    for id in 1..=3 {
        pipeline.stop_broker(id)?;
        wait::until("all partitions are led by others", LONG, || match leaders(&admin) {
            Ok(leaders) if leaders.len() == 12 && leaders.values().all(|leader| *leader != id as i32) => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
        note()?;
        // Without it the stream goes on, from the one end to the other.
        let (sent, counted) = (run.simulator.metrics().sum(SENT), analytics.metrics().sum(COUNTED));
        run.simulator.until_at_least(SENT, sent + 300.0, RECOVERY)?;
        analytics.until_at_least(COUNTED, counted + 300.0, RECOVERY)?;
        pipeline.start_broker(id)?;
    }
    for (partition, leaders) in led {
        ensure!(leaders.len() > 1, "partition {partition} was always led by {leaders:?}");
    }
    end_exact(pipeline, run)?;
    analytics.stop()?;
    Ok(())
}

/// The nodes are brokers and controllers in one: with two of three down the quorum is lost, too.
pub fn with_two_brokers_down_the_line_waits_and_nothing_is_lost(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let mut analytics = pipeline.analytics()?;
    let mut run = stream(pipeline, 132)?;
    analytics.until_at_least(COUNTED, 400.0, LONG)?;
    pipeline.kill_broker(1)?;
    pipeline.kill_broker(3)?;
    let mut last = (-1.0, Instant::now());
    wait::until("nothing is acknowledged any more", LONG, || {
        let sent = run.simulator.metrics().sum(SENT);
        if sent != last.0 {
            last = (sent, Instant::now());
        }
        if last.1.elapsed() >= STILL { Ok(()) } else { Err(format!("{sent} so far")) }
    })?;
    ensure!(!run.simulator.has_ended() && !analytics.has_ended(), "somebody has given up");
    pipeline.start_broker(1)?;
    pipeline.start_broker(3)?;
    let counted = analytics.metrics().sum(COUNTED);
    run.simulator.until_at_least(SENT, last.0 + 400.0, RECOVERY)?;
    analytics.until_at_least(COUNTED, counted + 400.0, RECOVERY)?;
    end_exact(pipeline, run)?;
    analytics.stop()?;
    Ok(())
}
