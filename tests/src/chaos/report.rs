//! What came of a campaign.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Serialize;

use super::Options;
use super::memory::Peak;
use super::plan::{Kind, What};
use crate::Difference;
use crate::machine::Machine;
use crate::page::{between, replaced, thousands};

/// Around the part of `docs/reliability.md` that a campaign makes.
const BEGIN: &str = "<!-- Written by `make chaos`: do not edit from here … -->";
const END: &str = "<!-- … to here. -->";

/// A fault that was done.
#[derive(Debug, Clone, Serialize)]
pub struct FaultRecord {
    /// From 1, as in the plan.
    pub number: usize,
    /// Its kind.
    pub kind: Kind,
    /// What exactly it was.
    pub what: What,
    /// The same in words.
    pub details: String,
    /// What there is to say about it.
    pub remark: Option<String>,
    /// Whether another fault was under way.
    pub together: bool,
    /// When it came, in seconds since the start.
    pub at_seconds: f64,
    /// How many events had been sent.
    pub at_events: u64,
    /// From its beginning to its end, in seconds.
    pub lasted_seconds: f64,
    /// From its end until every instance was ready, and all that had been sent up to its end was in the documents; none:
    /// not within the limit.
    pub recovery_seconds: Option<f64>,
}

/// What the last audit compared, and what was sent.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Audited {
    /// Messages of the campaign.
    pub messages: u64,
    /// Events among them that count.
    pub events: u64,
    /// Further copies of events.
    pub duplicates: u64,
    /// Messages that are no events.
    pub rejected: u64,
    /// Documents compared; on a shared cluster with those of before.
    pub documents: usize,
    /// Histories of sessions among them.
    pub sessions: usize,
    /// Dead letters compared.
    pub dead_letters: usize,
    /// Whether the topic was compared with ledgers of all that was sent. Otherwise somebody was killed before it could
    /// write down what was acknowledged last, and there was only the least that must be there.
    pub exact_reckoning: bool,
    /// How long the audit took.
    pub seconds: f64,
}

/// A long outage of the store. Bytes of memory.
#[derive(Debug, Clone, Serialize)]
pub struct Outage {
    /// How long.
    pub seconds: u64,
    /// Events sent meanwhile.
    pub events: u64,
    /// The most memory that an instance of analytics took.
    pub peak: u64,
    /// The most that it may take.
    pub bound: u64,
    /// From the end of the outage until all was in the documents.
    pub recovery_seconds: Option<f64>,
}

/// What came of a campaign. Displays as tables for people.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What it was like.
    pub options: Options,
    /// The command that repeats it.
    pub command: String,
    /// What `git describe` said.
    pub version: String,
    /// Where it ran.
    pub machine: Machine,
    /// How long it took.
    pub seconds: f64,
    /// From an event to all its documents without any fault, in seconds: what a recovery takes at least.
    pub calm_seconds: Vec<f64>,
    /// The faults.
    pub faults: Vec<FaultRecord>,
    /// Faults that the store's proxy has injected into calls, by name.
    pub store_faults: BTreeMap<String, u64>,
    /// Instances of analytics that ended with exit code 1 and were started again, as a supervisor does.
    pub restarts: usize,
    /// The long outage of the store.
    pub outage: Option<Outage>,
    /// The audit.
    pub audited: Option<Audited>,
    /// Differences between documents and topics.
    pub difference_count: usize,
    /// The first of them.
    pub differences: Vec<Difference>,
    /// After how many faults the audit found differences.
    pub found_after_faults: Option<usize>,
    /// The memory that processes took.
    pub memory: Vec<Peak>,
    /// What else is not as it should be.
    pub problems: Vec<String>,
}

