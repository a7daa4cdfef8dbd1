//! Numbers as bytes with a scale.

/// s = max |x| / 127, pᵢ = round(xᵢ / s): the scale and the quants of numbers that share a scale.
pub(crate) fn quantize(x: &[f64]) -> (f64, Vec<f64>) {
    let scale = x.iter().fold(0.0, |largest: f64, x| largest.max(x.abs())) / 127.0;
    (scale, x.iter().map(|x| if scale > 0.0 { (x / scale).round() } else { 0.0 }).collect())
}
