//! The buffers of a KV cache, as its format says.

use qwisp::backend::{KV_GROUP, KvCacheFormat};

use super::gpu::Gpu;
use super::halves::{pack_halves, unpack_halves};

/// The keys or the values of a cache, `[positions, kv_heads, head_dim]`, in words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PackedCache {
    pub(crate) numbers: Vec<u32>,
    /// None where the format has none.
    pub(crate) scales: Vec<u32>,
}

impl PackedCache {
    /// Numbers beyond what the format can tell apart are rounded. A group that is not all numbers has a scale that is none.
    pub(crate) fn pack(format: KvCacheFormat, numbers: &[f32], head_dim: usize) -> Self {
        if format == KvCacheFormat::F16 {
            return Self { numbers: pack_halves(numbers), scales: Vec::new() };
        }
        let (mut bytes, mut scales) = (Vec::with_capacity(numbers.len()), Vec::new());
        for group in numbers.chunks(KV_GROUP) {
            let largest = group.iter().fold(1e-30, |largest: f32, x| largest.max(x.abs()));
            let scale = (largest.to_bits() + 0xffff) >> 16;
            let step = f32::from_bits(scale << 16) / 127.0;
            scales.push(if group.iter().any(|x| x.is_nan()) { 0x7fc0 } else { scale });
            bytes.extend(group.iter().map(|x| (x / step).round() as i8));
        }
        // A word has the scales of group i of a head and of group i + groups / 2.
        let half = head_dim / KV_GROUP / 2;
        let words = scales.chunks(2 * half).flat_map(|head| (0..half).map(|i| head[i] | head[i + half] << 16));
        Self { numbers: bytemuck::pod_collect_to_vec(&bytes), scales: words.collect() }
    }

    /// The numbers again.
    pub(crate) fn unpack(&self, format: KvCacheFormat, head_dim: usize) -> Vec<f32> {
        if format == KvCacheFormat::F16 {
            return unpack_halves(&self.numbers);
        }
        let half = head_dim / KV_GROUP / 2;
        let scales = self.scales.chunks(half).flat_map(|head| {
            let of = |shift: u32| head.iter().map(move |word| f32::from_bits((word >> shift & 0xffff) << 16));
            of(0).chain(of(16)).collect::<Vec<_>>()
        });
        let bytes: &[i8] = bytemuck::cast_slice(&self.numbers);
        let groups = bytes.chunks(KV_GROUP).zip(scales);
        groups.flat_map(|(group, scale)| group.iter().map(move |&q| f32::from(q) / 127.0 * scale)).collect()
    }

    /// The words of some positions of `context`.
    pub(crate) fn slice(&self, positions: std::ops::Range<usize>, context: usize) -> Self {
        let part = |words: &[u32]| {
            let each = words.len() / context;
            words[positions.start * each..positions.end * each].to_vec()
        };
        Self { numbers: part(&self.numbers), scales: part(&self.scales) }
    }
}

/// The same on the GPU.
pub(crate) struct CacheBuffers {
    pub(crate) numbers: wgpu::Buffer,
    scales: Option<wgpu::Buffer>,
}

impl CacheBuffers {
    pub(crate) fn of(gpu: &Gpu, cache: &PackedCache) -> Self {
        let scales = (!cache.scales.is_empty()).then(|| gpu.buffer(&cache.scales));
        Self { numbers: gpu.buffer(&cache.numbers), scales }
    }

    /// What is in them now.
    pub(crate) fn read(&self, gpu: &mut Gpu) -> PackedCache {
        let numbers = gpu.read_words(&self.numbers);
        PackedCache { numbers, scales: self.scales.as_ref().map_or(Vec::new(), |scales| gpu.read_words(scales)) }
    }

    /// The scales of keys and values, as kernels take them.
    pub(crate) fn scales<'a>(keys: &'a Self, values: &'a Self) -> Option<[&'a wgpu::Buffer; 2]> {
        Some([keys.scales.as_ref()?, values.scales.as_ref()?])
    }
}
