//! The result, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::answer::Verdict;

/// One attempt: an attack, a control, or a look at the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `control`, `attack` or `evidence`.
    pub kind: &'static str,
    /// Its short name.
    pub name: String,
    /// What was tried.
    pub tried: String,
    /// What came back.
    pub answered: String,
    /// What should have.
    pub expected: String,
    /// What follows.
    pub verdict: Verdict,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
}

impl Line {
    pub(crate) fn timed(mut self, took: Duration) -> Self {
        self.milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, tried, answered, expected, .. } = self;
        writeln!(f, "{:<12} {kind:<8} {name:<36} {answered}", self.verdict.word())?;
        write!(f, "{:<21} tried to {tried}; expected: {expected}", "")
    }
}

/// Everything that was attempted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The attempts, in order.
    pub lines: Vec<Line>,
    /// What is open, a sentence each. Empty with [`Self::proven`] is the only good result.
    pub holes: Vec<String>,
    /// Whether everything could be tried.
    pub proven: bool,
}

impl Report {
    pub(crate) fn conclude(lines: Vec<Line>) -> Self {
        let open = |line: &&Line| matches!(line.verdict, Verdict::Hole | Verdict::WrongReason);
        let holes = lines.iter().filter(open).map(sentence).collect();
        let proven = !lines.is_empty() && lines.iter().all(|line| line.verdict != Verdict::Unproven);
        Self { lines, holes, proven }
    }

    /// Whether every attack was refused for the right reason, every control got through, and no
    /// record was written or read.
    pub fn passed(&self) -> bool {
        self.proven && self.holes.is_empty()
    }

    /// The result in a few lines, for the end of the output.
    pub fn conclusion(&self) -> String {
        let count = |kind| self.lines.iter().filter(|line| line.kind == kind).count();
        let mut text = String::new();
        for hole in &self.holes {
            text += &format!("HOLE: {hole}\n");
        }
        for line in self.lines.iter().filter(|line| line.verdict == Verdict::Unproven) {
            text += &format!("NOT PROVEN: {}: {}\n", line.name, line.answered);
        }
        if self.passed() {
            let (attacks, controls) = (count("attack"), count("control"));
            text += &format!(
                "{attacks} attacks refused for the right reason, {controls} controls let in, no record written or read\n"
            );
        } else if !self.proven && self.holes.is_empty() {
            text += "The cluster could not be put to the test, so nothing is proven.\n";
        }
        text
    }
}

fn sentence(line: &Line) -> String {
    let Line { kind, name, tried, answered, expected, verdict, .. } = line;
    match (*kind, verdict) {
        ("control", Verdict::WrongReason) => format!("{name}: a good client is locked out: {answered}"),
        ("control" | "evidence", _) => format!("{name}: {answered}"),
        (_, Verdict::WrongReason) => {
            format!("{name}: refused, but not by what should refuse it ({answered}; expected {expected})")
        }
        _ => format!("{name}: it was possible to {tried} ({answered})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &'static str, verdict: Verdict) -> Line {
        Line {
            kind,
            name: "name".into(),
            tried: "do it".into(),
            answered: "answer".into(),
            expected: "no".into(),
            verdict,
            milliseconds: 1,
        }
    }

    #[test]
    fn passes_only_when_everything_held() {
        let conclude =
            |verdicts: &[Verdict]| Report::conclude(verdicts.iter().map(|verdict| line("attack", *verdict)).collect());
        assert!(conclude(&[Verdict::Held, Verdict::Held]).passed());
        for bad in [Verdict::Hole, Verdict::WrongReason, Verdict::Unproven] {
            assert!(!conclude(&[Verdict::Held, bad]).passed(), "{bad:?}");
        }
        assert!(!conclude(&[]).passed());
    }

    #[test]
    fn names_the_hole() {
        let report = Report::conclude(vec![line("attack", Verdict::Hole)]);
        assert!(report.conclusion().starts_with("HOLE: name: it was possible to do it"));
    }

    #[test]
    fn an_unreachable_cluster_is_not_a_hole() {
        let report = Report::conclude(vec![line("control", Verdict::Unproven)]);
        assert!(report.holes.is_empty());
        assert!(report.conclusion().contains("nothing is proven"));
    }
}
