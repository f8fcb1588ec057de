//! Figures, bounds, and whether they reach what they should.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::cpu::Cpu;
use super::options::Part;
use super::say;
use crate::machine::Machine;
use crate::page::thousands;

/// Everything that was measured in one run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When the run began (RFC 3339, UTC).
    pub started_at: String,
    /// The build profile of the programs.
    pub profile: String,
    /// The machine.
    pub machine: Machine,
    /// How long the run took, in seconds.
    pub seconds: f64,
    /// What was measured.
    pub rows: Vec<Row>,
    /// What could not be measured, and why.
    pub failures: Vec<String>,
}

/// One row of the table: something measured beside its bound.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name for `--only`.
    pub id: &'static str,
    /// What was measured.
    pub what: &'static str,
    /// The figures.
    pub lines: Vec<Line>,
    /// What it cost.
    pub costs: Vec<Cost>,
    /// What one has to know to read the figures.
    pub notes: Vec<String>,
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Line {
    /// What, within the row.
    pub what: &'static str,
    /// The figure.
    pub measured: f64,
    /// What it is compared with, measured in the same run where it can be.
    pub bound: Option<f64>,
    /// What that is.
    pub bound_is: &'static str,
    /// The unit of both.
    pub unit: &'static str,
    /// What it should come to.
    pub reach: Reach,
}

/// What a figure should come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// The figure, at least.
    AtLeast(f64),
    /// The figure, at most.
    AtMost(f64),
    /// Its ratio to the bound, at least.
    RatioAtLeast(f64),
    /// Its ratio to the bound, at most.
    RatioAtMost(f64),
    /// Nothing: it is told, because it explains others.
    Nothing,
}

/// What something cost, for each million events.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// Whose.
    pub of: &'static str,
    /// Events.
    pub events: u64,
    /// Of the program, in CPU seconds per million events.
    pub program: Cpu,
    /// Of the brokers, likewise, if it needs any.
    pub brokers: Option<Cpu>,
}

impl Cost {
    /// From the seconds that `events` events took.
    pub fn new(of: &'static str, events: u64, program: Cpu, brokers: Option<Cpu>) -> Self {
        let per_million = |cpu: Cpu| cpu.per_million(events);
        Self { of, events, program: per_million(program), brokers: brokers.map(per_million) }
    }
}

impl Line {
    /// A figure without a bound.
    pub fn new(what: &'static str, measured: f64, unit: &'static str, reach: Reach) -> Self {
        Self { what, measured, bound: None, bound_is: "", unit, reach }
    }

    /// The same beside a bound.
    #[must_use]
    pub fn beside(self, bound_is: &'static str, bound: f64) -> Self {
        Self { bound: Some(bound), bound_is, ..self }
    }

    /// The figure as a multiple of the bound.
    pub fn ratio(&self) -> Option<f64> {
        self.bound.filter(|bound| *bound > 0.0).map(|bound| self.measured / bound)
    }

    /// How near it comes: 1 is reached, 2 is twice as good, 0.5 half as good.
    pub fn score(&self) -> f64 {
        let ratio = self.ratio().unwrap_or(f64::NAN);
        match self.reach {
            Reach::AtLeast(least) => self.measured / least,
            Reach::AtMost(most) => most / self.measured,
            Reach::RatioAtLeast(least) => ratio / least,
            Reach::RatioAtMost(most) => most / ratio,
            Reach::Nothing => f64::NAN,
        }
    }

    /// Whether it reaches what it should.
    pub fn met(&self) -> bool {
        self.score() >= 1.0
    }

    /// In a word.
    pub fn verdict(&self) -> &'static str {
        match self.reach {
            Reach::Nothing => "",
            _ if self.met() => "yes",
            _ => "short",
        }
    }

    /// What it should come to, in words.
    pub fn reach(&self) -> String {
        match self.reach {
            Reach::AtLeast(least) => format!("≥ {}", number(least)),
            Reach::AtMost(most) => format!("≤ {}", number(most)),
            Reach::RatioAtLeast(least) => format!("≥ {} ×", number(least)),
            Reach::RatioAtMost(most) => format!("≤ {} ×", number(most)),
            Reach::Nothing => String::new(),
        }
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_struct("Line", 9)?;
        line.serialize_field("what", self.what)?;
        line.serialize_field("measured", &self.measured)?;
        line.serialize_field("unit", self.unit)?;
        line.serialize_field("bound", &self.bound)?;
        line.serialize_field("bound_is", self.bound_is)?;
        line.serialize_field("ratio", &self.ratio())?;
        line.serialize_field("reach", &self.reach())?;
        line.serialize_field("score", &self.score())?;
        line.serialize_field("met", &self.met())?;
        line.end()
    }
}

