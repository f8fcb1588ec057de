//! What is committed beside a partition's offset, as the offset's metadata.

use std::str::FromStr;

/// How to restore the sessions of a partition, and what is still to come of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Offset of the event topic from which sessions are restored; at most the committed offset.
    pub restore_from: i64,
    /// Stream time before the event at `restore_from`, in milliseconds since the Unix epoch.
    pub stream_time: i64,
    /// The partition's watermark before that event, likewise; `i64::MIN`: none.
    pub watermark: i64,
    /// Sessions whose story is not in the delta topic yet.
    pub pending_stories: u64,
    /// The number of cuts so far with checkpoints. Each such cut ends with this number, as a record of its own, in the
    /// compacted topic: whoever has read it there has read every checkpoint. 0: there is none.
    pub seal: u64,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { restore_from, stream_time, watermark, pending_stories, seal } = self;
        write!(
            f,
            "v3 restore={restore_from} stream_time={stream_time} watermark={watermark} pending={pending_stories} seal={seal}"
        )
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad =
            || format!("the committed offset's metadata is {text:?}, which this version of the service does not write");
        let rest = text.strip_prefix("v3 ").ok_or_else(bad)?;
        let mut parts = rest.split(' ');
        let mut next = |name: &str| -> Result<i64, String> {
            let value = parts.next().and_then(|p| p.strip_prefix(name)).and_then(|p| p.strip_prefix('='));
            value.and_then(|v| v.parse().ok()).ok_or_else(bad)
        };
        let (restore_from, stream_time, watermark) = (next("restore")?, next("stream_time")?, next("watermark")?);
        let mut count = |name: &str| u64::try_from(next(name)?).map_err(|_| bad());
        let (pending_stories, seal) = (count("pending")?, count("seal")?);
        Ok(Self { restore_from, stream_time, watermark, pending_stories, seal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_the_metadata() {
        let position = Position { restore_from: 7, stream_time: -1, watermark: i64::MIN, pending_stories: 3, seal: 9 };
        assert_eq!(position.to_string().parse(), Ok(position));
        for bad in [
            "",
            "v3",
            "v2 restore=1 stream_time=1 pending=1 seal=0",
            "v3 restore=1 stream_time=1 watermark=x pending=0 seal=0",
        ] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
    }
}
