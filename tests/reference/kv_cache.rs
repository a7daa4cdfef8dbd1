//! What the KV cache keeps of a number. It is how Qwisp stores keys and values, so it belongs to what is asked of a
//! computation, not to its errors.

use qwisp::backend::{KV_GROUP, KvCacheFormat};

use super::quantize::scale;
use crate::support::closeness::widen;
use crate::support::halves::round_to_halves;

/// What is left of heads' numbers, which are whole groups.
pub(crate) fn kept(format: KvCacheFormat, x: &[f64]) -> Vec<f64> {
    match format {
        KvCacheFormat::F16 => widen(&round_to_halves(&x.iter().map(|&x| x as f32).collect::<Vec<_>>())),
        KvCacheFormat::Q8 => x
            .chunks(KV_GROUP)
            .flat_map(|group| {
                let step = bf16_from(scale(group, 1.0)) / 127.0;
                group.iter().map(move |x| (x / step).round() * step)
            })
            .collect(),
    }
}

/// What is left of a rotated key, whose projection has this bias. Q8 keeps keys without it in the pairs of dimensions that
/// turn by at most 1 over the context, which changes no softmax; and divides the others by their reach.
pub(crate) fn kept_key(format: KvCacheFormat, key: &[f64], bias: &[f64], base: f64, context: usize) -> Vec<f64> {
    let is_removed = |dim: usize| format == KvCacheFormat::Q8 && is_steady(dim, key.len() / 2, base, context);
    let removed = key.iter().zip(bias).enumerate().map(|(dim, (x, b))| if is_removed(dim) { x - b } else { *x });
    let reach = key_reach(format, bias, base, context);
    kept(format, &removed.zip(reach).map(|(x, reach)| x / reach).collect::<Vec<_>>())
}

/// How far each dimension of a key reaches by its bias: what a query is multiplied by for keys that were divided.
pub(crate) fn key_reach(format: KvCacheFormat, bias: &[f64], base: f64, context: usize) -> Vec<f64> {
    let pairs = bias.len() / 2;
    let reach = |dim: usize| (1.0 + bias[dim % pairs].powi(2) + bias[dim % pairs + pairs].powi(2)).sqrt();
    let is_divided = |dim: usize| format == KvCacheFormat::Q8 && !is_steady(dim, pairs, base, context);
    (0..bias.len()).map(|dim| if is_divided(dim) { reach(dim) } else { 1.0 }).collect()
}

/// Whether a dimension turns by at most 1 over the context.
fn is_steady(dim: usize, pairs: usize, base: f64, context: usize) -> bool {
    base.powf(-((dim % pairs) as f64) / pairs as f64) * context as f64 <= 1.0
}

/// The smallest bf16 that is no less than x, where x is positive and neither subnormal nor near the largest numbers.
pub(crate) fn bf16_from(x: f64) -> f64 {
    let ulp = 2f64.powi(x.log2().floor() as i32 - 7);
    (x / ulp).ceil() * ulp
}
