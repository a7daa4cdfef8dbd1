//! Su et al., "RoFormer" (2021), in the order of GPT-NeoX: dimension i turns with i + d / 2.

use super::super::lanes::F32x4;

/// The angles of some positions.
#[derive(Debug, Default)]
pub struct Rotations {
    /// `[positions, head_dim / 2]`.
    cosines: Vec<f32>,
    /// `[positions, head_dim / 2]`.
    sines: Vec<f32>,
    half: usize,
}

impl Rotations {
    /// Computes, in f64, the angles of `positions`: position · base^(−2i / head_dim).
    pub fn fill(&mut self, positions: &[usize], head_dim: usize, base: f64) {
        self.half = head_dim / 2;
        self.cosines.clear();
        self.sines.clear();
        for position in positions {
            for i in 0..self.half {
                let angle = *position as f64 * base.powf(-2.0 * i as f64 / head_dim as f64);
                self.cosines.push(angle.cos() as f32);
                self.sines.push(angle.sin() as f32);
            }
        }
    }
}

/// Turns a head at the `at`-th of the positions of `rotations`.
pub fn rotate(head: &mut [f32], rotations: &Rotations, at: usize) {
    let range = at * rotations.half..(at + 1) * rotations.half;
    let (low, high) = head.split_at_mut(rotations.half);
    let ((low, _), (high, _)) = (low.as_chunks_mut::<4>(), high.as_chunks_mut::<4>());
    let ((cosines, _), (sines, _)) =
        (rotations.cosines[range.clone()].as_chunks::<4>(), rotations.sines[range].as_chunks::<4>());
    for (((low, high), cosine), sine) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
        let (x, y, cosine, sine) = (F32x4::load(low), F32x4::load(high), F32x4::load(cosine), F32x4::load(sine));
        *low = (x * cosine - y * sine).to_array();
        *high = (y * cosine + x * sine).to_array();
    }
}
