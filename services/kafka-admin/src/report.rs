//! What [`apply`](crate::apply) did.

use std::fmt;

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was as planned.
    Kept,
    /// It was there and differed.
    Changed,
    /// It was not there.
    Created,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kept => "kept",
            Self::Changed => "changed",
            Self::Created => "created",
        })
    }
}

/// One item of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `topic`, `user` or `acl`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What was done.
    pub outcome: Outcome,
    /// More, e.g. which settings changed.
    pub detail: String,
}

/// Everything that was looked at. Displays as a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The items, topics first, then users and ACLs.
    pub items: Vec<Change>,
    /// ACLs of the plan's users that the plan doesn't have; they are left alone.
    pub unplanned: Vec<String>,
}

impl Report {
    /// Adds an item. Of several rounds over the same item the strongest outcome counts.
    pub(crate) fn record(&mut self, kind: &'static str, name: &str, outcome: Outcome, detail: String) {
        match self.items.iter_mut().find(|item| item.kind == kind && item.name == name) {
            Some(item) if item.outcome >= outcome => {}
            Some(item) => (item.outcome, item.detail) = (outcome, detail),
            None => self.items.push(Change { kind, name: name.to_owned(), outcome, detail }),
        }
    }

    /// How many items of a kind had an outcome.
    pub fn count(&self, kind: &str, outcome: Outcome) -> usize {
        self.items.iter().filter(|item| item.kind == kind && item.outcome == outcome).count()
    }

    /// Whether anything was written.
    pub fn changed(&self) -> bool {
        self.items.iter().any(|item| item.outcome != Outcome::Kept)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for item in self.items.iter().filter(|item| item.kind != "acl" || item.outcome != Outcome::Kept) {
            write!(f, "{:<8} {:<6} {}", item.outcome, item.kind, item.name)?;
            if item.detail.is_empty() {
                writeln!(f)?;
            } else {
                writeln!(f, "  ({})", item.detail)?;
            }
        }
        let kept = self.count("acl", Outcome::Kept);
        if kept > 0 {
            writeln!(f, "{:<8} {:<6} {kept} as planned", Outcome::Kept, "acl")?;
        }
        for acl in &self.unplanned {
            writeln!(f, "warning: not in the plan and left alone: {acl}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_round_does_not_hide_what_the_first_made() {
        let mut report = Report::default();
        report.record("topic", "a", Outcome::Created, String::new());
        report.record("topic", "a", Outcome::Kept, String::new());
        assert_eq!(report.count("topic", Outcome::Created), 1);
        assert_eq!(report.items.len(), 1);
    }
}
