//! Seeded random numbers, the same on every device: `shaders/shared/random.wgsl` makes the same bits.

/// A counter-based generator: each word is a hash of seed and counter, so it has no state but the count, and a shader
/// that knows the count can go on where the host left off. The hash is pcg4d of Jarzynski and Olano, "Hash Functions
/// for GPU Rendering" (Journal of Computer Graphics Techniques 9, 2020).
#[derive(Debug, Clone)]
pub struct Random {
    seed: u64,
    counter: u32,
}

impl Random {
    /// A generator whose numbers depend on `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        // The counter comes first and the word last: so every bit of the counter went through all of the hash. With
        // the counter in third place, the low bits of the first word are far from even.
        let [.., word] = pcg4d([self.counter, self.seed as u32, (self.seed >> 32) as u32, 0]);
        self.counter = self.counter.wrapping_add(1);
        word
    }

    /// The next number in `[0, 1)`, in steps of 2⁻²⁴: each is exact in f32.
    pub fn next_unit(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 / (1 << 24) as f32
    }
}

/// A hash of four words to four words.
fn pcg4d(words: [u32; 4]) -> [u32; 4] {
    const MULTIPLIER: u32 = 1_664_525;
    const INCREMENT: u32 = 1_013_904_223;
    let congruential = words.map(|word| word.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT));
    mix(mix(congruential).map(|word| word ^ word >> 16))
}

/// Adds to each word the product of two others; later words take in what the earlier ones became.
fn mix([mut x, mut y, mut z, mut w]: [u32; 4]) -> [u32; 4] {
    x = x.wrapping_add(y.wrapping_mul(w));
    y = y.wrapping_add(z.wrapping_mul(x));
    z = z.wrapping_add(x.wrapping_mul(y));
    w = w.wrapping_add(y.wrapping_mul(z));
    [x, y, z, w]
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 1 << 14;

    #[test]
    fn a_seed_gives_the_same_numbers_again_and_another_seed_others() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            std::array::from_fn::<u32, 8, _>(|_| random.next_u32())
        };
        assert_eq!(numbers(42), numbers(42));
        for other in [0, 41, 43, 42 << 32, 42 | 1 << 32] {
            let same = numbers(42).iter().zip(numbers(other)).filter(|&(&a, b)| a == b).count();
            assert_eq!(same, 0, "seeds 42 and {other}");
        }
    }

    #[test]
    fn unit_numbers_fill_the_range_evenly() {
        let mut random = Random::new(1);
        let mut counts = [0; 10];
        for _ in 0..10_000 {
            counts[(random.next_unit() * 10.0) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }

    /// The words of consecutive counters of a seed, and those of consecutive seeds at a counter.
    #[test]
    fn every_bit_is_even_and_neighbours_are_independent() {
        for fixed in 0..20 {
            let mut random = Random::new(fixed);
            let of_counters: Vec<u32> = (0..DRAWS).map(|_| random.next_u32()).collect();
            let of_seeds: Vec<u32> =
                (0..DRAWS).map(|seed| Random { seed: seed as u64, counter: fixed as u32 }.next_u32()).collect();
            for (name, words) in [("counters of seed", of_counters), ("seeds at counter", of_seeds)] {
                // In standard deviations, of which 5 happen once in two million.
                let deviation =
                    |ones: usize, of: usize| (ones as f64 - of as f64 / 2.0).abs() / (of as f64 / 4.0).sqrt();
                for bit in 0..32 {
                    let ones = words.iter().filter(|&word| word >> bit & 1 == 1).count();
                    assert!(deviation(ones, DRAWS) < 5.0, "{name} {fixed}, bit {bit}: {ones} of {DRAWS}");
                    let flips = words.windows(2).filter(|pair| (pair[0] ^ pair[1]) >> bit & 1 == 1).count();
                    assert!(deviation(flips, DRAWS - 1) < 5.0, "{name} {fixed}, bit {bit}: {flips} flips");
                }
            }
        }
    }
}
