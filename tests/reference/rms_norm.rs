//! Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019).

/// yᵢ = xᵢ / √(mean(x²) + ε) · wᵢ
pub(crate) fn rms_norm(x: &[f64], weight: &[f64], epsilon: f64) -> Vec<f64> {
    let mean_square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    x.iter().zip(weight).map(|(x, weight)| x / (mean_square + epsilon).sqrt() * weight).collect()
}
