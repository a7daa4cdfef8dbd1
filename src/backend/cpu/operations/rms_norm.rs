//! Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019).

use super::super::lanes::F32x4;

/// Writes each row of `x`, `[rows, columns]`, divided by the root of its mean square, times `weight` of `[columns]`.
pub fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, output: &mut [f32]) {
    let (weight, _) = weight.as_chunks::<4>();
    let columns = 4 * weight.len();
    for (x, output) in x.chunks_exact(columns).zip(output.chunks_exact_mut(columns)) {
        let ((x, _), (output, _)) = (x.as_chunks::<4>(), output.as_chunks_mut::<4>());
        let mut sums = [F32x4::ZERO; 4];
        for (at, x) in x.iter().enumerate() {
            let x = F32x4::load(x);
            sums[at % 4] = sums[at % 4] + x * x;
        }
        let mean_square = ((sums[0] + sums[1]) + (sums[2] + sums[3])).sum() / columns as f32;
        // Divided by a root of infinity, numbers out of range would pass for zeros.
        let factor = if mean_square.is_finite() { 1.0 / (mean_square + epsilon).sqrt() } else { f32::NAN };
        let factor = F32x4::splat(factor);
        for ((x, weight), output) in x.iter().zip(weight).zip(output) {
            *output = (F32x4::load(x) * factor * F32x4::load(weight)).to_array();
        }
    }
}
