//! The keys and values of one layer on the GPU.

use super::device::Device;
use crate::backend::Dimensions;

/// The keys and values of one layer, as the format of the KV cache keeps them.
#[derive(Debug)]
pub struct LayerCache {
    /// `[positions, kv_heads, head_dim]`: a longer cache begins with a shorter one.
    pub(super) keys: wgpu::Buffer,
    /// `[positions, kv_heads, head_dim]`.
    pub(super) values: wgpu::Buffer,
    /// `[positions, kv_heads, head_dim / 64]` of keys and values, two bf16 each, where the format has scales.
    scales: Option<[wgpu::Buffer; 2]>,
}

impl LayerCache {
    /// Room for so many positions.
    pub(super) fn allocate(device: &Device, dimensions: &Dimensions, positions: usize) -> Self {
        let Dimensions { kv_heads, head_dim, kv_cache, .. } = *dimensions;
        let numbers = (positions * kv_heads * head_dim) as u64;
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let buffer = |label, bytes| device.buffer(label, bytes, usage);
        let [keys, values] = ["keys", "values"].map(|label| buffer(label, kv_cache.number_bytes(numbers)));
        let scale_bytes = kv_cache.scale_bytes(numbers);
        let scales = (scale_bytes > 0).then(|| ["key scales", "value scales"].map(|label| buffer(label, scale_bytes)));
        Self { keys, values, scales }
    }

    /// The scales as kernels take them.
    pub(super) fn scales(&self) -> Option<[&wgpu::Buffer; 2]> {
        self.scales.as_ref().map(|scales| scales.each_ref())
    }

    /// All that it is made of.
    pub(super) fn buffers(&self) -> impl Iterator<Item = &wgpu::Buffer> {
        [&self.keys, &self.values].into_iter().chain(self.scales.iter().flatten())
    }
}
