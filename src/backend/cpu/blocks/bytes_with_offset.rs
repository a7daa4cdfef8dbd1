//! Q4_1 and Q5_1: a scale, an offset and 32 quants, a byte each.

use std::array::from_fn;

use bytemuck::{Pod, Zeroable};

use super::super::lanes::{F32x4, I16x8};
use super::bytes::{five_bits, low_or_high};
use super::{Block, GROUP, SLICE, half_at};
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

    fn from_file(tensor_type: TensorType, bytes: &[u8]) -> Self {
        let quant = |at: usize| match tensor_type {
            TensorType::Q4_1 => low_or_high(&bytes[4..], at) as i8,
            _ => five_bits(&bytes[4..8], &bytes[8..], at) as i8,
        };
        Self {
            scale: half_at(bytes, 0),
            offset: half_at(bytes, 2),
            quants: from_fn(|slice| from_fn(|at| quant(slice * SLICE + at))),
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
