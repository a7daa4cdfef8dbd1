//! The KV cache of a layer, in either format.

use half::f16;

use super::super::lanes::F32x4;
use crate::backend::{KV_GROUP, KvCacheFormat};

/// The scale of a group whose numbers are all as good as zero; its reciprocal is a number as well.
const SMALLEST_SCALE: f32 = 1e-30;

/// The keys and values of one layer.
#[derive(Debug)]
pub struct LayerCache {
    /// `[kv_heads, context, head_dim]`.
    keys: Numbers,
    /// `[kv_heads, context, head_dim]`.
    values: Numbers,
    kv_heads: usize,
    context: usize,
    head_dim: usize,
}

/// Numbers of a cache, as [`KvCacheFormat`] says.
#[derive(Debug)]
enum Numbers {
    /// f16.
    F16(Vec<u16>),
    /// Signed bytes, and a bf16 for each [`KV_GROUP`] of them.
    Q8 { quants: Vec<i8>, scales: Vec<u16> },
}

impl LayerCache {
    /// Room for `context` positions; `None` when there is no memory for them.
    pub fn allocate(format: KvCacheFormat, kv_heads: usize, context: usize, head_dim: usize) -> Option<Self> {
        let length = kv_heads.checked_mul(context)?.checked_mul(head_dim)?;
        let [keys, values] = [Numbers::allocate(format, length)?, Numbers::allocate(format, length)?];
        Some(Self { keys, values, kv_heads, context, head_dim })
    }

    /// A longer cache that holds the same; `None` when there is no memory for it.
    pub fn grown(&self, context: usize) -> Option<Self> {
        let Self { kv_heads, head_dim, .. } = *self;
        let format = match self.keys {
            Numbers::F16(_) => KvCacheFormat::F16,
            Numbers::Q8 { .. } => KvCacheFormat::Q8,
        };
        let mut grown = Self::allocate(format, kv_heads, context, head_dim)?;
        grown.keys.copy_heads(&self.keys, kv_heads);
        grown.values.copy_heads(&self.values, kv_heads);
        Some(grown)
    }

    /// Takes the key and the value of a KV head at a position.
    pub fn put(&mut self, kv_head: usize, position: usize, key: &[f32], value: &[f32]) {
        let start = (kv_head * self.context + position) * self.head_dim;
        self.keys.put(start, key);
        self.values.put(start, value);
    }

    /// Decodes the keys of a KV head from `position` on, as many as `output` has room for.
    pub(super) fn decode_keys(&self, kv_head: usize, position: usize, output: &mut [f32]) {
        self.keys.decode((kv_head * self.context + position) * self.head_dim, output);
    }

    /// Decodes the values of a KV head from `position` on, as many as `output` has room for.
    pub(super) fn decode_values(&self, kv_head: usize, position: usize, output: &mut [f32]) {
        self.values.decode((kv_head * self.context + position) * self.head_dim, output);
    }
}

impl Numbers {
    fn allocate(format: KvCacheFormat, length: usize) -> Option<Self> {
        Some(match format {
            KvCacheFormat::F16 => Self::F16(zeros(length)?),
            KvCacheFormat::Q8 => Self::Q8 { quants: zeros(length)?, scales: zeros(length / KV_GROUP)? },
        })
    }

    /// Takes what a shorter cache holds.
    fn copy_heads(&mut self, shorter: &Self, kv_heads: usize) {
        match (self, shorter) {
            (Self::F16(to), Self::F16(from)) => copy_heads(to, from, kv_heads),
            (Self::Q8 { quants, scales }, Self::Q8 { quants: from_quants, scales: from_scales }) => {
                copy_heads(quants, from_quants, kv_heads);
                copy_heads(scales, from_scales, kv_heads);
            }
            _ => debug_assert!(false, "a cache grows in its own format"),
        }
    }

    /// Takes whole groups of numbers.
    fn put(&mut self, start: usize, numbers: &[f32]) {
        match self {
            Self::F16(halves) => {
                for (half, number) in halves[start..].iter_mut().zip(numbers) {
                    *half = f16::from_f32(*number).to_bits();
                }
            }
            Self::Q8 { quants, scales } => {
                let (quants, _) = quants[start..][..numbers.len()].as_chunks_mut::<KV_GROUP>();
                let (numbers, _) = numbers.as_chunks::<KV_GROUP>();
                let groups = quants.iter_mut().zip(&mut scales[start / KV_GROUP..]).zip(numbers);
                for ((quants, scale), numbers) in groups {
                    *scale = quantize(numbers, quants);
                }
            }
        }
    }

    /// Decodes whole groups of numbers.
    fn decode(&self, start: usize, output: &mut [f32]) {
        match self {
            Self::F16(halves) => {
                let ((halves, _), (output, _)) =
                    (halves[start..][..output.len()].as_chunks::<4>(), output.as_chunks_mut::<4>());
                for (halves, output) in halves.iter().zip(output) {
                    *output = F32x4::from_halves(halves).to_array();
                }
            }
            Self::Q8 { quants, scales } => {
                let (quants, _) = quants[start..][..output.len()].as_chunks::<KV_GROUP>();
                let (output, _) = output.as_chunks_mut::<KV_GROUP>();
                for ((quants, scale), output) in quants.iter().zip(&scales[start / KV_GROUP..]).zip(output) {
                    let step = F32x4::splat(f32::from_bits(u32::from(*scale) << 16) / 127.0);
                    let ((quants, _), (output, _)) = (quants.as_chunks::<4>(), output.as_chunks_mut::<4>());
                    for (quants, output) in quants.iter().zip(output) {
                        *output = (F32x4::from_signed_bytes(*quants) * step).to_array();
                    }
                }
            }
        }
    }
}

/// The quants of a group, and its scale: the largest magnitude, rounded up to bf16.
fn quantize(numbers: &[f32; KV_GROUP], quants: &mut [i8; KV_GROUP]) -> u16 {
    let largest = numbers.iter().fold(SMALLEST_SCALE, |largest, number| largest.max(number.abs()));
    let scale = (largest.to_bits() + 0xffff) >> 16;
    let factor = 127.0 / f32::from_bits(scale << 16);
    for (quant, number) in quants.iter_mut().zip(numbers) {
        *quant = (number * factor).round() as i8;
    }
    scale as u16
}

/// So many zeros; `None` when there is no memory for them.
fn zeros<T: Clone + Default>(length: usize) -> Option<Vec<T>> {
    let mut zeros = Vec::new();
    zeros.try_reserve_exact(length).ok()?;
    zeros.resize(length, T::default());
    Some(zeros)
}

/// The rows of the heads, each to the beginning of a longer one.
fn copy_heads<T: Copy>(to: &mut [T], from: &[T], kv_heads: usize) {
    let (old, new) = (from.len() / kv_heads, to.len() / kv_heads);
    if old > 0 {
        for (to, from) in to.chunks_exact_mut(new).zip(from.chunks_exact(old)) {
            to[..old].copy_from_slice(from);
        }
    }
}
