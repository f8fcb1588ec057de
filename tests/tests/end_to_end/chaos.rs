//! The fault campaign, in short; `make chaos` is the long one.

use anyhow::ensure;
use storepulse_tests::Pipeline;
use storepulse_tests::chaos::plan::{Kind, Part};
use storepulse_tests::chaos::{Campaign, Options, Report};

/// A campaign that shows its lines only when it fails.
fn campaign(pipeline: &mut Pipeline, options: Options) -> anyhow::Result<(Report, String)> {
    let mut lines = String::new();
    let report = Campaign::run(pipeline, options, &mut |line| {
        lines.push_str(line);
        lines.push('\n');
    })?;
    lines.push_str(&report.to_string());
    Ok((report, lines))
}

/// All but the longest kinds.
fn short_kinds() -> Vec<Kind> {
    let long = [Kind::RollingRestart, Kind::TwoBrokersDown, Kind::ScaleUpAndDown];
    Kind::ALL.into_iter().filter(|kind| !long.contains(kind)).collect()
}

pub fn a_short_campaign_of_faults_costs_nothing(pipeline: &mut Pipeline) -> anyhow::Result<()> {
    let options = Options { kinds: short_kinds(), events: 40_000, rate: 500, ..Options::new(11, 10) };
    let (report, lines) = campaign(pipeline, options)?;
    ensure!(report.passed(), "{lines}");
    for part in [Part::Analytics, Part::Brokers, Part::Store] {
        ensure!(report.faults.iter().any(|fault| fault.kind.part() == part), "no fault of {part:?}: {lines}");
    }
    Ok(())
}
