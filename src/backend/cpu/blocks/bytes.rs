//! Q8_0, and Q4_0 and Q5_0 as such: a scale and 32 signed bytes.

use bytemuck::{Pod, Zeroable};

use super::super::lanes::{I16x8, U8x16};
use super::{Block, GROUP, SLICE, append_each, half_at, sixteen_at};
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

    fn append(tensor_type: TensorType, bytes: &[u8], blocks: &mut Vec<Self>) {
        match tensor_type {
            TensorType::Q4_0 => append_each(bytes, blocks, |bytes: &[u8; 18]| {
                let [first, second] = four_bits(sixteen_at(bytes, 2));
                let offset = U8x16::splat(8);
                Self { scale: half_at(bytes, 0), quants: slices([first - offset, second - offset]) }
            }),
            TensorType::Q5_0 => append_each(bytes, blocks, |bytes: &[u8; 22]| {
                let [first, second] = five_bits(&bytes[2..6], sixteen_at(bytes, 6));
                let offset = U8x16::splat(16);
                Self { scale: half_at(bytes, 0), quants: slices([first - offset, second - offset]) }
            }),
            _ => append_each(bytes, blocks, |bytes: &[u8; 34]| Self {
                scale: half_at(bytes, 0),
                quants: slices([sixteen_at(bytes, 2), sixteen_at(bytes, 18)]),
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
}

/// The nibbles of 32 weights: 16 bytes have the first 16 in their lower halves, the other 16 in their upper ones.
#[inline(always)]
pub(super) fn four_bits(nibbles: U8x16) -> [U8x16; 2] {
    [nibbles & U8x16::splat(15), nibbles.shift_right(4)]
}

/// The same with a fifth bit, of which 32 are in 4 bytes.
#[inline(always)]
pub(super) fn five_bits(high_bits: &[u8], nibbles: U8x16) -> [U8x16; 2] {
    let fifth = |at: usize| U8x16::from_bits(u16::from_le_bytes([high_bits[at], high_bits[at + 1]])) & U8x16::splat(16);
    let [first, second] = four_bits(nibbles);
    [first | fifth(0), second | fifth(2)]
}

/// 32 bytes as the slices of a group.
#[inline(always)]
pub(super) fn slices([first, second]: [U8x16; 2]) -> [[i8; SLICE]; GROUP / SLICE] {
    bytemuck::cast([first.to_array(), second.to_array()])
}
