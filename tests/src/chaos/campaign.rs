//! Takes a cluster through a plan of faults.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::memory::Role;
use super::plan::{self, Fault};
use super::report::{Audited, FaultRecord, Outage, Report, clock};
use super::world::World;
use super::{Options, fleet, stream};
use crate::machine::Machine;
use crate::{Pipeline, Reckoning, counter};

/// For the stream to come as far as the next fault.
const STREAM: Duration = Duration::from_secs(300);
/// So much of the stream comes before anything is measured.
const WARM_UP_SECONDS: u64 = 20;
/// Looks at the calm system, before any fault.
const CALM: usize = 3;
/// How many differences are named.
const NAMED: usize = 50;

/// A campaign on somebody's cluster.
pub struct Campaign<'a> {
    options: Options,
    world: World<'a>,
    report: Report,
    before: Reckoning,
    started: Instant,
    say: &'a mut dyn FnMut(&str),
}

/// A fault that is under way.
struct UnderWay {
    fault: Fault,
    begun: Instant,
    events: u64,
    /// When it is to be undone.
    until: Instant,
}

impl<'a> Campaign<'a> {
    /// Takes a cluster through a campaign. Everything that was sent before must be in the pipeline's reckoning; all that
    /// the campaign sends is added to it. `say` gets a line for each step.
    ///
    /// What is found is in the report; see [`Report::passed`].
    ///
    /// # Errors
    /// When the campaign can't be conducted at all: a program is missing, or nothing starts.
    pub fn run(pipeline: &'a mut Pipeline, options: Options, say: &'a mut dyn FnMut(&str)) -> anyhow::Result<Report> {
        let root = pipeline.root().to_owned();
        for program in ["analytics", "simulator", "analytics-failpoints"] {
            crate::program(program)?;
        }
        let before = pipeline.reckoning.clone();
        let fleet = |store| fleet::Settings {
            store,
            broken: options.broken.clone(),
            cache_megabytes: options.cache_megabytes,
            environment: options.environment.clone(),
        };
        let stream = stream::Settings { rate: options.rate, seed: options.seed };
        let started = Instant::now();
        let world = World::new(pipeline, options.seed, Options::first_instances(), fleet, stream)?;
        let report = Report::new(options.clone(), Machine::here(), version(&root));
        let mut campaign = Self { options, world, report, before, started, say };
        if let Err(error) = campaign.go() {
            campaign.fail(format!("{error:#}"));
            campaign.world.pipeline.keep_cluster_logs();
        }
        Ok(campaign.close())
    }

    fn say(&mut self, line: &str) {
        let time = clock(self.started.elapsed().as_secs_f64());
        (self.say)(&format!("{time}  {line}"));
    }

