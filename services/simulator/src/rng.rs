//! Random numbers whose values never change between versions, machines or libraries: the promise "same seed, same
//! stream" rests on them, so they are written out here (xoshiro256++ and SplitMix64 by Blackman and Vigna,
//! <https://prng.di.unimi.it>). Only additions, multiplications and comparisons are used: the mathematical
//! functions of a system's C library may differ in the last bit.

/// An RFC 9562 version 4 UUID as text.
pub type UuidText = [u8; 36];

/// A deterministic generator of random numbers. Not for secrets.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

/// The output function of SplitMix64: a bijection that spreads every bit.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Derives a seed of its own for the part `label` of whatever `seed` stands for.
pub const fn derive(seed: u64, label: u64) -> u64 {
    mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ mix(label.wrapping_mul(0xd6e8_feb8_6659_fd93).wrapping_add(1))
}

impl Rng {
    /// The generator of a seed.
    pub const fn new(seed: u64) -> Self {
        let mut state = [0; 4];
        let mut z = seed;
        let mut i = 0;
        while i < 4 {
            z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
            state[i] = mix(z);
            i += 1;
        }
        Self { state }
    }

    /// 64 random bits.
    #[inline]
    pub const fn bits(&mut self) -> u64 {
        let [s0, s1, s2, s3] = self.state;
        let result = s0.wrapping_add(s3).rotate_left(23).wrapping_add(s0);
        let (s2, s3) = (s2 ^ s0, s3 ^ s1);
        self.state = [s0 ^ s3, s1 ^ s2, s2 ^ (s1 << 17), s3.rotate_left(45)];
        result
    }

    /// A number in `0.0..1.0`, with 53 random bits.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Whether something of this probability (0 to 1) happens.
    #[inline]
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A number in `0..n`; 0 when `n` is 0. The bias of less than n / 2^64 does not matter here.
    #[inline]
    pub const fn below(&mut self, n: u64) -> u64 {
        ((self.bits() as u128 * n as u128) >> 64) as u64
    }

    /// A number in `low..=high`; `low` when `high` is less.
    #[inline]
    pub const fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        low + self.below((high - low) as u64 + 1) as i64
    }

    /// An element of a slice that is not empty.
    #[inline]
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// A random UUID of version 4.
    #[inline]
    pub fn uuid(&mut self) -> UuidText {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let high = self.bits() & 0xffff_ffff_ffff_0fff | 0x0000_0000_0000_4000;
        let low = self.bits() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
        let mut text = [b'-'; 36];
        let mut put = |range: std::ops::Range<usize>, value: u64| {
            for (i, byte) in text[range].iter_mut().rev().enumerate() {
                *byte = HEX[(value >> (4 * i)) as usize & 0xf];
            }
        };
        put(0..8, high >> 32);
        put(9..13, high >> 16);
        put(14..18, high);
        put(19..23, low >> 48);
        put(24..36, low);
        text
    }
}

/// A choice among weighted possibilities in constant time (Walker's alias method).
#[derive(Clone, Debug)]
pub struct Weighted {
    /// For each column: the share of it that is its own (of 2^32), and who gets the rest.
    columns: Vec<(u64, u32)>,
}

impl Weighted {
    /// Prepares a choice of an index into `weights`, which are not negative and of which at least one is positive.
    pub fn new(weights: &[f64]) -> Self {
        let sum: f64 = weights.iter().sum();
        let mut share: Vec<f64> = weights.iter().map(|w| w * weights.len() as f64 / sum).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..share.len()).partition(|i| share[*i] < 1.0);
        let mut columns: Vec<(u64, u32)> = (0..share.len()).map(|i| (1 << 32, i as u32)).collect();
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            columns[poor] = ((share[poor] * 4_294_967_296.0) as u64, rich as u32);
            share[rich] -= 1.0 - share[poor];
            if share[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Self { columns }
    }

    /// An index, with the probability of its weight.
    #[inline]
    pub fn pick(&self, rng: &mut Rng) -> usize {
        let bits = rng.bits();
        let column = (((bits >> 32) * self.columns.len() as u64) >> 32) as usize;
        let (own, other) = self.columns[column];
        if bits & 0xffff_ffff < own { column } else { other as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_are_those_of_the_published_algorithm() {
        // The first outputs of xoshiro256++ 1.0 for the state 1, 2, 3, 4.
        let mut rng = Rng { state: [1, 2, 3, 4] };
        assert_eq!([rng.bits(), rng.bits(), rng.bits()], [41_943_041, 58_720_359, 3_588_806_011_781_223]);
    }

    #[test]
    fn uuids_have_their_version_and_variant() {
        let mut rng = Rng::new(7);
        for _ in 0..1000 {
            let text = String::from_utf8(rng.uuid().to_vec()).unwrap();
            let parts: Vec<_> = text.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12]);
            assert_eq!(text.as_bytes()[14], b'4');
            assert!(b"89ab".contains(&text.as_bytes()[19]), "{text}");
        }
    }

    #[test]
    fn weights_are_kept() {
        let choice = Weighted::new(&[1.0, 0.0, 6.0, 3.0]);
        let mut rng = Rng::new(1);
        let mut counts = [0; 4];
        for _ in 0..100_000 {
            counts[choice.pick(&mut rng)] += 1;
        }
        assert_eq!(counts[1], 0);
        for (count, tenths) in [(counts[0], 1), (counts[2], 6), (counts[3], 3)] {
            assert!((tenths * 10_000i32 - count).abs() < 1_000, "{counts:?}");
        }
    }

    #[test]
    fn ranges_include_both_ends() {
        let mut rng = Rng::new(3);
        let seen: std::collections::BTreeSet<_> = (0..1000).map(|_| rng.between(-1, 2)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-1, 0, 1, 2]);
        assert_eq!(rng.between(5, 5), 5);
    }
}
