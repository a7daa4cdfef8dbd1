//! The gate of a feed-forward layer: Shazeer, "GLU Variants Improve Transformer" (2020).

use super::super::lanes::F32x4;

/// gate = silu(gate) · up, element by element; silu(x) = x / (1 + e⁻ˣ).
pub fn silu_mul(gate: &mut [f32], up: &[f32]) {
    let ((gate, _), (up, _)) = (gate.as_chunks_mut::<4>(), up.as_chunks::<4>());
    for (gate, up) in gate.iter_mut().zip(up) {
        let x = F32x4::load(gate);
        let silu = x / (F32x4::splat(1.0) + (F32x4::ZERO - x).exp());
        *gate = (silu * F32x4::load(up)).to_array();
    }
}
