//! Numbers of 16 bits, as the KV cache keeps them: two in a word, the first in its lower half.

use candle_core::{DType, Device, Tensor};

/// The f16 nearest to each value.
pub(crate) fn pack_halves(values: &[f32]) -> Vec<u32> {
    let mut bytes = Vec::with_capacity(values.len() * 2);
    Tensor::new(values, &Device::Cpu)
        .and_then(|tensor| tensor.to_dtype(DType::F16)?.write_bytes(&mut bytes))
        .expect("candle converts f32 to f16");
    bytemuck::pod_collect_to_vec(&bytes)
}

/// The values of packed f16 numbers.
pub(crate) fn unpack_halves(words: &[u32]) -> Vec<f32> {
    let bytes = bytemuck::cast_slice(words);
    Tensor::from_raw_buffer(bytes, DType::F16, &[words.len() * 2], &Device::Cpu)
        .and_then(|tensor| tensor.to_dtype(DType::F32)?.to_vec1())
        .expect("candle converts f16 to f32")
}

/// The values that are left of `values` after a stay in the KV cache.
pub(crate) fn round_to_halves(values: &[f32]) -> Vec<f32> {
    unpack_halves(&pack_halves(values))
}
