//! The projections before attention: Zhang and Sennrich's norm, then three linear layers.

use super::matmul::matvec;
use super::rms_norm::rms_norm;
use crate::support::closeness::widen;

/// [query; key; value] · rms_norm(x) + bias, one matrix after the other.
pub(crate) fn query_key_value(
    x: &[f64],
    norm: &[f64],
    epsilon: f64,
    weights: [&[f32]; 3],
    biases: [&[f32]; 3],
) -> Vec<f64> {
    let normalized = rms_norm(x, norm, epsilon);
    let project = |(weights, bias): (&[f32], &[f32])| -> Vec<f64> {
        matvec(weights, &normalized).into_iter().zip(widen(bias)).map(|(product, bias)| product + bias).collect()
    };
    weights.into_iter().zip(biases).flat_map(project).collect()
}
