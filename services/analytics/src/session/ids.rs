//! The event ids that a session has seen.

use hashbrown::HashSet;

/// A set of 128-bit hashes of event ids: a short list, or a hash set once it is long.
#[derive(Debug)]
pub(super) enum Ids {
    Few(Vec<u128>),
    Many(HashSet<u128>),
}

const FEW: usize = 48;

impl Ids {
    pub(super) fn from_list(ids: Vec<u128>) -> Self {
        if ids.len() <= FEW { Self::Few(ids) } else { Self::Many(ids.into_iter().collect()) }
    }

    /// Adds an id; false if it was there.
    pub(super) fn insert(&mut self, id: u128) -> bool {
        match self {
            Self::Few(ids) => {
                if ids.contains(&id) {
                    return false;
                }
                ids.push(id);
                if ids.len() > FEW {
                    *self = Self::Many(std::mem::take(ids).into_iter().collect());
                }
                true
            }
            Self::Many(ids) => ids.insert(id),
        }
    }

    pub(super) fn to_list(&self) -> Vec<u128> {
        match self {
            Self::Few(ids) => ids.clone(),
            Self::Many(ids) => ids.iter().copied().collect(),
        }
    }
}
