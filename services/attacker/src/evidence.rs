//! What the topics hold: ends before and after, and whose records lie between.
//!
//! Others may be writing meanwhile, so growing ends prove nothing; everything an attacker writes
//! carries the run's marker, uncompressed, and is searched for in the bytes as they are on disk.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use storepulse_events::topics::{DEAD_LETTERS, DELTAS, EVENTS, SESSIONS};
use storepulse_kafka_admin::{Admin, ConnectOptions, Connection, Endpoint, Error, records};

use crate::world::World;

/// Every topic an attacker aims at, or where what it wrote would turn up.
const TOPICS: [&str; 4] = [EVENTS, DELTAS, SESSIONS, DEAD_LETTERS];
/// The longest the search may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The next offset of every partition.
pub(crate) type Ends = BTreeMap<(&'static str, i32), i64>;

/// What the search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Records written meanwhile, by anyone.
    pub written: i64,
    /// Where the marker was seen.
    pub marked: Vec<String>,
}

/// Reads as the auditor, over one connection to each broker.
pub(crate) struct Auditor<'a> {
    world: &'a World,
    options: ConnectOptions,
    leaders: HashMap<(&'static str, i32), Endpoint>,
    connections: HashMap<Endpoint, Connection>,
}

impl<'a> Auditor<'a> {
    pub(crate) fn new(world: &'a World) -> Result<Self, Error> {
        let options = world.good(&world.auditor)?;
        Ok(Self { world, options, leaders: HashMap::new(), connections: HashMap::new() })
    }

    async fn connection(&mut self, topic: &'static str, partition: i32) -> Result<&mut Connection, Error> {
        let endpoint = self.leaders.get(&(topic, partition)).cloned();
        let endpoint =
            endpoint.ok_or_else(|| Error::Config(format!("{topic}-{partition} has no leader at the moment")))?;
        if !self.connections.contains_key(&endpoint) {
            let connection = Connection::open(&endpoint, &self.options).await?;
            self.connections.insert(endpoint.clone(), connection);
        }
        self.connections.get_mut(&endpoint).ok_or_else(|| Error::Config("a connection was lost".to_owned()))
    }

    /// The ends of all partitions now.
    pub(crate) async fn ends(&mut self) -> Result<Ends, Error> {
        let mut admin = Admin::over(self.world.enter(&self.world.auditor).await?);
        let mut partitions = Vec::new();
        for topic in TOPICS {
            let info = admin.topic(topic).await?;
            let info = info.ok_or_else(|| Error::Config(format!("topic {topic} is missing")))?;
            for partition in 0..info.leaders.len() {
                let number = i32::try_from(partition).unwrap_or(i32::MAX);
                if let Some(leader) = info.leader_of(partition) {
                    self.leaders.insert((topic, number), leader.clone());
                }
                partitions.push((topic, number));
            }
        }
        let mut ends = Ends::new();
        for (topic, partition) in partitions {
            let connection = self.connection(topic, partition).await?;
            ends.insert((topic, partition), records::end_offset(connection, topic, partition).await?);
        }
        Ok(ends)
    }

    /// Searches everything written since `before` for the marker.
    pub(crate) async fn search(&mut self, before: &Ends) -> Result<Found, Error> {
        let deadline = Instant::now() + PATIENCE;
        let after = self.ends().await?;
        let marker = self.world.marker.clone();
        let mut found = Found { written: 0, marked: Vec::new() };
        for (&(topic, partition), &end) in &after {
            let mut offset = before.get(&(topic, partition)).copied().unwrap_or(0);
            found.written += (end - offset).max(0);
            while offset < end {
                if Instant::now() > deadline {
                    return Err(Error::Config(format!("{topic} grows faster than it can be searched")));
                }
                let connection = self.connection(topic, partition).await?;
                let fetched = records::fetch(connection, topic, partition, offset, Duration::from_millis(500)).await?;
                if contains(&fetched.batches, marker.as_bytes()) {
                    found.marked.push(format!("{topic}-{partition} from offset {offset}"));
                }
                // A batch may begin before the offset asked for; it never ends before it.
                offset = fetched.next_offset().unwrap_or(offset).max(offset);
            }
        }
        Ok(found)
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return false };
    let mut rest = haystack;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        let Some(candidate) = rest.get(at..) else { return false };
        if candidate.starts_with(needle) {
            return true;
        }
        rest = candidate.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_marker_anywhere() {
        for (text, expected) in [("xabab-c", true), ("abac", true), ("", false), ("ab", false), ("aba", true)] {
            assert_eq!(contains(text.as_bytes(), b"aba"), expected, "{text}");
        }
        assert!(!contains(b"anything", b""));
    }
}
