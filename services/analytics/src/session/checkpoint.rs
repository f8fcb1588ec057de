//! The state of one session as a record of the compacted topic.

use serde::{Deserialize, Serialize};

use super::conduct::Conduct;

const VERSION: u8 = 3;

/// A session as it was after an offset of its partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last offset of the event topic that the state contains.
    pub offset: i64,
    /// Stream time of the session's last event, in milliseconds since the Unix epoch.
    pub last_seen: i64,
    /// Offset of the session's last event.
    pub last_offset: i64,
    /// Whether `session_ended` was among its events.
    pub ended: bool,
    /// Whether a part of its story has gone out.
    pub emitted: bool,
    /// What it did.
    pub conduct: Conduct,
    /// The hashes of the event ids it has seen.
    pub ids: Vec<u128>,
    /// Entries of its story that have not gone out.
    #[serde(with = "serde_bytes")]
    pub pending: Vec<u8>,
}

impl Checkpoint {
    /// As bytes, with a version in front.
    pub fn encode(&self) -> Vec<u8> {
        // Encoding into a growing vector can't fail.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    /// The inverse of [`Self::encode`].
    ///
    /// # Errors
    ///
    /// If the bytes are not a checkpoint of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|e| e.to_string()),
            Some((version, _)) => Err(format!("version {version}; this program reads {VERSION}")),
            None => Err("it is empty".into()),
        }
    }
}
