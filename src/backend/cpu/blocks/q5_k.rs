//! Q5_K: 256 weights in 8 groups.

use std::array::from_fn;

use bytemuck::{Pod, Zeroable};

use super::super::lanes::{F32x4, I16x8};
use super::q4_k::{NibbleGroup, byte_slices, nibble_groups, nibbles};
use super::{Block, GROUP, SLICE, append_each, half_at, minimum_products, scales_and_minima};
use crate::gguf::TensorType;

/// 256 weights: in each group, `scale · scales[group] · quant − minimum · minima[group]`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Q5K {
    scale: f32,
    minimum: f32,
    scales: [u8; 8],
    minima: [u8; 8],
    nibbles: [NibbleGroup; 8],
    /// The fifth bits of four groups each: a word has those of the same place in all their slices, the first in its lowest
    /// bit.
    high_bits: [[i16; SLICE]; 2],
}

impl Block for Q5K {
    const GROUPS: usize = 8;
    const HAS_OFFSETS: bool = true;
    const LARGEST_QUANT: i32 = 31 * 63;

    fn append(_: TensorType, bytes: &[u8], blocks: &mut Vec<Self>) {
        append_each(bytes, blocks, |bytes: &[u8; 176]| {
            let (scales, minima) = scales_and_minima(&bytes[4..16]);
            // Of 32 bytes, each has the bits of one place in all groups.
            let bits = byte_slices(&bytes[16..48]);
            let high_bits = from_fn(|half| {
                let mut words = I16x8::splat(0);
                for (group, slice) in (0..4).flat_map(|group| (0..GROUP / SLICE).map(move |slice| (group, slice))) {
                    let bit = bits[slice].shift_right((half * 4 + group) as u32) & I16x8::splat(1);
                    words = words | bit.shift_left((group * 4 + slice) as u32);
                }
                words.to_array()
            });
            Self {
                scale: half_at(bytes, 0),
                minimum: half_at(bytes, 2),
                scales,
                minima,
                nibbles: nibble_groups(&bytes[48..]),
                high_bits,
            }
        });
    }

    #[inline(always)]
    fn scale(&self) -> f32 {
        self.scale
    }

    #[inline(always)]
    fn quants(&self, group: usize, slice: usize) -> I16x8 {
        let bits = I16x8::load(&self.high_bits[group / 4]).shift_right((group % 4 * 4 + slice) as u32);
        let high = (bits & I16x8::splat(1)).shift_left(4);
        (nibbles(&self.nibbles[group], slice) | high) * I16x8::splat(self.scales[group].into())
    }

    #[inline(always)]
    fn offset(&self, group: usize) -> f32 {
        -self.minimum * f32::from(self.minima[group])
    }

    #[inline(always)]
    fn offset_products(&self, sums: &[f32]) -> F32x4 {
        F32x4::splat(-self.minimum) * minimum_products(&self.minima, sums)
    }
}
