//! Seeded random numbers, the same on every device.

/// PCG-XSH-RR with 64 bits of state: O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
/// Algorithms for Random Number Generation" (2014). Small enough to run in a shader as well.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
const INCREMENT: u64 = 1_442_695_040_888_963_407;

impl Random {
    /// A generator whose numbers depend on `seed` alone.
    pub fn new(seed: u64) -> Self {
        let mut random = Self { state: seed.wrapping_add(INCREMENT) };
        random.next_u32();
        random
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        let state = self.state;
        self.state = state.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        let xorshifted = (((state >> 18) ^ state) >> 27) as u32;
        xorshifted.rotate_right((state >> 59) as u32)
    }

    /// The next number in `[0, 1)`, in steps of 2⁻²⁴: each is exact in f32.
    pub fn next_unit(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 / (1 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again_and_another_seed_others() {
        let numbers = |seed| {
            let mut random = Random::new(seed);
            std::array::from_fn::<u32, 8, _>(|_| random.next_u32())
        };
        assert_eq!(numbers(42), numbers(42));
        assert_ne!(numbers(42), numbers(43));
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
}
