//! Ids as small numbers.

use hashbrown::HashMap;

/// Gives each id a number, and remembers the latest name that came with it.
#[derive(Default)]
pub(super) struct Interner {
    numbers: HashMap<Box<str>, u32>,
    entries: Vec<(Box<str>, Box<str>)>,
}

impl Interner {
    /// The number of `id`, now known under `name`.
    pub(super) fn id(&mut self, id: &str, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(id) {
            let known = &mut self.entries[*number as usize].1;
            if **known != *name {
                *known = name.into();
            }
            return *number;
        }
        let number = self.entries.len() as u32;
        self.numbers.insert(id.into(), number);
        self.entries.push((id.into(), name.into()));
        number
    }

    /// The id with this number.
    pub(super) fn text(&self, number: u32) -> &str {
        &self.entries[number as usize].0
    }

    /// The latest name of the id with this number.
    pub(super) fn name(&self, number: u32) -> &str {
        &self.entries[number as usize].1
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
