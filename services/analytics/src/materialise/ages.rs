//! How old the changes of a partition are that are not in the store yet.

use std::collections::VecDeque;

/// For each record of a delta partition, from the first one that is not in the store yet: the time of the oldest event
/// behind it, in milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub struct Ages {
    /// Offsets in order.
    records: VecDeque<(i64, i64)>,
    /// Offsets between two records that are kept, at least. What lies between counts as its predecessor.
    gap: i64,
}

impl Ages {
    /// With more records than this the gap is doubled. So a long outage of the store costs some precision, not memory.
    const MOST: usize = 16_384;

    /// Takes in a record.
    pub fn push(&mut self, offset: i64, time: i64) {
        match self.records.back() {
            None => self.gap = 0,
            Some((last, _)) if *last + self.gap > offset => return,
            Some(_) => {}
        }
        self.records.push_back((offset, time));
        if self.records.len() >= Self::MOST {
            self.gap = (self.gap * 2).max(2);
            let (gap, mut kept) = (self.gap, i64::MIN);
            self.records.retain(|(offset, _)| {
                let keep = *offset >= kept.saturating_add(gap);
                kept = if keep { *offset } else { kept };
                keep
            });
        }
    }

    /// The time of the record at `offset`, if it is known.
    pub fn at(&self, offset: i64) -> Option<i64> {
        let after = self.records.partition_point(|(o, _)| *o <= offset);
        self.records.get(after.checked_sub(1)?).map(|(_, time)| *time)
    }

    /// Forgets what stands before `offset`, and tells the time of what is then the first.
    pub fn done(&mut self, offset: i64) -> Option<i64> {
        // The last one before `offset` may stand for forgotten ones behind it, so it goes only when its successor is done.
        while self.records.get(1).is_some_and(|(second, _)| *second <= offset) {
            self.records.pop_front();
        }
        if self.records.len() == 1 && self.records.front().is_some_and(|(first, _)| *first < offset) {
            self.records.pop_front();
        }
        self.records.front().map(|(_, time)| *time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_that_is_not_done_gives_the_age() {
        let mut ages = Ages::default();
        assert_eq!((ages.at(5), ages.done(5)), (None, None));
        for (offset, time) in [(10, 100), (12, 120), (15, 150)] {
            ages.push(offset, time);
        }
        assert_eq!((ages.at(9), ages.at(10), ages.at(14), ages.at(99)), (None, Some(100), Some(120), Some(150)));
        assert_eq!(ages.done(10), Some(100));
        assert_eq!(ages.done(12), Some(120));
        assert_eq!(ages.done(15), Some(150));
        assert_eq!(ages.done(16), None);
    }

    #[test]
    fn a_long_outage_costs_precision_and_not_memory() {
        let mut ages = Ages::default();
        let records = 100_000;
        (0..records).for_each(|n| ages.push(n, n * 10));
        assert!(ages.records.len() <= Ages::MOST);
        assert_eq!(ages.at(0), Some(0), "the first is what the age is told by");
        for offset in [1_000, 50_000, records - 1] {
            let time = ages.at(offset).unwrap();
            assert!(time <= offset * 10 && time >= (offset - 64) * 10, "{offset}: {time}");
        }
        assert!(ages.done(60_001).is_some_and(|time| (599_000..=600_010).contains(&time)));
    }
}
