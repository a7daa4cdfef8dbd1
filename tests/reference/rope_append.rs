//! Su et al., "RoFormer" (2021), in the order of GPT-NeoX: dimension i turns with i + d / 2.

/// Turns each pair (xᵢ, xᵢ₊d/₂) of a head by the angle position · base^(−2i / d).
pub(crate) fn rotate(head: &[f64], position: usize, base: f64) -> Vec<f64> {
    let half = head.len() / 2;
    let mut rotated = vec![0.0; head.len()];
    for i in 0..half {
        let angle = position as f64 * base.powf(-2.0 * i as f64 / head.len() as f64);
        rotated[i] = head[i] * angle.cos() - head[i + half] * angle.sin();
        rotated[i + half] = head[i + half] * angle.cos() + head[i] * angle.sin();
    }
    rotated
}
