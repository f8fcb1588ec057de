//! What [`init`](crate::init) is asked to do.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use time::OffsetDateTime;

/// A group of items that can be renewed by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rotate {
    /// The authority, and with it every certificate it signed.
    Ca,
    /// The brokers' certificates.
    Brokers,
    /// The client certificates of every principal.
    Clients,
    /// The rogue authority and the attackers' certificates.
    Attackers,
    /// Every password in the env file.
    Passwords,
    /// All of the above.
    All,
}

impl Rotate {
    /// The names accepted on the command line.
    pub const NAMES: &'static str = "ca, brokers, clients, attackers, passwords, all";

    /// The name as given on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Brokers => "brokers",
            Self::Clients => "clients",
            Self::Attackers => "attackers",
            Self::Passwords => "passwords",
            Self::All => "all",
        }
    }
}

impl fmt::Display for Rotate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Rotate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Ca, Self::Brokers, Self::Clients, Self::Attackers, Self::Passwords, Self::All]
            .into_iter()
            .find(|group| group.name() == text.trim())
            .ok_or_else(|| format!("`{text}` is not one of: {}", Self::NAMES))
    }
}

/// The input of [`init`](crate::init).
#[derive(Debug, Clone)]
pub struct Options {
    /// Where certificates go; made with mode 0700 when missing.
    pub dir: PathBuf,
    /// The file of passwords; made with mode 0600 when missing.
    pub env_file: PathBuf,
    /// What to renew although it is sound.
    pub rotate: BTreeSet<Rotate>,
    /// DNS names and IP addresses the brokers' certificates must carry besides their own.
    pub extra_sans: Vec<String>,
    /// The time certificates are made and judged at (tests set it).
    pub now: OffsetDateTime,
}

impl Options {
    /// The defaults: nothing rotated, no extra names, the present time.
    pub fn new(dir: impl Into<PathBuf>, env_file: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            env_file: env_file.into(),
            rotate: BTreeSet::new(),
            extra_sans: Vec::new(),
            now: OffsetDateTime::now_utc(),
        }
    }

    /// Whether `group` is to be renewed.
    pub fn rotates(&self, group: Rotate) -> bool {
        self.rotate.contains(&group) || self.rotate.contains(&Rotate::All)
    }
}
