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

/// The smallest bf16 that is no less than x, where x is positive and neither subnormal nor near the largest numbers.
pub(crate) fn bf16_from(x: f64) -> f64 {
    let ulp = 2f64.powi(x.log2().floor() as i32 - 7);
    (x / ulp).ceil() * ulp
}
