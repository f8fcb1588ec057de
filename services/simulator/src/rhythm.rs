//! The rhythm of the day: shoppers come back sooner in the evening than before dawn, by their local (solar) time.

use crate::rng::Rng;

/// How busy each local hour is, from 0 (pauses are long) to 1 (pauses are short).
const LOAD: [f64; 24] = [
    0.22, 0.12, 0.07, 0.05, 0.05, 0.09, 0.20, 0.35, 0.48, 0.56, 0.62, 0.66, 0.70, 0.66, 0.62, 0.62, 0.66, 0.72, 0.82,
    0.93, 1.00, 0.94, 0.70, 0.42,
];

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// The sun moves one degree of longitude in four minutes.
const MICROS_PER_DEGREE: f64 = 240_000_000.0;

/// How busy the local hour is at this time (microseconds since the Unix epoch) and longitude (degrees east).
pub fn load(time: i64, longitude: f64) -> f64 {
    let local = time + (longitude * MICROS_PER_DEGREE) as i64;
    LOAD[(local.rem_euclid(MICROS_PER_DAY) / (MICROS_PER_DAY / 24)) as usize]
}

/// The pause before a shopper's next session: `low` to `high`; in busy hours near the low end, in quiet ones near the
/// high end. Always takes the same number of random numbers, so that the hour changes times and nothing else.
pub fn pause(rng: &mut Rng, (low, high): (i64, i64), load: f64) -> i64 {
    let draws = [rng.unit(), rng.unit(), rng.unit()];
    let busy = rng.chance(load);
    let share = if busy { draws.into_iter().fold(1.0, f64::min) } else { draws.into_iter().fold(0.0, f64::max) };
    low + ((high - low) as f64 * share) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evening_is_busier_than_dawn_everywhere() {
        let at = |hour: i64, longitude| load(hour * MICROS_PER_DAY / 24, longitude);
        assert!(at(20, 0.0) > 0.9 && at(4, 0.0) < 0.1);
        // 20:00 at 90° E is 14:00 UTC; 04:00 at 90° W is 10:00 UTC.
        assert!(at(14, 90.0) > 0.9 && at(10, -90.0) < 0.1);
        assert!(at(-4, 0.0) > 0.9, "before 1970, too");
    }

    #[test]
    fn pauses_stay_in_their_range_and_follow_the_load() {
        let mean = |load| {
            let mut rng = Rng::new(1);
            let pauses: Vec<i64> = (0..10_000).map(|_| pause(&mut rng, (1_000, 9_000), load)).collect();
            assert!(pauses.iter().all(|p| (1_000..=9_000).contains(p)));
            pauses.iter().sum::<i64>() / 10_000
        };
        assert!(mean(1.0) < 3_200 && mean(0.0) > 6_800);
    }
}
