//! Looks at the services every second and keeps what there is to show.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::metrics::Reading;
use super::report::{self, ShopReport};
use super::screen::Screen;
use super::view::View;
use crate::cluster::Cluster;
use crate::env_files::Environment;
use crate::error::{Error, Result};
use crate::state::State;

/// Between two looks.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);
/// Between two reports; each is a process of its own.
const REPORT_INTERVAL: Duration = Duration::from_millis(2_500);
/// Rates are averages over about this long.
const RATE_SPAN: usize = 5;
/// No event of the backlog aggregated for this long: nothing will come any more, let the audit say what is wrong.
const STALL: Duration = Duration::from_secs(60);

/// The latest figures, and what they were lately.
pub(super) struct Watch {
    started: Instant,
    view: View,
    screen: Screen,
    history: Vec<(Instant, Reading)>,
    report: Option<JoinHandle<Option<ShopReport>>>,
    last_report: Option<Instant>,
    caught_up_looks: u32,
    last_advance: (Instant, f64),
}

impl Watch {
    pub(super) fn new(started: Instant, goal: Option<u64>) -> Self {
        Self {
            started,
            view: View { goal, ..View::default() },
            screen: Screen::stdout(),
            history: Vec::new(),
            report: None,
            last_report: None,
            caught_up_looks: 0,
            last_advance: (Instant::now(), 0.0),
        }
    }

    /// Reads everything and shows it.
    ///
    /// # Errors
    /// When the cluster was taken down, or too little of it runs.
    pub(super) async fn look(
        &mut self,
        (simulator, analytics): (u16, u16),
        environment: &Environment,
        cluster: &Cluster,
    ) -> Result<()> {
        self.view.warning = check_cluster(cluster)?;
        let reading = Reading::take(simulator, analytics, &self.view.reading).await;
        self.note(Instant::now(), reading);
        self.update_report(environment).await;
        self.view.elapsed = self.started.elapsed();
        self.screen.show(&self.view);
        Ok(())
    }

    /// Reads the figures once more and shows nothing.
    pub(super) async fn read_again(&mut self, (simulator, analytics): (u16, u16)) {
        self.view.reading = Reading::take(simulator, analytics, &self.view.reading).await;
    }

    fn note(&mut self, now: Instant, reading: Reading) {
        let goal_reached = self.view.goal.is_none_or(|goal| {
            let goal = f64::from(u32::try_from(goal).unwrap_or(u32::MAX));
            let seen = [reading.aggregated, reading.duplicates, reading.dead_letters];
            seen.iter().flatten().sum::<f64>() >= goal
        });
        let caught_up = reading.lag == Some(0.0) && goal_reached;
        self.caught_up_looks = if caught_up { self.caught_up_looks + 1 } else { 0 };
        let aggregated = reading.aggregated.unwrap_or_default();
        if aggregated > self.last_advance.1 {
            self.last_advance = (now, aggregated);
        }
        self.history.push((now, reading));
        if self.history.len() > RATE_SPAN + 1 {
            self.history.remove(0);
        }
        let rate = |figure: fn(&Reading) -> Option<f64>| {
            let (first, last) = (self.history.first()?, self.history.last()?);
            let seconds = last.0.duration_since(first.0).as_secs_f64();
            let difference = figure(&last.1)? - figure(&first.1).unwrap_or_default();
            (seconds > 0.0).then(|| (difference / seconds).max(0.0))
        };
        self.view.produced_rate = rate(|reading| reading.produced);
        self.view.aggregated_rate = rate(|reading| reading.aggregated);
        self.view.reading = reading;
    }

    async fn update_report(&mut self, environment: &Environment) {
        if let Some(report) = self.report.take_if(|report| report.is_finished())
            && let Ok(Some(report)) = report.await
        {
            self.view.report = Some(report);
        }
        let due = self.last_report.is_none_or(|last| last.elapsed() >= REPORT_INTERVAL);
        if due && self.report.is_none() {
            let environment = environment.clone();
            self.last_report = Some(Instant::now());
            self.report = Some(tokio::spawn(async move { report::read(&environment).await }));
        }
    }

    /// The simulator ended well, so it has sent all; its last figures went with it.
    pub(super) fn all_sent(&mut self) {
        if let Some(goal) = self.view.goal {
            self.view.reading.produced = Some(f64::from(u32::try_from(goal).unwrap_or(u32::MAX)));
        }
    }

    /// Is everything aggregated, or is there no hope that it will be?
    pub(super) fn is_caught_up(&self) -> bool {
        self.caught_up_looks >= 2 || self.last_advance.0.elapsed() > STALL
    }

    /// Shows the last state and leaves it standing.
    pub(super) fn finish(&mut self) {
        self.screen.finish(&self.view);
    }

    pub(super) fn view(&self) -> &View {
        &self.view
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(report) = &self.report {
            report.abort();
        }
    }
}

/// What is wrong with the cluster, if anything.
fn check_cluster(cluster: &Cluster) -> Result<Option<String>> {
    let Some(state) = State::load(cluster.paths())? else {
        return Err(Error::NotReady("it was taken down meanwhile".to_owned()));
    };
    let dead: Vec<String> =
        state.nodes.iter().filter(|node| !node.is_alive()).map(|node| node.id.to_string()).collect();
    if dead.is_empty() {
        return Ok(None);
    }
    let dead_nodes = format!("Kafka node {} is not running", dead.join(", "));
    // The controllers need a majority.
    if dead.len() * 2 > state.nodes.len() {
        return Err(Error::NotReady(dead_nodes));
    }
    Ok(Some(format!("{dead_nodes}; the others go on")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(aggregated: f64, lag: f64) -> Reading {
        Reading { aggregated: Some(aggregated), lag: Some(lag), produced: Some(aggregated + lag), ..Reading::default() }
    }

    #[test]
    fn caught_up_means_all_events_seen_and_no_lag_twice_in_a_row() {
        let now = Instant::now();
        let mut watch = Watch::new(now, Some(100));
        watch.note(now, reading(50.0, 0.0));
        watch.note(now, reading(50.0, 0.0));
        assert!(!watch.is_caught_up(), "a lag of zero before the last events were fetched");
        watch.note(now, reading(100.0, 0.0));
        assert!(!watch.is_caught_up());
        watch.note(now, reading(100.0, 0.0));
        assert!(watch.is_caught_up());
    }

    #[test]
    fn rates_are_averages_of_the_last_seconds() {
        let start = Instant::now();
        let mut watch = Watch::new(start, None);
        for second in 0..20_u32 {
            let now = start + Duration::from_secs(second.into());
            let count = if second < 10 { 0 } else { (second - 9) * 100 };
            watch.note(now, reading(count.into(), 0.0));
        }
        assert_eq!(watch.view.aggregated_rate, Some(100.0));
    }
}
