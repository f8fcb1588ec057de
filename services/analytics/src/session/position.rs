//! What is committed beside a partition's offset, as the offset's metadata.

use std::str::FromStr;

/// How to restore the sessions of a partition, and what is still to come of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Offset of the event topic from which sessions are restored; at most the committed offset.
    pub restore_from: i64,
    /// Stream time before the event at `restore_from`, in milliseconds since the Unix epoch.
    pub stream_time: i64,
    /// Sessions whose story is not in the delta topic yet.
    pub pending_stories: u64,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "v1 restore={} stream_time={} pending={}", self.restore_from, self.stream_time, self.pending_stories)
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("the committed offset's metadata is {text:?}, which no version of this service writes");
        let rest = text.strip_prefix("v1 ").ok_or_else(bad)?;
        let mut parts = rest.split(' ');
        let mut next = |name: &str| -> Result<i64, String> {
            let value = parts.next().and_then(|p| p.strip_prefix(name)).and_then(|p| p.strip_prefix('='));
            value.and_then(|v| v.parse().ok()).ok_or_else(bad)
        };
        let (restore_from, stream_time) = (next("restore")?, next("stream_time")?);
        let pending_stories = u64::try_from(next("pending")?).map_err(|_| bad())?;
        Ok(Self { restore_from, stream_time, pending_stories })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_the_metadata() {
        let position = Position { restore_from: 7, stream_time: -1, pending_stories: 3 };
        assert_eq!(position.to_string().parse(), Ok(position));
        for bad in ["", "v1", "v2 restore=1 stream_time=1 pending=1", "v1 restore=1 stream_time=x pending=0"] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
    }
}
