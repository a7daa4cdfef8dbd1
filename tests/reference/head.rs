//! Logits, before the penalties of a sampler.

use super::matmul::matvec;
use super::rms_norm::rms_norm;

/// weights · rms_norm(x)
pub(crate) fn logits(x: &[f64], norm: &[f64], epsilon: f64, weights: &[f32]) -> Vec<f64> {
    matvec(weights, &rms_norm(x, norm, epsilon))
}
