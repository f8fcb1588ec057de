//! The event ids that a session has seen.

use std::collections::VecDeque;

use hashbrown::HashSet;

/// The most ids that a session remembers; the oldest go first. It keeps the checkpoint of an endless session (a bot's)
/// below the size of a record.
pub const MAX_IDS: usize = 40_000;

/// A set of 128-bit hashes of event ids in the order in which they came: a short list, or a list with a hash set once
/// it is long.
#[derive(Debug)]
pub(super) struct Ids {
    order: VecDeque<u128>,
    /// The same ids, once there are more than [`FEW`].
    set: Option<HashSet<u128>>,
}

/// Up to so many ids are searched one after another, which is faster and smaller than hashing.
const FEW: usize = 48;

impl Default for Ids {
    fn default() -> Self {
        /// Most sessions have fewer events.
        const ROOM: usize = 16;
        Self { order: VecDeque::with_capacity(ROOM), set: None }
    }
}

impl Ids {
    pub(super) fn from_list(ids: Vec<u128>) -> Self {
        let set = (ids.len() > FEW).then(|| ids.iter().copied().collect());
        Self { order: ids.into(), set }
    }

    /// Adds an id; false if it is known.
    pub(super) fn insert(&mut self, id: u128) -> bool {
        let new = match &mut self.set {
            Some(set) => set.insert(id),
            None => !self.order.contains(&id),
        };
        if new {
            self.order.push_back(id);
            if self.set.is_none() && self.order.len() > FEW {
                self.set = Some(self.order.iter().copied().collect());
            }
            if self.order.len() > MAX_IDS
                && let Some(oldest) = self.order.pop_front()
                && let Some(set) = &mut self.set
            {
                set.remove(&oldest);
            }
        }
        new
    }

    /// The ids, oldest first.
    pub(super) fn to_list(&self) -> Vec<u128> {
        self.order.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_ids_go_first() {
        let mut ids = Ids::default();
        for id in 0..MAX_IDS as u128 + 10 {
            assert!(ids.insert(id));
        }
        let mut ids = Ids::from_list(ids.to_list());
        assert!(!ids.insert(10));
        assert!(ids.insert(9));
        assert!(ids.insert(10), "9 took the place of 10");
        assert_eq!(ids.to_list().len(), MAX_IDS);
    }
}
