//! Q8_0, and Q4_0 and Q5_0 as such: a scale and 32 signed bytes.

use std::array::from_fn;

use bytemuck::{Pod, Zeroable};

use super::super::lanes::I16x8;
use super::{Block, GROUP, SLICE, half_at};
use crate::gguf::TensorType;

/// 32 weights.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Bytes {
    scale: f32,
    quants: [[i8; SLICE]; GROUP / SLICE],
}

impl Block for Bytes {
    const GROUPS: usize = 1;
    const HAS_OFFSETS: bool = false;
    const LARGEST_QUANT: i32 = 128;

    fn from_file(tensor_type: TensorType, bytes: &[u8]) -> Self {
        let quant = |at: usize| match tensor_type {
            TensorType::Q4_0 => low_or_high(&bytes[2..], at) as i8 - 8,
            TensorType::Q5_0 => five_bits(&bytes[2..6], &bytes[6..], at) as i8 - 16,
            _ => bytes[2 + at] as i8,
        };
        Self { scale: half_at(bytes, 0), quants: from_fn(|slice| from_fn(|at| quant(slice * SLICE + at))) }
    }

    #[inline(always)]
    fn scale(&self) -> f32 {
        self.scale
    }

    #[inline(always)]
    fn quants(&self, _group: usize, slice: usize) -> I16x8 {
        I16x8::widen(&self.quants[slice])
    }
}

/// The nibble of weight `at`: 16 bytes have the first 16 weights in their lower halves, the other 16 in their upper ones.
pub(super) fn low_or_high(nibbles: &[u8], at: usize) -> u8 {
    nibbles[at % 16] >> (at / 16 * 4) & 15
}

/// The same with a fifth bit, of which 32 are in 4 bytes.
pub(super) fn five_bits(high_bits: &[u8], nibbles: &[u8], at: usize) -> u8 {
    low_or_high(nibbles, at) | (high_bits[at / 8] >> (at % 8) & 1) << 4
}
