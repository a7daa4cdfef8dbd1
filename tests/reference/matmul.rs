//! The product of a matrix with a vector.

/// yᵣ = Σ꜀ W[r, c] · x꜀, with `weights` row after row.
pub(crate) fn matvec(weights: &[f32], x: &[f64]) -> Vec<f64> {
    weights.chunks_exact(x.len()).map(|row| row.iter().zip(x).map(|(&weight, x)| f64::from(weight) * x).sum()).collect()
}
