//! Random numbers of the shapes that tests need, the same in every run.

use std::f32::consts::TAU;

use qwisp::generate::Random;

/// `count` numbers from a normal distribution around 0 (Box and Muller, 1958).
pub(crate) fn normal(random: &mut Random, count: usize, deviation: f32) -> Vec<f32> {
    let draw = |_| {
        let radius = (-2.0 * (1.0 - random.next_unit()).ln()).sqrt();
        deviation * radius * (TAU * random.next_unit()).cos()
    };
    (0..count).map(draw).collect()
}