impl Report {
    pub(super) fn new(options: Options, machine: Machine, version: String) -> Self {
        Self {
            command: options.command(),
            options,
            version,
            machine,
            seconds: 0.0,
            calm_seconds: Vec::new(),
            faults: Vec::new(),
            store_faults: BTreeMap::new(),
            restarts: 0,
            outage: None,
            audited: None,
            difference_count: 0,
            differences: Vec::new(),
            found_after_faults: None,
            memory: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Whether all faults came and were recovered from, and nothing differs.
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
            && self.difference_count == 0
            && self.audited.is_some()
            && self.faults.len() == self.options.faults
            && self.faults.iter().all(|fault| fault.recovery_seconds.is_some())
    }

    /// In a sentence.
    pub fn verdict(&self) -> String {
        let count = self.faults.len();
        if self.passed() {
            let compared = self.audited.as_ref().map_or(0, |audited| audited.documents);
            return format!("{count} faults, and every one of {compared} documents equals the reference");
        }
        let audited = if self.audited.is_some() { "" } else { ", no audit" };
        format!(
            "FAILED: {count} faults, {} differences, {} problems{audited}",
            self.difference_count,
            self.problems.len()
        )
    }

    /// Rows of the table of kinds: kind, count, median of what it lasted, median and worst recovery.
    fn kinds(&self) -> Vec<[String; 5]> {
        let mut kinds: BTreeMap<Kind, Vec<&FaultRecord>> = BTreeMap::new();
        for fault in &self.faults {
            kinds.entry(fault.kind).or_default().push(fault);
        }
        let mut rows: Vec<[String; 5]> = kinds.iter().map(|(kind, faults)| row(kind.name(), faults)).collect();
        rows.push(row("all", &self.faults.iter().collect::<Vec<_>>()));
        rows
    }

    /// Names and values of what was sent and compared.
    fn figures(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("seed", self.options.seed.to_string()),
            ("version", self.version.clone()),
            ("machine", self.machine.to_string()),
            ("time", clock(self.seconds)),
            ("faults", format!("{} of {}", thousands(self.faults.len() as u64), self.options.faults)),
            ("together with another", self.faults.iter().filter(|fault| fault.together).count().to_string()),
            ("without any fault", self.calm()),
        ];
        if let Some(audited) = &self.audited {
            let reckoning = match audited.exact_reckoning {
                true => "equal",
                false => "at least; who was killed told no more",
            };
            all.extend([
                ("events", thousands(audited.events)),
                ("duplicates", thousands(audited.duplicates)),
                ("malformed", thousands(audited.rejected)),
                ("dead letters compared", thousands(audited.dead_letters as u64)),
                (
                    "documents compared",
                    format!(
                        "{} ({} sessions)",
                        thousands(audited.documents as u64),
                        thousands(audited.sessions as u64)
                    ),
                ),
                ("ledgers", reckoning.to_owned()),
            ]);
        }
        let injected: Vec<String> = self.store_faults.iter().map(|(name, count)| format!("{count} {name}")).collect();
        all.push(("calls to the store hit", if injected.is_empty() { "none".to_owned() } else { injected.join(", ") }));
        all.push(("instances restarted", format!("{} that ended with exit code 1", self.restarts)));
        if let Some(outage) = &self.outage {
            let recovery = outage.recovery_seconds.map_or_else(|| "never".to_owned(), |s| format!("{s:.1} s later"));
            all.push((
                "store outage",
                format!(
                    "{} s, {} events meanwhile; an instance took {} of at most {}; caught up {recovery}",
                    outage.seconds,
                    thousands(outage.events),
                    mib(outage.peak),
                    mib(outage.bound)
                ),
            ));
        }
        all.push(("differences", thousands(self.difference_count as u64)));
        if let Some(faults) = self.found_after_faults {
            all.push(("found after", format!("{faults} faults")));
        }
        all.push(("problems", self.problems.len().to_string()));
        all
    }

    fn calm(&self) -> String {
        let mut calm = self.calm_seconds.clone();
        calm.sort_by(f64::total_cmp);
        match (median(&calm), calm.last()) {
            (Some(median), Some(worst)) => format!("caught up after {median:.1} s (median), {worst:.1} s (worst)"),
            _ => "not measured".to_owned(),
        }
    }

    /// The page `before` with this report in place of the former one; where there is none, the report alone.
    pub fn page(&self, before: Option<&str>) -> String {
        let part = self.markdown();
        let page = before.and_then(|before| replaced(before, BEGIN, END, &part));
        page.unwrap_or_else(|| between(BEGIN, END, &part) + "\n")
    }

    /// The report as Markdown.
    fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(text, "```console\n$ {}\n```\n\n{}.\n\n| | |\n|---|---|", self.command, self.verdict());
        for (name, value) in self.figures() {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        let _ = writeln!(
            text,
            "\n| fault | count | lasted, median | recovery, median | recovery, worst |\n|---|---:|---:|---:|---:|"
        );
        for [kind, count, lasted, median, worst] in self.kinds() {
            let _ = writeln!(text, "| {kind} | {count} | {lasted} | {median} | {worst} |");
        }
        let _ = writeln!(text, "\n| process | seen | peak of one | peak of all together |\n|---|---:|---:|---:|");
        for peak in &self.memory {
            let (role, seen) = (peak.role.name(), peak.processes);
            let _ = writeln!(text, "| {role} | {seen} | {} | {} |", mib(peak.most), mib(peak.most_together));
        }
        for problem in &self.problems {
            let _ = writeln!(text, "\n- {problem}");
        }
        text
    }
}

