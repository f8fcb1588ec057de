//! What the API answers, as pure functions of documents: no input, no output, no clock.
//!
//! Every amount is a whole number of minor units, every sum is made of whole numbers, and rates are computed from sums:
//! never averages of averages.

pub mod document;
pub mod funnel;
pub mod items;
pub mod now;
pub mod session;
pub mod shop;
pub mod trending;

use std::collections::BTreeMap;

pub use document::Document;

/// Documents by their paths.
pub type Documents = BTreeMap<String, storepulse_analytics::store::Fields>;

/// `part` ÷ `whole`; none where it would divide by zero.
pub fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole != 0).then(|| part as f64 / whole as f64)
}

/// `total` ÷ `count`, rounded to a whole number, half to even; none where it would divide by zero.
pub fn rounded(total: i64, count: i64) -> Option<i64> {
    if count == 0 {
        return None;
    }
    let (total, count) = (i128::from(total) * i128::from(count.signum()), i128::from(count.unsigned_abs()));
    let (whole, rest) = (total.div_euclid(count), total.rem_euclid(count));
    let up = rest * 2 > count || (rest * 2 == count && whole % 2 != 0);
    i64::try_from(whole + i128::from(up)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_rounded_half_to_even() {
        for (total, count, expected) in
            [(5, 2, 2), (7, 2, 4), (10, 4, 2), (100, 3, 33), (200, 3, 67), (-5, 2, -2), (-7, 2, -4), (0, 7, 0)]
        {
            assert_eq!(rounded(total, count), Some(expected), "{total} / {count}");
        }
        assert_eq!((rounded(1, 0), ratio(1, 0), ratio(1, 4)), (None, None, Some(0.25)));
    }
}
