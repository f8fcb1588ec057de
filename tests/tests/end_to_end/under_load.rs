//! What scenarios with faults have in common: a stream that does not end, and instances that share its partitions.

use storepulse_tests::{Pipeline, Run, Service};

pub use crate::exact::{COUNTED, LONG, PARTITIONS, SENT};

/// Events a second. Few: every audit reads all that was ever sent, and every start the last ten minutes of it.
const RATE: &str = "--rate=400";
/// What goes wrong in the stream itself.
const DISORDER: [&str; 5] =
    ["--late=0.02", "--late-by-seconds=3", "--duplicates=0.02", "--out-of-order=0.05", "--malformed=0.003"];
/// The stages, as metrics have them.
pub const AGGREGATE: &str = "stage=\"aggregate\"";
/// See [`AGGREGATE`].
pub const MATERIALISE: &str = "stage=\"materialise\"";

/// Starts the stream.
pub fn stream(pipeline: &mut Pipeline, seed: u32) -> anyhow::Result<Run> {
    let seed = format!("--seed={seed}");
    pipeline.simulate(&[&DISORDER[..], &[RATE, &seed]].concat())
}

/// Waits until it has counted so many more.
pub fn count_more(service: &mut Service, events: f64) -> anyhow::Result<()> {
    let counted = service.metrics().sum(COUNTED);
    service.until_at_least(COUNTED, counted + events, LONG).map(drop)
}

/// Waits until each of these instances has its share of both stages' twelve partitions, and no others have any.
pub fn until_they_share(instances: &mut [&mut Service]) -> anyhow::Result<()> {
    let share = 12.0 / instances.len() as f64;
    for stage in [AGGREGATE, MATERIALISE] {
        for instance in instances.iter_mut() {
            let has_it = |metrics: &storepulse_tests::Metrics| metrics.sum_where(PARTITIONS, stage) == share;
            instance.until_metrics("it has its share", LONG, has_it)?;
        }
    }
    Ok(())
}

/// Waits until it has any partition of both stages.
pub fn until_it_has_a_share(service: &mut Service) -> anyhow::Result<()> {
    [AGGREGATE, MATERIALISE].into_iter().try_for_each(|stage| {
        service.until_metrics("it has a share", LONG, |metrics| metrics.sum_where(PARTITIONS, stage) >= 1.0)
    })
}

/// Ends the stream, and proves that every document is exact.
pub fn end_exact(pipeline: &mut Pipeline, run: Run) -> anyhow::Result<()> {
    pipeline.end(run)?;
    pipeline.expect_exact(None).map(drop)
}