    fn fail(&mut self, problem: String) {
        self.say(&format!("FAILED: {problem}"));
        self.report.problems.push(problem);
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.options.recovery_limit_seconds)
    }

    fn go(&mut self) -> anyhow::Result<()> {
        self.until_sent(u64::from(self.options.rate) * WARM_UP_SECONDS)?;
        for _ in 0..CALM {
            let asked = Instant::now();
            let caught_up = self.world.catch_up(self.limit())?;
            caught_up
                .map_err(|missing| anyhow::anyhow!("without any fault, the system does not keep up: {missing}"))?;
            self.report.calm_seconds.push(asked.elapsed().as_secs_f64());
        }
        let calm = self.report.calm_seconds.iter().copied().fold(0.0, f64::max);
        self.say(&format!("calm: an event is in all documents after {calm:.1} s at most"));
        let mut plan = plan::draw(self.options.seed, &self.options.size()).into_iter();
        let mut until_audit = self.options.audit_every;
        while let Some(first) = plan.next() {
            self.until_sent(first.position)?;
            let second = if first.with_next { plan.next() } else { None };
            let count = 1 + usize::from(second.is_some());
            self.strike(first, second)?;
            if self.options.audit_every > 0 {
                until_audit = until_audit.saturating_sub(count);
                if until_audit == 0 {
                    until_audit = self.options.audit_every;
                    if !self.audit_between()? {
                        return Ok(());
                    }
                }
            }
        }
        if self.options.outage_seconds > 0 {
            self.outage()?;
        }
        self.until_sent(self.options.events)?;
        self.audit()?;
        self.world.fleet.end()
    }

    /// Waits until so many events were sent.
    fn until_sent(&mut self, position: u64) -> anyhow::Result<()> {
        let mut last = (0, Instant::now());
        loop {
            let sent = self.world.stream.sent();
            if sent >= position {
                return Ok(());
            }
            if sent > last.0 {
                last = (sent, Instant::now());
            }
            anyhow::ensure!(last.1.elapsed() < STREAM, "the stream stands still at {sent} events");
            self.world.pass(Duration::from_millis(100))?;
        }
    }

    /// One fault, or two at once, and the recovery from both.
    fn strike(&mut self, first: Fault, second: Option<Fault>) -> anyhow::Result<()> {
        let mut under_way = Vec::new();
        let names: Vec<String> = [Some(&first), second.as_ref()]
            .into_iter()
            .flatten()
            .map(|fault| format!("fault {} ({}: {})", fault.number, fault.what.kind().name(), fault.what))
            .collect();
        let name = names.join(" with ");
        for fault in [Some(first), second].into_iter().flatten() {
            self.world.pass(Duration::from_millis(fault.delay_ms))?;
            let (begun, events) = (Instant::now(), self.world.stream.sent());
            self.log_begin(&fault, events);
            let lasts = self.world.begin(fault.number, &fault.what).with_context(|| name.clone())?;
            under_way.push(UnderWay { fault, begun, events, until: Instant::now() + lasts });
        }
        let together = under_way.len() > 1;
        under_way.sort_by_key(|one| one.until);
        let mut ended = Vec::new();
        for one in under_way {
            let left = one.until.saturating_duration_since(Instant::now());
            self.world.pass(left).with_context(|| name.clone())?;
            let remark = self.world.end(&one.fault.what).with_context(|| name.clone())?;
            ended.push((one, Instant::now(), remark));
        }
        let restarts = self.world.fleet.restarts;
        let caught_up = self.world.catch_up(self.limit()).with_context(|| name.clone())?;
        let now = Instant::now();
        let restarted = self.world.fleet.restarts - restarts;
        ended.sort_by_key(|(one, ..)| one.fault.number);
        for (one, end, remark) in ended {
            let record = FaultRecord {
                number: one.fault.number,
                what: one.fault.what,
                kind: one.fault.what.kind(),
                details: one.fault.what.to_string(),
                remark: remark.0,
                together,
                at_seconds: (one.begun - self.started).as_secs_f64(),
                at_events: one.events,
                lasted_seconds: (end - one.begun).as_secs_f64(),
                recovery_seconds: caught_up.is_ok().then(|| (now - end).as_secs_f64()),
            };
            self.log_end(&record, restarted);
            self.report.faults.push(record);
        }
        if let Err(missing) = caught_up {
            anyhow::bail!(
                "{name}: the system did not catch up within {} s: {missing}",
                self.options.recovery_limit_seconds
            );
        }
        Ok(())
    }

    fn log_begin(&mut self, fault: &Fault, events: u64) {
        let count = self.options.faults;
        let (number, kind) = (fault.number, fault.what.kind().name());
        self.say(&format!("fault {number:>3}/{count}  {kind:<18}  {} (after {events} events)", fault.what));
    }

    fn log_end(&mut self, record: &FaultRecord, restarted: usize) {
        let count = self.options.faults;
        let FaultRecord { number, lasted_seconds, recovery_seconds, .. } = record;
        let recovery = recovery_seconds.map_or_else(
            || "did not recover".to_owned(),
            |seconds| format!("lasted {lasted_seconds:.1} s, caught up {seconds:.1} s later"),
        );
        let remark = record.remark.as_ref().map(|remark| format!("; {remark}")).unwrap_or_default();
        let again = if restarted > 0 { format!("; {restarted} instances started again") } else { String::new() };
        self.say(&format!("      {number:>3}/{count}  {recovery}{remark}{again}"));
    }

    /// A long outage of the store, during which no instance may take more memory than it is given.
    fn outage(&mut self) -> anyhow::Result<()> {
        let seconds = self.options.outage_seconds;
        self.say(&format!("store outage of {seconds} s under load"));
        let before = self.world.stream.sent();
        self.world.watch.open_window();
        self.world.pipeline.pause_store(true)?;
        self.world.pass(Duration::from_secs(seconds))?;
        self.world.pipeline.pause_store(false)?;
        let ended = Instant::now();
        let events = self.world.stream.sent() - before;
        let caught_up = self.world.catch_up(self.limit() + Duration::from_secs(seconds))?;
        let recovery_seconds = caught_up.is_ok().then(|| ended.elapsed().as_secs_f64());
        let (peak, bound) = (self.world.watch.window(Role::Analytics), self.options.bound());
        let mib = |bytes: u64| bytes >> 20;
        self.say(&format!(
            "store outage: {events} events meanwhile; an instance took {} MiB at most, its bound is {} MiB; caught up {}",
            mib(peak),
            mib(bound),
            recovery_seconds.map_or_else(|| "not at all".to_owned(), |seconds| format!("{seconds:.1} s later")),
        ));
        self.report.outage = Some(Outage { seconds, events, peak, bound, recovery_seconds });
        if peak > bound {
            self.fail(format!(
                "during the store outage an instance took {} MiB of memory, its bound is {} MiB",
                mib(peak),
                mib(bound)
            ));
        }
        caught_up.map_err(|missing| anyhow::anyhow!("after the store outage, the system did not catch up: {missing}"))
    }

    /// Audits in the middle of a campaign. Says whether nothing differs.
    fn audit_between(&mut self) -> anyhow::Result<bool> {
        self.audit()?;
        let equal = self.report.differences.is_empty() && self.report.problems.is_empty();
        if equal {
            self.world.stream.start(self.world.pipeline, &self.world.watch)?;
        } else {
            let after = self.report.faults.len();
            self.say(&format!("found after {after} faults"));
            self.report.found_after_faults = Some(after);
            self.world.fleet.end()?;
        }
        Ok(equal)
    }

    /// Ends the stream, waits until all is in the documents, and compares.
    fn audit(&mut self) -> anyhow::Result<()> {
        self.world.stream.end()?;
        self.say("the stream has ended: waiting for the last documents, and auditing");
        let whole = self.world.until(self.limit(), |world| world.fleet.is_whole().is_ok())?;
        anyhow::ensure!(whole, "at the end, not all instances are ready: {:?}", self.world.fleet.is_whole());
        // A few thousand messages and documents a second, even on a busy machine.
        let limit = self.limit() + Duration::from_secs(self.options.events / 2_000);
        let (ended, audit) = self.world.pipeline.audit_within(None, self.limit(), limit)?;
        let base = &self.before;
        self.report.audited = Some(Audited {
            messages: audit.messages - (base.events + base.duplicates + base.rejected),
            events: audit.events - base.events,
            duplicates: audit.duplicates - base.duplicates,
            rejected: audit.rejected - base.rejected,
            documents: audit.documents,
            sessions: audit.sessions,
            dead_letters: audit.dead_letters,
            exact_reckoning: self.world.stream.is_exact,
            seconds: ended.took.as_secs_f64(),
        });
        let count = audit.differences.len();
        self.report.difference_count = count;
        self.report.differences = audit.differences.into_iter().take(NAMED).collect();
        self.say(&format!("audit: {} documents compared, {count} differences", audit.documents));
        for difference in self.report.differences.clone().iter().take(10) {
            let (expected, found) = (&difference.expected, &difference.found);
            self.say(&format!("  {}: expected {expected}, found {found}", difference.subject));
        }
        if audit.not_aggregated > 0 {
            self.fail(format!("{} messages were not aggregated", audit.not_aggregated));
        }
        if audit.dead_letters as u64 != audit.rejected {
            let (letters, rejected) = (audit.dead_letters, audit.rejected);
            self.fail(format!("{rejected} messages are no events, but there are {letters} dead letters"));
        }
        let counted = [audit.events, audit.duplicates, audit.rejected];
        self.compare_with_what_was_sent(counted)
    }

    /// Compares the topic, and the shop's own document, with what was acknowledged. Where somebody was killed before it
    /// could tell, there may be more; never less.
    fn compare_with_what_was_sent(&mut self, counted: [u64; 3]) -> anyhow::Result<()> {
        let shop = self.world.pipeline.document("statistics/lifetime")?.context("there is no statistics/lifetime")?;
        let mut sent = self.before.clone();
        sent.add(&self.world.stream.acknowledged);
        sent.add(&self.world.by_hand);
        let is_exact = self.world.stream.is_exact;
        let mut problems = Vec::new();
        let mut compare = |what: &str, sent: i64, found: i64| {
            if found < sent || (is_exact && found != sent) {
                problems.push(format!("{what}: {sent} were acknowledged, there are {found}"));
            }
        };
        let [events, duplicates, rejected] = counted;
        for (what, sent, found) in [
            ("events", sent.events, events),
            ("duplicates", sent.duplicates, duplicates),
            ("malformed messages", sent.rejected, rejected),
        ] {
            compare(what, i64::try_from(sent)?, i64::try_from(found)?);
        }
        let mut found = Reckoning { events, duplicates, rejected, ..Reckoning::default() };
        for (name, sent) in &sent.shop {
            let value = counter(&shop.fields, name).unwrap_or(0);
            compare(&format!("statistics/lifetime {name}"), *sent, value);
            found.shop.insert(name.clone(), value);
        }
        for problem in problems {
            self.fail(problem);
        }
        // From here on the topic is what was sent: it holds what nobody could tell of any more.
        self.world.pipeline.reckoning = found;
        Ok(())
    }

    fn close(mut self) -> Report {
        let (fleet, stream) = (&mut self.world.fleet, &mut self.world.stream);
        let problems: Vec<String> = fleet.problems.drain(..).chain(stream.problems.drain(..)).collect();
        for problem in problems {
            self.fail(problem);
        }
        let seen = self.world.pipeline.secrets().seen();
        for place in seen {
            self.fail(place);
        }
        let report = &mut self.report;
        report.seconds = self.started.elapsed().as_secs_f64();
        report.restarts = self.world.fleet.restarts;
        report.store_faults = self.world.store_faults();
        report.memory = self.world.watch.peaks();
        self.report
    }
}

/// What `git describe` says of the repository.
fn version(root: &Path) -> String {
    let mut command = std::process::Command::new("git");
    let output = command.args(["describe", "--tags", "--always", "--dirty"]).current_dir(root).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout).unwrap_or_default();
    match String::from_utf8_lossy(&text).trim() {
        "" => "unknown".to_owned(),
        version => version.to_owned(),
    }
}
