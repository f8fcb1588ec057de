//! More and fewer instances, under load.

use storepulse_tests::{Pipeline, Service};

use crate::under_load::{AGGREGATE, LONG, PARTITIONS, count_more, end_exact, stream, until_they_share};

/// Waits until they share everything, and until each has counted something in that state.
fn until_they_share_and_count(instances: &mut [&mut Service]) -> anyhow::Result<()> {
    until_they_share(instances)?;
    instances.iter_mut().try_for_each(|instance| count_more(instance, 100.0))
}

pub fn two_three_and_one_instances_in_turn_stay_exact_under_load(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let spec = pipeline.analytics_spec();
    let run = stream(pipeline, 121)?;
    // Two at once: both join while the group is being made.
    let mut first = pipeline.start(&spec)?;
    let mut second = pipeline.start(&spec)?;
    until_they_share_and_count(&mut [&mut first, &mut second])?;
    let mut third = pipeline.start(&spec)?;
    until_they_share_and_count(&mut [&mut first, &mut second, &mut third])?;
    // Two go at the same time, one well, one not.
    second.kill()?;
    third.stop()?;
    until_they_share_and_count(&mut [&mut first])?;
    // One comes while the other goes: partitions move in the middle of a move.
    let mut fourth = pipeline.start(&spec)?;
    fourth.until_metrics("it has something", LONG, |metrics| metrics.sum_where(PARTITIONS, AGGREGATE) >= 1.0)?;
    first.stop()?;
    until_they_share_and_count(&mut [&mut fourth])?;
    end_exact(pipeline, run)?;
    fourth.stop()?;
    Ok(())
}