fn row(name: &str, faults: &[&FaultRecord]) -> [String; 5] {
    let sorted = |value: fn(&FaultRecord) -> Option<f64>| {
        let mut all: Vec<f64> = faults.iter().filter_map(|fault| value(fault)).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let (lasted, recovery) = (sorted(|fault| Some(fault.lasted_seconds)), sorted(|fault| fault.recovery_seconds));
    let seconds = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s"));
    let worst = match recovery.len() == faults.len() {
        true => seconds(recovery.last().copied()),
        false => "never".to_owned(),
    };
    [name.to_owned(), faults.len().to_string(), seconds(median(&lasted)), seconds(median(&recovery)), worst]
}

/// The one in the middle of sorted numbers; of two the greater.
fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<20} {:>5}  {:>12} {:>12} {:>12}", "FAULT", "COUNT", "LASTED", "RECOVERY", "WORST")?;
        for [kind, count, lasted, median, worst] in self.kinds() {
            writeln!(f, "{kind:<20} {count:>5}  {lasted:>12} {median:>12} {worst:>12}")?;
        }
        writeln!(f, "\n{:<24} {:>6} {:>14} {:>14}", "PROCESS", "SEEN", "PEAK OF ONE", "OF ALL")?;
        for peak in &self.memory {
            let (most, together) = (mib(peak.most), mib(peak.most_together));
            writeln!(f, "{:<24} {:>6} {most:>14} {together:>14}", peak.role.name(), peak.processes)?;
        }
        writeln!(f)?;
        for (name, value) in self.figures() {
            writeln!(f, "{name:<24} {value}")?;
        }
        for problem in &self.problems {
            writeln!(f, "  {problem}")?;
        }
        for difference in &self.differences {
            let Difference { subject, expected, found } = difference;
            writeln!(f, "  {subject}: expected {expected}, found {found}")?;
        }
        if self.difference_count > self.differences.len() {
            writeln!(f, "  … and {} more", self.difference_count - self.differences.len())?;
        }
        writeln!(f, "\n{}\nagain: {}", self.verdict(), self.command)
    }
}

/// Seconds as hours, minutes and seconds.
pub(super) fn clock(seconds: f64) -> String {
    let seconds = seconds as u64;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", thousands(bytes >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: usize, recovery_seconds: Option<f64>) -> FaultRecord {
        let what = What::KillBroker { broker: 1, pause_ms: 0 };
        FaultRecord {
            number,
            kind: what.kind(),
            what,
            details: what.to_string(),
            remark: None,
            together: false,
            at_seconds: 1.0,
            at_events: 1,
            lasted_seconds: 2.0,
            recovery_seconds,
        }
    }

    fn report(recoveries: &[Option<f64>]) -> Report {
        let mut report = Report::new(Options::new(1, recoveries.len()), Machine::default(), "v1".to_owned());
        report.faults = recoveries.iter().enumerate().map(|(number, one)| record(number + 1, *one)).collect();
        report.audited = Some(Audited { events: 1_234_567, documents: 10, ..Audited::default() });
        report
    }

    #[test]
    fn only_a_campaign_without_differences_and_with_all_recoveries_passes() {
        assert!(report(&[Some(1.0), Some(3.0)]).passed());
        assert!(!report(&[Some(1.0), None]).passed());
        let mut wrong = report(&[Some(1.0)]);
        wrong.difference_count = 1;
        assert!(!wrong.passed());
        let mut cut_short = report(&[Some(1.0)]);
        cut_short.options.faults = 2;
        assert!(!cut_short.passed());
        let mut not_audited = report(&[Some(1.0)]);
        not_audited.audited = None;
        assert!(!not_audited.passed());
    }

    #[test]
    fn a_report_takes_the_place_of_the_former_one_in_its_page() {
        let page = format!("# Title\n\n{BEGIN}\nthe former one\n{END}\n\nmore\n");
        let new = report(&[Some(1.0)]).page(Some(&page));
        assert!(new.starts_with("# Title\n") && new.ends_with("more\n") && !new.contains("the former one"));
        assert_eq!(report(&[Some(1.0)]).page(Some(&new)), new);
        assert!(report(&[Some(1.0)]).page(None).contains("kill-broker"));
    }

    #[test]
    fn a_report_shows_median_and_worst_recovery_of_each_kind() {
        let report = report(&[Some(1.0), Some(9.0), Some(3.0)]);
        assert_eq!(report.kinds()[0], ["kill-broker", "3", "2.0 s", "3.0 s", "9.0 s"]);
        assert!(report.to_string().contains("1,234,567"));
        assert!(report.markdown().contains("| kill-broker | 3 | 2.0 s | 3.0 s | 9.0 s |"));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["faults"][1]["recovery_seconds"], 9.0);
        assert_eq!(json["faults"][1]["what"]["kind"], "kill-broker");
    }
}
