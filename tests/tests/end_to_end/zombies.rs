//! Instances that stand still for longer than the group waits, and then go on as if nothing had happened.

use anyhow::ensure;
use storepulse_tests::Pipeline;

use crate::under_load::{
    AGGREGATE, COUNTED, LONG, PARTITIONS, end_exact, stream, until_it_has_a_share, until_they_share,
};

const ABORTED: &str = "storepulse_analytics_transactions_aborted_total";
const STORE_ERRORS: &str = "storepulse_analytics_store_errors_total";
const WRITTEN: &str = "storepulse_analytics_documents_written_total";
const RESTARTS: &str = "storepulse_analytics_stage_restarts_total";

/// Two zombies after one another, over one stream: the first with a transaction that it is about to begin, the second
/// with documents that it is about to write.
pub fn a_zombie_is_fenced_off_by_the_group_and_by_the_store(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let run = stream(pipeline, 111)?;
    let mut zombie = pipeline.start(&pipeline.failpoints_spec("before-transaction=15*off->1*return(stop)"))?;
    zombie.until_frozen(LONG)?;
    let mut heir = pipeline.start(&pipeline.analytics_spec())?;
    until_they_share(&mut [&mut heir])?;
    heir.until_at_least(COUNTED, 300.0, LONG)?;
    zombie.pause(false);
    // What it has read is void: it drops it, and joins again.
    zombie.until_metrics("it begins anew", LONG, |metrics| metrics.sum_where(RESTARTS, AGGREGATE) >= 1.0)?;
    until_it_has_a_share(&mut zombie)?;
    heir.kill()?;
    until_they_share(&mut [&mut zombie])?;
    zombie.stop()?;

    let mut zombie = pipeline.start(&pipeline.failpoints_spec("before-store-commit=20*off->1*return(stop)"))?;
    zombie.until_frozen(LONG)?;
    let mut heir = pipeline.start(&pipeline.analytics_spec())?;
    until_they_share(&mut [&mut heir])?;
    // It has begun where the zombie's offsets are, so it has written the zombie's documents by now, of each tier.
    for tier in ["hot", "warm", "cold"] {
        let wanted = format!("tier=\"{tier}\"");
        heir.until_metrics("it has written", LONG, |metrics| metrics.sum_where(WRITTEN, &wanted) >= 450.0)?;
    }
    zombie.pause(false);
    zombie.until_metrics("the guard of a document has stopped it", LONG, |metrics| {
        metrics.sum_where(STORE_ERRORS, "kind=\"conflict\"") >= 1.0
    })?;
    until_it_has_a_share(&mut zombie)?;
    end_exact(pipeline, run)?;
    zombie.stop()?;
    heir.stop()?;
    Ok(())
}

/// The group has let it in its transaction, before it stood still. So its successor has to wait for the outcome, which
/// is its own to bring about as long as the brokers don't lose patience; when they do, it is fenced off.
pub fn a_zombie_with_an_open_transaction_commits_it_whole_or_not_at_all(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let run = stream(pipeline, 112)?;
    let point = "before-transaction-commit=15*off->1*return(stop)";
    let patient = pipeline.failpoints_spec(point).set("KAFKA_TRANSACTION_TIMEOUT_MS", "120000");
    let mut zombie = pipeline.start(&patient)?;
    zombie.until_frozen(LONG)?;
    let mut heir = pipeline.start(&pipeline.analytics_spec())?;
    heir.until_unready("restoring")?;
    ensure!(heir.metrics().sum_where(PARTITIONS, AGGREGATE) < 12.0, "it does not wait for the outcome");
    zombie.pause(false);
    until_it_has_a_share(&mut zombie)?;
    until_it_has_a_share(&mut heir)?;
    heir.until_at_least(COUNTED, 300.0, LONG)?;
    zombie.stop()?;
    until_they_share(&mut [&mut heir])?;
    heir.stop()?;

    let impatient = pipeline.failpoints_spec(point).set("KAFKA_TRANSACTION_TIMEOUT_MS", "4000");
    let mut zombie = pipeline.start(&impatient)?;
    zombie.until_frozen(LONG)?;
    let mut heir = pipeline.start(&pipeline.analytics_spec())?;
    until_they_share(&mut [&mut heir])?;
    heir.until_at_least(COUNTED, 300.0, LONG)?;
    zombie.pause(false);
    zombie.until_at_least(ABORTED, 1.0, LONG)?;
    zombie.until_metrics("it begins anew", LONG, |metrics| metrics.sum_where(RESTARTS, AGGREGATE) >= 1.0)?;
    end_exact(pipeline, run)?;
    zombie.stop()?;
    heir.stop()?;
    Ok(())
}
