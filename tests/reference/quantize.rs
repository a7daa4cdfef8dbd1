//! Numbers as quants with a scale.

/// s = max |x| / q: the scale of numbers of which the largest becomes the quant q. Each number is then the quant nearest to
/// x / s.
pub(crate) fn scale(x: &[f64], largest_quant: f64) -> f64 {
    x.iter().fold(0.0, |largest: f64, x| largest.max(x.abs())) / largest_quant
}