/// A number for people: about three digits that mean something, thousands set apart.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let (magnitude, sign) = (value.abs(), if value < 0.0 { "-" } else { "" });
    if magnitude >= 1000.0 {
        return format!("{sign}{}", thousands(magnitude.round() as u64));
    }
    let places = match magnitude {
        m if m >= 100.0 => 0,
        m if m >= 10.0 => 1,
        m if m >= 1.0 => 2,
        m if m >= 0.01 || m == 0.0 => 3,
        _ => 5,
    };
    let text = format!("{sign}{magnitude:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

impl Default for Report {
    fn default() -> Self {
        Self::new()
    }
}

impl Report {
    /// A report of nothing yet.
    pub fn new() -> Self {
        let started_at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let machine = Machine::here();
        Self { started_at, profile: profile(), machine, seconds: 0.0, rows: Vec::new(), failures: Vec::new() }
    }
}

impl Report {
    /// Adds what a part measured, or why it could not.
    pub fn take(&mut self, part: Part, measured: anyhow::Result<Vec<Row>>) {
        match measured {
            Ok(rows) => self.rows.extend(rows),
            Err(error) => {
                say(format!("{part:?} failed: {error:#}"));
                self.failures.push(format!("{}: {error:#}", part.name()));
            }
        }
    }
}

/// The profile that this program was built with, by the directory that it lies in.
fn profile() -> String {
    let own = std::env::current_exe().ok();
    let dir = own.as_deref().and_then(|own| own.parent()?.file_name()).map(|name| name.to_string_lossy().into_owned());
    dir.unwrap_or_else(|| "unknown".to_owned())
}

/// Columns of text, each as wide as its widest cell; all but the first are set to the right unless `left` names them.
fn columns(rows: &[Vec<String>], left: &[usize]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let gap = " ".repeat(width(column) - cell.chars().count());
            let (before, after) = if left.contains(&column) { ("", gap.as_str()) } else { (gap.as_str(), "") };
            line.push_str(&format!("{before}{cell}{after}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = ["what", "measured", "bound", "ratio", "reach", "unit", "met?"];
        let mut table = vec![heading.map(str::to_owned).to_vec()];
        for row in &self.rows {
            table.push(vec![row.what.to_owned()]);
            for line in &row.lines {
                table.push(vec![
                    format!("  {}", line.what),
                    number(line.measured),
                    line.bound.map_or_else(String::new, number),
                    line.ratio().map_or_else(String::new, number),
                    line.reach(),
                    line.unit.to_owned(),
                    line.verdict().to_owned(),
                ]);
            }
        }
        write!(f, "\n{}\n", columns(&table, &[0, 5]))?;
        let heading = ["CPU s per million events", "user", "system", "total", "brokers"];
        let mut table = vec![heading.map(str::to_owned).to_vec()];
        for cost in self.rows.iter().flat_map(|row| &row.costs) {
            table.push(vec![
                cost.of.to_owned(),
                format!("{:.2}", cost.program.user),
                format!("{:.2}", cost.program.system),
                format!("{:.2}", cost.program.total()),
                cost.brokers.map_or_else(String::new, |brokers| format!("{:.2}", brokers.total())),
            ]);
        }
        if table.len() > 1 {
            writeln!(f, "{}", columns(&table, &[0]))?;
        }
        for row in &self.rows {
            writeln!(f, "{}:", row.what)?;
            for note in &row.notes {
                writeln!(f, "  {note}")?;
            }
        }
        for failure in &self.failures {
            writeln!(f, "not measured: {failure}")?;
        }
        writeln!(f, "\n{}; profile {}", self.machine, self.profile)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(measured: f64, bound: Option<f64>, reach: Reach) -> Line {
        Line { what: "it", measured, bound, bound_is: "that", unit: "s", reach }
    }

    #[test]
    fn a_figure_is_held_against_its_reach() {
        for (measured, bound, reach, score, met) in [
            (3.0, Some(2.0), Reach::AtMost(4.0), 4.0 / 3.0, true),
            (8.0, Some(2.0), Reach::AtMost(4.0), 0.5, false),
            (300_000.0, None, Reach::AtLeast(150_000.0), 2.0, true),
            (30.0, Some(40.0), Reach::RatioAtLeast(0.5), 1.5, true),
            (30.0, Some(40.0), Reach::RatioAtLeast(1.0), 0.75, false),
            (30.0, Some(40.0), Reach::RatioAtMost(0.75), 1.0, true),
        ] {
            let line = line(measured, bound, reach);
            assert!((line.score() - score).abs() < 1e-9, "{line:?}: {}", line.score());
            assert_eq!(line.met(), met, "{line:?}");
        }
    }

    #[test]
    fn a_ratio_without_a_bound_is_short_not_met() {
        for bound in [None, Some(0.0)] {
            let line = line(1.0, bound, Reach::RatioAtLeast(0.5));
            assert_eq!((line.ratio(), line.verdict()), (None, "short"));
        }
    }

    #[test]
    fn numbers_are_for_people() {
        for (value, text) in [
            (1_234_567.8, "1,234,568"),
            (1000.0, "1,000"),
            (256.4, "256"),
            (25.64, "25.6"),
            (4.0, "4"),
            (0.5, "0.5"),
            (0.0514, "0.051"),
            (0.00012, "0.00012"),
            (0.0, "0"),
            (-2.5, "-2.5"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn costs_are_per_million_events() {
        let cost = Cost::new("x", 500_000, Cpu { user: 1.0, system: 0.5 }, None);
        assert_eq!(cost.program.total(), 3.0);
    }

    #[test]
    fn the_table_names_what_fell_short() {
        let lines = vec![line(8.0, Some(2.0), Reach::AtMost(4.0))];
        let row = Row { id: "x", what: "a thing", lines, costs: Vec::new(), notes: vec!["a note".to_owned()] };
        let report = Report { rows: vec![row], failures: vec!["another: it broke".to_owned()], ..Report::new() };
        let text = report.to_string();
        assert!(text.contains("a thing") && text.contains("≤ 4") && text.contains("short"), "{text}");
        assert!(text.contains("not measured: another: it broke"), "{text}");
        assert_eq!(serde_json::to_value(&report).unwrap()["rows"][0]["lines"][0]["ratio"], 4.0);
    }
}
