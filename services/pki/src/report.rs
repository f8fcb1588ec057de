//! What [`init`](crate::init) did.

use std::fmt;
use std::path::{Path, PathBuf};

use time::{Duration, OffsetDateTime};

use crate::options::Rotate;

/// From this much before its end a certificate is reported.
const SOON: Duration = Duration::days(30);

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It existed and is sound.
    Kept,
    /// It did not exist.
    Created,
    /// It existed and was replaced, with the reason.
    Renewed(&'static str),
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Created => "created",
            Self::Renewed(_) => "renewed",
        }
    }
}

/// One certificate or password.
#[derive(Debug, Clone)]
pub struct Item {
    /// The item's name, e.g. `broker-1` or `KAFKA_ADMIN_PASSWORD`.
    pub name: String,
    /// The file that holds it (of a pair: the certificate).
    pub file: PathBuf,
    /// What was done.
    pub outcome: Outcome,
    /// When a certificate ends.
    pub expires: Option<OffsetDateTime>,
    /// Something the user should act on.
    pub warning: Option<String>,
}

impl Item {
    pub(crate) fn password(name: &str, file: &Path, outcome: Outcome) -> Self {
        let file = file.to_path_buf();
        Self { name: name.to_owned(), file, outcome, expires: None, warning: None }
    }

    pub(crate) fn certificate(
        name: &str,
        file: &Path,
        outcome: Outcome,
        expires: OffsetDateTime,
        judge: Option<(OffsetDateTime, Rotate)>,
    ) -> Self {
        let warning = judge.and_then(|(now, group)| {
            let remedy = format!("run `storepulse-pki init --rotate {group}` and restart its users");
            if expires <= now {
                Some(format!("{name} expired on {}: {remedy}", expires.date()))
            } else if expires - now < SOON {
                let days = (expires - now).whole_days();
                Some(format!("{name} expires in {days} days, on {}: {remedy}", expires.date()))
            } else {
                None
            }
        });
        let (name, file) = (name.to_owned(), file.to_path_buf());
        Self { name, file, outcome, expires: Some(expires), warning }
    }
}

/// Everything that was looked at, in order. Displays as a table.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The items.
    pub items: Vec<Item>,
}

impl Report {
    /// Whether anything was written.
    pub fn changed(&self) -> bool {
        self.items.iter().any(|item| item.outcome != Outcome::Kept)
    }

    /// What the user should act on: certificates that have expired or soon will.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| item.warning.as_deref())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.items.iter().map(|item| item.name.len()).max().unwrap_or(0);
        for item in &self.items {
            let Item { name, file, outcome, expires, .. } = item;
            let file = file.display().to_string();
            write!(f, "{:<8} {name:<width$}  {file}", outcome.word())?;
            if let Some(date) = expires {
                write!(f, "  (until {})", date.date())?;
            }
            if let Outcome::Renewed(reason) = outcome {
                write!(f, "  because {reason}")?;
            }
            writeln!(f)?;
        }
        for warning in self.warnings() {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}
