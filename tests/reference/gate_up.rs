//! The first half of the feed-forward layer: Shazeer, "GLU Variants Improve Transformer" (2020), after a norm.

use super::matmul::matvec;
use super::rms_norm::rms_norm;
use super::silu_mul::silu_mul;

/// silu(gate · y) * (up · y) with y = rms_norm(x).
pub(crate) fn gate_up(x: &[f64], norm: &[f64], epsilon: f64, gate: &[f32], up: &[f32]) -> Vec<f64> {
    let normalized = rms_norm(x, norm, epsilon);
    let (gate, up) = (matvec(gate, &normalized), matvec(up, &normalized));
    gate.into_iter().zip(up).map(|(gate, up)| silu_mul(gate, up)).collect()
}
