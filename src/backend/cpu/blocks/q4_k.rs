//! Q4_K: 256 weights in 8 groups.

use std::array::from_fn;

use bytemuck::{Pod, Zeroable};

use super::super::lanes::{F32x4, I16x8};
use super::{Block, GROUP, SLICE, half_at, minimum_products, scales_and_minima};
use crate::gguf::TensorType;

/// 256 weights: in each group, `scale · scales[group] · nibble − minimum · minima[group]`.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Q4K {
    scale: f32,
    minimum: f32,
    scales: [u8; 8],
    minima: [u8; 8],
    nibbles: [NibbleGroup; 8],
}

/// The nibbles of 32 weights: a word has those of the same place in each of the four slices, the first in its lowest bits.
pub(super) type NibbleGroup = [i16; SLICE];

impl Block for Q4K {
    const GROUPS: usize = 8;
    const HAS_OFFSETS: bool = true;
    const LARGEST_QUANT: i32 = 15 * 63;

    fn from_file(_: TensorType, bytes: &[u8]) -> Self {
        let (scales, minima) = scales_and_minima(&bytes[4..16]);
        let nibbles = nibble_groups(&bytes[16..]);
        Self { scale: half_at(bytes, 0), minimum: half_at(bytes, 2), scales, minima, nibbles }
    }

    #[inline(always)]
    fn scale(&self) -> f32 {
        self.scale
    }

    #[inline(always)]
    fn quants(&self, group: usize, slice: usize) -> I16x8 {
        nibbles(&self.nibbles[group], slice) * I16x8::splat(self.scales[group].into())
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

/// The nibbles of 256 weights from the file: of each two groups, 32 bytes have the first one's in their lower halves.
pub(super) fn nibble_groups(bytes: &[u8]) -> [NibbleGroup; 8] {
    let nibble = |group: usize, at: usize| bytes[group / 2 * GROUP + at] >> (group % 2 * 4) & 15;
    from_fn(|group| {
        from_fn(|at| {
            let of_slice = |slice: usize| u16::from(nibble(group, slice * SLICE + at)) << (4 * slice);
            (0..GROUP / SLICE).map(of_slice).fold(0, |word, bits| word | bits) as i16
        })
    })
}

/// The nibbles of a slice.
#[inline(always)]
pub(super) fn nibbles(group: &NibbleGroup, slice: usize) -> I16x8 {
    let words = I16x8::load(group);
    match slice {
        0 => words & I16x8::splat(15),
        1 => words.shift_right(4) & I16x8::splat(15),
        2 => words.shift_right(8) & I16x8::splat(15),
        _ => words.shift_right(12),
    }
}
