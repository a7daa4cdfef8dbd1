//! Q4_1 and Q5_1: a scale, an offset and 32 quants, a byte each.

use bytemuck::{Pod, Zeroable};

use super::super::lanes::{F32x4, I16x8};
use super::bytes::{five_bits, four_bits, slices};
use super::{Block, GROUP, SLICE, append_each, half_at, sixteen_at};
use crate::gguf::TensorType;

/// 32 weights.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct BytesWithOffset {
    scale: f32,
    offset: f32,
    quants: [[i8; SLICE]; GROUP / SLICE],
}

impl Block for BytesWithOffset {
    const GROUPS: usize = 1;
    const HAS_OFFSETS: bool = true;
    const LARGEST_QUANT: i32 = 31;

    fn append(tensor_type: TensorType, bytes: &[u8], blocks: &mut Vec<Self>) {
        match tensor_type {
            TensorType::Q4_1 => append_each(bytes, blocks, |bytes: &[u8; 20]| {
                let quants = four_bits(sixteen_at(bytes, 4));
                Self { scale: half_at(bytes, 0), offset: half_at(bytes, 2), quants: slices(quants) }
            }),
            _ => append_each(bytes, blocks, |bytes: &[u8; 24]| {
                let quants = five_bits(&bytes[4..8], sixteen_at(bytes, 8));
                Self { scale: half_at(bytes, 0), offset: half_at(bytes, 2), quants: slices(quants) }
            }),
        }
    }

    #[inline(always)]
    fn scale(&self) -> f32 {
        self.scale
    }

    #[inline(always)]
    fn quants(&self, _group: usize, slice: usize) -> I16x8 {
        I16x8::widen(&self.quants[slice])
    }

    #[inline(always)]
    fn offset(&self, _group: usize) -> f32 {
        self.offset
    }

    #[inline(always)]
    fn offset_products(&self, sums: &[f32]) -> F32x4 {
        F32x4::load(&[self.offset * sums[0], 0.0, 0.0, 0.0])
    }
}
