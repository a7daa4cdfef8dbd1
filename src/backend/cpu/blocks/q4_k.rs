//! Q4_K: 256 weights in 8 groups.

use std::array::from_fn;

use bytemuck::{Pod, Zeroable};

use super::super::lanes::{F32x4, I16x8};
use super::{Block, GROUP, SLICE, append_each, half_at, minimum_products, scales_and_minima};
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

    fn append(_: TensorType, bytes: &[u8], blocks: &mut Vec<Self>) {
        append_each(bytes, blocks, |bytes: &[u8; 144]| {
            let (scales, minima) = scales_and_minima(&bytes[4..16]);
            let nibbles = nibble_groups(&bytes[16..]);
            Self { scale: half_at(bytes, 0), minimum: half_at(bytes, 2), scales, minima, nibbles }
        });
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
#[inline(always)]
pub(super) fn nibble_groups(bytes: &[u8]) -> [NibbleGroup; 8] {
    let mut groups = [[0; SLICE]; 8];
    for (pair, bytes) in groups.as_chunks_mut::<2>().0.iter_mut().zip(bytes.chunks_exact(GROUP)) {
        let [first, second, third, fourth] = byte_slices(bytes);
        let (low, high) = (I16x8::splat(15), I16x8::splat(0xf0));
        let lower =
            (first & low) | (second & low).shift_left(4) | (third & low).shift_left(8) | (fourth & low).shift_left(12);
        let upper = (first & high).shift_right(4)
            | (second & high)
            | (third & high).shift_left(4)
            | (fourth & high).shift_left(8);
        *pair = [lower.to_array(), upper.to_array()];
    }
    groups
}

/// 32 bytes, eight to a vector. What is above a lane's byte is of no meaning.
#[inline(always)]
pub(super) fn byte_slices(bytes: &[u8]) -> [I16x8; GROUP / SLICE] {
    let (slices, _) = bytemuck::cast_slice::<u8, i8>(bytes).as_chunks::<SLICE>();
    from_fn(|slice| I16x8::widen(&slices[slice]))
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
