//! The record that follows the checkpoints of a cut.
//!
//! Checkpoints and the offset that they belong to are committed in one transaction, but become visible partition by
//! partition. And the end of a partition is no sign that all was read: a new leader, until its followers have asked, takes
//! an earlier offset for the end than the one before it. So the committed offset says which seal to look for; see
//! [`Position::seal`](super::Position::seal).

/// The key of seals in the compacted topic, which keeps the latest. It is no session's id: it is not UTF-8.
pub const KEY: &[u8] = b"\xff";

/// As bytes.
pub fn encode(seal: u64) -> Vec<u8> {
    seal.to_string().into_bytes()
}

/// The inverse of [`encode`].
///
/// # Errors
///
/// If the bytes are no seal.
pub fn decode(bytes: &[u8]) -> Result<u64, String> {
    let number = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| "it is no number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_survives_its_record() {
        assert_eq!(decode(&encode(u64::MAX)), Ok(u64::MAX));
        assert!(decode(b"-1").is_err() && decode(KEY).is_err());
    }
}
